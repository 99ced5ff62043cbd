"""Results of stages: nested dicts of arrays, numbers and strings, stored as npz and JSON.

    stages/mec_table.npz    the arrays
    stages/mec_table.json   the structure, the other values and the checksum of the npz

The JSON file is written last: without it the stage has not finished.
"""

import io
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.runner import atomic


class Stored(NamedTuple):
    """A stage that was read back.

    Attributes:
      result: What the stage's function returned.
      rows: How many metrics rows it logged.
    """

    result: Any
    rows: int


class DamagedError(Exception):
    """The files of a stage do not belong together; it must be computed again."""


def to_host(result: Any) -> Any:
    """Returns a result as it will be read back: arrays as NumPy, the rest as it is.

    Raises:
      TypeError: The result holds something that the files cannot.
    """
    arrays: dict[str, np.ndarray] = {}
    structure = _encode(result, "result", arrays)
    return _decode(structure, arrays)


def write(directory: Path, name: str, result: Any, rows: int) -> None:
    """Stores a result; after a crash the stage is there whole or not at all."""
    arrays: dict[str, np.ndarray] = {}
    structure = _encode(result, "result", arrays)
    buffer = io.BytesIO()
    np.savez(buffer, **{key: _storable(array) for key, array in arrays.items()})
    archive = directory / f"{name}.npz"
    atomic.write_bytes(archive, buffer.getvalue())
    about = {
        "rows": rows,
        "sha256": atomic.sha256(archive),
        "dtypes": {k: array.dtype.name for k, array in arrays.items() if not _is_native(array)},
        "result": structure,
    }
    atomic.write_json(directory / f"{name}.json", about)


def read(directory: Path, name: str) -> Stored | None:
    """Reads a result back, or returns None where the stage has not finished.

    Raises:
      DamagedError: The files are there but damaged.
    """
    try:
        about = json.loads((directory / f"{name}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DamagedError(f"{name}.json is not readable JSON") from error
    archive = directory / f"{name}.npz"
    try:
        if atomic.sha256(archive) != about["sha256"]:
            raise DamagedError(f"{archive.name} has changed")
        with np.load(archive, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
        for key, dtype in about["dtypes"].items():
            arrays[key] = arrays[key].view(jnp.dtype(dtype))
        return Stored(_decode(about["result"], arrays), about["rows"])
    except FileNotFoundError as error:
        raise DamagedError(f"{archive.name} is missing") from error
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"{name}.json has changed") from error


def _encode(value: Any, where: str, arrays: dict[str, np.ndarray]) -> Any:
    """Turns a value into JSON with {"array": key} in the places of arrays."""
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        array = np.asarray(value)
        if array.dtype.hasobject:
            raise TypeError(f"{where} is an array of Python objects")
        key = f"{len(arrays):03d}"
        arrays[key] = array
        return {"scalar" if isinstance(value, np.generic) else "array": key}
    if isinstance(value, dict):
        odd = [key for key in value if not isinstance(key, str)]
        if odd:
            raise TypeError(f"{where} has the key {odd[0]!r}; the keys of a result are strings")
        return {"dict": {k: _encode(v, f"{where}[{k!r}]", arrays) for k, v in value.items()}}
    if type(value) in (list, tuple):
        items = [_encode(v, f"{where}[{i}]", arrays) for i, v in enumerate(value)]
        return items if isinstance(value, list) else {"tuple": items}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise TypeError(
        f"{where} is {type(value).__name__}; a stage returns dicts, lists and tuples of arrays, "
        "numbers and strings"
    )


def _decode(structure: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(structure, list):
        return [_decode(item, arrays) for item in structure]
    if not isinstance(structure, dict):
        return structure
    ((kind, content),) = structure.items()
    if kind == "dict":
        return {key: _decode(item, arrays) for key, item in content.items()}
    if kind == "tuple":
        return tuple(_decode(item, arrays) for item in content)
    if kind == "float":
        return float(content)
    return arrays[content][()] if kind == "scalar" else arrays[content]


def _is_native(array: np.ndarray) -> bool:
    """Whether the npz format knows the dtype; bfloat16, for one, it does not."""
    return array.dtype.kind in "biufcSUmM"


def _storable(array: np.ndarray) -> np.ndarray:
    return array if _is_native(array) else array.view(f"u{array.dtype.itemsize}")

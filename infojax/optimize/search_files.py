"""A search by asking and telling as a JSON file, written whole or not at all."""

import json
import math
import os
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from infojax.optimize.ask_tell import Search
from infojax.optimize.proposals import Effort
from infojax.optimize.search_settings import Settings

_FORMAT = "infojax search"
_VERSION = 1


def save_search(path: str | os.PathLike, search: Search) -> None:
    """Writes a search as JSON: after a crash the file is the old one or the new one.

    Args:
        path: the file. A file beside it, `.NAME.tmp`, is written first.
        search: what to write.

    Raises:
        OSError: the file cannot be written; what was there before is untouched.

    Returns:
        None.

    Example:
        >>> import jax, os, tempfile
        >>> from infojax import optimize
        >>> search = optimize.start_search(jax.random.key(0), [(0.0, 1.0)], maximize=True)
        >>> search, _ = search.ask(2)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "search.json")
        ...     optimize.save_search(path, search)
        ...     len(optimize.load_search(path).pending)
        2
    """
    target = pathlib.Path(path)
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "key": np.asarray(jax.random.key_data(search.key)).tolist(),
        "key_implementation": str(jax.random.key_impl(search.key)),
        "bounds": search.bounds.tolist(),
        "settings": search.settings._asdict() | {"effort": search.settings.effort._asdict()},
        "points": search.points.tolist(),
        "values": [_number(value) for value in search.values],
        "constraint_values": [[_number(v) for v in row] for row in search.constraint_values],
        "pending": search.pending.tolist(),
        "asked": search.asked,
    }
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1, allow_nan=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _array(rows: Any, *shape: int) -> np.ndarray:
    array = np.array(rows, dtype=np.float64).reshape(len(rows), *shape)
    return array


def load_search(path: str | os.PathLike) -> Search:
    """Reads a search that `save_search` has written: it asks for the same points, bit by bit.

    Args:
        path: the file.

    Returns:
        The search.

    Raises:
        OSError: the file is missing or cannot be read.
        ValueError: it is not a search, or damaged.

    Example:
        >>> from infojax import optimize
        >>> optimize.load_search("README.md")
        Traceback (most recent call last):
        ValueError: path must name a file of save_search; README.md is not one ...
    """
    text = pathlib.Path(path).read_text(encoding="utf-8")
    try:
        content = json.loads(text)
        if content["format"] != _FORMAT:
            raise ValueError(f"its format is {content['format']!r}")
        if content["version"] != _VERSION:
            raise ValueError(f"its version is {content['version']}, this code reads {_VERSION}")
        settings = Settings(**content["settings"])
        settings = settings._replace(effort=Effort(**content["settings"]["effort"]))
        bounds = _array(content["bounds"], 2)
        dimensions = len(bounds)
        key = jax.random.wrap_key_data(
            jnp.asarray(content["key"], jnp.uint32), impl=content["key_implementation"]
        )
        search = Search(
            key=key,
            bounds=bounds,
            settings=settings,
            points=_array(content["points"], dimensions),
            values=_array(content["values"]),
            constraint_values=_array(content["constraint_values"], settings.constraints),
            pending=_array(content["pending"], dimensions),
            asked=int(content["asked"]),
        )
        rows = {len(search.points), len(search.values), len(search.constraint_values)}
        if len(rows) > 1:
            raise ValueError("its points and values differ in number")
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"path must name a file of save_search; {path} is not one ({error})."
        ) from error
    return search

"""The user's own tasks: an npz of designs and values, and an oracle: a table, a command, or none.

Of design-bench's tasks the discrete ones have a table of all designs (TFBind8 65,536 rows, TFBind10
1,048,576), superconductor's oracle is a model of its data, and the robots need a simulator, which a
command may run.
"""

import pathlib
import shlex
import subprocess
import tempfile
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from experiments import runner
from infojax import optimize

METHODS = ("base", "ignite2", "ignite")


def load(directory: str, name: str, scorer: str | None) -> optimize.OfflineTask:
    """Reads a task.

    `NAME.npz` holds `x`, floating (N, D) or whole numbers (N, L), and `y` (N,); perhaps
    `vocabulary`, `lower`, `upper`, and `lowest` and `highest`, the values whose scores are 0 and 1.
    The oracle is the command `scorer`, or the table `NAME_oracle.npz` of all designs with `x` and
    `y`, or of continuous designs a random forest of `NAME_oracle.npz`.

    Args:
        directory: what the user named.
        name: of the task.
        scorer: the command with {designs} and {values}, or None.

    Returns:
        The task.

    Raises:
        UserError: a file lacks what is needed, or holds something else.
    """
    root = pathlib.Path(directory)
    if not root.is_dir():
        raise runner.UserError(f"--dataset_dir={directory} is not a directory")
    path = root / f"{name}.npz"
    data = _read(path)
    x, y = data["x"], data["y"]
    vocabulary = None
    if x.dtype.kind in "iu":
        if "vocabulary" not in data:
            raise runner.UserError(
                f"{path}: 'x' holds whole numbers, so 'vocabulary' must say how many symbols "
                "there are"
            )
        vocabulary, x = int(data["vocabulary"]), x.astype(np.int32)
    else:
        x = x.astype(np.float32)
    oracle = _command(scorer) if scorer else _table(root / f"{name}_oracle.npz", vocabulary)
    options = {key: data[key] for key in ("lowest", "highest") if key in data}
    if vocabulary is None and x.size:
        spans = {"lower": x.min(0), "upper": x.max(0)}
        options |= {key: data.get(key, span).astype(np.float32) for key, span in spans.items()}
    try:
        return optimize.offline_task(
            jnp.asarray(x), jnp.asarray(y, jnp.float32), oracle, vocabulary=vocabulary, **options
        )
    except (TypeError, ValueError) as error:
        raise runner.UserError(f"{path}: {error}") from error


def _read(path: pathlib.Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
    except FileNotFoundError:
        raise runner.UserError(f"there is no {path}; it holds the arrays 'x' and 'y'") from None
    except (OSError, ValueError) as error:
        raise runner.UserError(f"cannot read {path}: {error}") from error
    for key in ("x", "y"):
        if key not in arrays:
            raise runner.UserError(f"{path} has no array {key!r}; it has {sorted(arrays)}")
        if arrays[key].dtype.kind not in "fiu":
            raise runner.UserError(f"{path}: {key!r} must be numbers; got {arrays[key].dtype}")
    if arrays["y"].ndim == 2 and arrays["y"].shape[1] == 1:
        arrays["y"] = arrays["y"][:, 0]
    return arrays


def _table(path: pathlib.Path, vocabulary: int | None) -> Callable:
    table = _read(path)
    if vocabulary is None:
        from sklearn.ensemble import RandomForestRegressor

        forest = RandomForestRegressor(100, random_state=0).fit(table["x"], table["y"])
        return lambda designs: forest.predict(np.asarray(designs)).astype(np.float32)
    length = table["x"].shape[1]
    weights = vocabulary ** np.arange(length, dtype=np.int64)
    if length * np.log2(vocabulary) > 30:
        raise runner.UserError(f"{path}: a table of {vocabulary}^{length} designs is too large")
    values = np.full(vocabulary**length, np.nan, np.float32)
    values[table["x"].astype(np.int64) @ weights] = table["y"]

    def look_up(designs):
        found = values[np.asarray(designs, np.int64) @ weights]
        if np.isnan(found).any():
            raise runner.UserError(f"{path} lacks {int(np.isnan(found).sum())} proposed designs")
        return found

    return look_up


def _command(scorer: str) -> Callable[[jax.Array], np.ndarray]:
    if "{designs}" not in scorer or "{values}" not in scorer:
        raise runner.UserError(f"--scorer needs {{designs}} and {{values}}; got {scorer!r}")

    def score(designs):
        with tempfile.TemporaryDirectory() as folder:
            paths = {key: f"{folder}/{key}.npy" for key in ("designs", "values")}
            np.save(paths["designs"], np.asarray(designs))
            line = [part.format(**paths) for part in shlex.split(scorer)]
            try:
                done = subprocess.run(line, capture_output=True, text=True, check=False)
            except OSError as error:
                raise runner.UserError(f"--scorer cannot run: {error}") from error
            if done.returncode:
                last = (done.stderr.strip().splitlines() or ["no message"])[-1]
                raise runner.UserError(f"--scorer ended with status {done.returncode}: {last}")
            try:
                values = np.load(paths["values"], allow_pickle=False)
            except (OSError, ValueError) as error:
                raise runner.UserError(f"--scorer wrote no values: {error}") from error
        if values.shape != np.shape(designs)[:1] or values.dtype.kind not in "fiu":
            raise runner.UserError(
                f"--scorer must write {np.shape(designs)[:1]} numbers; got {values.dtype} "
                f"{values.shape}"
            )
        if not np.isfinite(values).all():
            raise runner.UserError("--scorer wrote values that are not finite")
        return values.astype(np.float32)

    return score

"""A user's own objective, `--objective=path.py:function`, with a search that survives a crash.

Every point is in the work directory before it is evaluated, and every value as soon as it is
there: whatever ends the process, the same command goes on with the point that it was at.
"""

import dataclasses
import importlib.util
import inspect
import math
import pathlib
import re
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from experiments import runner
from experiments.bayesian_optimization import searches
from infojax import optimize

FILE = "search.json"


@dataclasses.dataclass(frozen=True)
class Wish:
    """What a user asks for.

    Attributes:
        objective: path and function, as on the command line.
        bounds: pairs of least and greatest coordinate.
        maximize: whether great values are good.
    """

    objective: str
    bounds: tuple[tuple[float, float], ...]
    maximize: bool


def wish_of(objective: str | None, bounds: str | None, goal: str) -> Wish | None:
    """Reads the flags.

    Args:
        objective: `path.py:function`, or None.
        bounds: `lo:hi,lo:hi`, or None.
        goal: `minimize` or `maximize`.

    Returns:
        The wish; None without an objective.

    Raises:
        UserError: one flag without the other, or bounds that are none.
    """
    if objective is None:
        if bounds is not None:
            raise runner.UserError("--bounds belongs to --objective=path.py:function")
        return None
    if bounds is None:
        raise runner.UserError("--objective needs --bounds=lo:hi,lo:hi, a pair for each dimension")
    return Wish(objective, read_bounds(bounds), goal == "maximize")


def read_bounds(text: str) -> tuple[tuple[float, float], ...]:
    """Reads `lo:hi,lo:hi`.

    Args:
        text: from the command line.

    Returns:
        The pairs.

    Raises:
        UserError: a piece is no pair of finite numbers in order.
    """
    pairs = []
    for number, piece in enumerate(text.split(",")):
        try:
            low, high = (float(part) for part in piece.split(":"))
        except ValueError:
            raise runner.UserError(
                f"--bounds must be lo:hi,lo:hi with numbers; got '{piece}' for dimension {number}"
            ) from None
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise runner.UserError(
                f"--bounds must have lo < hi, both finite; got '{piece}' for dimension {number}"
            )
        pairs.append((low, high))
    return tuple(pairs)


def load_function(objective: str) -> Callable[[np.ndarray], Any]:
    """Loads a function from a file.

    Args:
        objective: `path.py:function`.

    Returns:
        The function.

    Raises:
        UserError: the file or the function is not there, or the file cannot be executed.
    """
    path, colon, name = objective.rpartition(":")
    if not colon or not path or not name.isidentifier():
        raise runner.UserError(f"--objective must be path.py:function; got '{objective}'")
    file = pathlib.Path(path)
    if not file.is_file():
        raise runner.UserError(f"--objective: there is no file {path}")
    module = _execute(file)
    function = getattr(module, name, None)
    if not callable(function):
        known = [
            key
            for key, value in vars(module).items()
            if inspect.isfunction(value) and value.__module__ == module.__name__
        ]
        raise runner.UserError(
            f"--objective: {path} has no function {name}; it has {', '.join(known) or 'none'}"
        )
    return function


def _execute(file: pathlib.Path) -> ModuleType:
    module_name = re.sub(r"\W", "_", file.stem)
    spec = importlib.util.spec_from_file_location(f"objective_{module_name}", file)
    if spec is None or spec.loader is None:
        raise runner.UserError(f"--objective: {file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    # Its neighbours can be imported, as if it were run.
    sys.path.insert(0, str(file.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        traceback.print_exc()
        raise runner.UserError(
            f"--objective: {file} cannot be executed: {type(error).__name__}: {error}"
        ) from error
    return module


def _start(run: runner.Run, wish: Wish) -> optimize.Search:
    config, path = run.config.objective, run.workdir / FILE
    if path.exists():
        try:
            return optimize.load_search(path)
        except ValueError as error:
            raise runner.StorageError(str(error)) from error
    try:
        return optimize.start_search(
            run.key("objective"),
            wish.bounds,
            maximize=wish.maximize,
            acquisition=config.acquisition,
            noisy=config.noisy,
            drop_failed=config.drop_failed,
            **searches.effort(run),
        )
    except (TypeError, ValueError) as error:
        raise runner.UserError(f"config: {error}") from error


def _evaluate(
    function: Callable[[np.ndarray], Any], point: np.ndarray, told: int, drop_failed: bool
) -> float:
    """One evaluation; what goes wrong in it ends the run with what is needed to put it right."""
    shown = np.array2string(point, precision=6, separator=", ")
    rest = (
        f"at {shown}; {told} evaluations are stored, and the same command goes on with this one "
        "(--config.objective.drop_failed=True from the start on would go on without it)"
    )
    try:
        value = function(point.copy())
    except Exception as error:
        if drop_failed:
            return math.nan
        traceback.print_exc()
        raise runner.UserError(
            f"the objective raised {type(error).__name__}: {error}, {rest}"
        ) from error
    try:
        number = float(np.asarray(value).reshape(()))
    except (TypeError, ValueError):
        raise runner.UserError(
            f"the objective must return one number; it returned {type(value).__name__} of shape "
            f"{np.shape(value)}, {rest}"
        ) from None
    if not math.isfinite(number) and not drop_failed:
        raise runner.UserError(f"the objective must return a finite number, not {number}, {rest}")
    return number


def search(run: runner.Run, wish: Wish) -> optimize.Search:
    """Evaluates the objective until the budget is spent.

    Args:
        run: the run.
        wish: what the user asks for.

    Returns:
        The search at its end.

    Raises:
        UserError: the objective cannot be loaded, fails, or returns no finite number.
    """
    function, config = load_function(wish.objective), run.config.objective
    found = _start(run, wish)
    done = len(found.values)
    with run.progress("evaluations", config.evaluations, start=done) as bar:
        while len(found.values) < config.evaluations:
            if not len(found.pending):
                left = config.evaluations - len(found.values)
                found, _ = found.ask(min(config.batch, left))
                optimize.save_search(run.workdir / FILE, found)
            run.resumes_from(f"evaluation {len(found.values) + 1}")
            point = found.pending[0]
            value = _evaluate(function, point, len(found.values), config.drop_failed)
            found = found.tell(point, value)
            optimize.save_search(run.workdir / FILE, found)
            bar.advance(note=f"{value:.6g}")
    return found


def rows(found: optimize.Search) -> list[Mapping[str, Any]]:
    """The table of evaluations.

    Args:
        found: the search.

    Returns:
        A row an evaluation: point, value, and the best value so far.
    """
    best = best_so_far(found.values, found.settings.maximize)
    names = [f"x{number}" for number in range(len(found.bounds))]
    return [
        {"evaluation": number + 1}
        | dict(zip(names, point, strict=True))
        | {"value": None if math.isnan(value) else value}
        | {"best": None if math.isnan(top) else top}
        for number, (point, value, top) in enumerate(
            zip(found.points.tolist(), found.values, best, strict=True)
        )
    ]


def best_so_far(values: Sequence[float] | np.ndarray, maximize: bool) -> np.ndarray:
    """The running best of values of which some may be NaN.

    Args:
        values: (N,).
        maximize: whether great values are good.

    Returns:
        (N,); NaN before the first value.
    """
    return (np.fmax if maximize else np.fmin).accumulate(np.asarray(values, float))

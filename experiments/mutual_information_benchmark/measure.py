"""Runs every estimator on every task: one compiled call for all repetitions of a setting."""

import concurrent.futures
import functools
import json
import os
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments import runner
from experiments.mutual_information_benchmark.estimators import REGISTRY, Estimator
from experiments.mutual_information_benchmark.tasks import GROUPS, Task, all_tasks
from experiments.runner.run import TIMING_FILE


class Cell(NamedTuple):
    """The repetitions of one estimator on one task at one sample size.

    Attributes:
        task: the task.
        estimator: the estimator's name.
        samples: pairs in one sample.
        estimates: estimates in nats, (seeds,).
    """

    task: Task
    estimator: str
    samples: int
    estimates: np.ndarray

    @property
    def bias(self) -> runner.Estimate:
        """Mean of estimate minus truth, in nats, with its 95 % interval over repetitions.

        A bound that has exceeded the floating type is infinite, and has no interval.
        """
        if not np.all(np.isfinite(self.estimates)):
            return runner.Estimate(float(self.estimates.mean()), np.nan, np.nan)
        return runner.mean_interval(self.estimates - self.task.truth)

    @property
    def error(self) -> float:
        """Mean absolute difference from the truth, in nats."""
        return float(np.mean(np.abs(self.estimates - self.task.truth)))


def chosen_tasks(names: tuple[str, ...]) -> list[Task]:
    """Selects tasks.

    Args:
        names: their names; a single empty one means all.

    Returns:
        The tasks, in the benchmark's order.

    Raises:
        UserError: an unknown name.
    """
    tasks = all_tasks()
    if names == ("",):
        return tasks
    _check_names("tasks", names, [task.name for task in tasks])
    return [task for task in tasks if task.name in names]


def chosen_estimators(names: tuple[str, ...]) -> dict[str, Estimator]:
    """Selects estimators.

    Args:
        names: their names; a single empty one means all.

    Returns:
        The estimators by name, in the registry's order.

    Raises:
        UserError: an unknown name.
    """
    if names == ("",):
        return dict(REGISTRY)
    _check_names("estimators", names, list(REGISTRY))
    return {name: entry for name, entry in REGISTRY.items() if name in names}


def _check_names(what: str, names: tuple[str, ...], known: list[str]) -> None:
    for name in names:
        if name not in known:
            raise runner.UserError(f"config.{what} has no {name!r}; there are {', '.join(known)}")


def measure_all(run: runner.Run) -> list[Cell]:
    """Measures every setting of the configuration; each block is stored when it is done.

    Args:
        run: the run.

    Returns:
        The cells, group by group, estimators in the registry's order.
    """
    tasks = chosen_tasks(tuple(run.config.tasks))
    blocks = _blocks(run.config, tasks, chosen_estimators(tuple(run.config.estimators)))
    total = sum(len(block.tasks) for block in blocks)
    bench, cells = _Bench(run), []
    with run.progress("estimates", total, unit="settings") as bar:
        for block in blocks:
            found = run.stage(block.name, functools.partial(bench.measure, block))
            cells += [
                Cell(task, block.estimator, block.samples, found[task.name]) for task in block.tasks
            ]
            note = f"{REGISTRY[block.estimator].title}, {block.samples} samples"
            bar.advance(len(block.tasks), note=note)
    return cells


class _Block(NamedTuple):
    """What one stage holds: an estimator on the tasks of one group at one sample size."""

    name: str
    estimator: str
    samples: int
    tasks: list[Task]


def _blocks(config, tasks: list[Task], estimators: dict[str, Estimator]) -> list[_Block]:
    learned_tasks = chosen_tasks(tuple(config.critic.tasks))
    learned_names = {task.name for task in learned_tasks}
    dimensions = {task.name: sum(task.dimensions()) for task in tasks}
    largest = max(config.samples)
    blocks = []
    for group in GROUPS:
        for name, entry in estimators.items():
            for n in config.samples:
                learned = entry.family == "learned"
                if learned and n != largest:
                    continue
                fit = [
                    task
                    for task in tasks
                    if task.group == group
                    and dimensions[task.name] <= entry.max_dimensions
                    and (not learned or task.name in learned_names)
                ]
                if fit:
                    blocks.append(_Block(f"{name}_{group}_{n}", name, n, fit))
    return blocks


class _Bench:
    """Draws samples once a task, compiles once a shape, and takes the time."""

    def __init__(self, run: runner.Run):
        self.run = run
        self._largest = max(run.config.samples)
        self._drawn: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._group = ""
        self._programs: dict[tuple, Callable] = {}

    def measure(self, block: _Block) -> dict[str, np.ndarray]:
        """Returns for each task of a block the estimates of all repetitions, in nats."""
        found = {}
        key_of = {task.name: self.run.key(f"{block.estimator} {task.name}") for task in block.tasks}
        samples = {
            task.name: self._on_devices(
                *(_standardized(v[:, : block.samples]) for v in self._draw(task))
            )
            for task in block.tasks
        }
        self._compile(block.estimator, [(key_of[n], *samples[n]) for n in samples])
        for name, (x, y) in samples.items():
            program = self._programs[block.estimator, x.shape, y.shape]
            began = time.monotonic()
            estimates = runner.gather_to_host(program(key_of[name], x, y))
            seconds = time.monotonic() - began
            found[name] = np.asarray(estimates[: self.run.config.seeds], np.float64)
            self.run.record_time(
                estimator=block.estimator,
                task=name,
                samples=block.samples,
                milliseconds_each=1000 * seconds / self.run.config.seeds,
            )
        return found

    def _draw(self, task: Task) -> tuple[np.ndarray, np.ndarray]:
        if task.group != self._group:  # the samples of one group at a time are kept
            self._drawn, self._group = {}, task.group
        if task.name not in self._drawn:
            # One key for all tasks: a task and its image start from the same draws.
            keys = jax.random.split(self.run.key("samples"), self.run.config.seeds)
            drawn = jax.vmap(lambda key: task.sample(key, self._largest))(keys)
            self._drawn[task.name] = np.asarray(drawn[0]), np.asarray(drawn[1])
        return self._drawn[task.name]

    def _on_devices(self, x: np.ndarray, y: np.ndarray) -> tuple[jax.Array, jax.Array]:
        """Spreads the repetitions over the devices; the last is repeated to fill them."""
        mesh = self.run.mesh
        if mesh.size == 1:
            return jnp.asarray(x), jnp.asarray(y)
        filled, _ = runner.pad_to_multiple((x, y), mesh.size)
        return runner.shard_leading(filled, mesh)

    def _compile(self, name: str, calls: list[tuple[jax.Array, jax.Array, jax.Array]]) -> None:
        """Compiles ahead, so that the time is of the estimates alone; a core for each shape."""
        new = {(name, x.shape, y.shape): (key, x, y) for key, x, y in calls}
        new = {shapes: call for shapes, call in new.items() if shapes not in self._programs}
        estimate = jax.jit(REGISTRY[name].make(self.run.config))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            programs = pool.map(lambda call: estimate.lower(*call).compile(), new.values())
            self._programs.update(zip(new, programs, strict=True))


def _standardized(x: np.ndarray) -> np.ndarray:
    """Each variable with mean 0 and standard deviation 1 over its sample, as in the paper."""
    x = x.astype(np.float64)
    x -= x.mean(1, keepdims=True)
    return (x / x.std(1, keepdims=True)).astype(np.float32)


def milliseconds_each(run: runner.Run) -> dict[str, float]:
    """Reads the median time of one estimate at the largest sample size.

    Args:
        run: the run, whose times lie in `timing.jsonl`: they may differ between equal runs, so
            that no table may hold them.

    Returns:
        Milliseconds, without compilation, for each estimator that was timed.
    """
    times: dict[str, list[float]] = {}
    for line in (run.workdir / TIMING_FILE).read_text().splitlines():
        row = json.loads(line)
        if row.get("samples") == max(run.config.samples) and "milliseconds_each" in row:
            times.setdefault(row["estimator"], []).append(row["milliseconds_each"])
    return {name: float(np.median(values)) for name, values in times.items()}

"""A loop of steps that is checkpointed, resumed, measured and shown."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax

from experiments.runner import interruption, leaves
from experiments.runner.checkpoints import Checkpoints
from experiments.runner.devices import on_main_process
from experiments.runner.errors import UserError

if TYPE_CHECKING:
    from experiments.runner.run import Run

SYNC_SECONDS = 0.25  # how often the host waits for the devices, writes metrics, moves the bar
DEFAULT_CHECKPOINTS = 10


def run_loop(
    run: "Run",
    name: str,
    init_state: Any,
    step: Callable[[Any, int], Any],
    *,
    num_steps: int,
    checkpoint_every: int | None = None,
    unit: str = "steps",
    units_per_step: int = 1,
) -> Any:
    """See `Run.loop`, which this carries out."""
    layout = leaves.layout_of(init_state)
    checkpoints = Checkpoints(run.workdir / "checkpoints" / name, layout, run.warn)
    state, done, rows = leaves.settle(init_state, layout), 0, 0
    restored = checkpoints.restore()
    if restored is not None:
        step_reached, rows, state = restored
        done = step_reached
        if done > num_steps:
            raise UserError(f"loop {name} is at step {done}, beyond its {num_steps} steps")
        on_main_process(lambda: run.metrics.skip(rows, cut=done < num_steps))
        run.print(f"{name}: {done} of {num_steps} steps were done before")
    run.resumes_from(f"step {done} of {name}")
    if done == num_steps:
        return state
    every = checkpoint_every or -(-num_steps // DEFAULT_CHECKPOINTS)
    first_row = len(run.metrics) - rows
    clock = _Clock(run, name, unit, units_per_step, done)
    try:
        with run.progress(name, num_steps * units_per_step, unit=unit, start=clock.units) as bar:
            for index in range(done, num_steps):
                interruption.check()
                state, metrics = _split(step(state, index), layout.treedef)
                if metrics:
                    run.metrics.add({"loop": name, "step": index + 1, **metrics})
                at_checkpoint = (index + 1) % every == 0 or index + 1 == num_steps
                if at_checkpoint or clock.is_due():
                    jax.block_until_ready(state)
                    run.metrics.flush(sync=at_checkpoint)
                    bar.advance(clock.units_since_shown(index + 1))
                if at_checkpoint:
                    state = leaves.settle(state, layout)
                    checkpoints.save(index + 1, len(run.metrics) - first_row, state)
                    clock.record(index + 1)
    finally:
        # From the disk: a signal can come between the saving of a checkpoint and any note of it.
        run.resumes_from(f"step {checkpoints.newest()} of {name}")
    return state


class _Clock:
    """When to look at the devices, and how fast the loop goes."""

    def __init__(self, run: "Run", name: str, unit: str, units_per_step: int, done: int):
        self._run, self._name, self._unit, self._per_step = run, name, unit, units_per_step
        self._began = self._shown = time.monotonic()
        self._shown_steps = self._first = done

    @property
    def units(self) -> int:
        return self._shown_steps * self._per_step

    def is_due(self) -> bool:
        return time.monotonic() - self._shown >= SYNC_SECONDS

    def units_since_shown(self, steps: int) -> int:
        before, self._shown_steps = self._shown_steps, steps
        self._shown = time.monotonic()
        return (steps - before) * self._per_step

    def record(self, steps: int) -> None:
        seconds = time.monotonic() - self._began
        units = (steps - self._first) * self._per_step
        self._run.record_time(
            loop=self._name, step=steps, seconds=seconds, rate=units / seconds, unit=self._unit
        )


def _split(output: Any, treedef: Any) -> tuple[Any, dict[str, Any] | None]:
    """Tells `state` from `(state, metrics)` by the structure of the initial state."""
    structure = jax.tree.structure(output)
    if structure == treedef:
        return output, None
    if isinstance(output, tuple) and len(output) == 2:
        state, metrics = output
        structure = jax.tree.structure(state)
        if structure == treedef and (metrics is None or isinstance(metrics, dict)):
            return state, metrics
    raise TypeError(
        "the step function returns the state, or (state, metrics), with the structure of the "
        f"initial state {treedef}; got {structure}"
    )

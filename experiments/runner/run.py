"""A run: what an experiment's `main` is given to store, show and resume its work."""

import csv
import io
import json
import re
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import jax
import ml_collections

from experiments.runner import atomic, configuration, devices, stages
from experiments.runner.claims import Claim
from experiments.runner.errors import WriteError
from experiments.runner.loop import run_loop
from experiments.runner.metrics import MetricsFile
from experiments.runner.stages import Stored
from experiments.runner.terminal import Bar, Terminal, duration
from experiments.runner.threads import side_by_side
from experiments.runner.workdir import WorkDirectory

METRICS_FILE = "metrics.jsonl"
TIMING_FILE = "timing.jsonl"
CLAIMS_FILE = "claims.json"


class Run:
    """One run of an experiment in its work directory; made by `main` or `open_run`.

    On several processes each one runs the same code; process 0 alone writes and prints.

    Attributes:
      experiment: The experiment's name.
      size: "desk" or "full".
      config: The configuration, frozen.
      seed: The integer that all randomness comes from.
      workdir: The work directory; `run.workdir.path` is its path.
      mesh: All devices for "full"; for "desk" one device, or all if there are several processes.
      resumed: Whether the work directory held this run already.
      exclusive: A lock that functions of `stages` hold while a program of theirs runs: on CPUs two
        at once can wait for ever, each for threads of XLA's pool that the other one blocks.
      is_main: Whether this process writes and prints.
      metrics: The metrics file; use `log`.
      resume_point: Where the same command would go on now, in words.
    """

    def __init__(
        self,
        *,
        experiment: str,
        size: str,
        config: ml_collections.ConfigDict,
        seed: int,
        workdir: WorkDirectory,
        terminal: Terminal,
        resumed: bool,
    ):
        """Use `open_run`."""
        self.experiment, self.size, self.seed = experiment, size, seed
        self.config = ml_collections.FrozenConfigDict(config)
        self.workdir, self.resumed = workdir, resumed
        self.exclusive = threading.Lock()
        self.is_main = devices.is_main_process()
        everywhere = size == "full" or jax.process_count() > 1
        self.mesh = devices.data_mesh(None if everywhere else jax.devices()[:1])
        self.metrics = MetricsFile(workdir / METRICS_FILE, enabled=self.is_main)
        self.resume_point = "the start"
        self._terminal = terminal
        self.quiet = terminal.quiet
        self._names: set[str] = set()
        self._claims: list[Claim] = []
        self._began = time.monotonic()

    def key(self, name: str | None = None) -> jax.Array:
        """Returns the run's random key, or the one that belongs to `name` alone."""
        key = jax.random.key(self.seed)
        return key if name is None else jax.random.fold_in(key, zlib.crc32(name.encode()))

    def loop(
        self,
        name: str,
        init_state: Any,
        step: Callable[[Any, int], Any],
        *,
        num_steps: int,
        checkpoint_every: int | None = None,
        unit: str = "steps",
        units_per_step: int = 1,
    ) -> Any:
        """Runs `state = step(state, index)` for index 0 to num_steps - 1, from the last checkpoint.

        Args:
          name: Unique within the experiment; names the checkpoints.
          init_state: A pytree of arrays, typed keys and Python numbers, laid out over devices as
            `step` returns it. Buffers may be donated.
          step: Returns the next state, or (state, metrics), where metrics is a dict of scalars or
            None. They become a line {"loop", "step", ...} of `metrics.jsonl`; "step" counts the
            finished steps. `step` may depend on nothing but its arguments and the configuration:
            draw random numbers by `jax.random.fold_in(key, index)` or from a key in the state.
          num_steps: How many steps there are.
          checkpoint_every: Steps between checkpoints; about ten in all by default.
          unit: What the bar counts.
          units_per_step: How many of these a step does.

        Returns:
          The state after the last step, the same bits whether the run was interrupted or not.
        """
        self._claim_name(name)
        return run_loop(
            self,
            name,
            init_state,
            step,
            num_steps=num_steps,
            checkpoint_every=checkpoint_every,
            unit=unit,
            units_per_step=units_per_step,
        )

    def stage(self, name: str, function: Callable[[], Any]) -> Any:
        """Returns `function()`, computed once: a resumed run reads the stored result.

        Args:
          name: Unique within the experiment; names the files.
          function: Returns nested dicts, lists and tuples of arrays, numbers and strings.

        Returns:
          The result with NumPy arrays in place of JAX arrays, the same computed or read.
        """
        self._claim_name(name)
        if (stored := self._stored(name)) is not None:
            devices.on_main_process(lambda: self.metrics.skip(stored.rows, cut=False))
            return stored.result
        self.resumes_from(f"stage {name}")
        first_row, began = len(self.metrics), time.monotonic()
        result = function()
        return self._store(name, result, time.monotonic() - began, first_row)

    def stages(
        self, functions: Mapping[str, Callable[[], Any]], *, label: str = "stages"
    ) -> dict[str, Any]:
        """Returns what `stage` returns for each, so that one compiles while another one runs.

        Threads call them. Several devices or processes take them one after the other: these have
        to agree on the order.

        Args:
          functions: By name, independent of each other, the longest first. They may neither log
            nor show progress, and run compiled programs `with run.exclusive`.
          label: What the progress bar calls them.

        Returns:
          The results in the order of `functions`.
        """
        for name in functions:
            self._claim_name(name)
        found = {name: self._stored(name) for name in functions}
        results = {name: stored.result for name, stored in found.items() if stored is not None}
        missing = {name: functions[name] for name in functions if name not in results}
        self.resumes_from(f"the {label} that are not done")
        alone = self.mesh.size == 1 and jax.process_count() == 1
        with self.progress(label, len(functions), start=len(results)) as bar:
            for name, result, seconds in side_by_side(missing, None if alone else 1):
                results[name] = self._store(name, result, seconds, len(self.metrics))
                bar.advance(note=name)
        return {name: results[name] for name in functions}

    def _stored(self, name: str) -> Stored | None:
        directory = self.workdir / "stages"
        if devices.on_main_process(lambda: self._has_stage(directory, name)):
            return stages.read(directory, name)
        return None

    def _store(self, name: str, result: Any, seconds: float, first_row: int) -> Any:
        found = stages.to_host(devices.gather_arrays(result))
        self.metrics.flush(sync=True)
        if self.is_main:
            stages.write(self.workdir / "stages", name, found, len(self.metrics) - first_row)
            self.record_time(stage=name, seconds=seconds)
        devices.wait_for_all("stage ends")
        return found

    def log(self, row: Mapping[str, Any]) -> None:
        """Appends one JSON line to `metrics.jsonl`; the values may not depend on the clock."""
        self.metrics.add(dict(row))
        self.metrics.flush()

    def save_table(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes `name.csv`: a column for each key, in the order of first appearance."""
        columns = list(dict.fromkeys(key for row in rows for key in row))
        buffer = io.StringIO(newline="")
        writer = csv.DictWriter(buffer, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(atomic.plain(dict(row)) for row in rows)
        self._write(f"{name}.csv", buffer.getvalue().encode())

    def save_figure(self, name: str, figure: Any) -> None:
        """Writes a matplotlib figure as `name.png` and closes it."""
        from experiments.runner import figures  # matplotlib takes half a second to import

        self._write(f"{name}.png", figures.to_png(figure))

    def save_file(self, name: str, content: bytes) -> None:
        """Writes a file of another kind, such as an animation; equal runs give equal bytes."""
        self._write(name, content)

    def save_claims(self, claims: Sequence[Claim]) -> None:
        """Writes `claims.json`; a claim that does not hold is reported, and is no error."""
        names = [claim.name for claim in claims]
        if len(set(names)) < len(names):
            raise ValueError(f"names of claims are unique, got {names}")
        self._claims = list(claims)
        content = {
            "experiment": self.experiment,
            "size": self.size,
            "claims": [claim.to_json() for claim in claims],
        }
        if self.is_main:
            atomic.write_json(self.workdir / CLAIMS_FILE, content)

    def progress(
        self, name: str, total: int, *, unit: str = "", start: int = 0
    ) -> AbstractContextManager[Bar]:
        """Shows progress: `with run.progress("episodes", n) as bar: bar.advance(k, note="...")`."""
        return self._terminal.progress(name, total, unit=unit, start=start)

    def print(self, *values: Any, style: str | None = None) -> None:
        """Prints a line for the person who watches, unless `--quiet`."""
        self._terminal.print(*values, style=style)

    def warn(self, message: str) -> None:
        """Prints one warning line to standard error."""
        if self.is_main:
            self._terminal.warn(message)

    def resumes_from(self, point: str) -> None:
        """Notes where the same command would go on, for the message when the run is stopped."""
        self.resume_point = point

    def record_time(self, **row: Any) -> None:
        """Appends a line to `timing.jsonl`, which alone may differ between equal runs."""
        if self.is_main:
            seconds = {k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}
            try:
                with open(self.workdir / TIMING_FILE, "a", encoding="utf-8") as file:
                    file.write(json.dumps(seconds) + "\n")
            except OSError as error:
                path = self.workdir / TIMING_FILE
                raise WriteError(f"cannot write {path}: {error.strerror}") from error

    def show_header(self) -> None:
        """Prints what runs, where and on what."""
        self._terminal.fields(
            {
                "experiment": f"{self.experiment}, size {self.size}, seed {self.seed}",
                "directory": f"{self.workdir.path}{' (resumed)' if self.resumed else ''}",
                "devices": devices.describe_devices(self.mesh),
            }
        )

    def finish(self) -> None:
        """Closes the books of a run that came to its end, and prints what it leaves."""
        self.metrics.finish()
        seconds = time.monotonic() - self._began
        self.record_time(finished=self.experiment, seconds=seconds)
        if self._claims:
            held = sum(claim.holds for claim in self._claims)
            self._terminal.fields({"claims": f"{held} of {len(self._claims)} hold"})
            self._terminal.table([_claim_row(claim) for claim in self._claims])
        self._terminal.fields({"files": self.workdir.path})
        files = [p for p in sorted(self.workdir.path.iterdir()) if p.is_file()]
        self._terminal.table([(p.name,) for p in files if not p.name.startswith(".")])
        self.print(f"finished in {duration(seconds)}")

    def _has_stage(self, directory: Path, name: str) -> int:
        try:
            return int(stages.read(directory, name) is not None)
        except stages.DamagedError as error:
            self.warn(f"stage {name} is computed again: {error}")
            return 0

    def _claim_name(self, name: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise ValueError(f"a name is letters, digits, _ and -, got {name!r}")
        if name in self._names:
            raise ValueError(f"loops and stages have different names; {name!r} comes twice")
        self._names.add(name)

    def _write(self, name: str, content: bytes) -> None:
        if self.is_main:
            atomic.write_bytes(self.workdir / name, content)


@contextmanager
def open_run(
    *,
    experiment: str,
    config: ml_collections.ConfigDict,
    workdir: str | Path,
    size: str = "desk",
    seed: int = 0,
    flags: Mapping[str, Any] | None = None,
    quiet: bool = False,
    terminal: Terminal | None = None,
) -> Iterator[Run]:
    """Opens a work directory for a run, as `main` does; for notebooks and tests.

    Args:
      experiment: The experiment's name.
      config: The configuration.
      workdir: The work directory, new or of the same run.
      size: "desk" or "full".
      seed: The integer that all randomness comes from.
      flags: Further values that make it this run and no other.
      quiet: Print warnings only.
      terminal: Where to print.

    Raises:
      UserError: The directory is foreign, holds another run, is in use or cannot be written.
    """
    directory = WorkDirectory(workdir)
    identity = {
        "experiment": experiment,
        "size": size,
        "seed": seed,
        "config": configuration.to_plain(config),
    }
    if flags:
        identity["flags"] = configuration.to_plain(flags, "flags")
    resumed = devices.on_main_process(lambda: directory.open(identity))
    terminal = terminal or Terminal(quiet=quiet or not devices.is_main_process())
    run = None
    try:
        run = Run(
            experiment=experiment,
            size=size,
            config=config,
            seed=seed,
            workdir=directory,
            terminal=terminal,
            resumed=bool(resumed),
        )
        yield run
    finally:
        if run is not None:
            run.metrics.close()
        directory.close()


def _claim_row(claim: Claim) -> tuple[str, ...]:
    value = f"{claim.value:.4g}"
    if claim.interval is not None:
        value += f" [{claim.interval[0]:.4g}, {claim.interval[1]:.4g}]"
    return ("holds" if claim.holds else "does not hold", claim.name, value, claim.threshold)

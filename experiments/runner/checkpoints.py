"""Checkpoints of a loop: arrays through Orbax, checked by SHA-256, the last two kept.

    checkpoints/episodes/step_00000040/
      state/            the arrays, in Orbax's format
      state.json        numbers that are not arrays, and what each array is
      manifest.sha256   checksums of all files, in the format of the program `sha256sum`

A checkpoint is assembled under the name `step_00000040.partial` and renamed when it is complete,
so that a kill at any moment leaves the earlier ones as they were.
"""

import json
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax

from experiments.runner import atomic, devices, leaves
from experiments.runner.errors import StorageError, as_write_error

KEPT = 2
MANIFEST = "manifest.sha256"

_PARTIAL = ".partial"


class Restored(NamedTuple):
    """A checkpoint that was read back.

    Attributes:
      step: How many steps the state has behind it.
      rows: How many metrics rows the loop had logged by then.
      state: The state.
    """

    step: int
    rows: int
    state: Any


class Checkpoints:
    """The checkpoints of one loop."""

    def __init__(self, directory: Path, layout: leaves.Layout, warn: Callable[[str], None]):
        """Opens the directory; nothing is written before the first `save`.

        Args:
          directory: Where the checkpoints lie; the same path on every process.
          layout: From `leaves.layout_of` of the loop's initial state.
          warn: Called with one line when a damaged checkpoint is passed over.
        """
        self._directory = directory.absolute()  # Orbax insists
        self._shown = directory
        self._layout = layout
        self._warn = warn
        self._damaged: list[Path] = []

    def save(self, step: int, rows: int, state: Any) -> None:
        """Stores the state after `step` steps; returns when it is safe on the disk.

        Raises:
          WriteError: It could not be written; earlier checkpoints are untouched.
        """
        final = self._path(step)
        partial = final.with_name(final.name + _PARTIAL)
        described, arrays = leaves.encode(state, self._layout)
        try:
            if devices.is_main_process():
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir(parents=True)
            devices.wait_for_all("checkpoint begins")
            if arrays:
                _save_arrays(partial / "state", arrays)
            if devices.is_main_process():
                about = {"step": step, "rows": rows, "leaves": described}
                atomic.write_json(partial / "state.json", about)
                atomic.write_text(partial / MANIFEST, _manifest(partial))
                self._publish(partial, final)
            devices.wait_for_all("checkpoint ends")
        except Exception as error:
            if devices.is_main_process():
                shutil.rmtree(partial, ignore_errors=True)
            write_error = as_write_error(error, f"the checkpoint {self._shown / final.name}")
            if write_error is None:
                raise
            raise write_error from error

    def newest(self) -> int:
        """Returns the step of the newest checkpoint not known to be damaged, 0 without any."""
        good = [path for path in self._complete() if path not in self._damaged]
        return _step_of(good[0]) if good else 0

    def restore(self) -> Restored | None:
        """Reads the newest intact checkpoint.

        Returns:
          What it holds, or None where the loop has not come to a checkpoint yet.

        Raises:
          StorageError: There are checkpoints, but none is intact.
        """
        step = devices.on_main_process(self._newest_intact)
        if step < 0:
            return None
        path = self._path(step)
        about = json.loads((path / "state.json").read_text(encoding="utf-8"))
        leaves.check_names(about["leaves"], self._layout, self._shown / path.name)
        wanted = leaves.targets(about["leaves"], self._layout)
        arrays = _restore_arrays(path / "state", wanted) if wanted else {}
        state = leaves.decode(about["leaves"], arrays, self._layout)
        return Restored(about["step"], about["rows"], state)

    def _path(self, step: int) -> Path:
        return self._directory / f"step_{step:08d}"

    def _complete(self) -> list[Path]:
        """Returns the checkpoints that were finished, newest first."""
        found = self._directory.glob("step_" + "[0-9]" * 8)
        return sorted(found, reverse=True)

    def _newest_intact(self) -> int:
        complete = self._complete()
        for path in complete:
            fault = _fault(path)
            if fault is None:
                if self._damaged:
                    names = ", ".join(bad.name for bad in self._damaged)
                    self._warn(
                        f"checkpoint {names} in {self._shown} is damaged; going on from {path.name}"
                    )
                return _step_of(path)
            self._damaged.append(path)
        if complete:
            raise StorageError(
                f"no checkpoint in {self._shown} is intact ({complete[0].name}: "
                f"{_fault(complete[0])}); delete {self._shown} to start this loop again"
            )
        return -1

    def _publish(self, partial: Path, final: Path) -> None:
        """Gives a complete checkpoint its name and removes those that are no longer wanted."""
        for path in {*self._damaged, final}:
            if path.exists():
                shutil.rmtree(path)
        self._damaged.clear()
        os.rename(partial, final)
        atomic.sync_directory(self._directory)
        for path in self._complete()[KEPT:]:
            shutil.rmtree(path, ignore_errors=True)
        for path in self._directory.glob(f"step_*{_PARTIAL}"):
            shutil.rmtree(path, ignore_errors=True)


def _step_of(path: Path) -> int:
    return int(path.name.removeprefix("step_"))


def _checkpointer():
    # Imported late: reports and command-line errors should not wait for it.
    import orbax.checkpoint as ocp

    return ocp.StandardCheckpointer()


def _save_arrays(path: Path, arrays: dict[str, Any]) -> None:
    with _checkpointer() as checkpointer:
        checkpointer.save(path, arrays)
        checkpointer.wait_until_finished()


def _restore_arrays(path: Path, wanted: dict[str, Any]) -> dict[str, jax.Array]:
    with _checkpointer() as checkpointer, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about layouts, which `wanted` settles
        return checkpointer.restore(path, wanted)


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file() and file.name != MANIFEST)


def _manifest(path: Path) -> str:
    lines = (
        f"{atomic.sha256(file, sync=True)}  {file.relative_to(path).as_posix()}\n"
        for file in _files(path)
    )
    return "".join(lines)


def _fault(path: Path) -> str | None:
    """Says in a few words what is wrong with a checkpoint, or returns None."""
    try:
        lines = (path / MANIFEST).read_text(encoding="utf-8").splitlines()
        expected = dict(reversed(line.split("  ", 1)) for line in lines)
    except (OSError, ValueError):
        return f"{MANIFEST} is missing or unreadable"
    if "state.json" not in expected:
        return f"{MANIFEST} is incomplete"
    for name, checksum in expected.items():
        if not (path / name).is_file():
            return f"{name} is missing"
        if atomic.sha256(path / name) != checksum:
            return f"{name} has changed"
    return None

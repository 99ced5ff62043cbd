"""The work directory: one run's files, locked to one configuration and one living process."""

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from experiments.runner import atomic
from experiments.runner.configuration import differences
from experiments.runner.errors import StorageError, UserError

FORMAT = "infojax experiment"
FORMAT_VERSION = 1
CONFIG_FILE = "config.json"
LOCK_FILE = ".lock"

_SHOWN_DIFFERENCES = 8


class WorkDirectory:
    """A directory that holds one run.

    `config.json` says which run it is; a directory without one is not ours unless it is empty.
    A lock on `.lock`, which the system drops when the process dies, keeps a second process out.

    Attributes:
      path: The directory.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self._lock: IO | None = None

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def open(self, identity: Mapping[str, Any]) -> bool:
        """Creates the directory, or takes up the run that it holds.

        Args:
          identity: What must agree for the run to be the same one: experiment, size, seed,
            configuration. Plain JSON values.

        Returns:
          Whether the directory held this run already.

        Raises:
          UserError: The directory is foreign, holds another run, or is in use.
          StorageError: It cannot be written, or its `config.json` is damaged.
        """
        self._refuse_foreign()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = open(self / LOCK_FILE, "ab")  # noqa: SIM115 (held while the run lives)
        except OSError as error:
            raise StorageError(
                f"cannot write the work directory {self.path}: {error.strerror}"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.close()
            raise UserError(f"{self.path} is in use by another process that still runs") from None
        wanted = {"format": FORMAT, "version": FORMAT_VERSION, **identity}
        try:
            stored = read_identity(self.path)
            if stored is None:
                atomic.write_json(self / CONFIG_FILE, wanted)
                return False
            self._refuse_difference(stored, json.loads(json.dumps(wanted)))
        except UserError:
            self.close()
            raise
        self._remove_leftovers()
        return True

    def close(self) -> None:
        """Lets another process use the directory."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _refuse_foreign(self) -> None:
        try:
            if not self.path.exists():
                return
            if not self.path.is_dir():
                raise UserError(f"{self.path} is a file; --workdir names a directory")
            if read_identity(self.path) is not None:
                return
            # A kill before config.json was written leaves the lock and perhaps its temporary file.
            ours = {LOCK_FILE, f".{CONFIG_FILE}{atomic.TEMPORARY_SUFFIX}"}
            foreign = sorted(set(os.listdir(self.path)) - ours)
        except OSError as error:
            raise StorageError(
                f"cannot use the work directory {self.path}: {error.strerror}"
            ) from error
        if foreign:
            raise UserError(
                f"{self.path} holds other files ({foreign[0]}, ...) and is not the work directory "
                "of an experiment; name an empty or new directory"
            )

    def _refuse_difference(self, stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        if stored.get("version") != FORMAT_VERSION:
            raise UserError(
                f"{self.path} was written in format version {stored.get('version')}, this program "
                f"reads {FORMAT_VERSION}; use another --workdir"
            )
        lines = differences(stored, wanted)
        if lines:
            more = len(lines) - _SHOWN_DIFFERENCES
            text = "; ".join(lines[:_SHOWN_DIFFERENCES]) + (f"; and {more} more" * (more > 0))
            raise UserError(f"{self.path} holds another run: {text}; use another --workdir")

    def _remove_leftovers(self) -> None:
        for leftover in self.path.rglob(f".*{atomic.TEMPORARY_SUFFIX}"):
            leftover.unlink(missing_ok=True)


def read_identity(path: Path) -> dict[str, Any] | None:
    """Returns what `config.json` in `path` says, or None where `path` is not a work directory.

    Raises:
      StorageError: There is a `config.json` that cannot be read as JSON.
    """
    try:
        stored = json.loads((path / CONFIG_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise StorageError(f"{path / CONFIG_FILE} is not readable JSON: {error}") from error
    if not isinstance(stored, dict) or stored.get("format") != FORMAT:
        return None
    return stored

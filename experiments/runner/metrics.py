"""The metrics file: one JSON object a line, each line exactly once however often the run stops."""

import json
import os
from pathlib import Path
from typing import Any

from experiments.runner import atomic
from experiments.runner.errors import StorageError, WriteError


class MetricsFile:
    """A JSON-lines file that a resumed run continues without doubling or losing a line.

    A resumed run walks over the lines that its predecessor left: a line that is logged again is
    recognised by its position, and a restored loop or stage, which does not log again, skips the
    lines that it covers. What lies beyond the last line walked over is cut off.

    Attributes:
      cursor: The number of lines that this run stands behind; later ones are a predecessor's.
    """

    def __init__(self, path: Path, *, enabled: bool = True):
        """Opens the file.

        Args:
          path: The file; created if missing.
          enabled: False on processes that do not write: lines are counted, nothing is stored.
        """
        self.cursor = 0
        self._path = path
        self._pending: list[dict[str, Any]] = []
        self._old: list[bytes] = []
        self._file = None
        if enabled:
            content = path.read_bytes() if path.exists() else b""
            whole = content[: content.rfind(b"\n") + 1]  # a kill can leave the last line torn
            self._old = whole.splitlines(keepends=True)
            self._open(len(whole))

    def __len__(self) -> int:
        """The number of lines logged so far, written out or not."""
        return self.cursor + len(self._pending)

    def add(self, row: dict[str, Any]) -> None:
        """Appends a row; its arrays are read, and the line written, at the next `flush`."""
        self._pending.append(row)

    def flush(self, *, sync: bool = False) -> None:
        """Writes the rows added so far; `sync` also forces them to the disk."""
        pending, self._pending = self._pending, []
        if self._file is None:
            self.cursor += len(pending)
            return
        fresh = []
        for row in pending:
            text = json.dumps(atomic.plain(row), ensure_ascii=False, allow_nan=False)
            line = text.encode() + b"\n"
            if self.cursor >= len(self._old):
                fresh.append(line)
            elif self._old[self.cursor] != line:
                self._replace(line)
            self.cursor += 1
        self._append(b"".join(fresh), sync)

    def skip(self, lines: int, *, cut: bool) -> None:
        """Steps over lines that a restored loop or stage logged in an earlier process.

        Args:
          lines: How many.
          cut: Whether to drop all that follows, as for a loop that goes on from its middle.

        Raises:
          StorageError: The file does not hold that many lines.
        """
        self.flush()
        self.cursor += lines
        if self._file is None:
            return
        if self.cursor > len(self._old):
            raise StorageError(
                f"{self._path} has {len(self._old)} lines where the stored results rest on "
                f"{self.cursor}: put the file back, or delete the work directory to start again"
            )
        if cut:
            self._cut()

    def finish(self) -> None:
        """Writes what is pending and drops lines that this run did not stand behind."""
        self.flush()
        if self._file is not None and self.cursor < len(self._old):
            self._cut()

    def close(self) -> None:
        """Closes the file without writing rows that are still pending."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self, size: int) -> None:
        try:
            self._file = open(self._path, "ab", buffering=0)  # noqa: SIM115
            if self._file.tell() != size:
                self._file.truncate(size)
        except OSError as error:
            raise WriteError(f"cannot write {self._path}: {error.strerror}") from error

    def _append(self, content: bytes, sync: bool) -> None:
        try:
            while content:
                content = content[self._file.write(content) :]
            if sync:
                os.fsync(self._file.fileno())
        except OSError as error:
            # A torn last line stays behind; the next process drops it.
            raise WriteError(f"cannot write {self._path}: {error.strerror}") from error

    def _replace(self, line: bytes) -> None:
        """Puts another line in place of an old one, so that positions keep their meaning."""
        self._old[self.cursor] = line
        self._file.close()
        atomic.write_bytes(self._path, b"".join(self._old))
        self._open(sum(map(len, self._old)))

    def _cut(self) -> None:
        del self._old[self.cursor :]
        self._file.truncate(sum(map(len, self._old)))

"""What a run shows: header, progress, warnings and a closing summary.

On a terminal progress is a bar; in a log it is a plain line about every ten seconds.
"""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

LOG_SECONDS = 10.0

_LABEL_WIDTH = 14


class Bar:
    """Progress towards a total; this one shows nothing.

    Attributes:
      completed: How many units are done.
    """

    def __init__(self, total: int, completed: int = 0):
        self.total = total
        self.completed = completed

    def advance(self, amount: int = 1, note: str = "") -> None:
        """Counts `amount` more units; `note` is shown behind the numbers."""
        self.completed += amount


class Terminal:
    """The human-facing side of a run."""

    def __init__(self, *, quiet: bool = False, console: Console | None = None):
        """Opens the terminal.

        Args:
          quiet: Show warnings only.
          console: Where to print, standard output by default.
        """
        self.quiet = quiet
        self.console = console or Console(highlight=False)
        self._busy = False

    def print(self, *values: Any, style: str | None = None) -> None:
        """Prints a line; unlike rich's own, it is never wrapped nor read as markup."""
        if not self.quiet:
            text = " ".join(str(value) for value in values)
            self.console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    def fields(self, fields: Mapping[str, Any]) -> None:
        """Prints aligned "label   value" lines."""
        for label, value in fields.items():
            self.print(f"{label:<{_LABEL_WIDTH}}{value}")

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Prints rows with aligned columns."""
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
            self.print("  " + "  ".join(cells).rstrip())

    def warn(self, message: str) -> None:
        """Prints one warning line to standard error, even when quiet."""
        self.console.file.flush()
        print(f"warning: {message}", file=sys.stderr, flush=True)

    @contextmanager
    def progress(self, name: str, total: int, *, unit: str = "", start: int = 0) -> Iterator[Bar]:
        """Shows progress while the block runs; a block inside another one shows nothing.

        Args:
          name: What is counted.
          total: How many units there are.
          unit: What one unit is called, `name` by default.
          start: How many units an earlier process has done.
        """
        if self.quiet or self._busy:
            yield Bar(total, start)
            return
        self._busy = True
        try:
            with self._bar(name, total, unit or name, start) as bar:
                yield bar
        finally:
            self._busy = False

    @contextmanager
    def _bar(self, name: str, total: int, unit: str, start: int) -> Iterator[Bar]:
        if self.console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(bar_width=None),
                MofNCompleteColumn(),
                _RateColumn(unit),
                TimeRemainingColumn(compact=True),
                TextColumn("{task.fields[note]}", markup=False),
            )
            with Progress(*columns, console=self.console) as progress:
                yield _TerminalBar(progress, name, total, start)
        else:
            bar = _LogBar(self, name, total, unit, start)
            try:
                yield bar
            finally:
                bar.finish()


class _TerminalBar(Bar):
    """A bar drawn by rich."""

    def __init__(self, progress: Progress, name: str, total: int, start: int):
        super().__init__(total, start)
        self._progress = progress
        self._task = progress.add_task(name, total=total, completed=start, note="")

    def advance(self, amount: int = 1, note: str = "") -> None:
        super().advance(amount, note)
        fields = {"note": note} if note else {}
        self._progress.update(self._task, advance=amount, **fields)


class _LogBar(Bar):
    """Progress as lines of a log, at most one in `LOG_SECONDS`."""

    def __init__(self, terminal: Terminal, name: str, total: int, unit: str, start: int):
        super().__init__(total, start)
        self._terminal, self._name, self._unit, self._start = terminal, name, unit, start
        self._began = self._shown = time.monotonic()
        self._note = ""
        self._shown_at = start

    def advance(self, amount: int = 1, note: str = "") -> None:
        super().advance(amount, note)
        self._note = note or self._note
        if time.monotonic() - self._shown >= LOG_SECONDS:
            self._show()

    def finish(self) -> None:
        """Prints the last line, unless it stands there already."""
        if self._shown_at != self.completed:
            self._show()

    def _show(self) -> None:
        self._shown, self._shown_at = time.monotonic(), self.completed
        seconds = max(self._shown - self._began, 1e-9)
        rate = (self.completed - self._start) / seconds
        parts = [
            f"{self.completed}/{self.total}",
            f"{100 * self.completed / max(self.total, 1):.0f} %",
            f"{rate:.4g} {self._unit}/s",
        ]
        if self.completed < self.total and rate > 0:
            parts.append(f"{duration((self.total - self.completed) / rate)} left")
        elif self.completed >= self.total:
            parts.append(f"done in {duration(seconds)}")
        if self._note:
            parts.append(self._note)
        self._terminal.print(f"{self._name:<{_LABEL_WIDTH - 2}}  " + "  ".join(parts))


class _RateColumn(ProgressColumn):
    """Units a second."""

    def __init__(self, unit: str):
        super().__init__()
        self._unit = unit

    def render(self, task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.4g} {self._unit}/s" if speed else "")


def duration(seconds: float) -> str:
    """Returns a time span in words, as "1 h 02 min" or "3.2 s"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"

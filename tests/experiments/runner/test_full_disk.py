import errno
import os

import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest

from experiments import runner
from experiments.runner import atomic, checkpoints
from experiments.runner.errors import WriteError
from tests.experiments.runner import children


def test_a_file_that_does_not_fit_ends_the_run_with_one_line(tmp_path):
    directory = tmp_path / "run"
    arguments = (f"--workdir={directory}", "--config.steps=5")
    done = children.run(children.TINY, *arguments, file_size=15_000)
    assert done.returncode == 3
    line = children.only_line(done.stderr)
    assert "fit.png: File too large; the same command resumes from " in line
    assert not (directory / "fit.png").exists()
    assert not list(directory.rglob("*.tmp"))
    before = children.outputs(directory)
    done = children.run(children.TINY, *arguments)
    assert done.returncode == 0, done.stderr
    after = children.outputs(directory)
    assert before.items() - {("metrics.jsonl", before["metrics.jsonl"])} <= after.items()


def test_a_checkpoint_that_does_not_fit_leaves_the_earlier_one(tmp_path):
    directory = tmp_path / "run"
    arguments = (f"--workdir={directory}", "--config.size=4")
    grows = "tests.experiments.runner.growing_experiment"
    done = children.run(grows, *arguments, file_size=100_000)
    assert done.returncode == 3, done.stderr
    line = children.only_line(done.stderr)
    assert "step_00000003" in line
    assert "File too large; the same command resumes from step 2 of grow" in line
    assert {p.name for p in (directory / "checkpoints/grow").iterdir()} == {
        "step_00000001",
        "step_00000002",
    }
    done = children.run(grows, *arguments)
    assert done.returncode == 0, done.stderr
    assert "2 of 4 steps were done before" in done.stdout


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_write_bytes_keeps_the_old_file(tmp_path, monkeypatch, function):
    path = tmp_path / "file.csv"
    atomic.write_bytes(path, b"old")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, function, full)
        with pytest.raises(WriteError, match=r"file\.csv: No space left on device"):
            atomic.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file.csv"]


def test_orbax_reporting_a_full_disk(tmp_path, monkeypatch):
    config = ml_collections.ConfigDict({})
    save = checkpoints._save_arrays

    def full_at_two(path, arrays):
        if "step_00000002" in str(path):
            raise ValueError("RESOURCE_EXHAUSTED: ... No space left on device [OS error 28]")
        save(path, arrays)

    def fit():
        with runner.open_run(experiment="e", config=config, workdir=tmp_path, quiet=True) as run:
            return run.loop("x", jnp.zeros(2), lambda s, i: s + i, num_steps=3, checkpoint_every=1)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "_save_arrays", full_at_two)
        with pytest.raises(WriteError, match="step_00000002: No space left on device"):
            fit()
    assert [p.name for p in (tmp_path / "checkpoints/x").iterdir()] == ["step_00000001"]
    np.testing.assert_array_equal(fit(), [3, 3])

import random
import shutil
import time

import pytest

from tests.experiments.runner import children

ARGUMENTS = ("--config.pause=0.01",)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    directory = tmp_path_factory.mktemp("reference") / "run"
    done = children.run(children.TINY, f"--workdir={directory}", *ARGUMENTS)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # neither JAX nor Orbax nor absl says anything
    return directory


def test_outputs_are_all_there(reference):
    names = set(children.outputs(reference))
    assert {"claims.json", "config.json", "fit.png", "metrics.jsonl", "weights.csv"} <= names
    assert {"stages/data.npz", "stages/residuals.json"} <= names
    assert (reference / "timing.jsonl").exists()
    kept = sorted(path.name for path in (reference / "checkpoints/fit").iterdir())
    assert kept == ["step_00000025", "step_00000030"]


def test_a_finished_run_repeated_changes_nothing(reference, tmp_path):
    copy = shutil.copytree(reference, tmp_path / "run")
    again = children.run(children.TINY, f"--workdir={copy}", *ARGUMENTS)
    assert again.returncode == 0, again.stderr
    assert "30 of 30 steps were done before" in again.stdout
    children.assert_same_outputs(copy, reference)


def test_killed_at_random_writes_and_resumed(reference, tmp_path):
    generator = random.Random(20)
    directory, kills = tmp_path / "run", 0
    while kills < 5:
        point = generator.randint(1, 45)
        child = children.run(
            "tests.experiments.runner.killed_at", point, f"--workdir={directory}", *ARGUMENTS
        )
        if child.returncode == -9:
            kills += 1
            continue
        assert child.returncode == 0, child.stderr
        children.assert_same_outputs(directory, reference)
        shutil.rmtree(directory)
    _finish_and_compare(directory, reference)


def test_killed_at_random_times_and_resumed(reference, tmp_path):
    generator = random.Random(4)
    directory = tmp_path / "run"
    lines = 1
    for _ in range(3):
        lines += generator.randint(1, 9)
        child = children.start(children.TINY, f"--workdir={directory}", *ARGUMENTS)
        while child.poll() is None and _lines(directory / "metrics.jsonl") < lines:
            time.sleep(0.002)
        time.sleep(generator.random() * 0.02)
        child.kill()
        assert children.finish(child).returncode == -9
    _finish_and_compare(directory, reference)


def _finish_and_compare(directory, reference):
    last = children.run(children.TINY, f"--workdir={directory}", *ARGUMENTS)
    assert last.returncode == 0, last.stderr
    assert last.stderr == ""
    children.assert_same_outputs(directory, reference)


def _lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0

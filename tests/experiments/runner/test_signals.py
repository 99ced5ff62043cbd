import os
import signal
import time

import pytest

from tests.experiments.runner import children


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_with_one_line(tmp_path, number, status):
    arguments = (f"--workdir={tmp_path / 'run'}", "--config.pause=0.02", "--config.steps=1000")
    child = children.start(children.TINY, *arguments)
    checkpoint = tmp_path / "run/checkpoints/fit/step_00000010"
    deadline = time.monotonic() + 60
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(child.pid, number)
    done = children.finish(child)
    assert done.returncode == status
    line = children.only_line(done.stderr)
    assert line.startswith("interrupted; the same command resumes from step ")
    step = int(line.split("step ")[1].split()[0])
    assert (tmp_path / f"run/checkpoints/fit/step_{step:08d}/manifest.sha256").exists()
    assert not list((tmp_path / "run").rglob("*.partial"))
    assert not list((tmp_path / "run").rglob("*.tmp"))

"""Runs experiments as child processes, kills them, and collects what they leave."""

import subprocess
import sys
from pathlib import Path

from tests.devices import environment

ROOT = Path(__file__).parents[3]
COMPARED = {".csv", ".json", ".jsonl", ".npz", ".png"}
TINY = "tests.experiments.tiny_experiment"


def command(module: str, *arguments) -> list[str]:
    return [sys.executable, "-m", module, *map(str, arguments)]


def start(module: str, *arguments, devices: int = 1, file_size: int = 0) -> subprocess.Popen:
    """Starts `python -m module`, with so many devices and, if given, a limit on file sizes."""
    line = command(module, *arguments)
    if file_size:
        # The child limits itself: a function between fork and exec may deadlock under JAX.
        code = (
            "import os, resource, sys; "
            f"resource.setrlimit(resource.RLIMIT_FSIZE, ({file_size}, {file_size})); "
            "os.execv(sys.argv[1], sys.argv[1:])"
        )
        line = [sys.executable, "-c", code, *line]
    return subprocess.Popen(
        line,
        env=environment(devices),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(child: subprocess.Popen, timeout: float = 600) -> subprocess.CompletedProcess:
    try:
        out, err = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        child.kill()
        raise
    return subprocess.CompletedProcess(child.args, child.returncode, out, err)


def run(module: str, *arguments, **keywords) -> subprocess.CompletedProcess:
    return finish(start(module, *arguments, **keywords))


def outputs(directory: Path) -> dict[str, bytes]:
    """Returns all files that equal runs must have in common, bit by bit."""
    return {
        file.relative_to(directory).as_posix(): file.read_bytes()
        for file in sorted(directory.rglob("*"))
        if file.suffix in COMPARED and file.name != "timing.jsonl"
    }


def assert_same_outputs(directory: Path, reference: Path) -> None:
    ours, theirs = outputs(directory), outputs(reference)
    assert sorted(ours) == sorted(theirs)
    for name, content in theirs.items():
        assert ours[name] == content, f"{name} differs"


def only_line(text: str) -> str:
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    return lines[0]

"""Runs a piece of Python in a child process that sees several CPU devices."""

import os
import pathlib
import signal
import subprocess
import sys

_ROOT = pathlib.Path(__file__).parents[1]


def run_on_devices(source: str, devices: int = 8, timeout: float = 400) -> str:
    """What the child prints; fails with its last words, with its stacks where it hangs.

    Args:
        source: the program.
        devices: how many devices it sees.
        timeout: seconds after which it is killed.
    """
    # Several devices share two cores: threads within an operation could wait for each other.
    flags = f"--xla_force_host_platform_device_count={devices} --xla_cpu_multi_thread_eigen=false"
    child = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", source],
        env={**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags},
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        out, err = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGABRT)  # faulthandler writes the stacks of all threads
        out, err = child.communicate()
        raise AssertionError(f"no end after {timeout} s:\n{err[-6000:]}") from None
    assert child.returncode == 0, err[-4000:]
    return out

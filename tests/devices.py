"""How tests compile for the CPU, and child processes that see several CPU devices."""

import os
import pathlib
import signal
import subprocess
import sys

_ROOT = pathlib.Path(__file__).parents[1]
CACHE = _ROOT / ".jax_cache"
# Thousands of small programs run once each: most of the suite's time would go into optimising
# their machine code. What is fused, and so what is computed, stays as it is for users.
FAST_COMPILATION = "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=0"


def environment(devices: int = 1) -> dict[str, str]:
    """Variables of a child process that sees so many CPU devices and compiles as the tests do."""
    # Several devices share two cores: threads within an operation could wait for each other.
    flags = (
        FAST_COMPILATION,
        f"--xla_force_host_platform_device_count={devices}",
        "--xla_cpu_multi_thread_eigen=false",
    )
    return os.environ | {
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(CACHE),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3",
        "PYTHONPATH": str(_ROOT),
        "XLA_FLAGS": " ".join(flags),
    }


def run_on_devices(source: str, devices: int = 8, timeout: float = 400) -> str:
    """What the child prints; fails with its last words, with its stacks where it hangs.

    Args:
        source: the program.
        devices: how many devices it sees.
        timeout: seconds after which it is killed.
    """
    child = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", source],
        env=environment(devices),
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

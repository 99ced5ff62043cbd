"""Settings of the whole suite: CPU alone, a persistent compilation cache, quiet hypothesis."""

import gc
import os
import pathlib

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Callbacks into Python (the TPU interpreter's) hold a thread each; with as many threads as two
# cores give, they can wait for one another for ever.
os.environ.setdefault("NPROC", "8")
os.environ.setdefault("PJRT_NPROC", "8")

import hypothesis
import jax
import pytest

from tests.devices import CACHE, FAST_COMPILATION

# Scripts that make golden numbers need packages of their own.
collect_ignore_glob = ["golden/*"]

# Tracing and compiling make many objects and little garbage in cycles: look for it less often.
gc.set_threshold(50_000, 20, 50)

jax.config.update("jax_compilation_cache_dir", str(CACHE))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
# The TPU interpreter calls back into Python: on few cores that can wait for itself for ever where
# programs run behind the caller's back.
jax.config.update("jax_cpu_enable_async_dispatch", False)
if "XLA_FLAGS" not in os.environ:
    # Read once, by the first look at the devices; the TPU compiler stops at flags of the CPU.
    os.environ["XLA_FLAGS"] = FAST_COMPILATION
    jax.devices()
    del os.environ["XLA_FLAGS"]

hypothesis.settings.register_profile(
    "infojax",
    deadline=None,
    max_examples=50,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("infojax")

# Compiled programs stay in memory, and thousands of tests would fill it.
_MOST_BYTES = 3 << 30
_TESTS_BETWEEN = 80  # what is freed is used again, but seldom given back to the system
_tests_since = 0


def _resident() -> int:
    """Bytes that this process holds in memory; 0 where the system does not tell."""
    try:
        pages = pathlib.Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(autouse=True)
def _forget_programs():
    """Drops compiled programs once they fill too much."""
    global _tests_since
    yield
    _tests_since += 1
    if _tests_since >= _TESTS_BETWEEN and _resident() > _MOST_BYTES:
        jax.clear_caches()
        gc.collect()
        _tests_since = 0

"""Benchmarks of entropies and divergences: time, memory, accuracy, and the time of an import."""

import subprocess
import sys
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.measure import Row, Table, in_turn, rows_against_peers, times_slower
from infojax import divergences, entropies


def _plain_entropy(logits: jax.Array) -> jax.Array:
    log_p = jax.nn.log_softmax(logits)
    return -jnp.sum(jnp.exp(log_p) * log_p, -1)


def entropy_from_logits(repeats: int, quick: bool) -> Table:
    """Times the entropy of logits against one log-sum-exp, the limit, and the plain formula.

    Args:
        repeats: counted calls.
        quick: whether to run tiny sizes.

    Returns:
        The table.
    """
    shape = (4, 64) if quick else (64, 131_072)
    logits = jax.random.normal(jax.random.key(0), shape)
    functions: dict[str, Callable] = {
        "infojax": entropies.entropy_from_logits,
        "logsumexp (one read, the limit)": lambda x: jax.nn.logsumexp(x, -1),
        "log_softmax, exp, sum": _plain_entropy,
    }
    rows = []
    for kind in ("value", "gradient"):
        programs = {
            name: jax.jit(f if kind == "value" else jax.grad(lambda x, f=f: jnp.sum(f(x))))
            for name, f in functions.items()
        }
        times = in_turn({name: lambda g=g: g(logits) for name, g in programs.items()}, repeats)
        memory = {
            name: g.lower(logits).compile().memory_analysis().temp_size_in_bytes
            for name, g in programs.items()
        }
        limit = "logsumexp (one read, the limit)"
        rows += rows_against_peers(
            f"{kind}, {shape[0]} x {shape[1]}",
            times,
            ratio=times_slower,
            bars={limit: "<= 2.5"} if kind == "value" and not quick else {},
            extra={name: f"{size / 2**20:.1f} MiB" for name, size in memory.items()},
        )
    return Table(
        title="Entropy of logits",
        note="Median (least .. most) and temporary memory, float32; ratio = infojax / peer.",
        rows=tuple(rows),
    )


def _sources(k: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(k)
    laws = {f"Dirichlet({a:g})": rng.gamma(a, size=k) for a in (0.05, 1.0, 50.0)}
    laws["Zipf"] = 1 / np.arange(1, k + 1.0)
    return {name: (x / x.sum()).astype(np.float32) for name, x in laws.items()}


def _other_law(k: int) -> np.ndarray:
    """A law for the divergence's second argument that is none of the sources."""
    x = np.random.default_rng(k + 1).gamma(50.0, size=k)
    return (x / x.sum()).astype(np.float32)


def entropy_accuracy(repeats: int, quick: bool) -> Table:
    """Measures the relative error of float32 against float64 on the same float32 input.

    Args:
        repeats: not used: the figures do not vary.
        quick: whether to run tiny sizes.

    Returns:
        The table: the worst case over distributions for each number of symbols.
    """
    del repeats
    functions: dict[str, Callable] = {
        "entropy": lambda p, q, logits: entropies.entropy(p),
        "renyi_entropy, order 1/2": lambda p, q, logits: entropies.renyi_entropy(p, 0.5),
        "renyi_entropy, order 1": lambda p, q, logits: entropies.renyi_entropy(p, 1.0),
        "renyi_entropy, order 2": lambda p, q, logits: entropies.renyi_entropy(p, 2.0),
        "entropy_from_logits": lambda p, q, logits: entropies.entropy_from_logits(logits),
        "entropy_from_logits, peaked": lambda p, q, logits: entropies.entropy_from_logits(
            jnp.maximum(2 * logits, -60)
        ),
        "kl_divergence": lambda p, q, logits: divergences.kl_divergence(p, q),
    }
    rows = []
    for name, function in functions.items():
        for k in (10, 100) if quick else (10, 1_000, 100_000, 1_000_000):
            worst, law = max(
                (_error(function, p, _other_law(k)), law) for law, p in _sources(k).items()
            )
            rows.append(
                Row(
                    f"{name}, K = {k}", f"{worst:.1e}", "float64, same input", law, worst, "<= 2e-6"
                )
            )
    return Table(
        title="Accuracy of float32",
        note="Worst relative error over Dirichlet(.05, 1, 50) and Zipf laws; the last columns name "
        "the worst law and repeat the error as the ratio.",
        rows=tuple(rows),
    )


def _error(function: Callable, p: np.ndarray, q: np.ndarray) -> float:
    logits = np.log(np.maximum(p, np.finfo(np.float32).tiny))
    single = float(function(*(jnp.asarray(x) for x in (p, q, logits))))
    with jax.enable_x64(True):
        double = float(function(*(jnp.asarray(x, jnp.float64) for x in (p, q, logits))))
    # A point mass has entropy 0 in both.
    return abs(single - double) / (abs(double) or 1.0)


def import_time(repeats: int, quick: bool) -> Table:
    """Measures what `import infojax` adds to `import jax, flax`, each in a fresh interpreter.

    Args:
        repeats: interpreters of each kind.
        quick: whether to start few.

    Returns:
        The table; its ratio is in seconds.
    """

    def start(code: str) -> Callable[[], None]:
        return lambda: subprocess.run([sys.executable, "-c", code], check=True) and None

    times = in_turn(
        {"jax, flax": start("import jax, flax"), "all": start("import jax, flax, infojax")},
        1 if quick else repeats,
    )
    rows = rows_against_peers(
        "import jax, flax, infojax",
        {"infojax": times["all"], "import jax, flax": times["jax, flax"]},
        ratio=lambda mine, other: mine.median - other.median,
        bars={} if quick else {"import jax, flax": "<= 0.15"},
    )
    return Table(
        title="Import time",
        note="Whole processes, median (least .. most); the ratio column is the difference of the "
        "medians in seconds.",
        rows=tuple(rows),
    )

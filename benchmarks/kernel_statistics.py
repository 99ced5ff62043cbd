"""Permutation tests and statistics by kernels: time against a numpy loop, memory against N x N."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import ahead_of_time
from benchmarks.measure import Row, Table, in_turn, rows_against_peers, times_faster
from infojax import divergences, information

_SIGMA = 2.0


def _gram(x: np.ndarray) -> np.ndarray:
    norms = (x * x).sum(-1)
    squares = np.maximum(norms[:, None] + norms - 2 * x @ x.T, 0)
    return np.exp(-squares / (2 * _SIGMA**2))


def loop_over_permutations(
    x: np.ndarray, y: np.ndarray, orders: np.ndarray, take: Callable
) -> tuple[float, np.ndarray]:
    """HSIC and its null values as they are usually written: matrices once, then a loop.

    Args:
        x: samples of X, (N, D), in the type to compute in.
        y: samples of Y.
        orders: permutations, (P, N).
        take: how rows and columns of a matrix are permuted.

    Returns:
        The statistic and those of the permutations.
    """
    k, l = _gram(x), _gram(y)  # noqa: E741
    k = k - k.mean(0) - k.mean(1)[:, None] + k.mean()
    count = len(x) ** 2
    return (k * l).sum() / count, np.array([(k * take(l, o)).sum() / count for o in orders])


def _fancy(matrix: np.ndarray, order: np.ndarray) -> np.ndarray:
    return matrix[np.ix_(order, order)]


def _taken(matrix: np.ndarray, order: np.ndarray) -> np.ndarray:
    return matrix.take(order, 0).take(order, 1)


def _samples(count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count, size))
    return x, 0.2 * x**2 + rng.normal(size=(count, size))


def _hsic_rows(repeats: int, count: int, permutations: int) -> list[Row]:
    x, y = _samples(count, 4)
    rng = np.random.default_rng(1)
    orders = np.stack([rng.permutation(count) for _ in range(permutations)])
    arrays = jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)
    test = jax.jit(
        functools.partial(
            information.hsic_test,
            sigma_x=_SIGMA,
            sigma_y=_SIGMA,
            num_permutations=permutations,
        )
    )
    key = jax.random.key(0)
    narrow = x.astype(np.float32), y.astype(np.float32)
    loops = {
        "numpy loop, fancy indexing, float64": (x, y, orders, _fancy),
        "numpy loop, fancy indexing, float32": (*narrow, orders, _fancy),
        "numpy loop, two takes, float32": (*narrow, orders, _taken),
    }
    contenders: dict[str, Callable] = {"infojax": lambda: test(*arrays, key=key)}
    contenders |= {
        name: functools.partial(loop_over_permutations, *arguments)
        for name, arguments in loops.items()
    }
    memory = test.lower(*arrays, key=key).compile().memory_analysis()
    return rows_against_peers(
        f"HSIC test, N = {count}, D = 4 + 4, {permutations} permutations",
        in_turn(contenders, repeats),
        ratio=times_faster,
        bars={} if count < 2000 else {"numpy loop, fancy indexing, float64": ">= 10"},
        extra={"infojax": f"{memory.temp_size_in_bytes / 2**20:.1f} MiB"},
    )


def _discrepancy_rows(repeats: int, count: int, permutations: int) -> list[Row]:
    """The two-sample test against the loop over one matrix of both samples."""
    x, y = (z.astype(np.float32) for z in _samples(count, 4))
    arrays = jnp.asarray(x), jnp.asarray(y)
    rng = np.random.default_rng(1)
    signs = np.repeat(np.float32([1 / count, -1 / count]), count)
    columns = np.stack([rng.permutation(signs) for _ in range(permutations)])
    test = jax.jit(
        functools.partial(
            divergences.maximum_mean_discrepancy_test,
            sigma=_SIGMA,
            num_permutations=permutations,
        )
    )
    key = jax.random.key(0)

    def loop():
        gram = _gram(np.concatenate([x, y]))
        return np.array([w @ gram @ w for w in columns])

    return rows_against_peers(
        f"MMD test, N = M = {count}, D = 4, {permutations} permutations",
        in_turn({"infojax": lambda: test(*arrays, key=key), "numpy loop, float32": loop}, repeats),
        ratio=times_faster,
        bars={},
    )


def _memory_rows(count: int) -> list[Row]:
    """Temporary memory of values and gradients, against one N x N matrix."""
    shape = ahead_of_time.shapes((count, 16))[0]
    functions = {
        "MMD": functools.partial(divergences.squared_maximum_mean_discrepancy, sigma=_SIGMA),
        "energy distance": divergences.energy_distance,
        "HSIC": functools.partial(information.hsic, sigma_x=_SIGMA, sigma_y=_SIGMA),
    }
    rows = []
    for name, function in functions.items():
        program = jax.jit(jax.value_and_grad(function, (0, 1))).lower(shape, shape).compile()
        temporary = program.memory_analysis().temp_size_in_bytes
        rows.append(
            Row(
                case=f"{name} with its gradient, N = M = {count}, D = 16: memory",
                ours=f"{temporary / 2**20:.1f} MiB",
                peer="one N x N matrix",
                peers=f"{4 * count**2 / 2**30:.2f} GiB",
                ratio=temporary / (4 * count**2),
                bar="<= 0.02" if count >= 20_000 else "",
            )
        )
    return rows


def hsic_test(repeats: int, quick: bool) -> Table:
    """Times the permutation tests and reads the memory of the statistics.

    Args:
        repeats: counted calls.
        quick: whether to run tiny sizes.

    Returns:
        The table.
    """
    count, permutations = (60, 20) if quick else (2000, 500)
    rows = _hsic_rows(repeats, count, permutations)
    rows += _discrepancy_rows(repeats, count, permutations)
    rows += _memory_rows(300 if quick else 20_000)
    return Table(
        title="Permutation tests by kernels",
        note="Median (least .. most); ratio = peer / infojax for times, infojax / peer for "
        "memory. infojax computes in float32 and draws its permutations inside; the loops get "
        "theirs, and all make their matrices from the samples.",
        rows=tuple(rows),
    )

"""Matrix-free Gaussian Gram products: time and memory here, and as compiled for accelerators."""

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import ahead_of_time
from benchmarks.logits_kernels import HBM_BANDWIDTH
from benchmarks.measure import Row, Table, in_turn, rows_against_peers, show, times_faster
from infojax.kernels import gaussian_gram_matvec as gram

_SIGMA = 2.0
# Multiplications and additions a second of bfloat16 on one device as JAX counts them; float32
# in full precision takes six passes.
_PEAK = {
    "v4:2x2x1": 275e12,
    "v5e:2x2": 197e12,
    "v5p:2x2x1": 459e12,
    "v6e:2x2": 918e12,
    "tpu7x:2x2x1": 1153e12,
}
_PASSES = 6


def _ours(x: jax.Array, vector: jax.Array) -> jax.Array:
    return gram.gaussian_gram_matvec(x, vector, sigma=_SIGMA)


def _materialised(x: jax.Array, vector: jax.Array) -> jax.Array:
    norms = jnp.sum(x * x, -1)
    squares = jnp.maximum(norms[:, None] + norms - 2 * x @ x.T, 0)
    return jnp.exp(-squares / (2 * _SIGMA**2)) @ vector


def _in_chunks(x: np.ndarray, vector: np.ndarray, rows: int = 1000) -> np.ndarray:
    """The product by scikit-learn, some rows of the matrix at a time."""
    from sklearn.metrics.pairwise import rbf_kernel

    gamma = 1 / (2 * _SIGMA**2)
    parts = [
        rbf_kernel(x[start : start + rows], x, gamma=gamma) @ vector
        for start in range(0, len(x), rows)
    ]
    return np.concatenate(parts)


def _temporaries(function, *shapes: jax.ShapeDtypeStruct) -> str:
    memory = jax.jit(function).lower(*shapes).compile().memory_analysis()
    return f"{memory.temp_size_in_bytes / 2**20:.1f} MiB"


def _measured(repeats: int, count: int, size: int) -> list[Row]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count, size)).astype(np.float32)
    vector = rng.normal(size=count).astype(np.float32)
    arrays = jnp.asarray(x), jnp.asarray(vector)
    shapes = ahead_of_time.shapes((count, size), (count,))
    ours, plain = jax.jit(_ours), jax.jit(_materialised)
    limit = "materialised, jnp"
    times = in_turn(
        {
            "infojax": lambda: ours(*arrays),
            "scikit-learn, 1000 rows at a time": lambda: _in_chunks(x, vector),
            limit: lambda: plain(*arrays),
        },
        repeats,
    )
    return rows_against_peers(
        f"value, N = {count}, D = {size}, R = 1",
        times,
        ratio=times_faster,
        bars={},
        extra={
            "infojax": _temporaries(_ours, *shapes),
            limit: _temporaries(_materialised, *shapes),
        },
    )


def _memory_row(count: int, size: int) -> Row:
    """Temporary memory of value and gradient by every argument, against the matrix."""

    def loss(x, vector, sigma):
        return jnp.sum(gram.gaussian_gram_matvec(x, vector, sigma=sigma) ** 2)

    shapes = ahead_of_time.shapes((count, size), (count,), ())
    program = jax.jit(jax.grad(loss, (0, 1, 2))).lower(*shapes).compile()
    temporary = program.memory_analysis().temp_size_in_bytes
    matrix = 4 * count**2
    return Row(
        case=f"gradient by points, vector and sigma, N = {count}, D = {size}: memory",
        ours=f"{temporary / 2**20:.1f} MiB",
        peer="the matrix alone",
        peers=f"{matrix / 2**30:.1f} GiB",
        ratio=temporary / matrix,
        bar="<= 0.02",
    )


def _modelled_row(generation: str, count: int, size: int, width: int) -> Row:
    compiled = ahead_of_time.compile_for_tpu(
        lambda x, vectors: gram.gaussian_gram_matvec(
            x, vectors, sigma=_SIGMA, implementation="pallas_tpu"
        ),
        *ahead_of_time.shapes((count, size), (count, width)),
        generation=generation,
    )
    cost = compiled.cost_analysis()
    move = cost["bytes accessed"] / HBM_BANDWIDTH[generation]
    multiply = _PASSES * cost["flops"] / _PEAK[generation]
    # Written out, the matrix goes to HBM and back, and the products are the same.
    matrix = 8 * count**2 / HBM_BANDWIDTH[generation]
    return Row(
        case=f"{generation}, N = {count}, D = {size}, R = {width}, modelled",
        ours=f"{cost['bytes accessed'] / 2**20:.0f} MiB in {show(move)}, products {show(multiply)}",
        peer="the matrix written and read",
        peers=f"{8 * count**2 / 2**20:.0f} MiB in {show(matrix)}, products {show(multiply)}",
        ratio=max(matrix, multiply) / max(move, multiply),
    )


def gaussian_gram_matvec(repeats: int, quick: bool) -> Table:
    """Times the product on this machine and models it for TPU.

    Args:
        repeats: counted calls.
        quick: whether to run tiny sizes.

    Returns:
        The table.
    """
    count = 300 if quick else 20_000
    rows = _measured(repeats, count, 16)
    if not quick:
        rows.append(_memory_row(count, 16))
    generations = ahead_of_time.TPUS[1:2] if quick else ahead_of_time.TPUS
    sizes = [(16, 1)] if quick else [(16, 1), (1024, 64)]
    rows += [
        _modelled_row(generation, count, size, width)
        for generation in generations
        for size, width in sizes
    ]
    return Table(
        title="Gaussian Gram products, matrix-free",
        note="Measured rows: median (least .. most) and temporary memory, float32; ratio = peer "
        "/ infojax. Modelled rows: compiled by libtpu, not run; traffic at HBM bandwidth, products "
        "at the matrix unit's peak in six passes, from costs that the kernel declares, without "
        "exponentials and padding; ratio = the larger of the two, peer / infojax.",
        rows=tuple(rows),
    )

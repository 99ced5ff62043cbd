"""Bandwidths of Gaussian kernels from the data: median distance, k-th neighbour, kernel growth.

Each is made of squared distances between centred points, a block of rows at a time, and of exact
order statistics by bisection over the bits of floating-point numbers (a sort of all pairs takes
ten times as long on CPU).
"""

import functools
import math

import jax
import jax.numpy as jnp

from infojax.kernels.varying import vary_like

_BLOCK = 2**21  # distances in memory at a time where not all pairs are needed
_GRID = 64  # bandwidths tried by `diffusion_bandwidth`


def _count_type(dtype):
    return jnp.int64 if jnp.dtype(dtype).itemsize == 8 else jnp.int32


def _order_statistic(values: jax.Array, rank: jax.Array | int) -> jax.Array:
    """The entry of a rank (0 the least) of a non-negative array, +inf for what does not count.

    Bit patterns of non-negative floats are ordered as the numbers are: bisection finds the exact
    entry. Differentiable: the derivative is shared between the entries that are equal to it.
    """
    integer = _count_type(values.dtype)
    bits = jax.lax.bitcast_convert_type(jax.lax.stop_gradient(values), integer)

    def halve(_, ends):
        low, high = ends
        middle = low + (high - low) // 2
        enough = jnp.sum(bits <= middle, dtype=jnp.int32) > rank
        return jnp.where(enough, low, middle + 1), jnp.where(enough, middle, high)

    top = jax.lax.bitcast_convert_type(jnp.asarray(jnp.inf, values.dtype), integer)
    ends = vary_like((jnp.zeros((), integer), top), bits)
    found, _ = jax.lax.fori_loop(0, 8 * values.dtype.itemsize, halve, ends)
    equal = bits == found
    return jnp.sum(jnp.where(equal, values, 0)) / jnp.maximum(jnp.sum(equal), 1)


def _root(squares: jax.Array) -> jax.Array:
    positive = squares > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squares, 1)), 0)


def _median_root(squares: jax.Array, count: jax.Array) -> jax.Array:
    """The median of the square roots of the `count` least entries; the rest is +inf."""
    low = _order_statistic(squares, jnp.maximum(count - 1, 0) // 2)
    high = _order_statistic(squares, jnp.maximum(count, 0) // 2)
    return (_root(low) + _root(high)) / 2


def squared_distances(a: jax.Array, b: jax.Array) -> jax.Array:
    """Squared distances from inner products, with 0 for what is within their rounding error.

    Args:
        a: points, (*B, N, D), near the origin: centred with `b`.
        b: points, (*B, M, D).

    Returns:
        (*B, N, M), non-negative.
    """
    squares = jnp.sum(a * a, -1)[..., :, None] + jnp.sum(b * b, -1)[..., None, :]
    inner = jnp.matmul(a, jnp.swapaxes(b, -1, -2), precision="highest")
    difference = squares - 2 * inner
    noise = 8 * jnp.finfo(a.dtype).eps * squares
    return jnp.where(difference > noise, difference, 0)


def _spread_places(where, most: int):
    """Places of up to `most` points at even distances among those that count, and their mask."""
    size = min(where.shape[0], most)
    count = jnp.sum(where, dtype=jnp.int32)
    kept = jnp.minimum(count, size)
    numbers = jnp.arange(size, dtype=jnp.int32)
    # (number * count) // kept without the product, which overflows for N beyond 10^6.
    share, rest = count // jnp.maximum(kept, 1), count % jnp.maximum(kept, 1)
    ranks = numbers * share + (numbers * rest) // jnp.maximum(kept, 1)
    order = jnp.argsort(~where, stable=True)
    return order[jnp.minimum(ranks, where.shape[0] - 1)], numbers < kept


def _centered(x, where):
    x = jnp.where(where[:, None], x, 0)
    mean = jnp.sum(x, 0) / jnp.maximum(jnp.sum(where), 1)
    return jnp.where(where[:, None], x - jax.lax.stop_gradient(mean), 0)


def _median_of_one(x, where, most: int):
    places, kept = _spread_places(where, most)
    x, where = _centered(x, where)[places], kept
    kept = jnp.sum(where, dtype=jnp.int32)
    index = jnp.arange(x.shape[0])
    pairs = where[:, None] & where & (index[:, None] < index)
    squares = jnp.where(pairs, squared_distances(x, x), jnp.inf)
    return jnp.where(kept > 1, _median_root(squares, kept * (kept - 1) // 2), jnp.nan)


def _neighbor_of_one(x, where, k: int, most: int):
    x = _centered(x, where)
    places, kept = _spread_places(where, most)

    def kth(place):
        squares = squared_distances(x[place][None], x)[0]
        others = where & (jnp.arange(x.shape[0]) != place)
        return _order_statistic(jnp.where(others, squares, jnp.inf), k - 1)

    at_once = max(1, _BLOCK // x.shape[0])
    squares = jax.lax.map(jax.checkpoint(kth), places, batch_size=min(at_once, places.shape[0]))
    squares = jnp.where(kept, squares, jnp.inf)
    middle = _median_root(squares, jnp.sum(kept, dtype=jnp.int32))
    return jnp.where(jnp.sum(where) > k, middle, jnp.nan)


def _growth_of_one(x, where, most: int):
    places, kept = _spread_places(where, most)
    x, where = _centered(x, where)[places], kept
    pairs = where[:, None] & where
    squares = squared_distances(x, x)
    positive = pairs & (squares > 0)
    least = jnp.min(jnp.where(positive, squares, jnp.inf))
    largest = jnp.max(jnp.where(positive, squares, 0))
    steps = jnp.linspace(0, 1, _GRID, dtype=x.dtype)
    ends = jnp.log(least) - math.log(16), jnp.log(largest) + math.log(16)
    log_squares = ends[0] + steps * (ends[1] - ends[0])

    def slope(log_square):
        exponents = squares / (2 * jnp.exp(log_square))
        weights = jnp.where(pairs, jnp.exp(-exponents), 0)
        return jnp.sum(weights * jnp.where(pairs, exponents, 0)) / jnp.sum(weights)

    best = log_squares[jnp.argmax(jax.lax.map(slope, log_squares))]
    return jnp.where(largest > 0, jnp.exp(best / 2), jnp.nan)


@functools.partial(jax.jit, static_argnames=("function", "options"))
def _over_batch(function, x, where, options):
    batch = x.shape[:-2]
    count = math.prod(batch)
    flat = x.reshape(count, *x.shape[-2:]), where.reshape(count, x.shape[-2])
    one = functools.partial(function, **dict(options))
    # One after the other: each has a matrix of its own.
    found = jax.lax.map(lambda pair: one(*pair), flat)
    return found.reshape(batch)


def _each(function, x, where, **options: int) -> jax.Array:
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise TypeError(f"x must have a floating type; got {x.dtype}.")
    if x.ndim < 2 or 0 in x.shape[-2:]:
        raise ValueError(f"x must have shape (*B, N, D) with N, D > 0; got {x.shape}.")
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    counted = True if where is None else where
    counted = jnp.broadcast_to(jnp.asarray(counted, bool), x.shape[:-1])
    value = _over_batch(function, wide, counted, tuple(options.items()))
    finite = jnp.all(jnp.isfinite(wide) | ~counted[..., None], (-1, -2))
    return jnp.where(finite, value, jnp.nan)


def median_bandwidth(
    x: jax.Array, *, where: jax.Array | None = None, max_samples: int = 2048
) -> jax.Array:
    """The median of the distances between all pairs of different points.

    Exact up to `max_samples` points; of more, that many at even distances in their order count
    (deterministic; data sorted by class stay balanced). Distances below 1e-3 of the points' own
    distance from the mean (float32) count as 0.

    Args:
        x: points, (*B, N, D).
        where: boolean mask of the points that count, broadcasting to (*B, N).
        max_samples: how many points are compared, static: memory is its square.

    Returns:
        (*B,), at least float32; 0 where more than half of the pairs coincide, NaN for fewer than
        two points. Differentiable: the derivative is that of the pair in the middle.

    Raises:
        TypeError: `x` is not of floating type.
        ValueError: `x` has no points or is not of that shape.
    """
    return _each(_median_of_one, x, where, most=max_samples)


def neighbor_bandwidth(
    x: jax.Array, *, k: int, where: jax.Array | None = None, max_samples: int = 2048
) -> jax.Array:
    """The median over points of the distance to their k-th nearest neighbour.

    Args:
        x: points, (*B, N, D).
        k: which neighbour, from 1; the point itself is none. Static.
        where: boolean mask of the points that count, broadcasting to (*B, N).
        max_samples: of more points, that many at even distances in their order are asked for
            their neighbours among all; static.

    Returns:
        (*B,), at least float32; NaN where no more than k points count.

    Raises:
        TypeError: `x` is not of floating type.
        ValueError: `x` has no points, is not of that shape, or `k` is not from 1 to N - 1.
    """
    if not 1 <= k < jnp.shape(x)[-2]:
        raise ValueError(f"k must be from 1 to N - 1 = {jnp.shape(x)[-2] - 1}; got {k}.")
    return _each(_neighbor_of_one, x, where, k=k, most=max_samples)


def diffusion_bandwidth(
    x: jax.Array, *, where: jax.Array | None = None, max_samples: int = 2048
) -> jax.Array:
    """The bandwidth at which log sum_ij exp(-|x_i - x_j|^2 / (2 sigma^2)) grows the fastest.

    There the kernel sees the data as a manifold: below it sees points, above a single blob
    (Coifman, Shkolnisky, Sigworth and Singer 2008). Over a grid of 64 bandwidths, evenly spaced
    in the logarithm, from a quarter of the least distance to four times the largest.

    Args:
        x: points, (*B, N, D).
        where: boolean mask of the points that count, broadcasting to (*B, N).
        max_samples: as in `median_bandwidth`.

    Returns:
        (*B,), at least float32; NaN where all points coincide.

    Raises:
        TypeError: `x` is not of floating type.
        ValueError: `x` has no points or is not of that shape.
    """
    return _each(_growth_of_one, x, where, most=max_samples)

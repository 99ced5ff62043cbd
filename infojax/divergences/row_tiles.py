"""Sums over all pairs of points, a tile of rows at a time: no N x M array in memory.

For what is not a product with a Gaussian Gram matrix: logarithms of kernel sums, distances. Also
reverse mode keeps the points alone and computes each tile again.
"""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

# Pairs in a tile: a few megabytes of float32.
_PAIRS = 2**20
# Up to this many coordinates differences are written out, which no cancellation disturbs.
_COORDINATES = 4


def squared_distances(a: jax.Array, b: jax.Array, rows: jax.Array | None = None) -> jax.Array:
    """Squared distances of a tile.

    Args:
        a: points of the rows, (T, D).
        b: points of the columns, (M, D); centred, if D is large.
        rows: where the rows stand among the columns, (T,), if they are among them: those
            distances are 0 exactly.

    Returns:
        (T, M), never negative.
    """
    if a.shape[-1] <= _COORDINATES:
        parts = [(a[:, None, d] - b[None, :, d]) ** 2 for d in range(a.shape[-1])]
        squares = functools.reduce(jnp.add, parts)
    else:
        inner = jnp.matmul(a, b.T, precision="highest")
        squares = jnp.sum(a * a, -1)[:, None] + jnp.sum(b * b, -1) - 2 * inner
        squares = jnp.maximum(squares, 0)
    if rows is None:
        return squares
    # Not even a point's difference from itself is 0 where a fused loop rounds its two sides apart.
    columns = jax.lax.broadcasted_iota(rows.dtype, squares.shape, 1)
    return jnp.where(rows[:, None] == columns, 0, squares)


def center(x: jax.Array, where: jax.Array | None = None) -> jax.Array:
    """The mean of points, without a derivative: differences do not change with what is taken off.

    Args:
        x: points, (*B, N, D).
        where: those that count, broadcasting to (*B, N), the others being 0; all if None.

    Returns:
        (*B, 1, D).
    """
    counted = x.shape[-2]
    if where is not None:
        where = jnp.broadcast_to(where, x.shape[:-1])[..., None]
        counted = jnp.maximum(jnp.sum(where, -2, keepdims=True, dtype=x.dtype), 1)
    return jax.lax.stop_gradient(jnp.sum(x, -2, keepdims=True) / counted)


def over_row_tiles(function: Callable, rows: tuple[jax.Array, ...], columns: tuple[jax.Array, ...]):
    """Computes rows of results from all columns, a tile of rows at a time, over batch axes.

    Args:
        function: takes the numbers of the tile's rows (T,), the tiles (T, ...) of `rows` and the
            whole of `columns`, as three arguments; returns a pytree of arrays (T, ...).
        rows: arrays (*B, N, D), whose D may differ.
        columns: arrays (*B, M, D), whose D may differ.

    Returns:
        The pytree with arrays (*B, N, ...).
    """
    batch, count, width = rows[0].shape[:-2], rows[0].shape[-2], columns[0].shape[-2]
    size = max(1, min(count, _PAIRS // width))
    tiles = -(-count // size)
    # Inside of loops nothing is shared with the forward pass: no barrier is needed.
    function = jax.checkpoint(function, prevent_cse=False)

    def one(rows, columns):
        if tiles == 1:
            return function(jnp.arange(count, dtype=jnp.int32), rows, columns)
        cut = [
            jnp.pad(x, ((0, tiles * size - count), (0, 0))).reshape(tiles, size, x.shape[-1])
            for x in rows
        ]
        numbers = jnp.arange(tiles * size, dtype=jnp.int32).reshape(tiles, size)
        out = jax.lax.map(lambda tile: function(tile[0], tile[1], columns), (numbers, tuple(cut)))
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:count], out)

    problems = math.prod(batch)
    flat = jax.tree.map(lambda x: x.reshape(problems, *x.shape[len(batch) :]), (rows, columns))
    at_once = max(1, _PAIRS // (size * width))
    if problems <= at_once:
        out = jax.vmap(one)(*flat)
    else:
        out = jax.lax.map(lambda problem: one(*problem), flat, batch_size=at_once)
    return jax.tree.map(lambda x: x.reshape(*batch, *x.shape[1:]), out)


def log_gram_row_sums(
    x: jax.Array,
    y: jax.Array | None = None,
    *,
    where: jax.Array | None = None,
    leave_one_out: bool = False,
) -> jax.Array:
    """Logarithms of sums over j of exp(-|x_i - y_j|^2): finite however far the points are.

    Args:
        x: points of the rows, (*B, N, D), in units of sigma sqrt 2.
        y: points of the columns, (*B, M, D); None for x.
        where: the columns' points that count, broadcasting to (*B, M); the others are finite.
        leave_one_out: whether the sum leaves out j = i; where x stands for y.

    Returns:
        (*B, N); -inf where no column counts.
    """
    same = y is None
    y = x if y is None else y
    origin = center(y, where)
    x, y = x - origin, y - origin
    counted = jnp.ones(y.shape[:-1], bool) if where is None else where
    counted = jnp.broadcast_to(counted, y.shape[:-1])[..., None]

    def logs(numbers, rows, columns):
        (a,), (b, counted) = rows, columns
        exponents = -squared_distances(a, b, numbers if same else None)
        counted = jnp.broadcast_to(counted[:, 0], exponents.shape)
        if leave_one_out:
            others = jax.lax.broadcasted_iota(numbers.dtype, exponents.shape, 1)
            counted &= numbers[:, None] != others
        return jax.nn.logsumexp(exponents, -1, where=counted)

    return over_row_tiles(logs, (x,), (y, counted))


def distance_row_sums(x: jax.Array, vector: jax.Array) -> jax.Array:
    """Sums |x_i - x_j| v_j over j.

    Args:
        x: points, (*B, N, D).
        vector: weights, (*B, N); points of weight 0 must be finite.

    Returns:
        (*B, N). The derivative of a distance that is 0 counts as 0.
    """

    def sums(numbers, rows, columns):
        (a,), (b, vector) = rows, columns
        return root(squared_distances(a, b, numbers)) @ vector[:, 0]

    x = x - center(x)
    return over_row_tiles(sums, (x,), (x, vector[..., None]))


def root(squares: jax.Array) -> jax.Array:
    """Square root of squared distances of a tile, with the derivative 0 at 0.

    Args:
        squares: squared distances.

    Returns:
        Distances; 1e-19 in float32 in place of 0.
    """
    # One comparison: of two, each with its own rounding of the squares, one may hold alone.
    return jnp.sqrt(jnp.maximum(squares, jnp.finfo(squares.dtype).tiny))

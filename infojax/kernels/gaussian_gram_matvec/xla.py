"""The product with a Gram matrix in plain XLA: one tile of the matrix in memory at a time.

Also the derivative in the points, tile by tile, and so that reverse mode keeps the points alone
and computes each tile again.
"""

import functools

import jax
import jax.numpy as jnp

from infojax.kernels.varying import vary_like

# A tile's rows and columns: it stays in a core's cache between its two products.
_ROWS = 256
_COLUMNS = 1024


def _tile(a, b, vectors, row, column, same: bool) -> jax.Array:
    """The part of the product that one tile gives; row and column are those of its corner."""
    inner = jnp.matmul(a, b.T, precision="highest")
    squares = jnp.sum(a * a, -1)[:, None] + jnp.sum(b * b, -1) - 2 * inner
    squares = jnp.maximum(squares, 0)
    if same:
        rows = row + jax.lax.broadcasted_iota(jnp.int32, squares.shape, 0)
        columns = column + jax.lax.broadcasted_iota(jnp.int32, squares.shape, 1)
        squares = jnp.where(rows == columns, 0, squares)
    return jnp.matmul(jnp.exp(-squares), vectors, precision="highest")


def _tile_tangent(a, b, vectors, a_dot, b_dot, row, column, same: bool) -> jax.Array:
    def of_points(a, b):
        return _tile(a, b, vectors, row, column, same)

    return jax.jvp(of_points, (a, b), (a_dot, b_dot))[1]


def _cut(x: jax.Array, size: int) -> jax.Array:
    """Cuts the first axis into tiles, with zeros at the end: points of weight 0."""
    count = -(-x.shape[0] // size)
    padding = [(0, count * size - x.shape[0])] + [(0, 0)] * (x.ndim - 1)
    return jnp.pad(x, padding).reshape(count, size, *x.shape[1:])


def _sum_over_tiles(part, rows: tuple, columns: tuple, width: int) -> jax.Array:
    """Adds up `part(*row tiles, *column tiles, row, column)` over tiles of one problem.

    Args:
        part: a tile's contribution, (tile rows, width).
        rows: arrays of shapes (N, ...).
        columns: arrays of shapes (M, ...).
        width: the number of vectors.

    Returns:
        (N, width).
    """
    count = rows[0].shape[0]
    tall, wide = min(count, _ROWS), min(columns[0].shape[0], _COLUMNS)
    row_tiles = tuple(_cut(x, tall) for x in rows)
    column_tiles = tuple(_cut(x, wide) for x in columns)
    row_starts = jnp.arange(row_tiles[0].shape[0], dtype=jnp.int32) * tall
    column_starts = jnp.arange(column_tiles[0].shape[0], dtype=jnp.int32) * wide
    # Inside of loops nothing is shared with the forward pass: no barrier is needed.
    part = jax.checkpoint(part, prevent_cse=False)

    @functools.partial(jax.checkpoint, prevent_cse=False)
    def strip(row, row_tile, column_tiles):
        def add(total, column_tile):
            column, *arrays = column_tile
            return total + part(*row_tile, *arrays, row, column), None

        start = jnp.zeros((tall, width), columns[0].dtype)
        start = vary_like(start, row_tile, column_tiles)
        if column_starts.size == 1:
            return add(start, (column_starts[0], *(x[0] for x in column_tiles)))[0]
        return jax.lax.scan(add, start, (column_starts, *column_tiles))[0]

    def one_strip(strip_input):
        row, *row_tile = strip_input
        return strip(row, tuple(row_tile), column_tiles)

    strips = jax.lax.map(one_strip, (row_starts, *row_tiles))
    return strips.reshape(-1, width)[:count]


def _over_batch(one, rows: int, columns: int, arrays: tuple[jax.Array, ...]) -> jax.Array:
    """Maps over problems, as many at a time as fill a tile."""
    at_once = (_ROWS * _COLUMNS) // (min(rows, _ROWS) * min(columns, _COLUMNS))
    if arrays[0].shape[0] <= at_once:
        return jax.vmap(one)(*arrays)
    return jax.lax.map(lambda problem: one(*problem), arrays, batch_size=at_once)


def product(a: jax.Array, b: jax.Array, vectors: jax.Array, *, same: bool) -> jax.Array:
    """Applies exp(-|a_i - b_j|^2) to vectors.

    Args:
        a: points of the rows, (B, N, D), no size 0.
        b: points of the columns, (B, M, D).
        vectors: (B, M, R).
        same: whether a and b are the same points; the diagonal is then 1 exactly.

    Returns:
        (B, N, R).
    """

    def one(a, b, vectors):
        def part(a, b, vectors, row, column):
            return _tile(a, b, vectors, row, column, same)

        return _sum_over_tiles(part, (a,), (b, vectors), vectors.shape[-1])

    return _over_batch(one, a.shape[1], b.shape[1], (a, b, vectors))


def product_tangent(
    a: jax.Array,
    b: jax.Array,
    vectors: jax.Array,
    a_dot: jax.Array,
    b_dot: jax.Array,
    *,
    same: bool,
) -> jax.Array:
    """How the product changes with the points; its transpose too has a tile in memory at a time.

    Args:
        a: points of the rows, (B, N, D), no size 0.
        b: points of the columns, (B, M, D).
        vectors: (B, M, R).
        a_dot: tangent of a.
        b_dot: tangent of b.
        same: whether a and b are the same points.

    Returns:
        (B, N, R).
    """

    def one(a, b, vectors, a_dot, b_dot):
        def part(a, a_dot, b, vectors, b_dot, row, column):
            return _tile_tangent(a, b, vectors, a_dot, b_dot, row, column, same)

        return _sum_over_tiles(part, (a, a_dot), (b, vectors, b_dot), vectors.shape[-1])

    return _over_batch(one, a.shape[1], b.shape[1], (a, b, vectors, a_dot, b_dot))

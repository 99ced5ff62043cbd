"""The n largest of long rows in order, by blocks: cheaper than `lax.top_k` of the whole row.

At most n blocks hold one of the n largest, and they are among the n blocks with the largest
maxima. So one pass over the row for the maxima of its blocks is followed by two selections from
about sqrt(n V) numbers. Where values are equal the lower places come first: blocks with equal
maxima are taken from the left, and each of them gives one of the equal values at least.
"""

import math

import jax
import jax.numpy as jnp


def _width(n: int, length: int) -> int:
    """The power of two by which the two selections are about equally long."""
    return max(2, 2 ** round(math.log2(max(length / n, 1)) / 2))


def _top_k(x: jax.Array, n: int) -> tuple[jax.Array, jax.Array]:
    # Without the barrier XLA on CPU sorts whole rows wherever a caller has no use for the places.
    return jax.lax.optimization_barrier(tuple(jax.lax.top_k(x, n)))


def largest(x: jax.Array, n: int) -> tuple[jax.Array, jax.Array]:
    """The n largest of each row, equal ones from the left.

    Args:
        x: (B, V).
        n: how many, at most V.

    Returns:
        Values in falling order and their places, (B, n) each.
    """
    rows, length = x.shape
    width = _width(n, length)
    if 2 * n * width >= length:
        return _top_k(x, n)
    fill = -length % width
    if fill:
        x = jnp.pad(x, ((0, 0), (0, fill)), constant_values=-jnp.inf)
    blocks = x.reshape(rows, -1, width)
    _, chosen = _top_k(jnp.max(blocks, -1), n)
    chosen = jnp.sort(chosen, -1)  # from the left, for the ties of the second selection
    among = jnp.take_along_axis(blocks, chosen[:, :, None], 1).reshape(rows, -1)
    values, at = _top_k(among, n)
    return values, jnp.take_along_axis(chosen, at // width, 1) * width + at % width

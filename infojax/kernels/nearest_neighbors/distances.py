"""Distances of pairs, from differences of coordinates: one at a time, or a tile of all pairs.

Squared distances from inner products would be cheaper for many coordinates, and wrong where it
matters here: neighbours are near, so that |a|^2 + |b|^2 - 2 a.b loses their digits. Differences
also give the same bits wherever a pair is met, which strict comparisons with the distance of a
neighbour rely on.
"""

import jax
import jax.numpy as jnp

from infojax.kernels.varying import vary_like

METRICS = ("chebyshev", "euclidean")
# Coordinates of one pass over a tile; more are taken in a loop.
_AT_ONCE = 32


def _joined(total: jax.Array, difference: jax.Array, metric: str) -> jax.Array:
    if metric == "chebyshev":
        return jnp.maximum(total, jnp.abs(difference))
    return total + difference * difference


def tile(a: jax.Array, b: jax.Array, metric: str) -> jax.Array:
    """Distances of all pairs of two sets; squared ones where the metric is Euclidean.

    Args:
        a: points, coordinates first, (D, R).
        b: points, (D, W).
        metric: one of `METRICS`.

    Returns:
        (R, W).
    """
    total = None
    whole = a.shape[0] // _AT_ONCE if a.shape[0] > _AT_ONCE else 0
    if whole:
        total = vary_like(jnp.zeros((a.shape[1], b.shape[1]), a.dtype), a, b)

        def some(total, parts):
            for of_a, of_b in zip(*parts, strict=True):
                total = _joined(total, of_b - of_a[:, None], metric)
            return total, None

        parts = (x[: whole * _AT_ONCE].reshape(whole, _AT_ONCE, -1) for x in (a, b))
        total = jax.lax.scan(some, total, tuple(parts))[0]
    for coordinate in range(whole * _AT_ONCE, a.shape[0]):
        difference = b[coordinate] - a[coordinate][:, None]
        if total is None:
            total = jnp.abs(difference) if metric == "chebyshev" else difference * difference
        else:
            total = _joined(total, difference, metric)
    assert total is not None
    return total


def of_pairs(a: jax.Array, b: jax.Array, metric: str) -> jax.Array:
    """Distances along the last axis; the derivative is 0 where two points coincide.

    Args:
        a: points, (..., D).
        b: points that broadcast with them.
        metric: one of `METRICS`.

    Returns:
        The distances, without the last axis.
    """
    if metric == "chebyshev":
        # The first of equal largest differences alone has a derivative.
        size = jnp.abs(a - b)
        largest = jnp.argmax(size, -1, keepdims=True)
        return jnp.squeeze(jnp.take_along_axis(size, largest, -1), -1)
    squares = jnp.sum((a - b) ** 2, -1)
    positive = squares > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squares, 1)), 0)

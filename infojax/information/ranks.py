"""Ranks of samples within each column, with ties known: the base of copulas and quantile bins."""

import jax
import jax.numpy as jnp


@jax.jit
def rank_ranges(x: jax.Array, where: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
    """Counts, for each entry, how many samples of its column are below it and not above it.

    Two sorts of each column, the second of which undoes the first.

    Args:
        x: finite samples, (*B, N, D).
        where: the samples that count, (*B, N); all if None.

    Returns:
        How many are below, and how many are below or equal (the sample itself is), each of the
        shape of `x`, as int32. Meaningless at samples that do not count.
    """
    if where is not None:
        # They stand behind all that count, which are finite.
        x = jnp.where(where[..., None], x, jnp.inf)
    axis = x.ndim - 2
    count = x.shape[axis]
    place = jax.lax.broadcasted_iota(jnp.int32, x.shape, axis)
    ordered, origin = jax.lax.sort((x, place), dimension=axis, num_keys=1)
    before = jax.lax.slice_in_dim(ordered, 0, count - 1, axis=axis)
    after = jax.lax.slice_in_dim(ordered, 1, count, axis=axis)
    edge = jnp.ones_like(jax.lax.slice_in_dim(ordered, 0, 1, axis=axis), dtype=bool)
    starts = jnp.concatenate([edge, before != after], axis)
    ends = jnp.concatenate([before != after, edge], axis)
    below = jax.lax.cummax(jnp.where(starts, place, 0), axis)
    within = jax.lax.cummin(jnp.where(ends, place + 1, count), axis, reverse=True)
    _, below, within = jax.lax.sort((origin, below, within), dimension=axis, num_keys=1)
    return below, within

"""Attention for the eye: raw logits, softmax and min-max scale, which each show something else."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from infojax import checks
from infojax.numerics import gated, narrow, widen


class AttentionMaps(NamedTuple):
    """Three normalisations of attention, each of the shape of the logits.

    Attributes:
        logits: as they came, NaN where an instance does not count: comparable over bags.
        softmax: what the pooling uses; sums to one, so that in a large bag nearly all is "cold"
            and a handful of instances decides the scale.
        min_max: the logits from 0, the least of the bag, to 1, the greatest; ranks are seen, sizes
            are not. 0.5 where all are equal.
    """

    logits: jax.Array
    softmax: jax.Array
    min_max: jax.Array


def attention_maps(
    attention_logits: Float[Array, "*B N"], *, where: Bool[Array, "..."] | None = None
) -> AttentionMaps:
    r"""Attention logits with all their normalisations, for heat maps.

    Args:
        attention_logits: (..., N); -inf for instances that do not count.
        where: instances that count, broadcast to `attention_logits`.

    Returns:
        The three maps; instances that do not count are NaN in `logits` and `min_max` and 0 in
        `softmax`. All NaN in rows with a logit that is NaN or +inf or without an instance.

    Raises:
        TypeError: `attention_logits` is not of floating type, or `where` not boolean.
        ValueError: `where` does not broadcast; a logit is NaN or +inf, or a row is without an
            instance that counts (at once on concrete arrays, under `checkify.checkify` in
            traced code).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.nn import mil
        >>> maps = mil.attention_maps(jnp.array([0.0, 1.0, 3.0, -jnp.inf]))
        >>> print(maps.softmax.round(3), maps.min_max.round(3))
        [0.042 0.114 0.844 0. ] [0. 0.333 1. nan]
    """
    logits = checks.floating("attention_logits", attention_logits, min_ndim=1)
    where = checks.mask("where", where, logits.shape)
    (wide,) = widen(logits)
    if where is not None:
        wide = jnp.where(where, wide, -jnp.inf)
    counts = wide != -jnp.inf
    wrong = jnp.isnan(wide) | (wide == jnp.inf)
    valid = jnp.any(counts, -1) & ~jnp.any(wrong, -1)
    checks.check_logits("attention_logits", logits, where, valid)
    # Zeros in rows that are not valid: nothing is read of them.
    wide = jnp.where(valid[..., None], wide, 0)
    low = jnp.min(jnp.where(counts, wide, jnp.inf), -1, keepdims=True)
    span = jnp.max(wide, -1, keepdims=True) - low
    scaled = jnp.where(span > 0, (wide - low) / jnp.where(span > 0, span, 1), 0.5)
    maps = (
        jnp.where(counts, wide, jnp.nan),
        jax.nn.softmax(wide, -1),
        jnp.where(counts, scaled, jnp.nan),
    )
    return AttentionMaps(*(narrow(gated(one, valid[..., None]), logits) for one in maps))

"""Entropy of attention weights, from their logits."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from infojax import checks
from infojax.entropies import entropy_from_logits
from infojax.numerics import normalize_axes


def attention_entropy(
    logits: Float[Array, "..."],
    *,
    axis: int = -1,
    where: Bool[Array, "..."] | None = None,
    base: float | None = None,
) -> Float[Array, "..."]:
    r"""Entropy of attention weights, $H = -\sum_n a_n \log a_n$ with $a = \mathrm{softmax}(A)$.

    From the logits, never from rounded weights: $H = \log Z - \sum_n a_n A_n$ and
    $\partial H / \partial A_n = -a_n (\log a_n + H)$. It differs from
    `entropies.entropy_from_logits` in one thing: a row without a key that counts, which attention
    has and a distribution has not, gives 0, with gradient 0.

    Args:
        logits: attention scores; -inf where a key does not count.
        axis: the axis of the keys.
        where: keys that count; broadcasts to `logits`.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The entropy in units of `base`, of the shape of `logits` without `axis`; NaN where a
        logit that counts is NaN or +inf.

    Raises:
        TypeError: `logits` is not of floating type, or `where` not boolean.
        ValueError: a logit is NaN or +inf (at once on concrete arrays, under
            `checkify.checkify` in traced code); a bad `axis` or `base`, or shapes that do not
            broadcast.

    Reference:
        Zhang et al., MICCAI 2025, arXiv 2406.15303: its negative as a penalty.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import attention
        >>> rows = jnp.array([[0.0, 0.0, -jnp.inf], [-jnp.inf, -jnp.inf, -jnp.inf]])
        >>> print(attention.attention_entropy(rows, base=2))
        [1. 0.]
    """
    logits = checks.floating("logits", logits, min_ndim=1)
    (axis,) = normalize_axes(axis, logits.ndim)
    where = checks.mask("where", where, logits.shape)
    counts = logits != -jnp.inf
    if where is not None:
        counts &= where
    empty = ~jnp.any(counts, axis, keepdims=True)
    # Zeros in place of an empty row: any finite logits will do, as the row is not read.
    return jnp.where(
        jnp.squeeze(empty, axis),
        0,
        entropy_from_logits(
            jnp.where(empty, 0, logits),
            axis=axis,
            base=base,
            where=None if where is None else where | empty,
        ),
    ).astype(logits.dtype)

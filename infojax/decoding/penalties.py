"""Penalties on tokens that the text already has, from their counts."""

import math

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from infojax import checks
from infojax.decoding.arguments import per_row, take_logits, wide


def token_counts(
    tokens: Int[Array, "*B T"], num_tokens: int, *, where: Bool[Array, "..."] | None = None
) -> Int[Array, "*B V"]:
    """How often each token of the vocabulary stands in a text.

    Args:
        tokens: in 0 .. V - 1.
        num_tokens: V, the size of the vocabulary.
        where: positions that count (not the padding), broadcasting to `tokens`.

    Returns:
        The counts, int32.

    Raises:
        TypeError: `tokens` are not integers, or `where` not boolean.
        ValueError: `num_tokens` is below 1, a token that counts is out of range (at once on
            concrete arrays, under `checkify.checkify` in traced code, where it is left out), or
            shapes do not broadcast.

    Reference:
        Keskar et al. 2019, arXiv 1909.05858: the set of generated tokens, for its penalty.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import decoding
        >>> print(decoding.token_counts(jnp.array([2, 0, 2]), 4))
        [1 0 2 0]
    """
    tokens = jnp.asarray(tokens)
    if not jnp.issubdtype(tokens.dtype, jnp.integer):
        raise TypeError(f"tokens must be integers; got {tokens.dtype}.")
    if tokens.ndim < 1:
        raise ValueError("tokens must have shape (*B, T); got a scalar.")
    num_tokens = checks.positive_integer("num_tokens", num_tokens)
    where = checks.mask("where", where, tokens.shape)
    counted = jnp.ones(tokens.shape, bool) if where is None else where
    inside = (tokens >= 0) & (tokens < num_tokens)
    checks.check_real(
        "tokens", tokens, inside | ~counted, f"at least 0 and below num_tokens = {num_tokens}"
    )
    batch, length = tokens.shape[:-1], tokens.shape[-1]
    add = jnp.broadcast_to(counted & inside, tokens.shape).astype(jnp.int32).reshape(-1, length)
    rows = jnp.arange(math.prod(batch))[:, None]
    counts = jnp.zeros((math.prod(batch), num_tokens), jnp.int32)
    return (
        counts.at[rows, tokens.reshape(-1, length)]
        .add(add, mode="drop")
        .reshape(*batch, num_tokens)
    )


def _take(logits, counts, penalty, holds, expected):
    logits = take_logits("logits", logits)
    counts = jnp.asarray(counts)
    if counts.shape != logits.shape:
        raise ValueError(f"counts must have shape {logits.shape}; got {counts.shape}.")
    if not jnp.issubdtype(counts.dtype, jnp.integer):
        raise TypeError(f"counts must be integers; got {counts.dtype}.")
    return logits, counts, per_row("penalty", penalty, logits, holds, expected)[..., None]


def repetition_penalty(
    logits: Float[Array, "*B V"], counts: Int[Array, "*B V"], penalty: ArrayLike
) -> Float[Array, "*B V"]:
    """Divides positive logits of tokens that the text has, and multiplies negative ones.

    It depends on what is added to all logits: 0 is a logit that no penalty moves.

    Args:
        logits: unnormalised log probabilities.
        counts: of each token in the text, from `token_counts`.
        penalty: positive; above 1 it discourages. One number, or one for each row, *B.

    Returns:
        The logits, in their own type.

    Raises:
        TypeError: `logits` are not of floating type, `counts` not integers, `penalty` not real.
        ValueError: `penalty` is not positive and finite; shapes that do not fit; no token.

    Reference:
        Keskar et al. 2019, arXiv 1909.05858. The case of negative logits is that of the libraries.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import decoding
        >>> counts = jnp.array([3, 1, 0])
        >>> print(decoding.repetition_penalty(jnp.array([2.0, -2.0, 2.0]), counts, 2.0))
        [ 1. -4.  2.]
    """
    logits, counts, penalty = _take(
        logits, counts, penalty, lambda x: (x > 0) & (x < jnp.inf), "positive and finite"
    )
    s = wide(logits)
    moved = jnp.where(s < 0, s * penalty, s / penalty)
    return jnp.where(counts > 0, moved, s).astype(logits.dtype)


def frequency_penalty(
    logits: Float[Array, "*B V"], counts: Int[Array, "*B V"], penalty: ArrayLike
) -> Float[Array, "*B V"]:
    """Lowers the logit of a token by the penalty for each time that the text has it.

    Args:
        logits: unnormalised log probabilities.
        counts: of each token in the text, from `token_counts`.
        penalty: finite; negative ones encourage. One number, or one for each row, *B.

    Returns:
        The logits less penalty x count, in their own type.

    Raises:
        TypeError: `logits` are not of floating type, `counts` not integers, `penalty` not real.
        ValueError: `penalty` is not finite; shapes that do not fit; no token.

    Reference:
        The OpenAI API's `frequency_penalty`.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import decoding
        >>> print(decoding.frequency_penalty(jnp.zeros(3), jnp.array([3, 1, 0]), 0.5))
        [-1.5 -0.5  0. ]
    """
    logits, counts, penalty = _take(logits, counts, penalty, jnp.isfinite, "finite")
    return (wide(logits) - penalty * counts).astype(logits.dtype)


def presence_penalty(
    logits: Float[Array, "*B V"], counts: Int[Array, "*B V"], penalty: ArrayLike
) -> Float[Array, "*B V"]:
    """Lowers the logits of tokens that the text has by the penalty.

    Args:
        logits: unnormalised log probabilities.
        counts: of each token in the text, from `token_counts`.
        penalty: finite; negative ones encourage. One number, or one for each row, *B.

    Returns:
        The logits less the penalty where the count is positive, in their own type.

    Raises:
        TypeError: `logits` are not of floating type, `counts` not integers, `penalty` not real.
        ValueError: `penalty` is not finite; shapes that do not fit; no token.

    Reference:
        The OpenAI API's `presence_penalty`.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import decoding
        >>> print(decoding.presence_penalty(jnp.zeros(3), jnp.array([3, 1, 0]), 0.5))
        [-0.5 -0.5  0. ]
    """
    logits, counts, penalty = _take(logits, counts, penalty, jnp.isfinite, "finite")
    return (wide(logits) - jnp.where(counts > 0, penalty, 0)).astype(logits.dtype)

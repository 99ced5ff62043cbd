"""Samplers that keep the tokens above a threshold: one reduction over the vocabulary each."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from infojax.decoding.arguments import (
    check_rows,
    masked,
    nan_of,
    per_row,
    rows_are_valid,
    take_logits,
    wide,
)
from infojax.kernels.entropy_from_logits import logit_statistics
from infojax.numerics import total


def _unit_interval(x: jax.Array) -> jax.Array:
    return (x >= 0) & (x <= 1)


def _peak_and_weight(s: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The largest logit of each row, and the sum of exponentials relative to it."""
    peak = jnp.max(s, -1, keepdims=True)
    return peak[..., 0], total(jnp.exp(s - peak), (-1,))[..., 0]


@jax.jit
def _min_p(logits, p):
    s = wide(logits)
    peak = jnp.max(s, -1)
    valid = rows_are_valid(peak, nan_of(s))
    edge = peak + jnp.log(p)
    return masked(logits, s >= edge[..., None], valid, ~jnp.isnan(p)), valid


def min_p(logits: Float[Array, "*B V"], p: ArrayLike) -> Float[Array, "*B V"]:
    r"""Keeps tokens at least a fraction as probable as the most probable one.

    Token i is kept if $p_i \ge p \max_j p_j$, that is $s_i \ge \max_j s_j + \log p$: the
    normaliser cancels.

    Args:
        logits: s; -inf for impossible tokens.
        p: the fraction, in [0, 1]; one number, or one for each row, *B.

    Returns:
        The logits, -inf where a token is not kept.

    Raises:
        TypeError: `logits` is not of floating type, or `p` not real.
        ValueError: `p` is outside of [0, 1] or does not broadcast; no token; a logit is NaN or
            +inf, or all of a row are -inf (at once on concrete arrays, under
            `checkify.checkify` in traced code, where the row becomes NaN).

    Reference:
        Nguyen et al. 2024, arXiv 2407.01082.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import decoding
        >>> print(decoding.min_p(jnp.log(jnp.array([0.5, 0.4, 0.1])), 0.5) > -jnp.inf)
        [ True  True False]
    """
    logits = take_logits("logits", logits)
    p = per_row("p", p, logits, _unit_interval, "between 0 and 1")
    value, valid = _min_p(logits, p)
    check_rows("logits", logits, valid)
    return value


def _above(logits, s, peak, weight, log_cutoff, valid):
    """Keeps tokens whose log probability reaches a cutoff, and always the most probable."""
    edge = jnp.minimum(peak + jnp.log(weight) + log_cutoff, peak)
    return masked(logits, s >= edge[..., None], valid, ~jnp.isnan(log_cutoff))


@jax.jit
def _epsilon(logits, cutoff):
    s = wide(logits)
    peak, weight = _peak_and_weight(s)
    valid = rows_are_valid(peak, weight)
    return _above(logits, s, peak, weight, jnp.log(cutoff), valid), valid


def epsilon(logits: Float[Array, "*B V"], cutoff: ArrayLike) -> Float[Array, "*B V"]:
    r"""Keeps tokens of at least a given probability, $p_i \ge \epsilon$, and the most probable.

    Args:
        logits: unnormalised log probabilities; -inf for impossible tokens.
        cutoff: epsilon, in [0, 1]; one number, or one for each row, *B.

    Returns:
        The logits, -inf where a token is not kept.

    Raises:
        TypeError: `logits` is not of floating type, or `cutoff` not real.
        ValueError: `cutoff` is outside of [0, 1] or does not broadcast; no token; a logit is NaN
            or +inf, or all of a row are -inf (at once on concrete arrays, under
            `checkify.checkify` in traced code, where the row becomes NaN).

    Reference:
        Hewitt, Manning and Liang 2022, arXiv 2210.15191.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import decoding
        >>> print(decoding.epsilon(jnp.log(jnp.array([0.5, 0.4, 0.1])), 0.2) > -jnp.inf)
        [ True  True False]
    """
    logits = take_logits("logits", logits)
    cutoff = per_row("cutoff", cutoff, logits, _unit_interval, "between 0 and 1")
    value, valid = _epsilon(logits, cutoff)
    check_rows("logits", logits, valid)
    return value


@jax.jit
def _eta(logits, cutoff):
    s = wide(logits)
    found = logit_statistics(s)
    entropy, log_weight, peak = (x[..., 0] for x in found)
    valid = jnp.isfinite(peak)
    log_cutoff = jnp.log(cutoff)
    log_cutoff = jnp.minimum(log_cutoff, log_cutoff / 2 - jax.lax.stop_gradient(entropy))
    return _above(logits, s, peak, jnp.exp(log_weight), log_cutoff, valid), valid


def eta(logits: Float[Array, "*B V"], cutoff: ArrayLike) -> Float[Array, "*B V"]:
    r"""Keeps tokens above a probability that falls with the entropy H of the law.

    Token i is kept if $p_i \ge \min(\epsilon, \sqrt{\epsilon} e^{-H})$, and the most probable
    always.

    Args:
        logits: unnormalised log probabilities; -inf for impossible tokens.
        cutoff: epsilon, in [0, 1]; one number, or one for each row, *B.

    Returns:
        The logits, -inf where a token is not kept.

    Raises:
        TypeError: `logits` is not of floating type, or `cutoff` not real.
        ValueError: `cutoff` is outside of [0, 1] or does not broadcast; no token; a logit is NaN
            or +inf, or all of a row are -inf (at once on concrete arrays, under
            `checkify.checkify` in traced code, where the row becomes NaN).

    Reference:
        Hewitt, Manning and Liang 2022, arXiv 2210.15191.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import decoding
        >>> print(decoding.eta(jnp.log(jnp.array([0.5, 0.4, 0.1])), 0.2) > -jnp.inf)
        [ True  True False]
    """
    logits = take_logits("logits", logits)
    cutoff = per_row("cutoff", cutoff, logits, _unit_interval, "between 0 and 1")
    value, valid = _eta(logits, cutoff)
    check_rows("logits", logits, valid)
    return value


@jax.jit
def _top_n_sigma(logits, n):
    s = wide(logits)
    peak = jnp.max(s, -1)
    counts = s > -jnp.inf
    number = total(counts.astype(s.dtype), (-1,))
    # Relative to the peak, so that a constant added to all logits does not matter.
    gap = jnp.where(counts, s - peak[..., None], 0)
    mean = total(gap, (-1,)) / number
    variance = total(jnp.where(counts, (gap - mean) ** 2, 0), (-1,)) / number
    valid = rows_are_valid(peak, mean[..., 0])
    edge = peak - n * jnp.sqrt(variance[..., 0])
    return masked(logits, s >= edge[..., None], valid, ~jnp.isnan(n)), valid


def top_n_sigma(logits: Float[Array, "*B V"], n: ArrayLike) -> Float[Array, "*B V"]:
    r"""Keeps tokens whose logit is within n standard deviations of the largest.

    Token i is kept if $s_i \ge \max_j s_j - n \sigma$, with
    $\sigma^2 = \frac{1}{V} \sum_j (s_j - \bar s)^2$ over the possible tokens. What is kept does
    not depend on a temperature applied before.

    Args:
        logits: s; -inf for impossible tokens.
        n: non-negative; one number, or one for each row, *B.

    Returns:
        The logits, -inf where a token is not kept.

    Raises:
        TypeError: `logits` is not of floating type, or `n` not real.
        ValueError: `n` is negative or NaN or does not broadcast; no token; a logit is NaN or
            +inf, or all of a row are -inf (at once on concrete arrays, under
            `checkify.checkify` in traced code, where the row becomes NaN).

    Reference:
        Tang et al. 2024, arXiv 2411.07641.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import decoding
        >>> print(decoding.top_n_sigma(jnp.array([9.0, 8.0, 0.0, 1.0]), 1.0) > -jnp.inf)
        [ True  True False False]
    """
    logits = take_logits("logits", logits)
    n = per_row("n", n, logits, lambda x: x >= 0, "non-negative")
    value, valid = _top_n_sigma(logits, n)
    check_rows("logits", logits, valid)
    return value

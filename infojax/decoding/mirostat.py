"""Mirostat 2: feedback that keeps the surprise of the text at a target."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from infojax.decoding.arguments import (
    check_rows,
    masked,
    per_row,
    rows_are_valid,
    take_logits,
    wide,
)
from infojax.decoding.sampling import sample
from infojax.decoding.temperatures import positive_finite
from infojax.numerics import log_of_base, total


class MirostatStep(NamedTuple):
    """What one step of `mirostat_sample` gives.

    Attributes:
        token: the tokens drawn, (*B).
        max_surprise: the state for the next step, (*B).
        surprise: of the tokens under the model, (*B).
    """

    token: jax.Array
    max_surprise: jax.Array
    surprise: jax.Array


def _log_normalizer(s: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    peak = jnp.max(s, -1, keepdims=True)
    weight = total(jnp.exp(s - peak), (-1,))
    return peak + jnp.log(weight), peak, rows_are_valid(peak, weight)[..., 0]


@jax.jit
def _mirostat(logits, max_surprise, unit):
    s = wide(logits)
    log_normalizer, peak, valid = _log_normalizer(s)
    edge = jnp.minimum(log_normalizer - (max_surprise * unit)[..., None], peak)
    return masked(logits, s >= edge, valid, ~jnp.isnan(max_surprise)), valid


def mirostat(
    logits: Float[Array, "*B V"], max_surprise: ArrayLike, *, base: float | None = None
) -> Float[Array, "*B V"]:
    r"""Keeps tokens whose surprise $-\log p_i$ is at most a bound, and the most probable.

    Args:
        logits: unnormalised log probabilities; -inf for impossible tokens.
        max_surprise: mu; one number, or one for each row, *B.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The logits, -inf where a token is not kept.

    Raises:
        TypeError: `logits` is not of floating type, or `max_surprise` not real.
        ValueError: `max_surprise` is NaN or does not broadcast; a bad `base`; no token; a logit
            is NaN or +inf, or all of a row are -inf (at once on concrete arrays, under
            `checkify.checkify` in traced code, where the row becomes NaN).

    Reference:
        Basu et al. 2020, arXiv 2007.14966.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import decoding
        >>> logits = jnp.log(jnp.array([0.5, 0.375, 0.125]))
        >>> print(decoding.mirostat(logits, 2.0, base=2) > -jnp.inf)
        [ True  True False]
    """
    logits = take_logits("logits", logits)
    unit = log_of_base(base)
    bound = per_row("max_surprise", max_surprise, logits, lambda x: ~jnp.isnan(x), "a number")
    value, valid = _mirostat(logits, bound, unit)
    check_rows("logits", logits, valid)
    return value


def mirostat_sample(
    key: PRNGKeyArray,
    logits: Float[Array, "*B V"],
    max_surprise: ArrayLike,
    *,
    target: ArrayLike,
    learning_rate: ArrayLike = 0.1,
    base: float | None = None,
) -> MirostatStep:
    r"""Draws a token below a bound on surprise, and moves the bound towards the target.

    The token comes from `mirostat(logits, max_surprise)`; with its surprise $S = -\log p$ under
    the model's own law, the next bound is $\mu - \eta (S - \tau)$. Start with
    `max_surprise` of twice the target.

    Args:
        key: a random key.
        logits: unnormalised log probabilities; -inf for impossible tokens.
        max_surprise: mu, the state; one number, or one for each row, *B.
        target: tau, the surprise that the text shall have in the mean; positive.
        learning_rate: eta, positive.
        base: the logarithm's base (2 for bits) of all surprises; None for nats.

    Returns:
        The tokens, the next `max_surprise`, and the surprises.

    Raises:
        TypeError: `logits` is not of floating type, or a parameter not real.
        ValueError: a parameter is out of range or does not broadcast; a bad `base`; no token; a
            logit is NaN or +inf, or all of a row are -inf (at once on concrete arrays, under
            `checkify.checkify` in traced code, where the token is -1 and the rest NaN).

    Reference:
        Basu et al. 2020, arXiv 2007.14966, the second version of the algorithm.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from infojax import decoding
        >>> logits = jnp.log(jnp.array([0.5, 0.25, 0.25]))
        >>> step = decoding.mirostat_sample(jax.random.key(0), logits, 1.0, target=2.0, base=2)
        >>> print(step.token, step.max_surprise)
        0 1.1
    """
    logits = take_logits("logits", logits)
    unit = log_of_base(base)
    target = per_row("target", target, logits, positive_finite, "positive and finite")
    rate = per_row("learning_rate", learning_rate, logits, positive_finite, "positive and finite")
    bound = per_row("max_surprise", max_surprise, logits, lambda x: ~jnp.isnan(x), "a number")
    token = sample(key, mirostat(logits, bound, base=base))
    s = wide(logits)
    log_normalizer, _, _ = _log_normalizer(s)
    chosen = jnp.take_along_axis(s, jnp.maximum(token, 0)[..., None], -1)
    surprise = jnp.where(token >= 0, (log_normalizer - chosen)[..., 0] / unit, jnp.nan)
    return MirostatStep(token, bound - rate * (surprise - target), surprise)

"""Decoding with bounded entropy: top-H, and the exact problem that it approximates.

Of all sets of tokens whose renormalised law has at most a share alpha of the model's own entropy,
the heaviest is wanted. To find it exactly is NP-hard; the longest prefix of the sorted tokens that
stays within the bound is close.
"""

import functools
import math
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from infojax import checks
from infojax.decoding.arguments import (
    check_rows,
    masked,
    nan_of,
    per_row,
    rows_are_valid,
    take_logits,
    wide,
)
from infojax.decoding.temperatures import positive_finite
from infojax.kernels.entropy_from_logits import logit_statistics
from infojax.kernels.sorted_prefix import PrefixCut, largest, sorted_prefix
from infojax.numerics import narrow

_MOST_TOKENS = 20


def _share(x: jax.Array) -> jax.Array:
    return (x > 0) & (x <= 1)


def _of_the_most_probable(s, log_normalizer, alpha, top_n):
    """The last token that the published code keeps, of the `top_n` most probable.

    The law is normalised by what is given, or on those tokens where nothing is.
    """
    number = min(top_n, s.shape[-1])
    found, places = largest(s.reshape(-1, s.shape[-1]), number)
    found, places = (x.reshape(*s.shape[:-1], number) for x in (found, places))
    if log_normalizer is None:
        log_normalizer = jax.nn.logsumexp(found, -1, keepdims=True)
    log_p = found - log_normalizer
    own = -jnp.exp(log_p) * jnp.maximum(log_p, jnp.finfo(log_p.dtype).min)
    sums = jnp.cumsum(own, -1)
    kept = (sums <= alpha[..., None] * sums[..., -1:]).at[..., 0].set(True)
    last = jnp.sum(jnp.cumprod(kept.astype(jnp.int32), -1), -1, keepdims=True) - 1
    score, place = (jnp.take_along_axis(x, last, -1)[..., 0] for x in (found, places))
    return PrefixCut(score, place, found[..., 0], places[..., 0])


@functools.partial(jax.jit, static_argnames=("rule", "top_n", "implementation"))
def _top_h(logits, alpha, t, where, rule, top_n, implementation):
    s = wide(logits) if t is None else wide(logits) / t[..., None]
    s = s if where is None else jnp.where(where, s, -jnp.inf)
    if rule == "transformers":
        cut = _of_the_most_probable(s, None, alpha, top_n)
        valid = rows_are_valid(cut.peak, nan_of(s))
    else:
        entropy, log_weight, peak = logit_statistics(s)
        valid = jnp.isfinite(peak)[..., 0]
        if rule == "reference":
            cut = _of_the_most_probable(s, peak + log_weight, alpha, top_n)
        else:
            limit = jnp.where(alpha >= 1, jnp.inf, alpha * jnp.maximum(entropy[..., 0], 0))
            cut = sorted_prefix(s, rule="entropy", limit=limit, implementation=implementation)
    return masked(s.astype(logits.dtype), cut.keeps(s), valid, ~jnp.isnan(alpha)), valid


def top_h(
    logits: Float[Array, "*B V"],
    *,
    alpha: ArrayLike = 0.4,
    temperature: ArrayLike = 1.0,
    where: Bool[Array, "..."] | None = None,
    rule: Literal["paper", "reference", "transformers"] = "paper",
    top_n: int = 100,
    implementation: str | None = None,
) -> Float[Array, "*B V"]:
    r"""Keeps the longest prefix of sorted tokens with at most a share of the model's entropy.

    With $p = \mathrm{softmax}(s / T)$ sorted downwards, $M_k = \sum_{i \le k} p_i$ and
    $A_k = -\sum_{i \le k} p_i \log p_i$, the law renormalised on the first k tokens has entropy
    $H(q_k) = A_k / M_k + \log M_k$, which grows with k. The largest k with
    $H(q_k) \le \alpha H(p)$ is taken, at least 1. alpha = 1 keeps all. Of equal tokens the lower
    ones come first.

    The published code has another rule (`rule="reference"`): it looks at the `top_n` most
    probable tokens alone, compares the unnormalised sums, $A_k \le \alpha A_n$, and so keeps more
    where the law is flat. It also returns the logits as they came; here they are divided by the
    temperature, which comes before the truncation, in all rules. The processor of transformers
    (`rule="transformers"`) is the published code with the law renormalised on those tokens.

    Args:
        logits: s; -inf for impossible tokens.
        alpha: the share, in (0, 1]; one number, or one for each row, *B.
        temperature: T, positive; one number, or one for each row, *B.
        where: tokens that count, broadcasting to `logits`; the others are never kept.
        rule: the paper's rule, the published code's or that of transformers.
        top_n: how many tokens the latter two look at.
        implementation: of the paper's rule: `"xla_window"`, `"xla_bisection"` or `"reference"`,
            as in `kernels.sorted_prefix`; None takes the platform's best.

    Returns:
        The logits over T, -inf where a token is not kept.

    Raises:
        TypeError: `logits` is not of floating type, a parameter not real, `where` not boolean.
        ValueError: `alpha` is outside of (0, 1], or `temperature` not positive and finite; shapes
            that do not broadcast; an unknown rule or implementation; no token; a logit is NaN or
            +inf, or no token of a row is possible (at once on concrete arrays, under
            `checkify.checkify` in traced code, where the row becomes NaN).

    Reference:
        Baghaei Potraghloo et al., *Top-H Decoding*, NeurIPS 2025, arXiv 2509.02510.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import decoding
        >>> logits = jnp.log(jnp.array([0.5, 0.25, 0.15, 0.1]))
        >>> print(decoding.top_h(logits, alpha=0.6) > -jnp.inf)
        [ True  True False False]
    """
    logits = take_logits("logits", logits)
    checks.choice("rule", rule, ("paper", "reference", "transformers"))
    top_n = checks.positive_integer("top_n", top_n)
    alpha = per_row("alpha", alpha, logits, _share, "above 0 and at most 1")
    t = per_row("temperature", temperature, logits, positive_finite, "positive and finite")
    # Nothing is divided where there is nothing to divide by: a pass over the logits less.
    t = None if isinstance(temperature, int | float) and temperature == 1 else t
    where = checks.mask("where", where, logits.shape)
    value, valid = _top_h(logits, alpha, t, where, rule, top_n, implementation)
    checks.check_logits("logits", logits, where, valid)
    return value


class BoundedEntropySet(NamedTuple):
    """The heaviest set of tokens within a bound on its entropy.

    Attributes:
        kept: which tokens it holds, (*B, V).
        mass: their probability, (*B).
        entropy: of the law renormalised on them, in nats, (*B).
    """

    kept: jax.Array
    mass: jax.Array
    entropy: jax.Array


def _over_subsets(values: jax.Array) -> jax.Array:
    """The sums of all 2^V subsets of V values, subset number by its bits."""
    sums = jnp.zeros(1, values.dtype)
    for number in range(values.shape[0]):
        sums = jnp.concatenate([sums, sums + values[number]])
    return sums


@jax.jit
def _heaviest(logits, alpha, t):
    s = wide(logits) / t
    entropy, log_weight, peak = logit_statistics(s)
    log_p = (s - peak) - log_weight
    p = jnp.exp(log_p)
    mass = _over_subsets(p)
    spread = _over_subsets(-p * jnp.maximum(log_p, jnp.finfo(p.dtype).min))
    number = jnp.arange(mass.shape[0])
    found = jnp.where(mass > 0, spread / jnp.where(mass > 0, mass, 1) + jnp.log(mass), jnp.inf)
    single = number & (number - 1) == 0
    found = jnp.where(single & (mass > 0), 0, found)
    slack = 4 * jnp.finfo(p.dtype).eps * math.log(max(p.shape[0], 2))
    allowed = (found <= alpha * entropy[0] + slack) | (single & (mass > 0))
    best = jnp.argmax(jnp.where(allowed, mass, -1))
    kept = (best >> jnp.arange(p.shape[0])) & 1 == 1
    valid = jnp.isfinite(peak[0]) & ~jnp.isnan(alpha + t)
    return (
        kept & valid & (s > -jnp.inf),
        narrow(jnp.where(valid, mass[best], jnp.nan), logits),
        narrow(jnp.where(valid, found[best], jnp.nan), logits),
        valid,
    )


def heaviest_bounded_entropy_set(
    logits: Float[Array, "*B V"], *, alpha: ArrayLike = 0.4, temperature: ArrayLike = 1.0
) -> BoundedEntropySet:
    r"""The heaviest set of tokens with at most a share of the model's entropy, exactly.

    Solves $\max_S \sum_{i \in S} p_i$ subject to $H(q_S) \le \alpha H(p)$, $q_S$ being p
    renormalised on S, over all $2^V$ sets. Sets of one token are always allowed. It measures how
    much `top_h` leaves: the problem is NP-hard, so V is at most 20.

    Args:
        logits: unnormalised log probabilities, V <= 20; -inf for impossible tokens.
        alpha: the share, in (0, 1]; one number, or one for each row, *B.
        temperature: positive; one number, or one for each row, *B.

    Returns:
        The set, its mass and its entropy.

    Raises:
        TypeError: `logits` is not of floating type, or a parameter not real.
        ValueError: more than 20 tokens or none; `alpha` or `temperature` out of range; a logit is
            NaN or +inf, or all of a row are -inf (at once on concrete arrays, under
            `checkify.checkify` in traced code, where mass and entropy become NaN).

    Reference:
        Baghaei Potraghloo et al., *Top-H Decoding*, NeurIPS 2025, arXiv 2509.02510: the problem of
        entropy-constrained mass maximisation.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import decoding
        >>> logits = jnp.log(jnp.array([0.5, 0.25, 0.15, 0.1]))
        >>> found = decoding.heaviest_bounded_entropy_set(logits, alpha=0.6)
        >>> print(found.kept, found.mass)
        [ True  True False False] 0.75
    """
    logits = take_logits("logits", logits)
    length = logits.shape[-1]
    if length > _MOST_TOKENS:
        raise ValueError(f"logits must have at most {_MOST_TOKENS} tokens; got {length}.")
    alpha = per_row("alpha", alpha, logits, _share, "above 0 and at most 1")
    t = per_row("temperature", temperature, logits, positive_finite, "positive and finite")
    batch = logits.shape[:-1]
    # One row at a time: the sums of its subsets fill some megabytes.
    rows = jax.lax.map(
        lambda row: _heaviest(*row), (logits.reshape(-1, length), alpha.ravel(), t.ravel())
    )
    kept, mass, entropy, valid = jax.tree.map(lambda x: x.reshape(*batch, *x.shape[1:]), rows)
    check_rows("logits", logits, valid)
    return BoundedEntropySet(kept, mass, entropy)

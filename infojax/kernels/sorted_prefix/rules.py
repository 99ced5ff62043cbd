"""How long a prefix of tokens sorted by falling score may be.

Three rules. "count": a token is kept while fewer than the limit stand before it. "mass": while
those before it weigh less than the limit. "entropy": while the renormalised entropy of the prefix,
the token included, is at most the limit. The first token is always kept. A token with log mass z
relative to the row's peak weighs w = e^z; the sums over a prefix are (n,), (sum w,) or
(sum w - 1, sum w z). In the last the peak's own 1 stays out, so that the entropy
log(1 + r) - u / (1 + r) keeps its digits where one token all but decides.
"""

from typing import Literal

import jax
import jax.numpy as jnp

Rule = Literal["count", "mass", "entropy"]
RULES = ("count", "mass", "entropy")
Sums = tuple[jax.Array, ...]


def empty(rule: Rule, like: jax.Array) -> Sums:
    """The sums of no token.

    Args:
        rule: the rule.
        like: an array of the wanted shape and type.

    Returns:
        Zeros.
    """
    return (jnp.zeros_like(like),) * (2 if rule == "entropy" else 1)


def terms(rule: Rule, log_mass: jax.Array) -> Sums:
    """What each token adds to the sums.

    Args:
        rule: the rule.
        log_mass: relative to the row's peak; -inf for what weighs nothing.

    Returns:
        Arrays of its shape. The peak's own 1 is in the first, see `entropy_of`.
    """
    if rule == "count":
        return (jnp.ones_like(log_mass),)
    weight = jnp.exp(log_mass)
    if rule == "mass":
        return (weight,)
    # A finite floor mends 0 * -inf.
    return weight, weight * jnp.maximum(log_mass, jnp.finfo(log_mass.dtype).min)


def entropy_of(sums: Sums) -> jax.Array:
    """The renormalised entropy of a prefix from its sums under the rule "entropy".

    Args:
        sums: r = sum w - 1 and u = sum w z.

    Returns:
        The entropy in nats.
    """
    rest, tilt = sums
    return jnp.log1p(rest) - tilt / (1 + rest)


def admits(rule: Rule, sums: Sums, limit: jax.Array) -> jax.Array:
    """Whether all tokens of a prefix are kept, given its sums.

    Under "count" and "mass" it says that one more is kept too, whatever it is.

    Args:
        rule: the rule.
        sums: of the prefix.
        limit: the rule's number.

    Returns:
        Boolean array.
    """
    if rule == "entropy":
        return entropy_of(sums) <= limit
    return sums[0] < limit


def keeps(rule: Rule, before: Sums, own: Sums, limit: jax.Array) -> jax.Array:
    """Whether a token is kept, given the sums of those before it.

    Args:
        rule: the rule.
        before: sums of the tokens before it.
        own: what it adds.
        limit: the rule's number.

    Returns:
        Boolean array.
    """
    if rule == "entropy":
        before = tuple(a + b for a, b in zip(before, own, strict=True))
    return admits(rule, before, limit)

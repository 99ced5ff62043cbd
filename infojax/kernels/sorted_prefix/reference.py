"""The specification: sort each row, sum along it, stop at the first token that is not kept."""

import jax
import jax.numpy as jnp

from infojax.kernels.sorted_prefix import rules


def sorted_prefix(
    scores: jax.Array, log_mass: jax.Array | None, limit: jax.Array, rule: rules.Rule
) -> tuple[jax.Array, ...]:
    """The last token that is kept.

    Args:
        scores: (B, V), at least float32.
        log_mass: (B, V), or None where it is the score relative to the row's peak.
        limit: (B,).
        rule: the rule.

    Returns:
        Its score, its place, the largest score, and its place, (B,) each.
    """
    order = jnp.argsort(-scores, -1, stable=True)
    found = jnp.take_along_axis(scores, order, -1)
    mass = found - found[:, :1] if log_mass is None else jnp.take_along_axis(log_mass, order, -1)
    own = rules.terms(rule, mass)
    if rule == "entropy":
        own = (own[0].at[:, 0].set(0), own[1])
    before = tuple(jnp.cumsum(x, -1) - x for x in own)
    kept = rules.keeps(rule, before, own, limit[:, None]).at[:, 0].set(True) & (found > -jnp.inf)
    last = jnp.sum(jnp.cumprod(kept.astype(jnp.int32), -1), -1, keepdims=True) - 1
    last = jnp.maximum(last, 0)
    return (
        jnp.take_along_axis(found, last, -1)[:, 0],
        jnp.take_along_axis(order, last, -1)[:, 0].astype(jnp.int32),
        found[:, 0],
        order[:, 0].astype(jnp.int32),
    )

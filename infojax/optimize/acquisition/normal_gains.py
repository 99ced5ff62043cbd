r"""$h(u) = \varphi(u) + u \Phi(u) = E \max(0, u + Z)$ of a standard normal Z, to the far tail.

For $u = -t$ the terms cancel. With the Mills ratio $R(t) = \Phi(-t) / \varphi(t)$ as Laplace's
continued fraction, $R = 1 / (t + K)$ and $K = 1 / (t + 2 / (t + 3 / (t + ...)))$,
$h = \varphi(t) K / (t + K)$ and $(\log h)' = 1 / K$: sums of positive terms alone.
"""

import math

import jax
import jax.numpy as jnp
from jax.scipy.special import log_ndtr, ndtr

# Where the continued fraction takes over, and how many of its terms are then exact to rounding.
# At the crossing, the direct form has lost t^2 units in the last place.
_CROSSING = {jnp.dtype(jnp.float32): (3.0, 24), jnp.dtype(jnp.float64): (5.0, 40)}


def log_density(u: jax.Array) -> jax.Array:
    """Log of the standard normal density.

    Args:
        u: array.

    Returns:
        Array of its shape.
    """
    return -0.5 * u * u - 0.5 * math.log(2 * math.pi)


def density(u: jax.Array) -> jax.Array:
    """The standard normal density.

    Args:
        u: array.

    Returns:
        Array of its shape.
    """
    return jnp.exp(log_density(u))


def tail_fraction(u: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """What the tail formulas are made of.

    Args:
        u: array of float32 or float64.

    Returns:
        Where u is in the tail; t = -u there, the crossing elsewhere; and K of that t.
    """
    crossing, terms = _CROSSING[u.dtype]
    is_tail = u < -crossing
    t = jnp.where(is_tail, -u, crossing)
    rest = jnp.zeros_like(t)
    for k in range(terms, 1, -1):
        rest = k / (t + rest)
    return is_tail, t, 1 / (t + rest)


def hazard(u: jax.Array) -> tuple[jax.Array, jax.Array]:
    r"""$r(u) = \varphi(u) / \Phi(u)$, and r(u) + u, both of positive terms.

    Args:
        u: array of float32 or float64.

    Returns:
        Both, of its shape: a normal truncated from below at -u has mean r, and a variance that is
        less by r (r + u).
    """
    is_tail, t, k = tail_fraction(u)
    inner = jnp.where(is_tail, 0, u)
    ratio = jnp.exp(log_density(inner) - log_ndtr(inner))
    return jnp.where(is_tail, t + k, ratio), jnp.where(is_tail, k, ratio + inner)


def _direct(u: jax.Array, is_tail: jax.Array) -> jax.Array:
    u = jnp.where(is_tail, 0, u)
    # At plus infinity the density's factor is 0 and the value u.
    return density(u) + u * ndtr(u)


@jax.custom_jvp
def normal_gain(u: jax.Array) -> jax.Array:
    """h(u), with relative error of a few units in the last place.

    Args:
        u: array of float32 or float64.

    Returns:
        Array of its shape.
    """
    is_tail, t, k = tail_fraction(u)
    return jnp.where(is_tail, density(t) * (k / (t + k)), _direct(u, is_tail))


@normal_gain.defjvp
def _(primals, tangents):
    (u,), (tangent,) = primals, tangents
    return normal_gain(u), ndtr(u) * tangent


@jax.custom_jvp
def log_normal_gain(u: jax.Array) -> jax.Array:
    """log h(u), with relative error of a few units in the last place however far the tail.

    Args:
        u: array of float32 or float64.

    Returns:
        Array of its shape.
    """
    is_tail, t, k = tail_fraction(u)
    tail = log_density(t) + jnp.log(k / (t + k))
    return jnp.where(is_tail, tail, jnp.log(_direct(u, is_tail)))


def log_normal_slope(u: jax.Array) -> jax.Array:
    """The derivative of log h(u): Phi(u) / h(u), about -u in the tail.

    Args:
        u: array of float32 or float64.

    Returns:
        Array of its shape.
    """
    is_tail, _, k = tail_fraction(u)
    inner = jnp.where(is_tail, 0, u)
    return jnp.where(is_tail, 1 / k, ndtr(inner) / _direct(u, is_tail))


@log_normal_gain.defjvp
def _(primals, tangents):
    (u,), (tangent,) = primals, tangents
    return log_normal_gain(u), log_normal_slope(u) * tangent


def _standardised(difference: jax.Array, std: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Where there is any spread, the deviation (1 where it is 0), and the quotient by it."""
    spread = std > 0
    scale = jnp.where(spread, std, 1)
    return spread, scale, difference / scale


@jax.custom_jvp
def expected_gain(difference: jax.Array, std: jax.Array) -> jax.Array:
    """E max(0, X) of a normal X; its positive part where the deviation is 0.

    Args:
        difference: mean of X.
        std: standard deviation, non-negative, of the same shape.

    Returns:
        Array of that shape.
    """
    spread, _, u = _standardised(difference, std)
    return jnp.where(spread, std * normal_gain(u), jnp.maximum(difference, 0))


@expected_gain.defjvp
def _(primals, tangents):
    difference, std = primals
    spread, _, u = _standardised(difference, std)
    by_mean = jnp.where(spread, ndtr(u), (difference > 0).astype(u.dtype))
    by_std = jnp.where(spread, density(u), 0)
    return expected_gain(difference, std), by_mean * tangents[0] + by_std * tangents[1]


@jax.custom_jvp
def log_expected_gain(difference: jax.Array, std: jax.Array) -> jax.Array:
    """The logarithm of `expected_gain`; -inf where that is 0.

    Args:
        difference: mean of X.
        std: standard deviation, non-negative, of the same shape.

    Returns:
        Array of that shape.
    """
    spread, scale, u = _standardised(difference, std)
    certain = jnp.log(jnp.maximum(difference, 0))
    return jnp.where(spread, jnp.log(scale) + log_normal_gain(u), certain)


@log_expected_gain.defjvp
def _(primals, tangents):
    difference, std = primals
    spread, scale, u = _standardised(difference, std)
    slope = log_normal_slope(u)
    certain = jnp.where(difference > 0, 1 / jnp.where(difference > 0, difference, 1), 0)
    by_mean = jnp.where(spread, slope / scale, certain)
    # An infinite u times a slope of 0: their product tends to 1.
    by_std = jnp.where(spread & jnp.isfinite(u), (1 - u * slope) / scale, 0)
    return log_expected_gain(difference, std), by_mean * tangents[0] + by_std * tangents[1]

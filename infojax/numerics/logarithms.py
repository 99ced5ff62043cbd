"""Logarithms and their ratios with the limits that information theory gives them at zero."""

import jax
import jax.numpy as jnp

from infojax.numerics.precision import smallest_normal


def safe_log(x: jax.Array) -> jax.Array:
    """Natural logarithm, with 0 (and derivative 0) in place of -inf at zero.

    For terms that are multiplied by zero there.

    Args:
        x: non-negative array.

    Returns:
        log(x), of the shape of `x`.
    """
    zero = x < smallest_normal(x.dtype)
    return jnp.log(jnp.where(zero, 1, x))


def xlogx(x: jax.Array) -> jax.Array:
    """x log x, elementwise, with 0 log 0 = 0 and the derivative 0 there.

    Args:
        x: non-negative array.

    Returns:
        Array of the shape of `x`.
    """
    zero = x < smallest_normal(x.dtype)  # false at NaN, which must come through
    x = jnp.where(zero, 0, x)
    return x * jnp.log(jnp.where(zero, 1, x))


def xlogy(x: jax.Array, y: jax.Array) -> jax.Array:
    """x log y, elementwise, with 0 (and derivatives 0) wherever x is 0, whatever y is there.

    Args:
        x: non-negative array.
        y: non-negative array that broadcasts with `x`.

    Returns:
        Array of the broadcast shape; -inf where x > 0 and y = 0.
    """
    zero = x < smallest_normal(x.dtype)
    # y is replaced before the logarithm: a zero cotangent times 1 / 0 would be NaN.
    return jnp.where(zero, 0, x) * jnp.log(jnp.where(zero, 1, y))


def weighted_log(x: jax.Array, log_y: jax.Array) -> jax.Array:
    """x log y from x and log y, elementwise, with 0 (and derivatives 0) wherever x is 0.

    Args:
        x: non-negative array.
        log_y: array that broadcasts with `x`; may be -inf.

    Returns:
        Array of the broadcast shape; -inf where x > 0 and y = 0.
    """
    zero = x < smallest_normal(x.dtype)
    return jnp.where(zero, 0, x) * jnp.where(zero, 0, log_y)


def expm1_ratio(u: jax.Array) -> jax.Array:
    """(exp(u) - 1) / u, continued by 1 at u = 0, accurate together with its derivatives.

    Args:
        u: array.

    Returns:
        Array of the shape of `u`.
    """
    small = jnp.abs(u) < 0.25
    v = jnp.where(small, u, 0)
    series = jnp.ones_like(v)
    for k in range(9, 1, -1):
        series = 1 + v / k * series
    w = jnp.where(small, 1, u)
    return jnp.where(small, series, jnp.expm1(w) / w)


def log1p_ratio(s: jax.Array) -> jax.Array:
    """log(1 + s) / s, continued by 1 at s = 0, accurate together with its derivatives.

    Args:
        s: array of values above -1.

    Returns:
        Array of the shape of `s`.
    """
    small = jnp.abs(s) < 0.05
    v = jnp.where(small, s, 0)
    series = jnp.zeros_like(v)
    for k in range(12, 0, -1):
        series = 1 / k - v * series
    w = jnp.where(small, 1, s)
    return jnp.where(small, series, jnp.log1p(w) / w)

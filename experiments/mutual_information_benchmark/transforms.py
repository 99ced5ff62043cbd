"""Invertible maps of X or of Y alone, which leave their mutual information as it is.

Shapes and constants as in arXiv 2306.11078 and its package `benchmark-mi`. Each function maps
samples (N, D) to samples (N, D), the Swiss roll (N, 1) to (N, 2).
"""

import jax
import jax.numpy as jnp


def half_cube(x: jax.Array) -> jax.Array:
    """Makes tails longer: sign(x) |x|^(3/2).

    Args:
        x: samples.

    Returns:
        The samples, mapped one by one.
    """
    return x * jnp.sqrt(jnp.abs(x))


def normal_cdf(x: jax.Array) -> jax.Array:
    """Makes standard normal variables uniform on (0, 1).

    Args:
        x: samples.

    Returns:
        The samples, mapped one by one.
    """
    return jax.scipy.special.ndtr(x)


def wiggly_x(x: jax.Array) -> jax.Array:
    """A rising curve with wiggles, for X.

    Args:
        x: samples.

    Returns:
        The samples, mapped one by one.
    """
    return x + 0.4 * jnp.sin(x) + 0.2 * jnp.sin(1.7 * x + 1) + 0.03 * jnp.sin(3.3 * x - 2.5)


def wiggly_y(y: jax.Array) -> jax.Array:
    """Another rising curve with wiggles, for Y.

    Args:
        y: samples.

    Returns:
        The samples, mapped one by one.
    """
    slow = y - 0.4 * jnp.sin(0.4 * y)
    return slow + 0.17 * jnp.sin(1.3 * y + 3.5) + 0.02 * jnp.sin(4.3 * y - 2.5)


def to_mixture(weight: float, first: float, second: float):
    """Makes a map from the standard normal law to a mixture of two unit normal laws.

    Args:
        weight: weight of the first law.
        first: its mean.
        second: the second's mean, larger than the first.

    Returns:
        A function of samples: the mixture's quantile at the sample's normal probability.
    """

    def transform(x: jax.Array) -> jax.Array:
        # The mixture's quantile lies between those of its parts, where bisection finds it. In
        # the upper half the probabilities of the complement are compared, which do not round to
        # one.
        def mixture(t):
            ndtr = jax.scipy.special.ndtr
            lower = weight * ndtr(t - first) + (1 - weight) * ndtr(t - second)
            upper = weight * ndtr(first - t) + (1 - weight) * ndtr(second - t)
            return jnp.where(x < 0, lower < ndtr(x), upper > ndtr(-x))

        def halve(_, ends):
            low, high = ends
            middle = (low + high) / 2
            below = mixture(middle)
            return jnp.where(below, middle, low), jnp.where(below, high, middle)

        low, high = jax.lax.fori_loop(0, 40, halve, (x + first, x + second))
        return (low + high) / 2

    return transform


def spiral(plane: tuple[int, int]):
    """Makes a map that turns each point in a plane by its squared norm over its dimension.

    Args:
        plane: the two coordinates that turn.

    Returns:
        A function of samples (N, D), D larger than both; it keeps norms.
    """
    i, j = plane

    def transform(x: jax.Array) -> jax.Array:
        angle = jnp.sum(x * x, -1) / x.shape[-1]
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        return (
            x.at[:, i]
            .set(cos * x[:, i] - sin * x[:, j])
            .at[:, j]
            .set(sin * x[:, i] + cos * x[:, j])
        )

    return transform


def swiss_roll(x: jax.Array) -> jax.Array:
    """Rolls the unit interval up in the plane.

    Args:
        x: samples (N, 1) in (0, 1).

    Returns:
        Points (N, 2), one and a half turns, about one wide.
    """
    t = 1.5 * jnp.pi * (1 + 2 * x[:, 0])
    return jnp.stack([t * jnp.cos(t), t * jnp.sin(t)], 1) / 21

"""The square root with a finite derivative at zero, for distances that are roots of divergences."""

import jax
import jax.numpy as jnp

from infojax.numerics.precision import smallest_normal


def safe_sqrt(x: jax.Array) -> jax.Array:
    """Square root, elementwise, with the derivative 0 at zero in place of infinity.

    Args:
        x: non-negative array; +inf is allowed.

    Returns:
        Array of the shape of `x`; 0 where `x` is below the smallest normal number.
    """
    positive = x >= smallest_normal(x.dtype)
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1)), 0)

"""Division that is safe at zero, and whose derivative does not square the divisor."""

import jax
import jax.numpy as jnp

from infojax.numerics.precision import smallest_normal


def _divisor(y: jax.Array) -> tuple[jax.Array, jax.Array]:
    positive = y >= smallest_normal(y.dtype)
    return positive, jnp.where(positive, y, 1)


@jax.custom_jvp
def safe_divide(x: jax.Array, y: jax.Array) -> jax.Array:
    """x / y, elementwise, with 0 (and derivatives 0) wherever y is 0.

    The derivative of plain division goes through y^-2, which overflows in float32 for y below
    1e-19 and turns into NaN; here it is (dx - (x / y) dy) / y.

    Args:
        x: any array.
        y: non-negative array that broadcasts with `x`.

    Returns:
        Array of the broadcast shape.
    """
    positive, divisor = _divisor(y)
    return jnp.where(positive, x / divisor, 0)


@safe_divide.defjvp
def _safe_divide_jvp(primals, tangents):
    x, y = primals
    positive, divisor = _divisor(y)
    ratio = safe_divide(x, y)
    change = tangents[0] - ratio * tangents[1]
    return ratio, jnp.where(positive, change / divisor, 0)

"""The bandwidth of a Gaussian kernel as an argument: a number, one a problem, or a rule."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from infojax import checks
from infojax.kernels.bandwidths import median_bandwidth


def kernel_width(
    name: str, sigma: ArrayLike | str, x: jax.Array, where: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """Takes a bandwidth.

    Args:
        name: what the caller's users call the argument.
        sigma: a positive number, an array that broadcasts to *B, or "median" for the median
            distance of the points, without a derivative.
        x: the points, (*B, N, D), in working precision.
        where: those that count, broadcasting to (*B, N).

    Returns:
        The bandwidths in the type of `x`, broadcast to *B, and where they are valid.

    Raises:
        TypeError: it is not real.
        ValueError: another string, a shape that does not broadcast; eagerly, one that is not
            positive and finite.
    """
    if isinstance(sigma, str):
        checks.choice(name, sigma, ("median",))
        width = jax.lax.stop_gradient(median_bandwidth(x, where=where))
    else:
        width = checks.real_number(name, sigma)
    batch = x.shape[:-2]
    try:
        width = jnp.broadcast_to(width, batch)
    except ValueError:
        raise ValueError(f"{name} must broadcast to {batch}; got shape {width.shape}.") from None
    width = width.astype(x.dtype)
    positive = jnp.isfinite(width) & (width > 0)
    return width, checks.check_real(name, width, positive, "positive and finite")


def in_units(x: jax.Array, width: jax.Array) -> jax.Array:
    """Points in units of a bandwidth, moved so that their mean is the origin.

    Args:
        x: points, (*B, N, D), finite.
        width: bandwidths, *B.

    Returns:
        (*B, N, D).
    """
    center = jax.lax.stop_gradient(jnp.mean(x, -2, keepdims=True))
    return (x - center) / width[..., None, None]

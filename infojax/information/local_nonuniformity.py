"""Mutual information of strongly dependent variables: neighbours' boxes turned into their axes."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from infojax.divergences.neighbor_orders import Orders, median_over_orders, neighbor_orders
from infojax.divergences.two_samples import Observed, observed
from infojax.information.ksg import largest_distances, rectangle_nats
from infojax.kernels.nearest_neighbors import points_at
from infojax.numerics import nats_to_base, smallest_normal


def _log(x: jax.Array) -> jax.Array:
    return jnp.log(jnp.maximum(x, smallest_normal(x.dtype)))


def _correction(samples: Observed, places: jax.Array, k: int, log_alpha: float) -> jax.Array:
    """The mean of log(turned volume / volume) over the points where it is small enough, *B."""
    places = places[..., :k]
    joint = jnp.concatenate(samples.arrays, -1)
    near = points_at(joint, places) - joint[..., None, :]
    volume = sum(x.shape[-1] * _log(largest_distances(x, places)[..., -1]) for x in samples.arrays)
    # In units of its own largest: the products neither overflow nor vanish.
    unit = jnp.maximum(jnp.max(jnp.abs(near), (-2, -1), keepdims=True), smallest_normal(near.dtype))
    scaled = near / unit
    products = jnp.einsum("...ki,...kj->...ij", scaled, scaled, precision="highest")
    axes = jnp.linalg.eigh(products)[1]
    turned = jnp.einsum("...ki,...ij->...kj", scaled, axes, precision="highest")
    turned = _log(jnp.max(jnp.abs(turned), -2)) + _log(unit[..., 0, :])
    ratio = jnp.sum(turned, -1) - volume
    used = (samples.weights > 0) & (ratio < log_alpha)
    return jnp.sum(jnp.where(used, samples.weights * ratio, 0), -1)


def local_nonuniformity_mutual_information(
    x: Float[ArrayLike, "*B N D"],
    y: Float[ArrayLike, "*B N E"],
    *,
    k: Orders = 5,
    alpha: float = 0.25,
    base: float | None = None,
    where: Bool[ArrayLike, "..."] | None = None,
) -> Float[Array, "*B"]:
    r"""Mutual information with the correction of local non-uniformity, for strong dependence.

    $\hat I_{KSG} - \frac1N \sum_i \log(\bar V_i / V_i)$, over the points where the ratio is
    below `alpha`: $V_i$ is the box of the second estimate of `ksg_mutual_information` around the
    k neighbours, $\bar V_i$ the box along their principal axes. Near a curve or a surface the
    second is far smaller, and the plain estimate too small by its logarithm. The correction
    itself is biased upwards: k points do not fill their box, most so for k near D + E.
    A derivative is not given: it is 0.

    Args:
        x: samples of X, (*B, N, D).
        y: samples of Y, (*B, N, E).
        k: how many neighbours, static, more than D + E; or several: the median.
        alpha: the ratio of volumes below which a point is corrected, static, in (0, 1]. The
            paper sets it so that uniform points seldom are.
        base: the logarithm's base (2 for bits); None for nats.
        where: the samples that count, broadcasting to (*B, N).

    Returns:
        The mutual information in units of `base`.

    Raises:
        TypeError: `x` or `y` is not of floating type.
        ValueError: shapes that do not fit, no more than k samples, values that are not finite,
            more than k equal pairs, k not above D + E, alpha out of range.

    Reference:
        Gao, Ver Steeg and Galstyan, Efficient Estimation of Mutual Information for Strongly
        Dependent Variables, arXiv 1411.2003, equation (16).

    Example:
        >>> import jax, infojax.information as information
        >>> x, noise = jax.random.normal(jax.random.key(0), (2, 500, 1))
        >>> y = x + 1e-3 * noise  # 6.9 nats
        >>> plain = information.ksg_mutual_information(x, y)
        >>> better = information.local_nonuniformity_mutual_information(x, y)
        >>> print(bool(plain < 6), bool(better > 6))
        True True
    """
    orders = neighbor_orders(k)
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha must be in (0, 1]; got {alpha!r}.")
    samples = jax.lax.stop_gradient(observed(x=x, y=y, where=where, least=max(orders) + 1))
    size = sum(z.shape[-1] for z in samples.arrays)
    if min(orders) <= size:
        raise ValueError(f"k must be above the {size} coordinates of x and y; got {k!r}.")
    nats, valid, places = rectangle_nats(samples, orders)
    log_alpha = jnp.log(alpha)
    corrections = [_correction(samples, places, one, log_alpha) for one in orders]
    nats = median_over_orders(nats - jnp.stack(corrections, -1))
    return samples.finish(nats_to_base(nats, base), valid)

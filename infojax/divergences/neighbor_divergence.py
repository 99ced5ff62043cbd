"""The Kullback-Leibler divergence between two sample sets, from distances to nearest neighbours."""

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from infojax import checks
from infojax.divergences.neighbor_orders import (
    Orders,
    at_orders,
    check_untied,
    median_over_orders,
    neighbor_orders,
)
from infojax.divergences.two_samples import two_samples
from infojax.kernels.nearest_neighbors import nearest_neighbor_distances
from infojax.numerics import nats_to_base


def kl_divergence_from_samples(
    x: Float[ArrayLike, "*B N D"],
    y: Float[ArrayLike, "*B M D"],
    *,
    k: Orders = 1,
    metric: str = "euclidean",
    base: float | None = None,
    x_where: Bool[ArrayLike, "..."] | None = None,
    y_where: Bool[ArrayLike, "..."] | None = None,
) -> Float[Array, "*B"]:
    r"""Kullback-Leibler divergence $D(P \| Q)$ from samples of P and of Q.

    $\frac{D}{N} \sum_i \log \frac{\nu_k(i)}{\rho_k(i)} + \log \frac{M}{N - 1}$, with
    $\rho_k(i)$ the distance from $x_i$ to its k-th neighbour among the other x and $\nu_k(i)$
    that to its k-th neighbour among the y. Consistent for every k; the bias vanishes slowly
    where the densities differ within a neighbourhood, so for large D or divergences of many
    nats, which come out too small. It may be negative. Differentiable in x and y with the
    neighbours held fixed.

    Args:
        x: samples of P, (*B, N, D).
        y: samples of Q, (*B, M, D).
        k: which neighbour, or several: the median of their estimates. More neighbours: less
            variance, more bias.
        metric: "euclidean" or "chebyshev".
        base: the logarithm's base (2 for bits); None for nats.
        x_where: the samples of x that count, broadcasting to (*B, N).
        y_where: the samples of y that count.

    Returns:
        The divergence in units of `base`.

    Raises:
        TypeError: `x` or `y` is not of floating type.
        ValueError: shapes that do not fit, too few samples for k, values that are not finite,
            or more than k equal samples.

    Reference:
        Wang, Kulkarni and Verdu, Divergence Estimation for Multidimensional Densities Via
        k-Nearest-Neighbor Distances, IEEE Trans. Inf. Theory 55, 2009, equation (5).

    Example:
        >>> import jax, infojax.divergences as divergences
        >>> x, y = jax.random.normal(jax.random.key(0), (2, 2000, 1))
        >>> print(divergences.kl_divergence_from_samples(x, y + 1, k=5))
        0.5...
    """
    orders = neighbor_orders(k)
    checks.choice("metric", metric, ("euclidean", "chebyshev"))
    pair = two_samples(x, y, x_where, y_where, least=max(orders) + 1)
    within = nearest_neighbor_distances(pair.x, k=max(orders), metric=metric, where=pair.x_where)
    across = nearest_neighbor_distances(
        pair.x, pair.y, k=max(orders), metric=metric, where=pair.y_where
    )
    within, across = at_orders(within, orders), at_orders(across, orders)
    counts = pair.x_weights > 0
    valid = check_untied(jnp.minimum(within, across), counts, "x and y")
    keep = counts[..., None] & (within > 0) & (across > 0)
    within, across = jnp.where(keep, within, 1), jnp.where(keep, across, 1)
    ratios = jnp.sum(pair.x_weights[..., None] * (jnp.log(across) - jnp.log(within)), -2)
    n, m = (1 / jnp.max(weights, -1) for weights in (pair.x_weights, pair.y_weights))
    sizes = (jnp.log(m) - jnp.log(n - 1))[..., None]
    nats = median_over_orders(pair.x.shape[-1] * ratios + sizes)
    return pair.finish(nats_to_base(nats, base), valid)

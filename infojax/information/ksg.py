"""Mutual information of continuous variables from nearest neighbours: plain and conditional.

A neighbourhood is chosen in the joint space by the distance to the k-th neighbour, the largest
over all coordinates; how many points fall into its shadow in each marginal space tells the
densities' ratio at one scale, so that most of the bias cancels (Kraskov et al. 2004).
"""

import jax
import jax.numpy as jnp
from jax.scipy.special import digamma
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from infojax.divergences.neighbor_orders import (
    Orders,
    at_orders,
    check_untied,
    median_over_orders,
    neighbor_orders,
)
from infojax.divergences.two_samples import Observed, observed
from infojax.kernels.nearest_neighbors import (
    count_neighbors,
    nearest_neighbor_distances,
    nearest_neighbors,
    points_at,
)
from infojax.numerics import nats_to_base


def largest_distances(x: jax.Array, places: jax.Array) -> jax.Array:
    """The largest distance in one variable to the first, the first two, ... neighbours.

    Args:
        x: the variable, (*B, N, D).
        places: of the neighbours in the joint space, (*B, N, K).

    Returns:
        (*B, N, K).
    """
    distances = jnp.max(jnp.abs(points_at(x, places) - x[..., None, :]), -1)
    return jax.lax.cummax(distances, distances.ndim - 1)


def mean_digamma(samples: Observed, counts: jax.Array) -> jax.Array:
    """The mean of psi over the samples that count.

    Args:
        samples: the samples.
        counts: positive whole numbers, (*B, N, K).

    Returns:
        (*B, K).
    """
    psi = digamma(counts.astype(samples.weights.dtype))
    return jnp.sum(samples.weights[..., None] * psi, -2)


def number_of_samples(samples: Observed) -> jax.Array:
    """How many samples count, with an axis for the k.

    Args:
        samples: the samples.

    Returns:
        (*B, 1).
    """
    return (1 / jnp.max(samples.weights, -1))[..., None]


def _ball_nats(samples: Observed, orders: tuple[int, ...]):
    """The first estimate: points strictly nearer than the k-th neighbour, in each variable."""
    joint = jnp.concatenate(samples.arrays, -1)
    distances = nearest_neighbor_distances(joint, k=max(orders), where=samples.where)
    radius = at_orders(distances, orders)
    valid = check_untied(radius, samples.where, "x and y together")
    psi = sum(
        mean_digamma(samples, count_neighbors(x, radius, where=samples.where) + 1)
        for x in samples.arrays
    )
    k = jnp.asarray(orders, joint.dtype)
    return digamma(k) + digamma(number_of_samples(samples)) - psi, valid


def rectangle_nats(
    samples: Observed, orders: tuple[int, ...]
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The second estimate: points in the smallest box of the two variables with k neighbours.

    Args:
        samples: of two variables.
        orders: the k.

    Returns:
        Estimates in nats, (*B, K); which problems are valid, *B; the neighbours' places.
    """
    joint = jnp.concatenate(samples.arrays, -1)
    distances, places = nearest_neighbors(joint, k=max(orders), where=samples.where)
    valid = check_untied(at_orders(distances, orders), samples.where, "x and y together")
    psi = jnp.zeros((), joint.dtype)
    for x in samples.arrays:
        radius = at_orders(largest_distances(x, places), orders)
        counts = count_neighbors(x, radius, closed=True, where=samples.where)
        psi = psi + mean_digamma(samples, jnp.maximum(counts, 1))
    k = jnp.asarray(orders, joint.dtype)
    nats = digamma(k) - 1 / k + digamma(number_of_samples(samples)) - psi
    return nats, valid, places


def ksg_mutual_information(
    x: Float[ArrayLike, "*B N D"],
    y: Float[ArrayLike, "*B N E"],
    *,
    k: Orders = 3,
    variant: int = 1,
    base: float | None = None,
    where: Bool[ArrayLike, "..."] | None = None,
) -> Float[Array, "*B"]:
    r"""Mutual information of two continuous variables, by Kraskov, Stoegbauer and Grassberger.

    - variant 1: $\psi(k) + \psi(N) - \langle \psi(n_x + 1) + \psi(n_y + 1) \rangle$, where
      $n_x$ counts the points whose x is strictly nearer than the k-th neighbour in the joint
      space under the maximum norm.
    - variant 2: $\psi(k) - 1/k + \psi(N) - \langle \psi(n_x) + \psi(n_y) \rangle$, where $n_x$
      counts the points whose x is no farther than the farthest x of the k neighbours.

    Bias: next to none at independence; too small where dependence is strong or dimensions are
    many, because the density varies within a neighbourhood: N must grow exponentially with the
    information (`local_nonuniformity_mutual_information` helps). The second has less variance
    and more bias in many dimensions. An estimate may be negative. Unchanged by shift and by a
    common scale of x and y; features of unlike scales should be standardised first. The
    estimate is a function of counts: its derivative is 0.

    Args:
        x: samples of X, (*B, N, D).
        y: samples of Y, (*B, N, E).
        k: which neighbour, static, or several: the median of their estimates.
        variant: 1 or 2.
        base: the logarithm's base (2 for bits); None for nats.
        where: the samples that count, broadcasting to (*B, N).

    Returns:
        The mutual information in units of `base`.

    Raises:
        TypeError: `x` or `y` is not of floating type.
        ValueError: shapes that do not fit, no more than k samples, values that are not finite,
            more than k equal pairs, an unknown variant.

    Reference:
        Kraskov, Stoegbauer and Grassberger, arXiv cond-mat/0305641, equations (8) and (9).

    Example:
        >>> import jax, infojax.information as information
        >>> x, noise = jax.random.normal(jax.random.key(0), (2, 5000, 1))
        >>> y = 0.6 * x + 0.8 * noise  # -log(1 - 0.36) / 2 = 0.2231
        >>> print(information.ksg_mutual_information(x, y))
        0.2...
    """
    orders = neighbor_orders(k)
    if variant not in (1, 2):
        raise ValueError(f"variant must be 1 or 2; got {variant!r}.")
    samples = observed(x=x, y=y, where=where, least=max(orders) + 1)
    samples = jax.lax.stop_gradient(samples)
    if variant == 1:
        nats, valid = _ball_nats(samples, orders)
    else:
        nats, valid, _ = rectangle_nats(samples, orders)
    return samples.finish(nats_to_base(median_over_orders(nats), base), valid)


def conditional_nats(samples: Observed, orders: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    """I(X; Y | Z) of checked samples of X, Y and Z.

    Args:
        samples: of three variables.
        orders: the k.

    Returns:
        Estimates in nats, (*B, K); which problems are valid, *B.
    """
    samples = jax.lax.stop_gradient(samples)
    x, y, z = samples.arrays
    joint = jnp.concatenate([x, y, z], -1)
    distances = nearest_neighbor_distances(joint, k=max(orders), where=samples.where)
    radius = at_orders(distances, orders)
    valid = check_untied(radius, samples.where, "all variables together")

    def psi(*variables):
        points = jnp.concatenate(variables, -1)
        counts = count_neighbors(points, radius, where=samples.where)
        return mean_digamma(samples, counts + 1)

    k = jnp.asarray(orders, joint.dtype)
    return digamma(k) + psi(z) - psi(x, z) - psi(y, z), valid


def ksg_conditional_mutual_information(
    x: Float[ArrayLike, "*B N D"],
    y: Float[ArrayLike, "*B N E"],
    z: Float[ArrayLike, "*B N F"],
    *,
    k: Orders = 3,
    base: float | None = None,
    where: Bool[ArrayLike, "..."] | None = None,
) -> Float[Array, "*B"]:
    r"""Conditional mutual information of continuous variables from nearest neighbours.

    $\psi(k) + \langle \psi(n_z + 1) - \psi(n_{xz} + 1) - \psi(n_{yz} + 1) \rangle$, with
    counts of the points strictly nearer than the k-th neighbour in the joint space, under the
    maximum norm. Biased towards 0, the more the stronger the dependence and the more dimensions
    Z has. May be negative. A function of counts: its derivative is 0.

    Args:
        x: samples of X, (*B, N, D).
        y: samples of Y, (*B, N, E).
        z: samples of Z, (*B, N, F).
        k: which neighbour, static, or several: the median of their estimates.
        base: the logarithm's base (2 for bits); None for nats.
        where: the samples that count, broadcasting to (*B, N).

    Returns:
        The conditional mutual information in units of `base`.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: shapes that do not fit, no more than k samples, values that are not finite,
            or more than k equal triples.

    Reference:
        Frenzel and Pompe, Partial Mutual Information for Coupling Analysis of Multivariate Time
        Series, Phys. Rev. Lett. 99, 2007, with the strict counts of Kraskov et al.

    Example:
        >>> import jax, infojax.information as information
        >>> a, b, z = jax.random.normal(jax.random.key(0), (3, 3000, 1))
        >>> print(abs(information.ksg_conditional_mutual_information(a + z, b + z, z)) < 0.05)
        True
    """
    orders = neighbor_orders(k)
    samples = observed(x=x, y=y, z=z, where=where, least=max(orders) + 1)
    nats, valid = conditional_nats(samples, orders)
    return samples.finish(nats_to_base(median_over_orders(nats), base), valid)

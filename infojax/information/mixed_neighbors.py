"""Mutual information with discrete variables, or mixtures of discrete and continuous ones."""

import math
from typing import Literal

import jax
import jax.numpy as jnp
from jax.scipy.special import digamma
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from infojax import checks
from infojax.divergences.neighbor_orders import (
    Orders,
    at_orders,
    check_untied,
    median_over_orders,
    neighbor_orders,
)
from infojax.divergences.two_samples import observed
from infojax.information.ksg import mean_digamma, number_of_samples
from infojax.kernels.nearest_neighbors import count_neighbors, nearest_neighbor_distances
from infojax.numerics import nats_to_base


def _class_sizes(labels: jax.Array, counted: jax.Array, num_classes: int) -> jax.Array:
    """How many samples that count share each sample's label, (*B, N)."""

    def one(labels, counted):
        sizes = jnp.zeros(num_classes, jnp.int32).at[labels].add(counted.astype(jnp.int32))
        return sizes[labels]

    count = math.prod(labels.shape[:-1])
    flat = jax.vmap(one)(*(z.reshape(count, z.shape[-1]) for z in (labels, counted)))
    return flat.reshape(labels.shape)


def _labels(labels, shape: tuple[int, ...], num_classes: int, where) -> tuple[jax.Array, jax.Array]:
    """The labels, 0 where a sample does not count, and which problems have valid ones."""
    array = jnp.asarray(labels)
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise TypeError(f"labels must have an integer type; got {array.dtype}.")
    if array.shape != shape:
        raise ValueError(f"labels must have shape {shape} as the samples; got {array.shape}.")
    array = array if where is None else jnp.where(where, array, 0)
    within = (array >= 0) & (array < num_classes)
    checks.check_real("labels", array, within, f"from 0 to {num_classes - 1}")
    return jnp.clip(array, 0, num_classes - 1), jnp.all(within, -1)


def discrete_continuous_mutual_information(
    x: Float[ArrayLike, "*B N D"],
    labels: Int[ArrayLike, "*B N"],
    *,
    num_classes: int,
    k: Orders = 3,
    metric: Literal["chebyshev", "euclidean"] = "chebyshev",
    base: float | None = None,
    where: Bool[ArrayLike, "..."] | None = None,
) -> Float[Array, "*B"]:
    r"""Mutual information of a continuous variable and a label, from nearest neighbours.

    $\psi(N) + \langle \psi(k_i) - \psi(N_{c_i}) - \psi(m_i) \rangle$: the k-th neighbour of the
    same label sets a distance, $m_i - 1$ points of any label are strictly nearer. A class of
    $N_c \le k$ samples uses its farthest ($k_i = N_c - 1$); classes of one sample are left out.
    Nearly unbiased at independence; too small where classes are separated on a scale below that
    of neighbours, and at most the label's entropy up to noise. The derivative is 0.

    Args:
        x: samples, (*B, N, D).
        labels: whole numbers from 0 to `num_classes` - 1, (*B, N).
        num_classes: static.
        k: which neighbour, static, or several: the median of their estimates.
        metric: "chebyshev" or "euclidean"; the same for D = 1.
        base: the logarithm's base (2 for bits); None for nats.
        where: the samples that count, broadcasting to (*B, N).

    Returns:
        The mutual information in units of `base`.

    Raises:
        TypeError: `x` is not of floating or `labels` not of integer type.
        ValueError: shapes that do not fit, no more than k samples, values that are not finite,
            labels out of range, more than k equal samples of a class, no class with two samples.

    Reference:
        Ross, Mutual Information between Discrete and Continuous Data Sets, PLoS ONE 9(2), 2014,
        equation (1), with the small classes of scikit-learn's `mutual_info_classif`.

    Example:
        >>> import jax, jax.numpy as jnp, infojax.information as information
        >>> labels = jnp.arange(1000) % 2
        >>> x = jax.random.normal(jax.random.key(0), (1000, 1)) + 10 * labels[:, None]
        >>> print(information.discrete_continuous_mutual_information(
        ...     x, labels, num_classes=2, base=2))
        1.0...
    """
    orders = neighbor_orders(k)
    num_classes = checks.positive_integer("num_classes", num_classes)
    checks.choice("metric", metric, ("euclidean", "chebyshev"))
    samples = jax.lax.stop_gradient(observed(x=x, where=where, least=max(orders) + 1))
    (points,) = samples.arrays
    labels, fine = _labels(labels, points.shape[:-1], num_classes, samples.where)
    sizes = _class_sizes(labels, samples.weights > 0, num_classes)
    used = (sizes > 1) & (samples.weights > 0)
    some = jnp.any(used, -1)
    checks.check(some, "labels must give a class with two samples.")
    distances = nearest_neighbor_distances(
        points, k=max(orders), metric=metric, where=used, labels=labels
    )
    own = jnp.clip(sizes[..., None] - 1, 1, jnp.asarray(orders))
    radius = jnp.where(used[..., None], jnp.take_along_axis(distances, own - 1, -1), 1)
    untied = check_untied(radius, used, "x within a class")
    if metric == "euclidean":
        radius = radius * (1 - 1e-6)  # a neighbour at the radius must not count by rounding
    near = count_neighbors(points, radius, metric=metric, where=used) + 1
    number = jnp.maximum(jnp.sum(used, -1, keepdims=True), 1).astype(points.dtype)

    def mean(counts):
        psi = digamma(jnp.maximum(counts, 1).astype(points.dtype))
        return jnp.sum(jnp.where(used[..., None], psi, 0), -2) / number

    nats = digamma(number) + mean(own) - mean(sizes[..., None]) - mean(near)
    return samples.finish(nats_to_base(median_over_orders(nats), base), fine & some & untied)


def mixed_mutual_information(
    x: Float[ArrayLike, "*B N D"],
    y: Float[ArrayLike, "*B N E"],
    *,
    k: Orders = 3,
    base: float | None = None,
    where: Bool[ArrayLike, "..."] | None = None,
) -> Float[Array, "*B"]:
    r"""Mutual information of variables that may be discrete, continuous or mixtures of both.

    $\langle \psi(\tilde k_i) + \log N - \log(n_{x,i} + 1) - \log(n_{y,i} + 1) \rangle$, where
    $n_{x,i}$ counts points no farther than the k-th joint neighbour, under the maximum norm,
    and $\tilde k_i$ is k, or the number of copies of the pair where the k-th neighbour is one.
    For continuous variables its bias is some k-dependent thousandths above that of
    `ksg_mutual_information`; for discrete ones it is near the plug-in estimate. It may be
    negative. A function of counts: its derivative is 0.

    Args:
        x: samples of X, (*B, N, D); discrete values are compared as numbers.
        y: samples of Y, (*B, N, E).
        k: which neighbour, static, or several: the median of their estimates.
        base: the logarithm's base (2 for bits); None for nats.
        where: the samples that count, broadcasting to (*B, N).

    Returns:
        The mutual information in units of `base`.

    Raises:
        TypeError: `x` or `y` is not of floating type.
        ValueError: shapes that do not fit, no more than k samples, values that are not finite.

    Reference:
        Gao, Kannan, Oh and Viswanath, Estimating Mutual Information for Discrete-Continuous
        Mixtures, arXiv 1709.06212, algorithm 1.

    Example:
        >>> import jax, jax.numpy as jnp, infojax.information as information
        >>> x = (jnp.arange(1000) % 2)[:, None].astype(float)
        >>> print(information.mixed_mutual_information(x, x, base=2))
        0.99...
    """
    orders = neighbor_orders(k)
    samples = observed(x=x, y=y, where=where, least=max(orders) + 1)
    samples = jax.lax.stop_gradient(samples)
    joint = jnp.concatenate(samples.arrays, -1)
    distances = nearest_neighbor_distances(joint, k=max(orders), where=samples.where)
    radius = at_orders(distances, orders)
    copies = count_neighbors(joint, jnp.zeros_like(radius), closed=True, where=samples.where)
    near = jnp.where(radius == 0, copies, jnp.asarray(orders))
    nats = mean_digamma(samples, near) + jnp.log(number_of_samples(samples))
    for variable in samples.arrays:
        counts = count_neighbors(variable, radius, closed=True, where=samples.where)
        logs = jnp.log((counts + 1).astype(joint.dtype))
        nats = nats - jnp.sum(samples.weights[..., None] * logs, -2)
    return samples.finish(nats_to_base(median_over_orders(nats), base))

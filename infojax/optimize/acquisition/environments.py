"""Objectives that are averages over an environment: max over x of the mean of f(x, w) over w."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from infojax import checks
from infojax.numerics import gated
from infojax.optimize.acquisition.knowledge import posterior_cross
from infojax.optimize.acquisition.maximum_gains import maximum_gain, slopes_of
from infojax.optimize.gaussian_process.regression import (
    GaussianProcess,
    checked_points,
    cross_covariance,
    posterior_mean,
)


def _joined(points: jax.Array, node: jax.Array) -> jax.Array:
    return jnp.concatenate([points, jnp.broadcast_to(node, (points.shape[0], node.size))], 1)


@jax.jit
def _integrate(gp, points, nodes, weights):
    def row(carry, pair):
        mean, cross = carry
        node, weight = pair
        at = _joined(points, node)
        columns = cross_covariance(gp, at)
        return (mean + weight * posterior_mean(gp, at, columns), cross + weight * columns), None

    def prior_row(total, pair):
        node, weight = pair

        def prior_entry(total, other):
            matrix = gp.kernel(_joined(points, node), _joined(points, other[0]), gp.parameters)
            return total + weight * other[1] * matrix, None

        return jax.lax.scan(prior_entry, total, (nodes, weights))[0], None

    count, dtype = points.shape[0], points.dtype
    start = jnp.zeros(count, dtype), jnp.zeros((gp.where.size, count), dtype)
    (mean, cross), _ = jax.lax.scan(row, start, (nodes, weights))
    prior, _ = jax.lax.scan(prior_row, jnp.zeros((count, count), dtype), (nodes, weights))
    whitened = gp.whitener @ cross
    return mean, prior - whitened.T @ whitened


def _checked_environment(gp, points, nodes, weights):
    if not isinstance(gp, GaussianProcess):
        raise TypeError(f"gp must be a GaussianProcess; got {type(gp).__name__}.")
    at = checks.floating("points", points, ndim=2)
    places = checks.floating("nodes", nodes, ndim=2)
    total = gp.inputs.shape[1]
    if 0 in at.shape or 0 in places.shape or at.shape[1] + places.shape[1] != total:
        raise ValueError(
            f"points (M, D) and nodes (J, W) must have D + W = {total} columns and a row each; "
            f"got shapes {at.shape} and {places.shape}."
        )
    masses = checks.floating("weights", weights)
    if masses.shape != places.shape[:1]:
        raise ValueError(f"weights must have shape {places.shape[:1]}; got {masses.shape}.")
    valid = checks.check_distribution("weights", masses, (0,))
    dtype = gp.inputs.dtype
    return at.astype(dtype), places.astype(dtype), gated(masses.astype(dtype), valid)


def integrate_environment(
    gp: GaussianProcess,
    points: Float[Array, "M D"],
    nodes: Float[Array, "J W"],
    weights: Float[Array, " J"],
) -> tuple[Float[Array, " M"], Float[Array, "M M"]]:
    r"""Mean and covariance of $g(x) = \sum_j p_j f(x, w_j)$ of a process over (x, w).

    A weighted sum of jointly normal values is normal: means and covariances are the weighted
    sums. Memory is C x M and M x M, not J times that.

    Args:
        gp: a Gaussian process over points whose last W columns are the environment's.
        points: where g is wanted.
        nodes: values of the environment.
        weights: their probabilities (quadrature weights for a density).

    Returns:
        The means and the covariances of g.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: shapes that do not fit; eagerly, weights that are no distribution.

    Reference:
        Frazier, A Tutorial on Bayesian Optimization, 2018, arXiv 1807.02811, section 5.4;
        Toscano-Palmerin and Frazier 2018, arXiv 1803.08661.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition, gaussian_process
        >>> x, y = jnp.array([[0.0, 0.0], [0.0, 9.0]]), jnp.array([1.0, 3.0])
        >>> gp = gaussian_process.condition(x, y, gaussian_process.Parameters(0.5))
        >>> mean, _ = acquisition.integrate_environment(
        ...     gp, jnp.array([[0.0]]), jnp.array([[0.0], [9.0]]), jnp.array([0.5, 0.5])
        ... )
        >>> print(mean.round(2))
        [2.]
    """
    return _integrate(gp, *_checked_environment(gp, points, nodes, weights))


@functools.partial(jax.jit)
def _environment_gain(gp, candidates, points, nodes, weights):
    def add(total, pair):
        node, weight = pair
        at = _joined(points, node)
        cross, _, _ = posterior_cross(gp, at, candidates)
        mean = posterior_mean(gp, at, cross_covariance(gp, at))
        return (total[0] + weight * mean, total[1] + weight * cross), None

    _, variance, _ = posterior_cross(gp, candidates[:1], candidates)
    start = jnp.zeros_like(points[:, 0]), jnp.zeros((points.shape[0], candidates.shape[0]))
    start = (start[0], start[1].astype(points.dtype))
    (mean, cross), _ = jax.lax.scan(add, start, (nodes, weights))
    slopes = slopes_of(cross, variance, gp.parameters.noise_variance)
    gains = jax.vmap(maximum_gain, (None, 1))(mean, slopes)
    return gated(gains, jnp.all(jnp.isfinite(mean)))


def environment_knowledge_gradient(
    gp: GaussianProcess,
    candidates: Float[Array, "K E"],
    points: Float[Array, "M D"],
    nodes: Float[Array, "J W"],
    weights: Float[Array, " J"],
) -> Float[Array, " K"]:
    r"""What observing f at one (x, w) adds to the best mean of $g(x) = \sum_j p_j f(x, w_j)$.

    `expected_maximum_gain` of the means of g and of
    $b(x') = \sum_j p_j c((x', w_j), (x, w)) / \sqrt{c((x, w), (x, w)) + \sigma^2}$: which
    environment to look at is chosen with the point.

    Args:
        gp: a Gaussian process over points whose last W columns are the environment's.
        candidates: pairs (x, w), E = D + W columns, where an observation may be made.
        points: among which the final choice is made.
        nodes: values of the environment.
        weights: their probabilities.

    Returns:
        The knowledge gradients.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: shapes that do not fit; eagerly, weights that are no distribution.

    Reference:
        Frazier, A Tutorial on Bayesian Optimization, 2018, arXiv 1807.02811, section 5.4;
        Toscano-Palmerin and Frazier 2018, arXiv 1803.08661.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition, gaussian_process
        >>> x, y = jnp.array([[0.0, 0.0]]), jnp.array([1.0])
        >>> gp = gaussian_process.condition(x, y, gaussian_process.Parameters(0.5))
        >>> gains = acquisition.environment_knowledge_gradient(
        ...     gp, jnp.array([[0.0, 0.0], [0.0, 9.0]]), jnp.array([[0.0], [5.0]]),
        ...     jnp.array([[0.0], [9.0]]), jnp.array([0.5, 0.5])
        ... )
        >>> print(bool(gains[1] > gains[0] + 0.01))  # the environment not yet looked at
        True
    """
    at, places, masses = _checked_environment(gp, points, nodes, weights)
    return _environment_gain(gp, checked_points(gp, candidates, "candidates"), at, places, masses)

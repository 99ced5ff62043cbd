r"""Gaussian process regression on arrays of a fixed capacity.

A row that does not count is a row of the identity with residual 0: it changes neither mean, nor
covariance, nor likelihood, and a point more is a matter of values, not of shapes. With
$K_y = K + \sigma^2 I = L L^T$, what is kept is $L$, $L^{-1}$ and $K_y^{-1} (y - \mu)$: a posterior
is then two matrix products. Rasmussen and Williams 2006, algorithm 2.1.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from infojax import checks
from infojax.numerics import gated, widen
from infojax.optimize.gaussian_process.factors import (
    inverse_factor,
    jittered_cholesky,
)
from infojax.optimize.gaussian_process.parameters import (
    Kernel,
    Parameters,
    checked_kernel,
    checked_parameters,
)


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=(
        "inputs",
        "values",
        "where",
        "parameters",
        "kernel",
        "cholesky",
        "whitener",
        "weights",
        "jitter",
    ),
    meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class GaussianProcess:
    """A Gaussian process given observations, with room for more: C rows, of which some count.

    Attributes:
        inputs: the points, 0 in rows that do not count.
        values: the observations, 0 in rows that do not count.
        where: the rows that count.
        parameters: the hyper-parameters.
        kernel: the kernel.
        cholesky: lower factor of the covariance of the observations.
        whitener: its inverse.
        weights: that covariance's inverse times what the observations are above the prior mean.
        jitter: what was added to the diagonal beside the noise.
    """

    inputs: Float[Array, "C D"]
    values: Float[Array, " C"]
    where: Bool[Array, " C"]
    parameters: Parameters
    kernel: Kernel
    cholesky: Float[Array, "C C"]
    whitener: Float[Array, "C C"]
    weights: Float[Array, " C"]
    jitter: Float[Array, ""]

    def num_observations(self) -> jax.Array:
        """How many rows count.

        Returns:
            An integer.
        """
        return jnp.sum(self.where)


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("inputs", "values", "where", "kernel", "valid"),
    meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class Observations:
    """Observations that have passed the checks, in working precision."""

    inputs: jax.Array
    values: jax.Array
    where: jax.Array
    kernel: Kernel
    valid: jax.Array


def observations(
    inputs: ArrayLike, values: ArrayLike, where: ArrayLike | None, kernel: str | Kernel
) -> Observations:
    """Takes inputs, values and the mask of those that count.

    Args:
        inputs: points, (C, D).
        values: observations, (C,).
        where: mask, (C,), or None.
        kernel: a kernel or its name.

    Returns:
        Them, 0 where they do not count, and whether they are valid.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: shapes that do not fit, no row; eagerly, no row that counts, or one that is
            not finite.
    """
    given = checks.samples("inputs", inputs)
    heights = checks.floating("values", values)
    if given.ndim != 2 or heights.shape != given.shape[:1]:
        raise ValueError(
            "inputs and values must have shapes (C, D) and (C,); "
            f"got {given.shape} and {heights.shape}."
        )
    mask = checks.mask("where", where, heights.shape)
    mask = jnp.broadcast_to(True if mask is None else mask, heights.shape)
    valid = checks.finite_samples("inputs", given, mask)
    finite = jnp.isfinite(heights) | ~mask
    checks.check_real(
        "values", heights, finite, "finite (mark failed evaluations False in `where`)"
    )
    some = jnp.any(mask)
    checks.check(some, "where must count at least one observation; got none.")
    wide, tall = widen(given, heights)
    wide, tall = jnp.where(mask[:, None], wide, 0), jnp.where(mask, tall, 0)
    return Observations(
        wide, tall, mask, checked_kernel(kernel), valid & jnp.all(finite) & jnp.all(some)
    )


def residuals(data: Observations | GaussianProcess, parameters: Parameters) -> jax.Array:
    """What the observations are above the prior mean; 0 where they do not count.

    Args:
        data: the observations.
        parameters: with their mean.

    Returns:
        Array (C,).
    """
    prior = parameters.mean * data.kernel.mean_weights(data.inputs)
    return jnp.where(data.where, data.values - prior, 0)


def observation_covariance(
    data: Observations | GaussianProcess, parameters: Parameters
) -> jax.Array:
    """Covariance of the observations, the identity in rows that do not count.

    Args:
        data: the observations.
        parameters: the hyper-parameters.

    Returns:
        Matrix (C, C).
    """
    counted = data.where[:, None] & data.where[None, :]
    matrix = jnp.where(counted, data.kernel(data.inputs, data.inputs, parameters), 0)
    return matrix + jnp.diag(jnp.where(data.where, parameters.noise_variance, 1))


@jax.jit
def condition_unchecked(data: Observations, parameters: Parameters) -> GaussianProcess:
    """`condition`, of arguments that have been checked.

    Args:
        data: the observations.
        parameters: the hyper-parameters, arrays.

    Returns:
        The Gaussian process.
    """
    covariance = observation_covariance(data, parameters)
    factor, level = jittered_cholesky(covariance, parameters.signal_variance * data.where)
    whitener = inverse_factor(factor)
    weights = whitener.T @ (whitener @ residuals(data, parameters))
    return GaussianProcess(
        inputs=data.inputs,
        values=data.values,
        where=data.where,
        parameters=parameters,
        kernel=data.kernel,
        cholesky=gated(factor, data.valid),
        whitener=gated(whitener, data.valid),
        weights=gated(weights, data.valid),
        jitter=level * parameters.signal_variance,
    )


def condition(
    inputs: Float[Array, "C D"],
    values: Float[Array, " C"],
    parameters: Parameters,
    *,
    where: Bool[Array, " C"] | None = None,
    kernel: str | Kernel = "matern52",
) -> GaussianProcess:
    r"""A Gaussian process with given hyper-parameters, conditioned on observations.

    Pass arrays with room to spare and `where` to mark what is there: then every number of
    observations is the same compiled program. A Cholesky factor that does not exist is tried
    again with more on the diagonal, up to 1e-3 of the signal variance, so that coinciding inputs
    are legal without noise as well.

    Args:
        inputs: points, C of them with those that do not count.
        values: the observations there.
        parameters: the hyper-parameters.
        where: the rows that count; all if None. What the others hold does not matter.
        kernel: "matern12", "matern32", "matern52", "squared_exponential", or a kernel of
            `covariance`.

    Returns:
        The Gaussian process, a pytree.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: shapes that do not fit, an unknown kernel; eagerly, no row that counts, a
            counted entry that is not finite, a hyper-parameter out of its range.

    Reference:
        Frazier, A Tutorial on Bayesian Optimization, 2018, arXiv 1807.02811, section 3.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import gaussian_process
        >>> x, y = jnp.array([[0.0], [1.0]]), jnp.array([1.0, -1.0])
        >>> gp = gaussian_process.condition(x, y, gaussian_process.Parameters(1.0))
        >>> mean, std = gaussian_process.marginals(gp, jnp.array([[0.5]]))
        >>> print(round(float(std[0]), 2), bool(abs(mean[0]) < 1e-5))
        0.27 True
    """
    data = observations(inputs, values, where, kernel)
    features = data.kernel.num_lengthscales(data.inputs.shape[1])
    taken, valid = checked_parameters(parameters, features, data.inputs.dtype)
    return condition_unchecked(dataclasses.replace(data, valid=data.valid & valid), taken)


def checked_points(gp: GaussianProcess, points: ArrayLike, name: str = "points") -> jax.Array:
    """Takes points of the dimension of a Gaussian process, in its type.

    Args:
        gp: the Gaussian process.
        points: what came, (M, D).
        name: what the caller's users call it.

    Returns:
        The points.

    Raises:
        TypeError: it is no Gaussian process, or the points are not of floating type.
        ValueError: a wrong shape.
    """
    if not isinstance(gp, GaussianProcess):
        raise TypeError(f"gp must be a GaussianProcess; got {type(gp).__name__}.")
    array = checks.floating(name, points)
    if array.ndim != 2 or array.shape[1] != gp.inputs.shape[1]:
        raise ValueError(f"{name} must have shape (M, {gp.inputs.shape[1]}); got {array.shape}.")
    return array.astype(jnp.promote_types(array.dtype, gp.inputs.dtype))


def cross_covariance(gp: GaussianProcess, points: jax.Array) -> jax.Array:
    """Prior covariances of the observations and a set of points, 0 in rows that do not count.

    Args:
        gp: the Gaussian process.
        points: the points, (M, D).

    Returns:
        Matrix (C, M).
    """
    return jnp.where(gp.where[:, None], gp.kernel(gp.inputs, points, gp.parameters), 0)


def posterior_mean(gp: GaussianProcess, points: jax.Array, cross: jax.Array) -> jax.Array:
    """Means of the function.

    Args:
        gp: the Gaussian process.
        points: the points, (M, D).
        cross: their `cross_covariance`.

    Returns:
        Array (M,).
    """
    return gp.parameters.mean * gp.kernel.mean_weights(points) + gp.weights @ cross


@jax.jit
def _posterior(gp, points):
    cross = cross_covariance(gp, points)
    whitened = gp.whitener @ cross
    covariance = gp.kernel(points, points, gp.parameters) - whitened.T @ whitened
    return posterior_mean(gp, points, cross), covariance


@jax.jit
def _marginals(gp, points):
    cross = cross_covariance(gp, points)
    explained = jnp.sum((gp.whitener @ cross) ** 2, 0)
    variance = gp.kernel.variances(points, gp.parameters) - explained
    std = jnp.sqrt(jnp.maximum(variance, 1e-12 * gp.parameters.signal_variance))
    return posterior_mean(gp, points, cross), std


def posterior(
    gp: GaussianProcess, points: Float[Array, "M D"], *, observation_noise: bool = False
) -> tuple[Float[Array, " M"], Float[Array, "M M"]]:
    r"""Mean and covariance of the function at some points, jointly.

    $m(x) = \mu + k(x)^T K_y^{-1} (y - \mu)$ and $c(x, x') = k(x, x') - v(x)^T v(x')$ with
    $v = L^{-1} k$.

    Args:
        gp: the Gaussian process.
        points: where.
        observation_noise: whether the covariance is that of new observations, the noise
            variance on its diagonal, rather than that of the function.

    Returns:
        The means and the covariances.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: points of another dimension than the inputs.

    Reference:
        Frazier, A Tutorial on Bayesian Optimization, 2018, arXiv 1807.02811, equation (3).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import gaussian_process
        >>> gp = gaussian_process.condition(
        ...     jnp.array([[0.0]]), jnp.array([1.0]), gaussian_process.Parameters(1.0, 1.0, 1.0)
        ... )
        >>> mean, covariance = gaussian_process.posterior(gp, jnp.array([[0.0]]))
        >>> print(mean, covariance)
        [0.5] [[0.5]]
    """
    mean, covariance = _posterior(gp, checked_points(gp, points))
    if observation_noise:
        covariance += gp.parameters.noise_variance * jnp.eye(covariance.shape[0])
    return mean, covariance


def marginals(
    gp: GaussianProcess, points: Float[Array, "M D"]
) -> tuple[Float[Array, " M"], Float[Array, " M"]]:
    """Mean and standard deviation of the function at each of some points.

    The diagonal of `posterior`, without the matrix. A variance is 1e-12 of the signal variance
    at least.

    Args:
        gp: the Gaussian process.
        points: where.

    Returns:
        The means and the standard deviations.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: points of another dimension than the inputs.

    Reference:
        Frazier, A Tutorial on Bayesian Optimization, 2018, arXiv 1807.02811, equation (3).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import gaussian_process
        >>> gp = gaussian_process.condition(
        ...     jnp.array([[0.0]]), jnp.array([1.0]), gaussian_process.Parameters(1.0, 1.0, 3.0)
        ... )
        >>> print(*gaussian_process.marginals(gp, jnp.array([[0.0]])))
        [0.25] [0.866]
    """
    return _marginals(gp, checked_points(gp, points))

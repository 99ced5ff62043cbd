"""The likelihood of hyper-parameters, with a derivative that needs no derivative of a factor."""

import dataclasses
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from infojax.numerics import gated, narrow
from infojax.optimize.gaussian_process.factors import inverse_factor, jittered_cholesky
from infojax.optimize.gaussian_process.parameters import Kernel, Parameters, checked_parameters
from infojax.optimize.gaussian_process.regression import (
    Observations,
    observation_covariance,
    observations,
    residuals,
)


@jax.custom_jvp
def gaussian_log_density(covariance: jax.Array, residual: jax.Array, scale: jax.Array) -> jax.Array:
    """Log density of a centred normal vector, up to the constant.

    Args:
        covariance: symmetric, (N, N).
        residual: the vector, (N,).
        scale: what a jitter of each entry is relative to, (N,).

    Returns:
        The log density plus N / 2 log(2 pi).
    """
    factor, _ = jittered_cholesky(covariance, scale)
    whitened = jax.scipy.linalg.solve_triangular(factor, residual, lower=True)
    return -0.5 * jnp.sum(whitened**2) - jnp.sum(jnp.log(jnp.diag(factor)))


@gaussian_log_density.defjvp
def _(primals, tangents):
    # 1/2 tr((w w^T - K^-1) dK) - w^T dr with w = K^-1 r: a product of matrices in place of the
    # four triangular solves of the factor's own derivative.
    covariance, residual, scale = primals
    factor, _ = jittered_cholesky(covariance, scale)
    whitener = inverse_factor(factor)
    whitened = whitener @ residual
    weights = whitener.T @ whitened
    value = -0.5 * jnp.sum(whitened**2) + jnp.sum(jnp.log(jnp.diag(whitener)))
    slope = 0.5 * (jnp.outer(weights, weights) - whitener.T @ whitener)
    return value, jnp.sum(slope * tangents[0]) - weights @ tangents[1]


@jax.jit
def likelihood_unchecked(data: Observations, parameters: Parameters) -> jax.Array:
    """`log_marginal_likelihood`, of arguments that have been checked.

    Args:
        data: the observations.
        parameters: the hyper-parameters, arrays.

    Returns:
        The log likelihood.
    """
    value = gaussian_log_density(
        observation_covariance(data, parameters),
        residuals(data, parameters),
        parameters.signal_variance * data.where,
    )
    count = jnp.sum(data.where)
    return gated(value - 0.5 * count * math.log(2 * math.pi), data.valid)


def log_marginal_likelihood(
    parameters: Parameters,
    inputs: Float[Array, "C D"],
    values: Float[Array, " C"],
    *,
    where: Bool[Array, " C"] | None = None,
    kernel: str | Kernel = "matern52",
) -> Float[Array, ""]:
    r"""Log density of the observations under the prior.

    $-\frac12 (y - \mu)^T K_y^{-1} (y - \mu) - \sum_i \log L_{ii} - \frac n2 \log 2\pi$.

    Args:
        parameters: the hyper-parameters; the derivative by them is exact.
        inputs: points, C of them with those that do not count.
        values: the observations there.
        where: the rows that count; all if None.
        kernel: as in `condition`.

    Returns:
        The log likelihood, in nats.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: shapes that do not fit, an unknown kernel; eagerly, no row that counts, a
            counted entry that is not finite, a hyper-parameter out of its range.

    Reference:
        Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, equations (2.30)
        and (5.9).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import gaussian_process
        >>> parameters = gaussian_process.Parameters(1.0, 0.5, 0.5)
        >>> x, y = jnp.array([[0.0]]), jnp.array([1.0])
        >>> print(gaussian_process.log_marginal_likelihood(parameters, x, y))  # N(1; 0, 1)
        -1.4189
    """
    data = observations(inputs, values, where, kernel)
    features = data.kernel.num_lengthscales(data.inputs.shape[1])
    taken, valid = checked_parameters(parameters, features, data.inputs.dtype)
    value = likelihood_unchecked(dataclasses.replace(data, valid=data.valid & valid), taken)
    return narrow(value, jnp.asarray(inputs), jnp.asarray(values))

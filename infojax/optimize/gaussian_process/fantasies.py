"""One observation more, without a new factorisation: a row appended to the Cholesky factor."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from infojax import checks
from infojax.numerics import gated
from infojax.optimize.gaussian_process.regression import (
    GaussianProcess,
    checked_points,
    cross_covariance,
    residuals,
)


def first_free_row(gp: GaussianProcess) -> jax.Array:
    """The row after the last that counts.

    Args:
        gp: the Gaussian process.

    Returns:
        Its index; the capacity if there is none.
    """
    return jnp.max(jnp.where(gp.where, jnp.arange(1, gp.where.size + 1), 0))


@jax.jit
def _append(gp: GaussianProcess, point: jax.Array, value: jax.Array) -> GaussianProcess:
    parameters = gp.parameters
    row = first_free_row(gp)
    one_point = point[None]
    whitened = gp.whitener @ cross_covariance(gp, one_point)[:, 0]
    added = parameters.noise_variance + gp.jitter
    prior = gp.kernel.variances(one_point, parameters)[0] + added
    # The pivot is the variance of the new observation: rounding must not take it below the noise.
    pivot = jnp.sqrt(jnp.maximum(prior - whitened @ whitened, added))
    here = jnp.arange(gp.where.size) == row
    column = here[:, None]
    # Columns at and after the new row are those of the identity, where `whitened` is 0.
    cholesky = jnp.where(column, whitened[None, :] + pivot * here[None, :], gp.cholesky)
    inverse_row = -(whitened @ gp.whitener) / pivot
    inverse_row = jnp.where(here, 1 / pivot, inverse_row)
    whitener = jnp.where(column, inverse_row[None, :], gp.whitener)
    grown = dataclasses.replace(
        gp,
        inputs=jnp.where(column, one_point, gp.inputs),
        values=jnp.where(here, value, gp.values),
        where=gp.where | here,
        cholesky=cholesky,
        whitener=whitener,
    )
    weights = whitener.T @ (whitener @ residuals(grown, parameters))
    return dataclasses.replace(grown, weights=gated(weights, row < gp.where.size))


def fantasize(
    gp: GaussianProcess, point: Float[Array, " D"], value: Float[Array, ""]
) -> GaussianProcess:
    """The Gaussian process given one observation more, in the row after the last that counts.

    Equal to `condition` on all observations with the same hyper-parameters, in O(C^2) operations
    and without compiling again; differentiable by `point` and `value`.

    Args:
        gp: the Gaussian process, with a free row after the last that counts.
        point: where the new observation is made.
        value: what it is.

    Returns:
        The Gaussian process with it.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: shapes that do not fit; eagerly, no free row, or an entry that is not finite.
            Where values are traced the means of the result are NaN.

    Reference:
        Osborne, Bayesian Gaussian Processes for Sequential Prediction, Optimisation and
        Quadrature, 2010, appendix B (updating a Cholesky factor by a row).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import gaussian_process
        >>> x, y = jnp.array([[0.0], [0.0]]), jnp.array([1.0, 0.0])
        >>> gp = gaussian_process.condition(
        ...     x, y, gaussian_process.Parameters(1.0), where=jnp.array([True, False])
        ... )
        >>> more = gaussian_process.fantasize(gp, jnp.array([2.0]), jnp.array(3.0))
        >>> print(gaussian_process.marginals(more, jnp.array([[2.0]]))[0])
        [3.]
    """
    at = checks.floating("point", point)
    if at.ndim != 1:
        raise ValueError(f"point must have shape (D,); got {at.shape}.")
    at = checked_points(gp, at[None], "point")[0]
    height = checks.real_number("value", value)
    if height.ndim:
        raise ValueError(f"value must be one number; got shape {height.shape}.")
    valid = jnp.all(jnp.isfinite(at)) & jnp.isfinite(height)
    checks.check(valid, "point and value must be finite.")
    room = first_free_row(gp) < gp.where.size
    checks.check(room, f"gp must have a free row; all {gp.where.size} of its capacity count.")
    return _append(gp, jnp.where(valid, at, jnp.nan), height.astype(gp.values.dtype))

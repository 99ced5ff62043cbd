r"""Covariances of a function's value, gradient and second derivatives at one point with its values.

Of a stationary kernel $\kappa(s)$, $s = \sum_i (x_i - x'_i)^2 / l_i^2$, in closed form. All are
scaled to the prior variance of the function, the first by $l_i / \sqrt{-2 \kappa'(0)}$ and the
second by $l_i^2 / \sqrt{12 \kappa''(0)}$: lengthscales then matter no more.
"""

import jax
import jax.numpy as jnp

from infojax.optimize.covariance.stationary import PROFILES

# -2 kappa'(0), 12 kappa''(0): variances of scaled derivatives, as far as there are derivatives.
_VARIANCES: dict[str, tuple[float, ...]] = {
    "matern12": (),
    "matern32": (3.0,),
    "matern52": (5 / 3, 25.0),
    "squared_exponential": (1.0, 3.0),
}


def jet_order(name: str) -> int:
    """How many derivatives at a point have a variance, up to two.

    Args:
        name: of the stationary kernel.

    Returns:
        0, 1 or 2.
    """
    return len(_VARIANCES[name])


def jet_correlations(
    name: str, points: jax.Array, place: jax.Array, lengthscales: jax.Array
) -> jax.Array:
    """Of the values at some points with value and scaled derivatives at a place.

    Args:
        name: of the stationary kernel.
        points: where there are values, (N, D).
        place: where there are derivatives, (D,).
        lengthscales: one for each feature, (D,).

    Returns:
        Matrix (N, 1 + order D): value, first derivatives, second derivatives by each coordinate.
    """
    profile, factor = PROFILES[name]
    variances = _VARIANCES[name]
    difference = (place - points) / lengthscales
    squares = factor * jnp.sum(difference**2, -1)
    ones = jnp.ones_like(squares)

    def both(squares):
        return jax.jvp(profile, (squares,), (ones,))

    if not variances:
        return profile(squares)[:, None]
    if len(variances) == 1:
        value, slope = both(squares)
    else:
        (value, slope), (_, bend) = jax.jvp(both, (squares,), (ones,))
    first = 2 * factor * slope[:, None] * difference
    parts = [value[:, None], first / variances[0] ** 0.5]
    if len(variances) == 2:
        second = 4 * factor**2 * bend[:, None] * difference**2 + 2 * factor * slope[:, None]
        parts.append(second / variances[1] ** 0.5)
    return jnp.concatenate(parts, 1)


def jet_prior(name: str, features: int, dtype) -> jax.Array:
    """Correlations of value and scaled derivatives at one place among themselves.

    Args:
        name: of the stationary kernel.
        features: D.
        dtype: of the result.

    Returns:
        Matrix of 1 + order D rows, with ones on its diagonal.
    """
    variances = _VARIANCES[name]
    matrix = jnp.eye(1 + len(variances) * features, dtype=dtype)
    if len(variances) == 2:
        second = slice(1 + features, None)
        with_value = -variances[0] / variances[1] ** 0.5
        among = (1 + 2 * jnp.eye(features, dtype=dtype)) / 3
        matrix = matrix.at[0, second].set(with_value).at[second, 0].set(with_value)
        matrix = matrix.at[second, second].set(among)
    return matrix

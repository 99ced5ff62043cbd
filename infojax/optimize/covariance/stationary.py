"""Covariance functions of a scaled distance: squared exponential and Matern.

Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, section 4.2.1.
"""

import dataclasses
import functools
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from infojax import checks
from infojax.numerics import gated, narrow, safe_sqrt, widen


@jax.custom_jvp
def _matern12(squares: jax.Array) -> jax.Array:
    return jnp.exp(-safe_sqrt(squares))


@jax.custom_jvp
def _matern32(squares: jax.Array) -> jax.Array:
    r = jnp.sqrt(squares)
    return (1 + r) * jnp.exp(-r)


@jax.custom_jvp
def _matern52(squares: jax.Array) -> jax.Array:
    r = jnp.sqrt(squares)
    return (1 + r + squares / 3) * jnp.exp(-r)


# By the square of the distance, smooth at zero as far as the function itself is: through the
# root, automatic differentiation would meet 0 / 0 where two points coincide.
@_matern12.defjvp
def _(primals, tangents):
    (squares,), (tangent,) = primals, tangents
    value = _matern12(squares)
    r = safe_sqrt(squares)
    slope = jnp.where(r > 0, -0.5 * value / jnp.where(r > 0, r, 1), 0)
    return value, slope * tangent


@_matern32.defjvp
def _(primals, tangents):
    (squares,), (tangent,) = primals, tangents
    return _matern32(squares), -0.5 * _matern12(squares) * tangent


@_matern52.defjvp
def _(primals, tangents):
    (squares,), (tangent,) = primals, tangents
    return _matern52(squares), -_matern32(squares) / 6 * tangent


def _squared_exponential(squares: jax.Array) -> jax.Array:
    return jnp.exp(-0.5 * squares)


# The profile, and 2 nu: the factor on the squared distance.
PROFILES = {
    "matern12": (_matern12, 1.0),
    "matern32": (_matern32, 3.0),
    "matern52": (_matern52, 5.0),
    "squared_exponential": (_squared_exponential, 1.0),
}
NAMES = tuple(PROFILES)


def correlations(name: str, x: jax.Array, y: jax.Array, lengthscales: jax.Array) -> jax.Array:
    """Correlations between two sets of points.

    The squared distances are summed from differences: by a matrix product they would lose half of
    the digits, and the Matern functions take their root.

    Args:
        name: one of `NAMES`.
        x: points, (N, D).
        y: points, (M, D).
        lengthscales: one for each feature, (D,).

    Returns:
        Matrix (N, M) with ones where points coincide.
    """
    profile, factor = PROFILES[name]
    scaled_x, scaled_y = (x / lengthscales).T, (y / lengthscales).T
    # The sum runs over the leading axis, so that it fuses with what follows.
    squares = jnp.sum((scaled_x[:, :, None] - scaled_y[:, None, :]) ** 2, 0)
    return profile(factor * squares)


def _covariance(name, x, y, lengthscales, signal_variance):
    given_x = checks.samples("x", x)
    given_y = checks.samples("y", y)
    if given_x.ndim != 2 or given_y.ndim != 2 or given_x.shape[-1] != given_y.shape[-1]:
        raise ValueError(
            f"x and y must have shapes (N, D) and (M, D); got {given_x.shape}, {given_y.shape}."
        )
    scales = checks.real_number("lengthscales", lengthscales)
    if scales.shape not in ((), given_x.shape[-1:]):
        raise ValueError(
            f"lengthscales must have shape () or {given_x.shape[-1:]}; got {scales.shape}."
        )
    variance = checks.real_number("signal_variance", signal_variance)
    positive = (scales > 0) & jnp.isfinite(scales)
    checks.check_real("lengthscales", scales, positive, "positive and finite")
    amplitude = (variance >= 0) & jnp.isfinite(variance)
    checks.check_real("signal_variance", variance, amplitude, "non-negative and finite")
    wide_x, wide_y = widen(given_x, given_y)
    scales = jnp.broadcast_to(jnp.where(positive, scales, 1), given_x.shape[-1:])
    matrix = variance.astype(wide_x.dtype) * correlations(
        name, wide_x, wide_y, scales.astype(wide_x.dtype)
    )
    return narrow(gated(matrix, jnp.all(positive) & jnp.all(amplitude)), given_x, given_y)


def squared_exponential(
    x: Float[Array, "N D"],
    y: Float[Array, "M D"],
    *,
    lengthscales: ArrayLike = 1.0,
    signal_variance: ArrayLike = 1.0,
) -> Float[Array, "N M"]:
    r"""The Gaussian kernel $a \exp(-\frac12 \sum_i (x_i - y_i)^2 / l_i^2)$.

    Its sample paths are smooth without end, which is seldom what is wanted of a surrogate.

    Args:
        x: points.
        y: points.
        lengthscales: the l: one number, or one for each feature.
        signal_variance: the a.

    Returns:
        The covariances of all pairs.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: shapes that do not fit; eagerly, a lengthscale that is not positive or a
            negative variance.

    Reference:
        Frazier, A Tutorial on Bayesian Optimization, 2018, arXiv 1807.02811, section 3.1.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import covariance
        >>> x = jnp.array([[0.0], [2.0]])
        >>> print(covariance.squared_exponential(x, x, lengthscales=2.0)[0])
        [1.     0.6065]
    """
    return _covariance("squared_exponential", x, y, lengthscales, signal_variance)


def matern(
    x: Float[Array, "N D"],
    y: Float[Array, "M D"],
    *,
    nu: float = 2.5,
    lengthscales: ArrayLike = 1.0,
    signal_variance: ArrayLike = 1.0,
) -> Float[Array, "N M"]:
    r"""The Matern kernel $a \frac{2^{1-\nu}}{\Gamma(\nu)} s^\nu K_\nu(s)$, $s = \sqrt{2\nu}\, r$.

    With $r^2 = \sum_i (x_i - y_i)^2 / l_i^2$. In closed form for $\nu = 1/2, 3/2, 5/2$: the sample
    paths are differentiable $\lceil \nu \rceil - 1$ times, and so is this, at r = 0 too.

    Args:
        x: points.
        y: points.
        nu: 0.5, 1.5 or 2.5, static.
        lengthscales: the l: one number, or one for each feature.
        signal_variance: the a.

    Returns:
        The covariances of all pairs.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: another `nu`, shapes that do not fit; eagerly, a lengthscale that is not
            positive or a negative variance.

    Reference:
        Frazier, A Tutorial on Bayesian Optimization, 2018, arXiv 1807.02811, section 3.1.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import covariance
        >>> x = jnp.array([[0.0], [2.0]])
        >>> print(covariance.matern(x, x, nu=0.5, lengthscales=2.0)[0])
        [1.     0.3679]
    """
    names = {0.5: "matern12", 1.5: "matern32", 2.5: "matern52"}
    if nu not in names:
        raise ValueError(f"nu must be 0.5, 1.5 or 2.5; got {nu!r}.")
    return _covariance(names[nu], x, y, lengthscales, signal_variance)


@functools.partial(jax.tree_util.register_dataclass, data_fields=(), meta_fields=("name",))
@dataclasses.dataclass(frozen=True)
class Stationary:
    """A kernel of the scaled distance alone, as a Gaussian process takes it.

    Attributes:
        name: "matern12", "matern32", "matern52" or "squared_exponential".
    """

    name: str = "matern52"

    positive: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self):
        checks.choice("kernel", self.name, NAMES)

    def num_lengthscales(self, features: int) -> int:
        """How many lengthscales the kernel has.

        Args:
            features: number of columns of the inputs.

        Returns:
            One for each column.
        """
        return features

    def __call__(self, x: jax.Array, y: jax.Array, parameters) -> jax.Array:
        """Covariances of all pairs.

        Args:
            x: inputs, (N, D).
            y: inputs, (M, D).
            parameters: what has `lengthscales` and `signal_variance`.

        Returns:
            Matrix (N, M).
        """
        matrix = correlations(self.name, x, y, parameters.lengthscales)
        return parameters.signal_variance * matrix

    def variances(self, x: jax.Array, parameters) -> jax.Array:
        """Variances: the diagonal of `self(x, x, parameters)`.

        Args:
            x: inputs, (N, D).
            parameters: as above.

        Returns:
            Array (N,).
        """
        return jnp.broadcast_to(parameters.signal_variance, x.shape[:1]).astype(x.dtype)

    def mean_weights(self, x: jax.Array) -> jax.Array:
        """What the constant prior mean is multiplied by at each input.

        Args:
            x: inputs, (N, D).

        Returns:
            Ones, (N,).
        """
        return jnp.ones(x.shape[:1], x.dtype)

"""Differential entropies in closed form: Gaussian, and families of location and scale.

The values are in nats (or `base`) relative to Lebesgue measure, and may be negative. The
formulas are those of Cover and Thomas, table 17.1, and of Lazo and Rathie 1978.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from infojax import checks
from infojax.entropies.parameters import finish, positive_parameter
from infojax.numerics import probability_tolerance, widen


def _of_scale(name: str, scale: ArrayLike, constant: float, base: float | None) -> jax.Array:
    x, valid, given = positive_parameter(name, scale)
    return finish(jnp.log(x) + constant, base, [valid], given)


def gaussian_entropy(
    covariance: Float[Array, "*B D D"], *, base: float | None = None
) -> Float[Array, "*B"]:
    r"""Differential entropy of a Gaussian, $\frac12 \log \det(2 \pi e \Sigma)$.

    Args:
        covariance: symmetric positive definite matrices. A variance v is `[[v]]`.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The entropy.

    Raises:
        TypeError: `covariance` is not of floating type.
        ValueError: it is not square, or not positive definite.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import entropies
        >>> print(entropies.gaussian_entropy(jnp.eye(2)))
        2.8378...
    """
    given = checks.square_matrix("covariance", covariance)
    matrix = given.astype(jnp.promote_types(given.dtype, jnp.float32))
    nats, valid = _gaussian_nats(matrix, probability_tolerance(given.dtype))

    def message() -> str:
        expected = "covariance must be symmetric positive definite"
        if not checks.is_concrete(given, valid):
            return f"{expected}."
        where = np.argwhere(~np.asarray(valid))[0]
        place = f"covariance[{', '.join(map(str, where))}]" if where.size else "covariance"
        wrong = np.asarray(given).astype(np.float64)[tuple(where)]
        return f"{expected}; got {place} = {np.array2string(wrong, threshold=9)}."

    checks.check(valid, message)
    return finish(nats, base, [valid], given)


@jax.jit
def _gaussian_nats(matrix: jax.Array, tolerance: ArrayLike) -> tuple[jax.Array, jax.Array]:
    diagonal = jnp.diagonal(jnp.linalg.cholesky(matrix), axis1=-2, axis2=-1)
    scale = jnp.sqrt(jnp.abs(jnp.diagonal(matrix, axis1=-2, axis2=-1)))
    asymmetry = jnp.abs(matrix - jnp.swapaxes(matrix, -1, -2))
    symmetric = asymmetry <= tolerance * scale[..., :, None] * scale[..., None, :]
    valid = jnp.all(jnp.isfinite(diagonal), -1) & jnp.all(symmetric, (-2, -1))
    constant = matrix.shape[-1] * 0.5 * math.log(2 * math.pi * math.e)
    return jnp.sum(jnp.log(diagonal), -1) + constant, valid


def uniform_entropy(
    low: ArrayLike, high: ArrayLike, *, base: float | None = None
) -> Float[Array, "*B"]:
    r"""Differential entropy of a uniform variable, $\log(b - a)$.

    Args:
        low: lower ends a.
        high: upper ends b, above `low`.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The entropy, of the broadcast shape.

    Raises:
        TypeError: an argument is not real.
        ValueError: an interval is empty or infinite.

    Example:
        >>> from infojax import entropies
        >>> print(entropies.uniform_entropy(0.0, 8.0, base=2))
        3.0
    """
    low, high = checks.real_number("low", low), checks.real_number("high", high)
    checks.broadcast_shapes(low=low, high=high)
    wide_low, wide_high = widen(low, high)
    width = wide_high - wide_low
    valid = checks.check_real(
        "high - low", width, (width > 0) & jnp.isfinite(width), "positive and finite"
    )
    return finish(jnp.log(width), base, [valid], low, high)


def exponential_entropy(rate: ArrayLike, *, base: float | None = None) -> Float[Array, "*B"]:
    r"""Differential entropy of an exponential variable, $1 - \log \lambda$.

    Args:
        rate: rates lambda.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The entropy, of the shape of `rate`.

    Raises:
        TypeError: `rate` is not real.
        ValueError: a rate is not positive and finite.

    Example:
        >>> from infojax import entropies
        >>> print(entropies.exponential_entropy(1.0))
        1.0
    """
    x, valid, given = positive_parameter("rate", rate)
    return finish(1 - jnp.log(x), base, [valid], given)


def laplace_entropy(scale: ArrayLike, *, base: float | None = None) -> Float[Array, "*B"]:
    r"""Differential entropy of a Laplace variable, $1 + \log(2 b)$.

    Args:
        scale: scales b.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The entropy, of the shape of `scale`.

    Raises:
        TypeError: `scale` is not real.
        ValueError: a scale is not positive and finite.

    Example:
        >>> from infojax import entropies
        >>> print(entropies.laplace_entropy(0.5))
        1.0
    """
    return _of_scale("scale", scale, 1 + math.log(2), base)


def logistic_entropy(scale: ArrayLike, *, base: float | None = None) -> Float[Array, "*B"]:
    r"""Differential entropy of a logistic variable, $\log s + 2$.

    Args:
        scale: scales s.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The entropy, of the shape of `scale`.

    Raises:
        TypeError: `scale` is not real.
        ValueError: a scale is not positive and finite.

    Example:
        >>> from infojax import entropies
        >>> print(entropies.logistic_entropy(1.0))
        2.0
    """
    return _of_scale("scale", scale, 2.0, base)


def cauchy_entropy(scale: ArrayLike, *, base: float | None = None) -> Float[Array, "*B"]:
    r"""Differential entropy of a Cauchy variable, $\log(4 \pi \gamma)$.

    Args:
        scale: scales gamma.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The entropy, of the shape of `scale`.

    Raises:
        TypeError: `scale` is not real.
        ValueError: a scale is not positive and finite.

    Example:
        >>> from infojax import entropies
        >>> print(entropies.cauchy_entropy(1.0))
        2.5310...
    """
    return _of_scale("scale", scale, math.log(4 * math.pi), base)


def log_normal_entropy(
    mean: ArrayLike, scale: ArrayLike, *, base: float | None = None
) -> Float[Array, "*B"]:
    r"""Differential entropy of exp(N(mu, sigma^2)), $\mu + \log \sigma + \frac12 \log(2\pi e)$.

    Args:
        mean: means mu of the logarithm.
        scale: standard deviations sigma of the logarithm.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The entropy, of the broadcast shape.

    Raises:
        TypeError: an argument is not real.
        ValueError: a mean is not finite, or a scale not positive and finite.

    Example:
        >>> from infojax import entropies
        >>> print(entropies.log_normal_entropy(0.0, 1.0))
        1.4189...
    """
    mu = checks.real_number("mean", mean)
    valid_mu = checks.check_real("mean", mu, jnp.isfinite(mu), "finite")
    sigma, valid, given = positive_parameter("scale", scale)
    checks.broadcast_shapes(mean=mu, scale=sigma)
    nats = mu + jnp.log(sigma) + 0.5 * math.log(2 * math.pi * math.e)
    return finish(nats, base, [valid_mu, valid], mu, given)

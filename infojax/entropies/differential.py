"""Differential entropies in closed form, as functions of a distribution's parameters.

The values are in nats (or `base`) relative to Lebesgue measure, and may be negative. The
formulas are those of Cover and Thomas, table 17.1, and of Lazo and Rathie 1978.
"""

import math

import jax
import jax.numpy as jnp
from jax.scipy.special import betaln, digamma, gammaln, i0e, i1e
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from infojax import checks
from infojax.numerics import gated, narrow, nats_to_base


def _positive(name: str, value: ArrayLike) -> tuple[jax.Array, jax.Array, jax.Array]:
    given = checks.real_number(name, value)
    x = given.astype(jnp.promote_types(given.dtype, jnp.float32))
    valid = checks.check_real(name, x, (x > 0) & jnp.isfinite(x), "positive and finite")
    return x, valid, given


def _finish(nats: jax.Array, base: float | None, valid: list, *given: jax.Array) -> jax.Array:
    return narrow(nats_to_base(gated(nats, *valid), base), *given)


def _of_scale(name: str, scale: ArrayLike, constant: float, base: float | None) -> jax.Array:
    x, valid, given = _positive(name, scale)
    return _finish(jnp.log(x) + constant, base, [valid], given)


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
    diagonal = jnp.diagonal(jnp.linalg.cholesky(matrix), axis1=-2, axis2=-1)
    symmetric = jnp.all(jnp.abs(matrix - jnp.swapaxes(matrix, -1, -2)) <= 1e-3, (-2, -1))
    valid = checks.check_real(
        "covariance",
        jnp.sum(diagonal, -1),
        jnp.all(jnp.isfinite(diagonal), -1) & symmetric,
        "symmetric positive definite (NaN marks a failed Cholesky factor)",
    )
    nats = jnp.sum(jnp.log(diagonal), -1) + given.shape[-1] * 0.5 * math.log(2 * math.pi * math.e)
    return _finish(nats, base, [valid], given)


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
    return _of_scale("high - low", high - low, 0.0, base)


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
    x, valid, given = _positive("rate", rate)
    return _finish(1 - jnp.log(x), base, [valid], given)


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
        ValueError: a scale is not positive and finite.

    Example:
        >>> from infojax import entropies
        >>> print(entropies.log_normal_entropy(0.0, 1.0))
        1.4189...
    """
    mu = checks.real_number("mean", mean)
    sigma, valid, given = _positive("scale", scale)
    checks.broadcast_shapes(mean=mu, scale=sigma)
    nats = mu + jnp.log(sigma) + 0.5 * math.log(2 * math.pi * math.e)
    return _finish(nats, base, [valid], mu, given)


def gamma_entropy(
    concentration: ArrayLike, rate: ArrayLike, *, base: float | None = None
) -> Float[Array, "*B"]:
    r"""Differential entropy of a gamma variable.

    $\alpha - \log \beta + \log \Gamma(\alpha) + (1 - \alpha) \psi(\alpha)$.

    Args:
        concentration: shapes alpha.
        rate: rates beta.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The entropy, of the broadcast shape.

    Raises:
        TypeError: an argument is not real.
        ValueError: an argument is not positive and finite.

    Example:
        >>> from infojax import entropies
        >>> print(entropies.gamma_entropy(1.0, 1.0))
        1.0
    """
    a, valid_a, given_a = _positive("concentration", concentration)
    b, valid_b, given_b = _positive("rate", rate)
    checks.broadcast_shapes(concentration=a, rate=b)
    nats = a - jnp.log(b) + gammaln(a) + (1 - a) * digamma(a)
    return _finish(nats, base, [valid_a, valid_b], given_a, given_b)


def beta_entropy(
    alpha: ArrayLike, beta: ArrayLike, *, base: float | None = None
) -> Float[Array, "*B"]:
    r"""Differential entropy of a beta variable.

    $\log B(\alpha, \beta) - (\alpha-1) \psi(\alpha) - (\beta-1) \psi(\beta)
    + (\alpha + \beta - 2) \psi(\alpha + \beta)$.

    Args:
        alpha: first shapes.
        beta: second shapes.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The entropy, of the broadcast shape.

    Raises:
        TypeError: an argument is not real.
        ValueError: an argument is not positive and finite.

    Example:
        >>> from infojax import entropies
        >>> print(entropies.beta_entropy(1.0, 1.0))
        0.0
    """
    a, valid_a, given_a = _positive("alpha", alpha)
    b, valid_b, given_b = _positive("beta", beta)
    checks.broadcast_shapes(alpha=a, beta=b)
    nats = betaln(a, b) - (a - 1) * digamma(a) - (b - 1) * digamma(b)
    nats += (a + b - 2) * digamma(a + b)
    return _finish(nats, base, [valid_a, valid_b], given_a, given_b)


def dirichlet_entropy(
    concentration: Float[Array, "*B K"], *, base: float | None = None
) -> Float[Array, "*B"]:
    r"""Differential entropy of a Dirichlet vector, relative to its first K - 1 coordinates.

    $\log B(\alpha) + (\alpha_0 - K) \psi(\alpha_0) - \sum_k (\alpha_k - 1) \psi(\alpha_k)$ with
    $\alpha_0 = \sum_k \alpha_k$.

    Args:
        concentration: positive parameters alpha along the last axis.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The entropy, of the shape of `concentration` without its last axis.

    Raises:
        TypeError: `concentration` is not real.
        ValueError: a parameter is not positive and finite; it is a scalar.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import entropies
        >>> print(entropies.dirichlet_entropy(jnp.ones(3)))
        -0.6931...
    """
    a, valid, given = _positive("concentration", concentration)
    if a.ndim == 0:
        raise ValueError("concentration must have at least one axis; got a scalar.")
    total = jnp.sum(a, -1)
    log_beta = jnp.sum(gammaln(a), -1) - gammaln(total)
    nats = log_beta + (total - a.shape[-1]) * digamma(total) - jnp.sum((a - 1) * digamma(a), -1)
    return _finish(nats, base, [jnp.all(valid, -1)], given)


def student_t_entropy(
    degrees_of_freedom: ArrayLike, scale: ArrayLike = 1.0, *, base: float | None = None
) -> Float[Array, "*B"]:
    r"""Differential entropy of Student's t.

    $\frac{\nu+1}{2} \bigl[\psi(\tfrac{\nu+1}{2}) - \psi(\tfrac{\nu}{2})\bigr]
    + \log\bigl(\sqrt\nu\, B(\tfrac\nu2, \tfrac12)\bigr) + \log \sigma$.

    Args:
        degrees_of_freedom: degrees of freedom nu.
        scale: scales sigma.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The entropy, of the broadcast shape.

    Raises:
        TypeError: an argument is not real.
        ValueError: an argument is not positive and finite.

    Example:
        >>> from infojax import entropies
        >>> print(entropies.student_t_entropy(1.0))
        2.5310...
    """
    nu, valid_nu, given_nu = _positive("degrees_of_freedom", degrees_of_freedom)
    sigma, valid_s, given_s = _positive("scale", scale)
    checks.broadcast_shapes(degrees_of_freedom=nu, scale=sigma)
    half = nu / 2
    nats = (half + 0.5) * (digamma(half + 0.5) - digamma(half))
    nats += 0.5 * jnp.log(nu) + betaln(half, jnp.full_like(half, 0.5)) + jnp.log(sigma)
    return _finish(nats, base, [valid_nu, valid_s], given_nu, given_s)


def von_mises_entropy(concentration: ArrayLike, *, base: float | None = None) -> Float[Array, "*B"]:
    r"""Differential entropy of a von Mises angle, $\log(2\pi I_0(\kappa)) - \kappa I_1 / I_0$.

    The Bessel functions are scaled by $e^{-\kappa}$, so that no concentration overflows.

    Args:
        concentration: concentrations kappa >= 0; 0 is the uniform angle.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The entropy, of the shape of `concentration`.

    Raises:
        TypeError: `concentration` is not real.
        ValueError: a concentration is negative or not finite.

    Example:
        >>> from infojax import entropies
        >>> print(entropies.von_mises_entropy(0.0))
        1.8378...
    """
    given = checks.real_number("concentration", concentration)
    k = given.astype(jnp.promote_types(given.dtype, jnp.float32))
    valid = checks.check_real(
        "concentration", k, (k >= 0) & jnp.isfinite(k), "non-negative and finite"
    )
    scaled = i0e(k)
    # log I_0 = kappa + log i0e: written so that the two large terms cancel before they round.
    nats = math.log(2 * math.pi) + jnp.log(scaled) + k * (scaled - i1e(k)) / scaled
    return _finish(nats, base, [valid], given)

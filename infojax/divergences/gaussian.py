r"""Divergences of Gaussians in closed form, from the Cholesky factors of their covariances.

With $\Sigma_p = L_p L_p^T$ and $W = L_q^{-1} L_p$, a lower triangle, everything is a function of
W and the whitened difference of the means. Means and covariances broadcast over batch axes.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from infojax.divergences.gaussian_pairs import checked_gaussians
from infojax.divergences.polar import polar_factor
from infojax.divergences.terms import log_ratio, relative_entropy_terms
from infojax.entropies.generalized import checked_order
from infojax.numerics import (
    gated,
    log1p_ratio,
    safe_sqrt,
    smallest_normal,
)


def _solve(factor: jax.Array, rhs: jax.Array) -> jax.Array:
    return jax.lax.linalg.triangular_solve(factor, rhs, left_side=True, lower=True)


def _whitened_square(factor: jax.Array, vector: jax.Array) -> jax.Array:
    """v^T (L L^T)^{-1} v."""
    return jnp.sum(_solve(factor, vector[..., None])[..., 0] ** 2, -1)


def _relative_eigenvalues(factor_p: jax.Array, factor_q: jax.Array) -> jax.Array:
    """Eigenvalues of Sigma_q^{-1} Sigma_p: the squared singular values of W."""
    w = _solve(factor_q, factor_p)
    values = jnp.linalg.eigvalsh(w @ jnp.swapaxes(w, -1, -2))
    return jnp.maximum(values, smallest_normal(values.dtype))


@jax.jit
def _kl_nats(factor_p, factor_q, difference):
    w = _solve(factor_q, factor_p)
    diagonal = jnp.diagonal(w, axis1=-2, axis2=-1)
    nats = jnp.sum(relative_entropy_terms(jnp.ones_like(diagonal), diagonal**2), -1)
    nats += jnp.sum(jnp.tril(w, -1) ** 2, (-2, -1))
    return (nats + _whitened_square(factor_q, difference)) / 2


@jax.jit
def _renyi_nats(factor_p, factor_q, difference, order):
    values = _relative_eigenvalues(factor_p, factor_q)
    remainder = (1 - order)[..., None]
    mixture = order[..., None] + remainder * values
    exists = jnp.all(mixture > 0, -1)
    # log(mixture) / (1 - a): by a series about 1 where the two covariances or the order are near.
    rest = remainder * (values - 1)
    near = jnp.abs(rest) < 0.5
    close = (values - 1) * log1p_ratio(jnp.where(near, rest, 0))
    far = jnp.log(jnp.where(near | (mixture <= 0), 1, mixture)) / jnp.where(near, 1, remainder)
    nats = jnp.sum(jnp.where(near, close, far) - log_ratio(values, jnp.ones_like(values)), -1)
    # In coordinates where Sigma_q is the identity, Sigma_a is 1 + (1 - a) (W W^T - 1).
    w = _solve(factor_q, factor_p)
    unit = jnp.eye(w.shape[-1], dtype=w.dtype)
    mixed = unit + remainder[..., None] * (w @ jnp.swapaxes(w, -1, -2) - unit)
    factor = jnp.linalg.cholesky(jnp.where(exists[..., None, None], mixed, unit))
    white = _solve(factor_q, difference[..., None])[..., 0]
    white = jnp.broadcast_to(white, factor.shape[:-1])
    nats += order * _whitened_square(factor, white)
    return jnp.where(exists, nats / 2, jnp.inf)


@jax.jit
def _middle_terms(factor_p, factor_q, difference):
    """With S = (Sigma_p + Sigma_q) / 2: d^T S^{-1} d, and log det S - (log det of both) / 2."""
    roots = jnp.sqrt(_relative_eigenvalues(factor_p, factor_q))
    # (1 + r^2) / (2 r) = 1 + (1 - r)^2 / (2 r): no cancellation between near covariances.
    log_determinants = jnp.sum(jnp.log1p((1 - roots) ** 2 / (2 * roots)), -1)
    half = [f @ jnp.swapaxes(f, -1, -2) / 2 for f in (factor_p, factor_q)]
    middle = jnp.linalg.cholesky(half[0] + half[1])
    return _whitened_square(middle, difference), log_determinants


@jax.jit
def _wasserstein_2(factor_p, factor_q, difference):
    rotation = polar_factor(jnp.swapaxes(factor_q, -1, -2) @ factor_p)
    squared = jnp.sum((factor_p - factor_q @ rotation) ** 2, (-2, -1))
    return safe_sqrt(squared + jnp.sum(difference**2, -1))


def gaussian_kl_divergence(
    mean_p: Float[Array, "*B D"],
    covariance_p: Float[Array, "*B D D"],
    mean_q: Float[Array, "*B D"],
    covariance_q: Float[Array, "*B D D"],
    *,
    base: float | None = None,
) -> Float[Array, "*B"]:
    r"""Kullback-Leibler divergence of Gaussians, D(p || q).

    $\frac12 \bigl(\mathrm{tr}(\Sigma_q^{-1} \Sigma_p) - D - \log\det(\Sigma_q^{-1} \Sigma_p) +
    \delta^T \Sigma_q^{-1} \delta\bigr)$, computed as $\frac12 (\sum_i (W_{ii}^2 - 1 - \log
    W_{ii}^2) + \sum_{i>j} W_{ij}^2 + |L_q^{-1} \delta|^2)$: every term is non-negative.

    Args:
        mean_p: mean of p.
        covariance_p: covariance of p, symmetric positive definite.
        mean_q: mean of q.
        covariance_q: covariance of q, symmetric positive definite.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The divergence in units of `base`.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: the sizes differ or do not broadcast; a mean is not finite; a covariance is
            not symmetric positive definite.

    Reference:
        Kullback, Information Theory and Statistics, 1959, chapter 9, equation (1.2).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> zero, one = jnp.zeros(1), jnp.eye(1)
        >>> print(divergences.gaussian_kl_divergence(zero, one, zero + 1, one))
        0.5
    """
    pair = checked_gaussians(mean_p, covariance_p, mean_q, covariance_q)
    return pair.finish_nats(_kl_nats(*pair.parts), base)


def gaussian_renyi_divergence(
    mean_p: Float[Array, "*B D"],
    covariance_p: Float[Array, "*B D D"],
    mean_q: Float[Array, "*B D"],
    covariance_q: Float[Array, "*B D D"],
    order: ArrayLike,
    *,
    base: float | None = None,
) -> Float[Array, "*B"]:
    r"""Renyi divergence of Gaussians at a finite order, continuous through order one.

    $\frac{\alpha}{2} \delta^T \Sigma_\alpha^{-1} \delta - \frac{1}{2(\alpha-1)} \log
    \frac{|\Sigma_\alpha|}{|\Sigma_p|^{1-\alpha} |\Sigma_q|^\alpha}$ with $\Sigma_\alpha = \alpha
    \Sigma_q + (1-\alpha) \Sigma_p$.

    Args:
        mean_p: mean of p.
        covariance_p: covariance of p, symmetric positive definite.
        mean_q: mean of q.
        covariance_q: covariance of q, symmetric positive definite.
        order: non-negative finite number, or an array of them that broadcasts with the batch
            axes; may be traced.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The divergence in units of `base`; +inf, with derivatives 0, where $\Sigma_\alpha$ is not
        positive definite (which needs an order above 1).

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: as in `gaussian_kl_divergence`, or `order` is negative, infinite or NaN.

    Reference:
        Gil, Alajaji and Linder, Renyi Divergence Measures for Commonly Used Univariate
        Continuous Distributions, 2013, table 2 and section 2.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> zero, one = jnp.zeros(1), jnp.eye(1)
        >>> print(divergences.gaussian_renyi_divergence(zero, one, zero + 1, one, 3.0))
        1.5
    """
    pair = checked_gaussians(mean_p, covariance_p, mean_q, covariance_q)
    order, order_valid = checked_order(order, finite=True)
    order = jnp.where(order_valid, order, 1).astype(pair.difference.dtype)
    nats = _renyi_nats(*pair.parts, order)
    return pair.finish_nats(gated(nats, order_valid), base)


def gaussian_bhattacharyya_distance(
    mean_p: Float[Array, "*B D"],
    covariance_p: Float[Array, "*B D D"],
    mean_q: Float[Array, "*B D"],
    covariance_q: Float[Array, "*B D D"],
    *,
    base: float | None = None,
) -> Float[Array, "*B"]:
    r"""Bhattacharyya distance of Gaussians, $-\log \int \sqrt{p q}$.

    $\frac18 \delta^T S^{-1} \delta + \frac12 \log \frac{|S|}{\sqrt{|\Sigma_p| |\Sigma_q|}}$ with
    $S = \frac12 (\Sigma_p + \Sigma_q)$.

    Args:
        mean_p: mean of p.
        covariance_p: covariance of p, symmetric positive definite.
        mean_q: mean of q.
        covariance_q: covariance of q, symmetric positive definite.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The distance in units of `base`, never negative.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: as in `gaussian_kl_divergence`.

    Reference:
        Kailath, The Divergence and Bhattacharyya Distance Measures in Signal Selection, 1967,
        equation (53).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> zero, one = jnp.zeros(1), jnp.eye(1)
        >>> print(divergences.gaussian_bhattacharyya_distance(zero, one, zero + 2, one))
        0.5
    """
    pair = checked_gaussians(mean_p, covariance_p, mean_q, covariance_q)
    square, log_determinants = _middle_terms(*pair.parts)
    return pair.finish_nats(square / 8 + log_determinants / 2, base)


def gaussian_hellinger_distance(
    mean_p: Float[Array, "*B D"],
    covariance_p: Float[Array, "*B D D"],
    mean_q: Float[Array, "*B D"],
    covariance_q: Float[Array, "*B D D"],
) -> Float[Array, "*B"]:
    r"""Hellinger distance of Gaussians, $\bigl(1 - \int \sqrt{p q}\bigr)^{1/2}$.

    Between 0 and 1. At p = q, where it has no derivative, the gradient is 0.

    Args:
        mean_p: mean of p.
        covariance_p: covariance of p, symmetric positive definite.
        mean_q: mean of q.
        covariance_q: covariance of q, symmetric positive definite.

    Returns:
        The distance.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: as in `gaussian_kl_divergence`.

    Reference:
        Pardo, Statistical Inference Based on Divergence Measures, 2006, page 45.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> zero, one = jnp.zeros(1), jnp.eye(1)
        >>> print(divergences.gaussian_hellinger_distance(zero, one, zero + 2, one))
        0.6272...
    """
    pair = checked_gaussians(mean_p, covariance_p, mean_q, covariance_q)
    square, log_determinants = _middle_terms(*pair.parts)
    return pair.finish(safe_sqrt(-jnp.expm1(-(square / 8 + log_determinants / 2))))


def gaussian_cauchy_schwarz_divergence(
    mean_p: Float[Array, "*B D"],
    covariance_p: Float[Array, "*B D D"],
    mean_q: Float[Array, "*B D"],
    covariance_q: Float[Array, "*B D D"],
    *,
    base: float | None = None,
) -> Float[Array, "*B"]:
    r"""Cauchy-Schwarz divergence of Gaussians, $-\log \frac{(\int p q)^2}{\int p^2 \int q^2}$.

    $\frac12 \delta^T S^{-1} \delta + \log \frac{|S|}{\sqrt{|\Sigma_p| |\Sigma_q|}}$ with
    $S = \frac12 (\Sigma_p + \Sigma_q)$. Some authors take the root of the fraction, which halves
    the value.

    Args:
        mean_p: mean of p.
        covariance_p: covariance of p, symmetric positive definite.
        mean_q: mean of q.
        covariance_q: covariance of q, symmetric positive definite.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The divergence in units of `base`, never negative.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: as in `gaussian_kl_divergence`.

    Reference:
        Kampa, Hasanbelliu and Principe, Closed-Form Cauchy-Schwarz PDF Divergence for Mixture
        of Gaussians, 2011, equation (3) (halved there).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> zero, one = jnp.zeros(1), jnp.eye(1)
        >>> print(divergences.gaussian_cauchy_schwarz_divergence(zero, one, zero + 2, one))
        2.0
    """
    pair = checked_gaussians(mean_p, covariance_p, mean_q, covariance_q)
    square, log_determinants = _middle_terms(*pair.parts)
    return pair.finish_nats(square / 2 + log_determinants, base)


def gaussian_wasserstein_2(
    mean_p: Float[Array, "*B D"],
    covariance_p: Float[Array, "*B D D"],
    mean_q: Float[Array, "*B D"],
    covariance_q: Float[Array, "*B D D"],
) -> Float[Array, "*B"]:
    r"""Wasserstein-2 distance of Gaussians (the distance, not its square).

    $\bigl(|\delta|^2 + \mathrm{tr}(\Sigma_p + \Sigma_q - 2 (\Sigma_q^{1/2} \Sigma_p
    \Sigma_q^{1/2})^{1/2})\bigr)^{1/2}$, computed as $(|\delta|^2 + |L_p - L_q U|_F^2)^{1/2}$ with
    the orthogonal factor U of $L_q^T L_p$, which loses nothing between near covariances. At
    p = q, where the distance has no derivative, the gradient is 0.

    Args:
        mean_p: mean of p.
        covariance_p: covariance of p, symmetric positive definite.
        mean_q: mean of q.
        covariance_q: covariance of q, symmetric positive definite.

    Returns:
        The distance, in the unit of the means.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: as in `gaussian_kl_divergence`.

    Reference:
        Givens and Shortt, A Class of Wasserstein Metrics for Probability Distributions, 1984,
        proposition 7; Bhatia, Jain and Lim, arXiv:1712.01504, theorem 1.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> zero, one = jnp.zeros(1), jnp.eye(1)
        >>> print(divergences.gaussian_wasserstein_2(zero, one, zero + 3, 25 * one))
        5.0
    """
    pair = checked_gaussians(mean_p, covariance_p, mean_q, covariance_q)
    return pair.finish(_wasserstein_2(*pair.parts))

r"""Divergences of Gaussians in closed form, from the Cholesky factors of their covariances.

With $\Sigma_p = L_p L_p^T$ and $W = L_q^{-1} L_p$, a lower triangle, everything is a function of
W and the whitened difference of the means. Means and covariances broadcast over batch axes.
"""

import dataclasses

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from infojax import checks
from infojax.divergences.polar import polar_factor
from infojax.divergences.terms import log_ratio, relative_entropy_terms
from infojax.entropies.generalized import checked_order
from infojax.numerics import (
    gated,
    log1p_ratio,
    narrow,
    nats_to_base,
    safe_sqrt,
    smallest_normal,
    widen,
)

_SYMMETRIC = 1e-3


@dataclasses.dataclass(frozen=True)
class _Gaussians:
    """Two checked Gaussians: factors, difference of the means, and what the caller gave."""

    factor_p: jax.Array
    factor_q: jax.Array
    difference: jax.Array
    valid: jax.Array
    given: tuple[jax.Array, ...]

    def finish(self, value: jax.Array) -> jax.Array:
        return narrow(gated(value, self.valid), *self.given)

    def finish_nats(self, nats: jax.Array, base: float | None) -> jax.Array:
        return self.finish(nats_to_base(nats, base))


def _factor(name: str, matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Lower Cholesky factor (the identity where there is none), and whether there is one."""
    factor = jnp.linalg.cholesky(matrix)
    asymmetry = jnp.max(jnp.abs(matrix - jnp.swapaxes(matrix, -1, -2)), (-2, -1), initial=0)
    size = jnp.max(jnp.abs(matrix), (-2, -1), initial=0)
    smallest = jnp.min(jnp.diagonal(factor, axis1=-2, axis2=-1), -1, initial=jnp.inf)
    symmetric = asymmetry <= _SYMMETRIC * size
    found = jnp.where(symmetric & jnp.all(jnp.isfinite(factor), (-2, -1)), smallest, jnp.nan)
    expected = "symmetric positive definite (NaN: it has no Cholesky factor)"
    valid = checks.check_real(f"smallest pivot of {name}", found, found > 0, expected)
    return factor, valid


def _checked(mean_p, covariance_p, mean_q, covariance_q) -> _Gaussians:
    mean_p = checks.floating("mean_p", mean_p, min_ndim=1)
    mean_q = checks.floating("mean_q", mean_q, min_ndim=1)
    covariance_p = checks.square_matrix("covariance_p", covariance_p)
    covariance_q = checks.square_matrix("covariance_q", covariance_q)
    sizes = {
        "mean_p": mean_p.shape[-1],
        "mean_q": mean_q.shape[-1],
        "covariance_p": covariance_p.shape[-1],
        "covariance_q": covariance_q.shape[-1],
    }
    if len(set(sizes.values())) != 1 or 0 in sizes.values():
        raise ValueError(f"means and covariances must have the same size; got {sizes}.")
    given = (mean_p, covariance_p, mean_q, covariance_q)
    checks.broadcast_shapes(
        mean_p=mean_p,
        mean_q=mean_q,
        covariance_p=covariance_p[..., 0],
        covariance_q=covariance_q[..., 0],
    )
    mean_p, covariance_p, mean_q, covariance_q = widen(*given)
    valid = jnp.ones((), bool)
    for name, mean in (("mean_p", mean_p), ("mean_q", mean_q)):
        valid &= jnp.all(checks.check_real(name, mean, jnp.isfinite(mean), "finite"), -1)
    factor_p, valid_p = _factor("covariance_p", covariance_p)
    factor_q, valid_q = _factor("covariance_q", covariance_q)
    valid = valid & valid_p & valid_q
    batch = valid.shape
    size = mean_p.shape[-1]
    return _Gaussians(
        jnp.broadcast_to(factor_p, (*batch, size, size)),
        jnp.broadcast_to(factor_q, (*batch, size, size)),
        jnp.broadcast_to(mean_p - mean_q, (*batch, size)),
        valid,
        given,
    )


def _solve(factor: jax.Array, rhs: jax.Array) -> jax.Array:
    return jax.lax.linalg.triangular_solve(factor, rhs, left_side=True, lower=True)


def _whitened_square(factor: jax.Array, vector: jax.Array) -> jax.Array:
    """v^T (L L^T)^{-1} v."""
    return jnp.sum(_solve(factor, vector[..., None])[..., 0] ** 2, -1)


def _relative_eigenvalues(pair: _Gaussians) -> jax.Array:
    """Eigenvalues of Sigma_q^{-1} Sigma_p: the squared singular values of W."""
    w = _solve(pair.factor_q, pair.factor_p)
    return jnp.linalg.eigvalsh(w @ jnp.swapaxes(w, -1, -2))


def _middle_terms(pair: _Gaussians) -> tuple[jax.Array, jax.Array]:
    """With S = (Sigma_p + Sigma_q) / 2: d^T S^{-1} d, and log det S - (log det of both) / 2."""
    roots = safe_sqrt(jnp.maximum(_relative_eigenvalues(pair), 0))
    # (1 + r^2) / (2 r) = 1 + (1 - r)^2 / (2 r): no cancellation between near covariances.
    log_determinants = jnp.sum(jnp.log1p((1 - roots) ** 2 / (2 * roots)), -1)
    half = [f @ jnp.swapaxes(f, -1, -2) / 2 for f in (pair.factor_p, pair.factor_q)]
    middle = jnp.linalg.cholesky(half[0] + half[1])
    return _whitened_square(middle, pair.difference), log_determinants


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
    pair = _checked(mean_p, covariance_p, mean_q, covariance_q)
    w = _solve(pair.factor_q, pair.factor_p)
    diagonal = jnp.diagonal(w, axis1=-2, axis2=-1)
    nats = jnp.sum(relative_entropy_terms(jnp.ones_like(diagonal), diagonal**2), -1)
    nats += jnp.sum(jnp.tril(w, -1) ** 2, (-2, -1))
    nats += _whitened_square(pair.factor_q, pair.difference)
    return pair.finish_nats(nats / 2, base)


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
    pair = _checked(mean_p, covariance_p, mean_q, covariance_q)
    order, order_valid = checked_order(order, finite=True)
    order = jnp.where(order_valid, order, 1).astype(pair.difference.dtype)
    values = _relative_eigenvalues(pair)
    values = jnp.maximum(values, smallest_normal(values.dtype))
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
    w = _solve(pair.factor_q, pair.factor_p)
    unit = jnp.eye(w.shape[-1], dtype=w.dtype)
    mixed = unit + (1 - order)[..., None, None] * (w @ jnp.swapaxes(w, -1, -2) - unit)
    factor = jnp.linalg.cholesky(jnp.where(exists[..., None, None], mixed, unit))
    white = _solve(pair.factor_q, pair.difference[..., None])[..., 0]
    white = jnp.broadcast_to(white, (*factor.shape[:-2], white.shape[-1]))
    nats += order * _whitened_square(factor, white)
    value = jnp.where(exists, nats / 2, jnp.inf)
    return pair.finish_nats(gated(value, order_valid), base)


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
    pair = _checked(mean_p, covariance_p, mean_q, covariance_q)
    square, log_determinants = _middle_terms(pair)
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
    pair = _checked(mean_p, covariance_p, mean_q, covariance_q)
    square, log_determinants = _middle_terms(pair)
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
    pair = _checked(mean_p, covariance_p, mean_q, covariance_q)
    square, log_determinants = _middle_terms(pair)
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
    pair = _checked(mean_p, covariance_p, mean_q, covariance_q)
    rotation = polar_factor(jnp.swapaxes(pair.factor_q, -1, -2) @ pair.factor_p)
    squared = jnp.sum((pair.factor_p - pair.factor_q @ rotation) ** 2, (-2, -1))
    return pair.finish(safe_sqrt(squared + jnp.sum(pair.difference**2, -1)))

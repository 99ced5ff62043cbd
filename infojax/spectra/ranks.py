"""Smooth ranks of matrices and of learned representations, from their singular values."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from infojax import checks
from infojax.numerics import gated, narrow, safe_divide, safe_log, widen, xlogx
from infojax.spectra.affinities import centered
from infojax.spectra.bandwidths import checked_samples
from infojax.spectra.spectral_entropy import power_entropy_nats


@jax.jit
def _singular_values(matrix: jax.Array) -> jax.Array:
    return jnp.linalg.svd(matrix, compute_uv=False)


def _checked_matrix(matrix):
    given = checks.floating("matrix", matrix, min_ndim=2)
    if 0 in given.shape[-2:]:
        raise ValueError(f"matrix must have rows and columns; got shape {given.shape}.")
    (wide,) = widen(given)
    valid = checks.finite_samples("matrix", wide)
    return given, jnp.where(jnp.isfinite(wide), wide, 0), valid


def effective_rank(matrix: Float[Array, "*B M N"]) -> Float[Array, "*B"]:
    r"""Effective rank $\exp(-\sum_k p_k \log p_k)$ of the shares $p_k = s_k / \sum_j s_j$.

    The exponential of the entropy of the singular values: the rank where these are equal.

    Args:
        matrix: the matrices.

    Returns:
        From 1 to the rank; 0 for a matrix of zeros. The derivative by a singular value 0 is 0.

    Raises:
        TypeError: `matrix` is not of floating type.
        ValueError: `matrix` has fewer than two axes, no entry, or one that is not finite.

    Reference:
        Roy and Vetterli, The Effective Rank: a Measure of Effective Dimensionality, 2007,
        definition 1.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import spectra
        >>> print(spectra.effective_rank(jnp.diag(jnp.array([2.0, 2.0, 0.0]))))
        2.0
    """
    given, wide, valid = _checked_matrix(matrix)
    values = _singular_values(wide)
    rank = jnp.exp(power_entropy_nats(values, jnp.ones((), values.dtype)))
    return narrow(gated(jnp.where(values[..., 0] > 0, rank, 0), valid), given)


def stable_rank(matrix: Float[Array, "*B M N"]) -> Float[Array, "*B"]:
    r"""Stable rank $\|A\|_F^2 / \|A\|_2^2$: the sum of squared singular values by the largest.

    Args:
        matrix: the matrices.

    Returns:
        From 1 to the rank; 0 for a matrix of zeros.

    Raises:
        TypeError: `matrix` is not of floating type.
        ValueError: `matrix` has fewer than two axes, no entry, or one that is not finite.

    Reference:
        Rudelson and Vershynin, Sampling from Large Matrices, 2007, arXiv math/0503442,
        section 1.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import spectra
        >>> print(spectra.stable_rank(jnp.diag(jnp.array([2.0, 1.0, 0.0]))))
        1.25
    """
    given, wide, valid = _checked_matrix(matrix)
    values = _singular_values(wide)
    shares = safe_divide(values, values[..., :1])
    return narrow(gated(jnp.sum(shares**2, -1), valid), given)


def nuclear_norm(matrix: Float[Array, "*B M N"]) -> Float[Array, "*B"]:
    r"""Nuclear norm $\sum_k s_k$, the convex envelope of the rank.

    Args:
        matrix: the matrices.

    Returns:
        The norms, in the unit of the entries.

    Raises:
        TypeError: `matrix` is not of floating type.
        ValueError: `matrix` has fewer than two axes, no entry, or one that is not finite.

    Reference:
        Fazel, Matrix Rank Minimization with Applications, 2002, section 5.1.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import spectra
        >>> print(spectra.nuclear_norm(jnp.diag(jnp.array([2.0, 1.0]))))
        3.0
    """
    given, wide, valid = _checked_matrix(matrix)
    return narrow(gated(jnp.sum(_singular_values(wide), -1), valid), given)


def rank_me(
    x: Float[Array, "*B N D"],
    *,
    epsilon: float = 1e-7,
    where: Bool[Array, "..."] | None = None,
) -> Float[Array, "*B"]:
    r"""RankMe $\exp(-\sum_k p_k \log p_k)$, $p_k = s_k / \sum_j s_j + \epsilon$, of embeddings.

    The effective rank of the matrix of embeddings, not centred, with a floor below its shares:
    predicts how well a linear classifier will do on representations learned without labels.

    Args:
        x: embeddings of N samples.
        epsilon: the floor, a Python number.
        where: the samples that count, broadcasting to (*B, N).

    Returns:
        From about 1 to min(N, D).

    Raises:
        TypeError: `x` is not of floating type, or `where` not boolean.
        ValueError: `x` is not of that shape or not finite, or `epsilon` is negative.

    Reference:
        Garrido, Balestriero, Najman and LeCun, RankMe: Assessing the Downstream Performance of
        Pretrained Self-Supervised Representations by Their Rank, 2023, arXiv 2210.02885,
        equation (1).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import spectra
        >>> print(spectra.rank_me(jnp.eye(4)))
        4.0
    """
    if not epsilon >= 0:
        raise ValueError(f"epsilon must not be negative; got {epsilon}.")
    given, wide, _, valid = checked_samples(x, where)
    values = _singular_values(jnp.where(jnp.isfinite(wide), wide, 0))
    shares = safe_divide(values, jnp.sum(values, -1, keepdims=True)) + epsilon
    return narrow(gated(jnp.exp(-jnp.sum(xlogx(shares), -1)), valid), given)


def participation_ratio(
    x: Float[Array, "*B N D"], *, where: Bool[Array, "..."] | None = None
) -> Float[Array, "*B"]:
    r"""Participation ratio $(\sum_k \lambda_k)^2 / \sum_k \lambda_k^2$ of samples' covariance.

    The number of directions that share the variance. From traces, $(\mathrm{tr} C)^2 /
    \mathrm{tr} C^2$: no eigenvalues, derivatives of every order.

    Args:
        x: samples.
        where: the samples that count, broadcasting to (*B, N).

    Returns:
        From 1 to min(N - 1, D); 0 where all samples coincide.

    Raises:
        TypeError: `x` is not of floating type, or `where` not boolean.
        ValueError: `x` is not of that shape or not finite.

    Reference:
        Gao et al., A Theory of Multineuronal Dimensionality, Dynamics and Measurement, 2017,
        equation (5).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import spectra
        >>> x = jnp.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> print(spectra.participation_ratio(x))
        2.0
    """
    given, wide, mask, valid = checked_samples(x, where)
    points = centered(wide, mask)
    if mask is not None:
        points = jnp.where(mask[..., None], points, 0)
    # Scaled to size one: squares of squares would leave the range of the type.
    size = jax.lax.stop_gradient(jnp.max(jnp.abs(points), (-1, -2), keepdims=True))
    points = safe_divide(points, size)
    turned = jnp.swapaxes(points, -1, -2)
    pair = (points, turned) if points.shape[-2] < points.shape[-1] else (turned, points)
    gram = jnp.matmul(*pair, precision="highest")
    ratio = safe_divide(jnp.sum(points**2, (-1, -2)) ** 2, jnp.sum(gram**2, (-1, -2)))
    return narrow(gated(ratio, valid), given)


def spectral_decay_exponent(
    x: Float[Array, "*B N D"], *, where: Bool[Array, "..."] | None = None
) -> Float[Array, "*B"]:
    r"""Exponent a of the decay $\lambda_k \propto k^{-a}$ of a covariance's eigenvalues.

    The least-squares slope of $-\log \lambda_k$ by $\log k$ over the eigenvalues that are not
    rounding. Representations that generalise well have been found near 1.

    Args:
        x: samples.
        where: the samples that count, broadcasting to (*B, N).

    Returns:
        The exponents; 0 where fewer than two eigenvalues are not rounding.

    Raises:
        TypeError: `x` is not of floating type, or `where` not boolean.
        ValueError: `x` is not of that shape or not finite.

    Reference:
        Agrawal, Mondal, Ghosh and Richards, alpha-ReQ: Assessing Representation Quality in
        Self-Supervised Learning by Measuring Eigenspectrum Decay, 2022, section 3.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import spectra
        >>> x = jnp.diag(1 / jnp.arange(1.0, 9.0) ** 0.5)
        >>> x = jnp.concatenate([x, -x])
        >>> print(spectra.spectral_decay_exponent(x))
        1.0
    """
    given, wide, mask, valid = checked_samples(x, where)
    points = centered(jnp.where(jnp.isfinite(wide), wide, 0), mask)
    if mask is not None:
        points = jnp.where(mask[..., None], points, 0)
    values = _singular_values(points)
    unit = jnp.finfo(values.dtype).eps * max(points.shape[-2:])
    real = values > unit * values[..., :1]
    count = jnp.maximum(jnp.sum(real, -1, keepdims=True), 1)
    ranks = jnp.where(real, jnp.log(jnp.arange(1, values.shape[-1] + 1, dtype=values.dtype)), 0)
    logs = jnp.where(real, 2 * safe_log(jnp.where(real, values, 1)), 0)
    ranks = jnp.where(real, ranks - jnp.sum(ranks, -1, keepdims=True) / count, 0)
    slope = safe_divide(jnp.sum(ranks * logs, -1), jnp.sum(ranks**2, -1))
    return narrow(gated(-slope, valid), given)

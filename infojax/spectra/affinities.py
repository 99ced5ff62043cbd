r"""Affinities between samples as matrices: Gaussian, its diffusion operators, nearest neighbours.

With $G_{ij} = \exp(-|x_i - x_j|^2 / 2 \sigma^2)$, densities $q = G 1$ and the degrees d of
$q^{-\alpha} G q^{-\alpha}$, the diffusion operator is $d^{-1/2} q^{-\alpha} G q^{-\alpha}
d^{-1/2}$; the random walk $d^{-1} q^{-\alpha} G q^{-\alpha}$ has the same eigenvalues. Rows and
columns of samples that do not count are 0, so that they add the eigenvalue 0 alone.
"""

import functools

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from infojax import checks
from infojax.kernels.bandwidths import squared_distances
from infojax.numerics import gated, narrow
from infojax.spectra.bandwidths import checked_bandwidth, checked_samples

KINDS = ("symmetric", "random_walk")


def centered(wide: jax.Array, mask: jax.Array | None) -> jax.Array:
    """Moves the mean to the origin, so that squared distances lose no digits to the position.

    Args:
        wide: samples, (*B, N, D), 0 where they do not count.
        mask: those that count, (*B, N), or None.

    Returns:
        The samples minus their mean, which has no derivative: differences do not depend on it.
    """
    if mask is None:
        mean = jnp.mean(wide, -2, keepdims=True)
    else:
        count = jnp.sum(mask, -1, dtype=wide.dtype)[..., None, None]
        mean = jnp.sum(wide, -2, keepdims=True) / jnp.maximum(count, 1)
    return wide - jax.lax.stop_gradient(mean)


def gaussian_gram(wide: jax.Array, sigma: jax.Array, mask: jax.Array | None) -> jax.Array:
    """The Gaussian Gram matrix of checked samples.

    Args:
        wide: samples, (*B, N, D).
        sigma: bandwidths, (*B,).
        mask: samples that count, (*B, N), or None.

    Returns:
        (*B, N, N), with 0 in rows and columns that do not count.
    """
    points = centered(wide, mask)
    # 2 sigma^2 itself would overflow or vanish before the quotient does.
    scaled = points / sigma[..., None, None]
    gram = jnp.exp(-squared_distances(scaled, scaled) / 2)
    if mask is None:
        return gram
    return jnp.where(mask[..., :, None] & mask[..., None, :], gram, 0)


def _power(x: jax.Array, exponent: float, mask: jax.Array | None) -> jax.Array:
    if mask is None:
        return x**exponent
    return jnp.where(mask, jnp.where(mask, x, 1) ** exponent, 0)


def diffusion_matrix(
    gram: jax.Array, mask: jax.Array | None, alpha: float = 0.0, kind: str = "symmetric"
) -> jax.Array:
    """Normalises a Gram matrix.

    Args:
        gram: from `gaussian_gram`.
        mask: samples that count, (*B, N), or None.
        alpha: how much of the density is divided out.
        kind: one of `KINDS`.

    Returns:
        (*B, N, N).
    """
    if alpha:
        factor = _power(jnp.sum(gram, -1), -alpha, mask)
        gram = factor[..., :, None] * gram * factor[..., None, :]
    degree = jnp.sum(gram, -1)
    if kind == "random_walk":
        return _power(degree, -1.0, mask)[..., :, None] * gram
    root = _power(degree, -0.5, mask)
    return root[..., :, None] * gram * root[..., None, :]


@functools.partial(jax.jit, static_argnames=("normalize", "alpha", "kind"))
def _affinity(wide, sigma, mask, normalize: bool, alpha: float = 0.0, kind: str = "symmetric"):
    gram = gaussian_gram(wide, sigma, mask)
    return diffusion_matrix(gram, mask, alpha, kind) if normalize else gram


def checked_alpha(alpha: float) -> float:
    """Takes the exponent of the density, which is static.

    Args:
        alpha: what came.

    Returns:
        It as a Python float.

    Raises:
        TypeError: it is not a Python number.
        ValueError: it is not from 0 to 1.
    """
    if isinstance(alpha, bool) or not isinstance(alpha, int | float):
        raise TypeError(f"alpha must be a Python number; got {type(alpha).__name__}.")
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be from 0 to 1; got {alpha}.")
    return float(alpha)


def gaussian_affinity(
    x: Float[Array, "*B N D"],
    *,
    sigma: ArrayLike | str,
    where: Bool[Array, "..."] | None = None,
) -> Float[Array, "*B N N"]:
    r"""Gaussian affinities $G_{ij} = \exp(-|x_i - x_j|^2 / 2 \sigma^2)$ of all pairs of samples.

    Coincident samples have affinity 1 exactly. Squared distances come from inner products of
    centred samples: exponents are off by some 1e-7 |x - mean|^2 / sigma^2 in float32.

    Args:
        x: samples.
        sigma: the bandwidth in the unit of `x`: a number, an array that broadcasts to *B, or
            `"median"` or `"diffusion"` for what `median_bandwidth` or `diffusion_bandwidth`
            finds.
        where: the samples that count, broadcasting to (*B, N).

    Returns:
        Matrices between 0 and 1, symmetric; 0 in the rows and columns that do not count.

    Raises:
        TypeError: `x` is not of floating type, or `where` not boolean.
        ValueError: `x` is not of that shape or not finite, or `sigma` is not positive.

    Reference:
        Liao et al., Assessing Neural Network Representations During Training Using
        Noise-Resilient Diffusion Spectral Entropy, 2023, arXiv 2312.04823, section II.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import spectra
        >>> print(spectra.gaussian_affinity(jnp.array([[0.0], [1.0]]), sigma=1.0))
        [[1.    0.607]
         [0.607 1.   ]]
    """
    given, wide, mask, valid = checked_samples(x, where)
    width, positive = checked_bandwidth(sigma, wide, mask)
    matrix = _affinity(wide, width, mask, normalize=False)
    return narrow(gated(matrix, (valid & positive)[..., None, None]), given)


def diffusion_affinity(
    x: Float[Array, "*B N D"],
    *,
    sigma: ArrayLike | str,
    alpha: float = 0.0,
    kind: str = "symmetric",
    where: Bool[Array, "..."] | None = None,
) -> Float[Array, "*B N N"]:
    r"""The diffusion operator of Gaussian affinities, symmetric or as a random walk.

    $d^{-1/2} q^{-\alpha} G q^{-\alpha} d^{-1/2}$ or $d^{-1} q^{-\alpha} G q^{-\alpha}$, with the
    densities $q = G 1$ and the degrees $d$ of $q^{-\alpha} G q^{-\alpha}$. Both have eigenvalues
    from 0 to 1.

    Args:
        x: samples.
        sigma: as in `gaussian_affinity`.
        alpha: how much of the sampling density is divided out, static: 0 nothing (the paper's
            operator), 1 all of it.
        kind: `"symmetric"` or `"random_walk"`, whose rows sum to 1.
        where: the samples that count, broadcasting to (*B, N).

    Returns:
        The matrices; 0 in the rows and columns that do not count.

    Raises:
        TypeError: `x` is not of floating type, `where` not boolean, or `alpha` no number.
        ValueError: `x` is not of that shape or not finite, `sigma` is not positive, `alpha` not
            from 0 to 1, or `kind` not known.

    Reference:
        Coifman and Lafon, Diffusion Maps, 2006, section 3.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import spectra
        >>> x = jnp.array([[0.0], [1.0], [5.0]])
        >>> walk = spectra.diffusion_affinity(x, sigma=1.0, kind="random_walk")
        >>> print(walk.sum(-1))
        [1. 1. 1.]
    """
    given, wide, mask, valid = checked_samples(x, where)
    width, positive = checked_bandwidth(sigma, wide, mask)
    checks.choice("kind", kind, KINDS)
    matrix = _affinity(wide, width, mask, True, checked_alpha(alpha), kind)
    return narrow(gated(matrix, (valid & positive)[..., None, None]), given)


@functools.partial(jax.jit, static_argnames="k")
def neighbor_matrix(wide: jax.Array, mask: jax.Array | None, k: int) -> jax.Array:
    """Marks the k nearest samples of each, itself included, of checked samples.

    Args:
        wide: samples, (*B, N, D).
        mask: samples that count, (*B, N), or None.
        k: how many.

    Returns:
        (*B, N, N) of 0 and 1; ties with the k-th count too.
    """
    points = centered(jax.lax.stop_gradient(wide), mask)
    squares = squared_distances(points, points)
    if mask is not None:
        squares = jnp.where(mask[..., None, :], squares, jnp.inf)
    farthest = -jax.lax.top_k(-squares, k)[0][..., -1:]
    near = (squares <= farthest) & jnp.isfinite(squares)
    if mask is not None:
        near &= mask[..., :, None]
    return near.astype(wide.dtype)


def neighbor_adjacency(
    x: Float[Array, "*B N D"], *, k: int = 10, where: Bool[Array, "..."] | None = None
) -> Float[Array, "*B N N"]:
    """Marks the k nearest samples of each sample, itself included: a graph with arrows.

    $A_{ij} = 1$ if the distance of i and j is at most the k-th smallest distance from i. Not
    symmetric; ties with the k-th all count. The derivative is 0.

    Args:
        x: samples.
        k: how many, from 1, static; where fewer samples count, all are near.
        where: the samples that count, broadcasting to (*B, N).

    Returns:
        Matrices of 0 and 1; 0 in the rows and columns that do not count.

    Raises:
        TypeError: `x` is not of floating type, or `where` not boolean.
        ValueError: `x` is not of that shape or not finite, or `k` is not from 1 to N.

    Reference:
        Liao et al. 2023, arXiv 2312.04823, the variant on adjacency.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import spectra
        >>> print(spectra.neighbor_adjacency(jnp.array([[0.0], [1.0], [5.0]]), k=2))
        [[1. 1. 0.]
         [1. 1. 0.]
         [0. 1. 1.]]
    """
    given, wide, mask, valid = checked_samples(x, where)
    if checks.positive_integer("k", k) > given.shape[-2]:
        raise ValueError(f"k must be at most N = {given.shape[-2]}; got {k}.")
    return narrow(gated(neighbor_matrix(wide, mask, k), valid[..., None, None]), given)

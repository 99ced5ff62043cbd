"""The operators of diffusion maps: a Gaussian Gram matrix between diagonal matrices.

With the densities q = K 1, the anisotropic kernel is q^-alpha K q^-alpha, and with its degrees
d the symmetric operator is d^-1/2 (q^-alpha K q^-alpha) d^-1/2, the random walk
d^-1 (q^-alpha K q^-alpha); their eigenvalues are the same, between 0 and 1.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from infojax.kernels.gaussian_gram_matvec.api import gaussian_gram_matvec, gaussian_gram_row_sums

_KINDS = ("symmetric", "random_walk")


class GramDegrees(NamedTuple):
    """What normalises a Gram matrix; computed once for many products.

    Attributes:
        density: q, the row sums of K, (*B, N).
        degree: d, the row sums of q^-alpha K q^-alpha, (*B, N); q itself for alpha = 0.
    """

    density: jax.Array
    degree: jax.Array


def _power(x: jax.Array, exponent: float, where: jax.Array | None) -> jax.Array:
    """A power of the entries that count; 0 elsewhere, without a NaN in the derivative."""
    if where is None:
        return x**exponent
    return jnp.where(where, jnp.where(where, x, 1) ** exponent, 0)


def gaussian_gram_degrees(
    x: jax.Array,
    *,
    sigma: float | jax.Array,
    alpha: float = 0.0,
    where: jax.Array | None = None,
    implementation: str | None = None,
    interpret: bool = False,
) -> GramDegrees:
    """Densities and degrees of a Gaussian Gram matrix.

    Args:
        x: points, (*B, N, D), D > 0.
        sigma: the bandwidth, a positive number or an array that broadcasts to *B; not checked.
        alpha: how much of the density is divided out: 0 nothing, 1 all of it.
        where: boolean mask of the points, broadcasting to (*B, N).
        implementation: as in `gaussian_gram_matvec`.
        interpret: as in `gaussian_gram_matvec`.

    Returns:
        Both, of no meaning for points that do not count.

    Raises:
        TypeError: as in `gaussian_gram_matvec`.
        ValueError: as in `gaussian_gram_matvec`.
        NotImplementedError: as in `gaussian_gram_matvec`.
    """
    options = {
        "sigma": sigma,
        "where": where,
        "implementation": implementation,
        "interpret": interpret,
    }
    density = gaussian_gram_row_sums(x, **options)
    if alpha == 0:
        return GramDegrees(density, density)
    factor = _power(density, -alpha, where)
    return GramDegrees(density, factor * gaussian_gram_matvec(x, factor, **options))


def normalized_gaussian_gram_matvec(
    x: jax.Array,
    vectors: jax.Array,
    *,
    sigma: float | jax.Array,
    alpha: float = 0.0,
    kind: str = "symmetric",
    degrees: GramDegrees | None = None,
    where: jax.Array | None = None,
    implementation: str | None = None,
    interpret: bool = False,
) -> jax.Array:
    """Applies a diffusion operator to vectors; its matrix is never in memory.

    Args:
        x: points, (*B, N, D), D > 0.
        vectors: (*B, N) or (*B, N, R).
        sigma: the bandwidth, a positive number or an array that broadcasts to *B; not checked.
        alpha: how much of the density is divided out: 0 nothing, 1 all of it.
        kind: `"symmetric"` for d^-1/2 q^-alpha K q^-alpha d^-1/2, `"random_walk"` for
            d^-1 q^-alpha K q^-alpha.
        degrees: what `gaussian_gram_degrees` gives for the same points, sigma, alpha and mask;
            None to compute it here, which costs one more product, two with an alpha.
        where: boolean mask of the points, broadcasting to (*B, N): rows and columns of the
            others are 0.
        implementation: as in `gaussian_gram_matvec`.
        interpret: as in `gaussian_gram_matvec`.

    Returns:
        (*B, N) or (*B, N, R), at least float32.

    Raises:
        TypeError: as in `gaussian_gram_matvec`.
        ValueError: `kind` is not known, or as in `gaussian_gram_matvec`.
        NotImplementedError: as in `gaussian_gram_matvec`.
    """
    if kind not in _KINDS:
        raise ValueError(f"kind must be one of {_KINDS}; got {kind!r}.")
    options = {
        "sigma": sigma,
        "where": where,
        "implementation": implementation,
        "interpret": interpret,
    }
    if degrees is None:
        degrees = gaussian_gram_degrees(x, alpha=alpha, **options)
    right = _power(degrees.density, -alpha, where)
    if kind == "symmetric":
        right = right * _power(degrees.degree, -0.5, where)
        left = right
    else:
        left = right * _power(degrees.degree, -1.0, where)
    vectors = jnp.asarray(vectors)
    if vectors.ndim > right.ndim:
        left, right = left[..., None], right[..., None]
    if where is not None:
        counted = where if vectors.ndim == degrees.density.ndim else where[..., None]
        vectors = jnp.where(counted, vectors, 0)
    return left * gaussian_gram_matvec(x, right * vectors, **options)

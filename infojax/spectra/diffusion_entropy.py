"""Diffusion spectral entropy of samples and its variants (Liao et al. 2023, arXiv 2312.04823)."""

import functools

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from infojax import checks
from infojax.kernels.bandwidths import squared_distances
from infojax.numerics import safe_divide, safe_log
from infojax.spectra import lanczos
from infojax.spectra.affinities import (
    centered,
    checked_alpha,
    diffusion_matrix,
    gaussian_gram,
    neighbor_matrix,
)
from infojax.spectra.bandwidths import checked_bandwidth, checked_samples
from infojax.spectra.diffusion_spectra import finish_entropy, sample_count, spectrum
from infojax.spectra.spectral_entropy import (
    checked_time,
    eigenvalues,
    power_entropy_nats,
    without_noise,
)

_METHODS = ("exact", "lanczos")
_ADJACENCIES = ("gaussian", "anisotropic", "neighbors")
_ROWS = 256  # of the transition matrix in memory at a time


def diffusion_spectral_entropy(
    x: Float[Array, "*B N D"],
    *,
    sigma: ArrayLike | str = 10.0,
    t: ArrayLike = 1,
    alpha: float = 0.0,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
    normalize: bool = False,
    method: str = "exact",
    key: Array | None = None,
) -> Float[Array, "*B"]:
    r"""Diffusion spectral entropy $-\sum_i p_i \log p_i$, $p_i = l_i^t / \sum_j l_j^t$.

    The $l_i$ are the eigenvalues of the diffusion operator (`diffusion_spectrum`). From 0, where
    all samples coincide, to log N, where all lie far apart; the logarithm of the number of
    clusters where these are tight and far apart. It does not change under rotations and
    translations, nor when `x` and `sigma` are scaled together, and does not grow with `t`.

    `"exact"` computes all eigenvalues: N^2 memory, N^3 time. `"lanczos"` never holds the matrix
    for large N and estimates the value: see `diffusion_spectral_entropy_estimate`, which also
    tells the error.

    Args:
        x: samples.
        sigma: the bandwidth in the unit of `x`: a number, an array that broadcasts to *B, or
            `"median"` or `"diffusion"` for what `median_bandwidth` or `diffusion_bandwidth`
            finds.
        t: the diffusion time, positive; a number or an array that broadcasts to *B. The paper
            takes 1 or 2, such that about 1 % of the $l_i^t$ exceed 0.01.
        alpha: how much of the sampling density is divided out first, static: from 0 to 1.
        base: the logarithm's base (2 for bits, as in the paper); None for nats.
        where: the samples that count, broadcasting to (*B, N).
        normalize: whether to divide by log N, which compares sets of different sizes.
        method: `"exact"` or `"lanczos"`.
        key: random key, for `"lanczos"`.

    Returns:
        The entropy in units of `base`, or a share from 0 to 1 if `normalize`; 0 for one sample,
        NaN for none. Differentiable in `x` and `sigma`, once.

    Raises:
        TypeError: `x` is not of floating type, or `where` not boolean.
        ValueError: `x` is not of that shape or not finite, `sigma` or `t` is not positive,
            `alpha` not from 0 to 1, `method` not known, or it is `"lanczos"` without a key; a
            base that is not positive or 1.

    Reference:
        Liao et al., Assessing Neural Network Representations During Training Using
        Noise-Resilient Diffusion Spectral Entropy, 2023, arXiv 2312.04823, section III.

    Example:
        >>> import infojax, jax.numpy as jnp
        >>> x = jnp.array([[0.0, 0.0], [0.0, 0.0], [99.0, 0.0], [99.0, 0.0]])
        >>> print(infojax.diffusion_spectral_entropy(x, base=2))
        1.0
    """
    checks.choice("method", method, _METHODS)
    if method == "lanczos":
        return lanczos.diffusion_spectral_entropy_estimate(
            x,
            key=key,
            sigma=sigma,
            t=t,
            alpha=alpha,
            base=base,
            where=where,
            normalize=normalize,
        ).entropy
    given, wide, mask, valid = checked_samples(x, where)
    width, positive = checked_bandwidth(sigma, wide, mask)
    time, forward = checked_time(t, wide.shape[:-2])
    nats = power_entropy_nats(spectrum(wide, width, mask, checked_alpha(alpha)), time)
    return finish_entropy(nats, base, normalize, given, wide, mask, valid & positive & forward)


def _over_rows(of_rows, points: jax.Array) -> jax.Array:
    """Maps over blocks of rows, (*B, rows, D) -> (*B, rows), and puts the results together."""
    *batch, size, features = points.shape
    block = min(size, _ROWS)
    padding = [(0, 0)] * len(batch) + [(0, -size % block), (0, 0)]
    blocks = -(-size // block)
    tiles = jnp.pad(points, padding).reshape(*batch, blocks, block, features)
    rows = jax.lax.map(jax.checkpoint(of_rows), jnp.moveaxis(tiles, -3, 0))
    return jnp.moveaxis(rows, 0, -2).reshape(*batch, blocks * block)[..., :size]


@functools.partial(jax.jit, static_argnames="alpha")
def _entry_entropy_nats(wide, sigma, mask, alpha: float):
    """log N and the mean entropy of the rows, some rows at a time."""
    points = centered(wide, mask) / sigma[..., None, None]
    counted = jnp.ones((), bool) if mask is None else mask[..., None, :]
    # What the density takes from each column, as part of the exponent.
    cost = jnp.zeros((), wide.dtype)

    def exponents_and_weights(rows):
        exponents = squared_distances(rows, points) / 2 + cost
        return exponents, jnp.where(counted, jnp.exp(-exponents), 0)

    if alpha:
        density = _over_rows(lambda rows: jnp.sum(exponents_and_weights(rows)[1], -1), points)
        cost = alpha * safe_log(density)[..., None, :]

    def of_rows(rows):
        exponents, weights = exponents_and_weights(rows)
        degree = jnp.sum(weights, -1)
        return safe_log(degree) + safe_divide(jnp.sum(weights * exponents, -1), degree)

    rows = _over_rows(of_rows, points)
    if mask is not None:
        rows = jnp.where(mask, rows, 0)
    count = sample_count(wide, mask)
    return safe_log(count) + safe_divide(jnp.sum(rows, -1), count)


def diffusion_entry_entropy(
    x: Float[Array, "*B N D"],
    *,
    sigma: ArrayLike | str = 10.0,
    alpha: float = 0.5,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
) -> Float[Array, "*B"]:
    r"""Entropy of all entries of the random walk's transition matrix, $P_{ij} / \sum_{ij} P_{ij}$.

    That is $\log N$ and the mean entropy of the rows: the joint entropy of two steps of the walk
    from a uniform start. No eigenvalues and no N x N matrix: O(N) memory.

    Args:
        x: samples.
        sigma: as in `diffusion_spectral_entropy`.
        alpha: how much of the sampling density is divided out first, static. The paper's code
            makes the walk from $d^{-1/2} G d^{-1/2}$, which is 1/2.
        base: the logarithm's base (2 for bits); None for nats.
        where: the samples that count, broadcasting to (*B, N).

    Returns:
        The entropy in units of `base`, from log N to 2 log N; NaN where no sample counts.

    Raises:
        TypeError: `x` is not of floating type, or `where` not boolean.
        ValueError: `x` is not of that shape or not finite, `sigma` is not positive, or `alpha`
            not from 0 to 1; a base that is not positive or 1.

    Reference:
        Liao et al. 2023, arXiv 2312.04823, the variant on matrix entries.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import spectra
        >>> print(spectra.diffusion_entry_entropy(jnp.zeros((4, 2)), base=2))
        4.0
    """
    given, wide, mask, valid = checked_samples(x, where)
    width, positive = checked_bandwidth(sigma, wide, mask)
    nats = _entry_entropy_nats(wide, width, mask, checked_alpha(alpha))
    return finish_entropy(nats, base, False, given, wide, mask, valid & positive)


@functools.partial(jax.jit, static_argnames=("adjacency", "k"))
def _adjacency_values(wide, sigma, mask, adjacency: str, k: int):
    if adjacency == "neighbors":
        values = jnp.abs(jnp.linalg.eigvals(neighbor_matrix(wide, mask, k)))
        # Rounding moves a defective eigenvalue 0 by more than a unit; nothing can be told apart.
        return jax.lax.stop_gradient(values)
    gram = gaussian_gram(wide, sigma, mask)
    if adjacency == "anisotropic":
        gram = diffusion_matrix(gram, mask)
    return without_noise(eigenvalues(gram), mask)


def adjacency_spectral_entropy(
    x: Float[Array, "*B N D"],
    *,
    adjacency: str = "gaussian",
    sigma: ArrayLike | str = 10.0,
    k: int = 10,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
) -> Float[Array, "*B"]:
    r"""Entropy of the absolute eigenvalues of an adjacency matrix, $p_i = |l_i| / \sum_j |l_j|$.

    - `"gaussian"`: the affinities $G$ themselves.
    - `"anisotropic"`: $d^{-1/2} G d^{-1/2}$, the same as `diffusion_spectral_entropy` at t = 1.
    - `"neighbors"`: the graph of `neighbor_adjacency`, whose eigenvalues are complex. JAX finds
      these on CPU and, with its solver libraries, GPU; the derivative is 0.

    Args:
        x: samples.
        adjacency: which matrix.
        sigma: the bandwidth, as in `diffusion_spectral_entropy`; of no effect for neighbours.
        k: how many neighbours, itself included, static.
        base: the logarithm's base (2 for bits); None for nats.
        where: the samples that count, broadcasting to (*B, N).

    Returns:
        The entropy in units of `base`, from 0 to log N; NaN where no sample counts.

    Raises:
        TypeError: `x` is not of floating type, or `where` not boolean.
        ValueError: `x` is not of that shape or not finite, `adjacency` is not known, `sigma` not
            positive or `k` not from 1 to N; a base that is not positive or 1.

    Reference:
        Liao et al. 2023, arXiv 2312.04823, the variants on adjacency.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import spectra
        >>> print(spectra.adjacency_spectral_entropy(99.0 * jnp.eye(4), sigma=1.0, base=2))
        2.0
    """
    checks.choice("adjacency", adjacency, _ADJACENCIES)
    given, wide, mask, valid = checked_samples(x, where)
    width, positive = checked_bandwidth(sigma, wide, mask)
    if adjacency == "neighbors" and checks.positive_integer("k", k) > wide.shape[-2]:
        raise ValueError(f"k must be at most N = {wide.shape[-2]}; got {k}.")
    values = _adjacency_values(wide, width, mask, adjacency, k)
    nats = power_entropy_nats(values, jnp.ones((), values.dtype))
    return finish_entropy(nats, base, False, given, wide, mask, valid & positive)

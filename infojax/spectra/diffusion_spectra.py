"""The spectrum of the diffusion operator of samples, and how entropies of samples end."""

import functools

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from infojax.numerics import gated, log_of_base, narrow, nats_to_base, safe_divide, safe_log
from infojax.spectra.affinities import checked_alpha, diffusion_matrix, gaussian_gram
from infojax.spectra.bandwidths import checked_bandwidth, checked_samples
from infojax.spectra.spectral_entropy import eigenvalues, without_noise


@functools.partial(jax.jit, static_argnames="alpha")
def spectrum(
    wide: jax.Array, sigma: jax.Array, mask: jax.Array | None, alpha: float = 0.0
) -> jax.Array:
    """Eigenvalues of the diffusion operator of checked samples.

    Args:
        wide: samples in working precision, (*B, N, D).
        sigma: bandwidths, (*B,).
        mask: samples that count, (*B, N), or None.
        alpha: how much of the density is divided out.

    Returns:
        (*B, N), descending; noise and what does not count is 0.
    """
    matrix = diffusion_matrix(gaussian_gram(wide, sigma, mask), mask, alpha)
    return without_noise(eigenvalues(matrix), mask)


def sample_count(wide: jax.Array, mask: jax.Array | None) -> jax.Array:
    """How many samples count.

    Args:
        wide: samples, (*B, N, D).
        mask: those that count, (*B, N), or None.

    Returns:
        (*B,), of the type of the samples.
    """
    if mask is None:
        return jnp.full(wide.shape[:-2], wide.shape[-2], wide.dtype)
    return jnp.sum(mask, -1, dtype=wide.dtype)


def diffusion_spectrum(
    x: Float[Array, "*B N D"],
    sigma: ArrayLike | str = 10.0,
    *,
    alpha: float = 0.0,
    where: Bool[Array, "..."] | None = None,
) -> Float[Array, "*B N"]:
    r"""Eigenvalues of the diffusion operator $d^{-1/2} G d^{-1/2}$ of Gaussian affinities.

    Also those of the random walk $d^{-1} G$. The largest is 1, as often as the graph has parts
    that do not touch. Values below one unit of rounding of 1 (1.2e-7 in float32) are noise and
    come out as 0. Differentiable once, also where eigenvalues coincide, as far as what is made
    of them is symmetric in them.

    Args:
        x: samples.
        sigma: the bandwidth in the unit of `x`: a number, an array that broadcasts to *B, or
            `"median"` or `"diffusion"` for what `median_bandwidth` or `diffusion_bandwidth`
            finds.
        alpha: how much of the sampling density is divided out first, static: from 0 to 1.
        where: the samples that count, broadcasting to (*B, N); each of the others adds a 0.

    Returns:
        Eigenvalues from 1 down to 0.

    Raises:
        TypeError: `x` is not of floating type, or `where` not boolean.
        ValueError: `x` is not of that shape or not finite, `sigma` is not positive, or `alpha`
            not from 0 to 1.

    Reference:
        Liao et al. 2023, arXiv 2312.04823, section II.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import spectra
        >>> x = jnp.array([[0.0], [0.0], [9.0]])
        >>> print(spectra.diffusion_spectrum(x, 1.0).round(3))
        [1. 1. 0.]
    """
    given, wide, mask, valid = checked_samples(x, where)
    width, positive = checked_bandwidth(sigma, wide, mask)
    values = spectrum(wide, width, mask, checked_alpha(alpha))
    return narrow(gated(values, (valid & positive)[..., None]), given)


def finish_entropy(
    nats: jax.Array,
    base: float | None,
    normalize: bool,
    given: jax.Array,
    wide: jax.Array,
    mask: jax.Array | None,
    valid: jax.Array,
) -> jax.Array:
    """Brings an entropy of samples into the caller's unit and type.

    Args:
        nats: the entropy, (*B,).
        base: the logarithm's base, or None.
        normalize: whether to divide by log N instead.
        given: the samples as given.
        wide: the samples in working precision.
        mask: those that count, or None.
        valid: which results are valid, (*B,).

    Returns:
        The result; NaN where no sample counts or the input is not valid.

    Raises:
        ValueError: a base that is not positive or 1.
    """
    log_of_base(base)
    count = sample_count(wide, mask)
    value = safe_divide(nats, safe_log(count)) if normalize else nats_to_base(nats, base)
    return narrow(gated(value, valid, count > 0), given)

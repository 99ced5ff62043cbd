"""Entropies of samples by Gaussian kernel density estimates (Ahmad and Lin 1976; Principe 2010)."""

import functools
import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from infojax.divergences.kernel_widths import kernel_width
from infojax.divergences.row_tiles import log_gram_row_sums
from infojax.divergences.two_samples import Observed, observed
from infojax.numerics import nats_to_base


def _units(samples: Observed, unit: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Points in a unit, and the logarithm of the number that counts."""
    return samples.arrays[0] / unit[..., None, None], -jnp.log(jnp.max(samples.weights, -1))


@functools.partial(jax.jit, static_argnames="leave_one_out")
def _resubstituted_nats(samples: Observed, width: jax.Array, leave_one_out: bool) -> jax.Array:
    points, log_number = _units(samples, math.sqrt(2) * width)
    logs = log_gram_row_sums(points, where=samples.where, leave_one_out=leave_one_out)
    if samples.where is not None:
        logs = jnp.where(samples.where, logs, 0)
    if leave_one_out:
        log_number = jnp.log(jnp.expm1(log_number))
    normalization = points.shape[-1] * (jnp.log(width) + 0.5 * math.log(2 * math.pi))
    return log_number + normalization - jnp.sum(samples.weights * logs, -1)


def kernel_density_entropy(
    x: Float[Array, "*B N D"],
    *,
    sigma: ArrayLike | str,
    leave_one_out: bool = False,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
) -> Float[Array, "*B"]:
    r"""Differential entropy $-\frac1N \sum_i \log \hat p(x_i)$ of a Gaussian kernel density.

    With $\hat p(u) = \frac1N \sum_j \mathcal N(u; x_j, \sigma^2 I)$. Biased upwards by the kernel,
    which spreads the samples. With j = i among the terms (resubstitution) also biased downwards,
    by each sample's own kernel: for a small bandwidth it tends to minus infinity. Leave-one-out
    takes the other N - 1 samples alone: it has no such bias and tends to plus infinity, so that
    its least value over sigma chooses a bandwidth (likelihood cross-validation). Both biases grow
    fast with D.

    Args:
        x: samples.
        sigma: the bandwidth: a positive number, an array that broadcasts to *B, or "median" for
            the median distance (which is far too wide for anything but a single blob).
        leave_one_out: whether the density at a sample leaves that sample out.
        base: the logarithm's base (2 for bits); None for nats.
        where: the samples that count, broadcasting to (*B, N); all if None.

    Returns:
        The entropy in units of `base`; it may be negative. Finite however far the samples are
        apart.

    Raises:
        TypeError: `x` is not of floating type.
        ValueError: a wrong shape, no sample (fewer than two for leave-one-out), a sample that is
            not finite, a bandwidth that is not positive, a wrong base.

    Reference:
        Beirlant, Dudewicz, Gyoerfi and van der Meulen, Nonparametric Entropy Estimation: an
        Overview, 1997, sections 2.1 and 2.3.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> print(information.kernel_density_entropy(jnp.array([[0.0]]), sigma=1.0))
        0.9189
    """
    samples = observed(least=2 if leave_one_out else 1, where=where, x=x)
    width, valid = kernel_width("sigma", sigma, samples.arrays[0], samples.where)
    nats = _resubstituted_nats(samples, width, bool(leave_one_out))
    return samples.finish(nats_to_base(nats, base), valid)


@jax.jit
def _quadratic_nats(samples: Observed, width: jax.Array) -> jax.Array:
    points, log_number = _units(samples, 2 * width)
    logs = log_gram_row_sums(points, where=samples.where)
    total = jax.nn.logsumexp(logs, -1, where=samples.where)
    normalization = points.shape[-1] * (jnp.log(width) + 0.5 * math.log(4 * math.pi))
    return 2 * log_number + normalization - total


def kernel_density_quadratic_entropy(
    x: Float[Array, "*B N D"],
    *,
    sigma: ArrayLike | str,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
) -> Float[Array, "*B"]:
    r"""Renyi entropy of order 2, $-\log \int \hat p^2$, of a Gaussian kernel density, exactly.

    $-\log \frac1{N^2} \sum_{ij} \mathcal N(x_i; x_j, 2\sigma^2 I)$: the integral has a closed
    form, the information potential. As an estimate for the samples' own distribution it is
    biased upwards by the kernel and downwards by the pairs of a sample with itself.

    Args:
        x: samples.
        sigma: the bandwidth, as in `kernel_density_entropy`.
        base: the logarithm's base (2 for bits); None for nats.
        where: the samples that count, broadcasting to (*B, N); all if None.

    Returns:
        The entropy in units of `base`; it may be negative.

    Raises:
        TypeError: `x` is not of floating type.
        ValueError: a wrong shape, no sample, a sample that is not finite, a bandwidth that is not
            positive, a wrong base.

    Reference:
        Principe, Information Theoretic Learning, 2010, chapter 2.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> print(information.kernel_density_quadratic_entropy(jnp.array([[0.0]]), sigma=1.0))
        1.2655
    """
    samples = observed(where=where, x=x)
    width, valid = kernel_width("sigma", sigma, samples.arrays[0], samples.where)
    return samples.finish(nats_to_base(_quadratic_nats(samples, width), base), valid)

"""Bandwidths of a Gaussian kernel: numbers that are checked, and rules that read them off data."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from infojax import checks
from infojax.kernels import bandwidths
from infojax.numerics import gated, narrow, widen

RULES = ("median", "diffusion")


def checked_samples(
    x: ArrayLike, where: ArrayLike | None
) -> tuple[jax.Array, jax.Array, jax.Array | None, jax.Array]:
    """Takes samples and the mask of those that count.

    Args:
        x: samples, (*B, N, D).
        where: mask, broadcasting to (*B, N), or None.

    Returns:
        The samples as given; in working precision, 0 where they do not count; the mask as
        (*B, N) or None; and which sample sets are valid, (*B,).

    Raises:
        TypeError: `x` is not of floating type, or `where` not boolean.
        ValueError: shapes that do not fit, no sample, or eagerly a sample that is not finite.
    """
    given = checks.samples("x", x)
    mask = checks.mask("where", where, given.shape[:-1])
    valid = checks.finite_samples("x", given, mask)
    (wide,) = widen(given)
    if mask is not None:
        mask = jnp.broadcast_to(mask, given.shape[:-1])
        wide = jnp.where(mask[..., None], wide, 0)
    return given, wide, mask, valid


def _rule(name: str, wide: jax.Array, mask: jax.Array | None) -> jax.Array:
    """The bandwidth by a rule; 1 where all points coincide, for which every bandwidth is one."""
    checks.choice("sigma", name, RULES)
    found = getattr(bandwidths, f"{name}_bandwidth")(wide, where=mask)
    counted = True if mask is None else mask[..., None]
    top = jnp.max(wide, -2, initial=-jnp.inf, where=counted)
    bottom = jnp.min(wide, -2, initial=jnp.inf, where=counted)
    return jnp.where(jnp.all(top <= bottom, -1), 1, found)


def checked_bandwidth(
    sigma: ArrayLike | str, wide: jax.Array, mask: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    """Takes a bandwidth, or the name of a rule that finds it.

    Args:
        sigma: a positive number, an array that broadcasts to the batch axes of the samples, or
            one of `RULES`.
        wide: samples in working precision, (*B, N, D).
        mask: of those that count, (*B, N), or None.

    Returns:
        The bandwidths, (*B,), and which are valid.

    Raises:
        TypeError: it is neither a name nor real.
        ValueError: an unknown name or a shape that does not fit; eagerly, one that is not
            positive and finite (of "median": where more than half of the pairs coincide).
    """
    batch = wide.shape[:-2]
    if isinstance(sigma, str):
        array = _rule(sigma, wide, mask)
    else:
        array = checks.real_number("sigma", sigma).astype(wide.dtype)
        if jnp.broadcast_shapes(array.shape, batch) != batch:
            raise ValueError(f"sigma must broadcast to {batch}; got shape {array.shape}.")
    valid = (array > 0) & jnp.isfinite(array)
    checks.check_real("sigma", array, valid, "positive and finite")
    return jnp.broadcast_to(jnp.where(valid, array, 1), batch), jnp.broadcast_to(valid, batch)


def _finish(
    rule: Callable[..., jax.Array], x: ArrayLike, where: ArrayLike | None, **options: int
) -> jax.Array:
    given, wide, mask, valid = checked_samples(x, where)
    return narrow(gated(rule(wide, where=mask, **options), valid), given)


def median_bandwidth(
    x: Float[Array, "*B N D"],
    *,
    where: Bool[Array, "..."] | None = None,
    max_samples: int = 2048,
) -> Float[Array, "*B"]:
    """The median of the distances between all pairs of different samples.

    Exact up to `max_samples` samples; of more, that many at even distances in their order
    count: deterministic, and data sorted by class stays balanced. Distances below about 1e-3 of
    the samples' own distance from their mean (float32) count as 0.

    Args:
        x: samples.
        where: the samples that count, broadcasting to (*B, N).
        max_samples: how many samples are compared, static; memory is its square.

    Returns:
        The medians, in the unit of `x`; 0 where more than half of the pairs coincide, NaN for
        fewer than two samples. The derivative is that of the pair in the middle.

    Raises:
        TypeError: `x` is not of floating type, or `where` not boolean.
        ValueError: `x` is not of that shape, holds no sample, or one that is not finite.

    Reference:
        Garreau, Jitkrittum and Kanagawa, Large Sample Analysis of the Median Heuristic, 2017,
        arXiv 1707.07269, equation (2).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import spectra
        >>> print(spectra.median_bandwidth(jnp.array([[0.0], [1.0], [4.0]])))
        3.0
    """
    size = checks.positive_integer("max_samples", max_samples)
    return _finish(bandwidths.median_bandwidth, x, where, max_samples=size)


def neighbor_bandwidth(
    x: Float[Array, "*B N D"],
    *,
    k: int,
    where: Bool[Array, "..."] | None = None,
    max_samples: int = 2048,
) -> Float[Array, "*B"]:
    """The median over samples of the distance to their k-th nearest neighbour.

    It follows a manifold's density, where the median distance follows its extent.

    Args:
        x: samples.
        k: which neighbour, from 1, static; a sample is none of its own.
        where: the samples that count, broadcasting to (*B, N).
        max_samples: of more samples, that many at even distances in their order are asked for
            their neighbours among all; static.

    Returns:
        The bandwidths, in the unit of `x`; NaN where no more than `k` samples count. The
        derivative is that of the pair in the middle.

    Raises:
        TypeError: `x` is not of floating type, or `where` not boolean.
        ValueError: `x` is not of that shape or holds a sample that is not finite; `k` is not
            from 1 to N - 1.

    Reference:
        Zelnik-Manor and Perona, Self-Tuning Spectral Clustering, 2004, section 2.1 (a bandwidth
        for each point there, their median here).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import spectra
        >>> print(spectra.neighbor_bandwidth(jnp.array([[0.0], [1.0], [4.0]]), k=1))
        1.0
    """
    checks.positive_integer("k", k)
    size = checks.positive_integer("max_samples", max_samples)
    return _finish(bandwidths.neighbor_bandwidth, x, where, k=k, max_samples=size)


def diffusion_bandwidth(
    x: Float[Array, "*B N D"],
    *,
    where: Bool[Array, "..."] | None = None,
    max_samples: int = 2048,
) -> Float[Array, "*B"]:
    r"""The bandwidth at which $\log \sum_{ij} \exp(-|x_i - x_j|^2 / 2 \sigma^2)$ grows fastest.

    Below it the kernel sees single points, above it one blob; between them the slope by
    $\log \sigma^2$ is half of the data's dimension. The best of 64 bandwidths, evenly spaced in
    the logarithm, from a quarter of the least distance to four times the largest.

    Args:
        x: samples.
        where: the samples that count, broadcasting to (*B, N).
        max_samples: as in `median_bandwidth`.

    Returns:
        The bandwidths, in the unit of `x`; NaN where all samples coincide.

    Raises:
        TypeError: `x` is not of floating type, or `where` not boolean.
        ValueError: `x` is not of that shape, holds no sample, or one that is not finite.

    Reference:
        Coifman, Shkolnisky, Sigworth and Singer, Graph Laplacian Tomography from Unknown Random
        Projections, 2008, section IV.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import spectra
        >>> x = jnp.linspace(0.0, 1.0, 50)[:, None]
        >>> print(spectra.diffusion_bandwidth(2 * x) / spectra.diffusion_bandwidth(x))
        2.0
    """
    size = checks.positive_integer("max_samples", max_samples)
    return _finish(bandwidths.diffusion_bandwidth, x, where, max_samples=size)

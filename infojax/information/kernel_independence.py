"""Dependence of paired samples by Gaussian kernels: HSIC, kernel alignment, Cauchy-Schwarz.

All are made of the row sums of three Gram matrices: of x, of y, and of both, whose product of
kernels is the kernel of the joined points. None is ever in memory (Gretton et al. 2005).
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from infojax.divergences.kernel_widths import in_units, kernel_width
from infojax.divergences.two_samples import Observed, observed
from infojax.kernels.gaussian_gram_matvec import gaussian_gram_row_sums
from infojax.numerics import nats_to_base, safe_divide, safe_sqrt

Width = ArrayLike | str


def _points(pair: Observed, sigma_x: Width, sigma_y: Width):
    """Both variables in units of their bandwidths, and where these are valid."""
    x, y = pair.arrays
    width_x, x_fine = kernel_width("sigma_x", sigma_x, x, pair.where)
    width_y, y_fine = kernel_width("sigma_y", sigma_y, y, pair.where)
    return in_units(x, width_x), in_units(y, width_y), x_fine & y_fine


def _row_sums(points: jax.Array, where: jax.Array | None) -> jax.Array:
    return gaussian_gram_row_sums(points, sigma=1.0, where=where)


def _mean(pair: Observed, rows: jax.Array) -> jax.Array:
    return jnp.sum(pair.weights * rows, -1)


def _covariance(pair: Observed, a: jax.Array, b: jax.Array) -> jax.Array:
    a, b = (rows - _mean(pair, rows)[..., None] for rows in (a, b))
    return _mean(pair, a * b)


def _number(pair: Observed) -> jax.Array:
    return 1 / jnp.max(pair.weights, -1)


def _biased(pair: Observed, k: jax.Array, l: jax.Array, both: jax.Array) -> jax.Array:  # noqa: E741
    """HSIC from means over the rows of K, of L and of their product."""
    # mean(KL) + mean(K) mean(L) - 2 mean(k l), as differences of what is close.
    return _mean(pair, both - k * l) - _covariance(pair, k, l)


def _unbiased(pair: Observed, k: jax.Array, l: jax.Array, both: jax.Array) -> jax.Array:  # noqa: E741
    """The same without the pairs of a sample with itself, from sums over rows."""
    n = _number(pair)
    k, l, both = ((sums - 1) / (n - 1)[..., None] for sums in (k, l, both))  # noqa: E741
    inner = _mean(pair, both - k * l) - n / (n - 2) * _covariance(pair, k, l)
    return (n - 1) / (n - 3) * inner


@functools.partial(jax.jit, static_argnames="unbiased")
def _hsic(pair: Observed, x: jax.Array, y: jax.Array, unbiased: bool) -> jax.Array:
    joined = jnp.concatenate([x, y], -1)
    sums = [_row_sums(points, pair.where) for points in (x, y, joined)]
    if unbiased:
        return _unbiased(pair, *sums)
    number = _number(pair)[..., None]
    return _biased(pair, *(rows / number for rows in sums))


def hsic(
    x: Float[Array, "*B N D"],
    y: Float[Array, "*B N E"],
    *,
    sigma_x: Width,
    sigma_y: Width,
    unbiased: bool = False,
    where: Bool[Array, "..."] | None = None,
) -> Float[Array, "*B"]:
    r"""Hilbert-Schmidt independence criterion $\mathrm{tr}(K H L H) / N^2$ under Gaussian kernels.

    With $K_{ij} = \exp(-|x_i - x_j|^2 / (2 \sigma_x^2))$, L likewise of y, and the centring H. In
    the limit of many samples 0 exactly where x and y are independent. The biased estimate is
    never negative but for rounding, and too large by some $(1 - \overline K)(1 - \overline L)/N$;
    the unbiased one leaves the diagonals out and may be negative. Time is that of three Gram
    matrices, memory that of the samples.

    Args:
        x: samples of X.
        y: samples of Y, observed with x.
        sigma_x: the bandwidth of x: a positive number, an array that broadcasts to *B, or
            "median" for the median distance of x.
        sigma_y: the bandwidth of y, likewise.
        unbiased: whether to take the unbiased estimate.
        where: the samples that count, broadcasting to (*B, N); all if None.

    Returns:
        The criterion, at most 1 (no unit). Some authors divide by (N - 1)^2 instead.

    Raises:
        TypeError: `x` or `y` is not of floating type.
        ValueError: shapes that do not fit together, a sample that is not finite, a bandwidth that
            is not positive; fewer than 2 samples, or 4 for the unbiased estimate.

    Reference:
        Gretton, Bousquet, Smola and Schoelkopf, Measuring Statistical Dependence with
        Hilbert-Schmidt Norms, 2005, definition 2; Song, Smola, Gretton, Bedo and Borgwardt,
        Feature Selection via Dependence Maximization, 2012, equation (5).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> x = jnp.array([[0.0], [9.0]])
        >>> print(information.hsic(x, x, sigma_x=1.0, sigma_y=1.0))
        0.25
    """
    pair = observed(least=4 if unbiased else 2, where=where, x=x, y=y)
    a, b, valid = _points(pair, sigma_x, sigma_y)
    return pair.finish(_hsic(pair, a, b, bool(unbiased)), valid)


@jax.jit
def _linear_hsic(pair: Observed) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Squared norms of the covariance of x and y and of their own, up to one factor."""
    x, y = pair.arrays

    def centred(z):
        return (z - jnp.einsum("...n,...nd->...d", pair.weights, z)[..., None, :]) * jnp.sqrt(
            pair.weights
        )[..., None]

    x, y = centred(x), centred(y)
    # No scale of the features matters, and none overflows.
    x, y = (
        safe_divide(z, jax.lax.stop_gradient(jnp.max(jnp.abs(z), (-1, -2), keepdims=True)))
        for z in (x, y)
    )
    if x.shape[-2] < max(x.shape[-1], y.shape[-1]):
        grams = [jnp.matmul(z, jnp.swapaxes(z, -1, -2), precision="highest") for z in (x, y)]
        dot = functools.partial(jnp.einsum, "...ij,...ij->...", precision="highest")
        return dot(grams[0], grams[1]), dot(grams[0], grams[0]), dot(grams[1], grams[1])

    def norm(u, v):
        return jnp.sum(jnp.matmul(jnp.swapaxes(u, -1, -2), v, precision="highest") ** 2, (-1, -2))

    return norm(x, y), norm(x, x), norm(y, y)


@jax.jit
def _gaussian_hsic(pair: Observed, x: jax.Array, y: jax.Array) -> tuple[jax.Array, ...]:
    """HSIC of x and y and of each with itself."""
    number = _number(pair)[..., None]
    # A squared kernel is a kernel of a bandwidth smaller by sqrt 2.
    root = math.sqrt(2)
    points = (x, y, jnp.concatenate([x, y], -1), root * x, root * y)
    k, l, both, kk, ll = (_row_sums(p, pair.where) / number for p in points)  # noqa: E741
    return _biased(pair, k, l, both), _biased(pair, k, k, kk), _biased(pair, l, l, ll)


@jax.jit
def _cosine(cross: jax.Array, of_x: jax.Array, of_y: jax.Array) -> jax.Array:
    """cross / sqrt(of_x of_y), 0 with derivatives 0 where one of them is 0 up to rounding."""
    floor = 8 * jnp.finfo(cross.dtype).eps
    varies = (of_x > floor) & (of_y > floor)
    scale = safe_sqrt(jnp.where(varies, of_x, 1)) * safe_sqrt(jnp.where(varies, of_y, 1))
    return safe_divide(jnp.where(varies, cross, 0), scale)


def centered_kernel_alignment(
    x: Float[Array, "*B N D"],
    y: Float[Array, "*B N E"],
    *,
    sigma_x: Width | None = None,
    sigma_y: Width | None = None,
    where: Bool[Array, "..."] | None = None,
) -> Float[Array, "*B"]:
    r"""Centred kernel alignment $\mathrm{HSIC}(x, y) / \sqrt{\mathrm{HSIC}(x, x) HSIC(y, y)}$.

    How similar two representations of the same samples are, from 0 to 1. With linear kernels
    (the default) it is $\|Y^\top X\|^2 / (\|X^\top X\| \|Y^\top Y\|)$ of centred features:
    invariant to rotations and to one scale, from whichever of features and samples are fewer.
    Biased upwards where samples are few against features.

    Args:
        x: the first representation of the samples.
        y: the second; another number of features is allowed.
        sigma_x: the bandwidth of a Gaussian kernel on x, as in `hsic`; None for a linear one.
        sigma_y: the bandwidth on y; None if and only if `sigma_x` is.
        where: the samples that count, broadcasting to (*B, N); all if None.

    Returns:
        The alignment; 0, with derivatives 0, where x or y is constant.

    Raises:
        TypeError: `x` or `y` is not of floating type.
        ValueError: shapes that do not fit together, fewer than 2 samples, a sample that is not
            finite, a bandwidth that is not positive, or one bandwidth without the other.

    Reference:
        Cortes, Mohri and Rostamizadeh, JMLR 2012, definition 4; Kornblith, Norouzi, Lee and
        Hinton, arXiv 1905.00414, 2019, equation (4).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> x = jnp.array([[0.0, 1.0], [2.0, 0.0], [1.0, 1.0]])
        >>> print(information.centered_kernel_alignment(x, 3 * x))
        1.0
    """
    if (sigma_x is None) != (sigma_y is None):
        raise ValueError(
            f"sigma_x and sigma_y must be given together; got {sigma_x!r} and {sigma_y!r}."
        )
    pair = observed(least=2, where=where, x=x, y=y)
    if sigma_x is None or sigma_y is None:
        (cross, of_x, of_y), valid = _linear_hsic(pair), jnp.ones((), bool)
    else:
        a, b, valid = _points(pair, sigma_x, sigma_y)
        cross, of_x, of_y = _gaussian_hsic(pair, a, b)
    return pair.finish(_cosine(cross, of_x, of_y), valid)


@functools.partial(jax.jit, static_argnames="normalized")
def _information(pair: Observed, x: jax.Array, y: jax.Array, normalized: bool) -> jax.Array:
    number = _number(pair)[..., None]

    def means(points):
        return _row_sums(points, pair.where) / number

    def information(k, l, both):  # noqa: E741
        apart = jnp.log(_mean(pair, k * l))
        return (jnp.log(_mean(pair, both)) - apart) + (
            jnp.log(_mean(pair, k) * _mean(pair, l)) - apart
        )

    k, l = means(x), means(y)  # noqa: E741
    value = information(k, l, means(jnp.concatenate([x, y], -1)))
    if not normalized:
        return value
    of_x, of_y = (information(z, z, means(math.sqrt(2) * p)) for z, p in ((k, x), (l, y)))
    return _cosine(value, of_x, of_y)


def cauchy_schwarz_mutual_information(
    x: Float[Array, "*B N D"],
    y: Float[Array, "*B N E"],
    *,
    sigma_x: Width,
    sigma_y: Width,
    normalized: bool = False,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
) -> Float[Array, "*B"]:
    r"""Cauchy-Schwarz quadratic mutual information, the divergence of p(x, y) and p(x) p(y).

    $\log \overline{K L} + \log (\overline K \, \overline L) - 2 \log \overline{k l}$ with means
    over all pairs of the Gaussian Gram matrices and over the products of their row means k, l:
    the three sums of HSIC under logarithms. Never negative but for rounding. Biased upwards: it
    tends to a positive number for independent samples, of order 1/N.

    Args:
        x: samples of X.
        y: samples of Y, observed with x.
        sigma_x: the bandwidth of x, as in `hsic`.
        sigma_y: the bandwidth of y.
        normalized: whether to divide by $\sqrt{I(x; x) I(y; y)}$.
        base: the logarithm's base (2 for bits); None for nats. A normalised value has no unit.
        where: the samples that count, broadcasting to (*B, N); all if None.

    Returns:
        The information in units of `base`. Normalised it is 0, with derivatives 0, where x or y
        is constant; it may exceed 1.

    Raises:
        TypeError: `x` or `y` is not of floating type.
        ValueError: shapes that do not fit together, fewer than 2 samples, a sample that is not
            finite, a bandwidth that is not positive, a wrong base.

    Reference:
        Principe, Information Theoretic Learning, 2010, chapter 2; Yu et al., arXiv
        2404.17951, 2024.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> x = jnp.array([[0.0], [9.0]])
        >>> print(information.cauchy_schwarz_mutual_information(
        ...     x, x, sigma_x=1.0, sigma_y=1.0, base=2))
        1.0
    """
    pair = observed(least=2, where=where, x=x, y=y)
    a, b, valid = _points(pair, sigma_x, sigma_y)
    unit = nats_to_base(jnp.ones((), a.dtype), base)  # a wrong base is an error all the same
    value = _information(pair, a, b, bool(normalized))
    return pair.finish(value if normalized else value * unit, valid)

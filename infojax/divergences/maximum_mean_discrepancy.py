"""Maximum mean discrepancy of two sample sets under Gaussian kernels (Gretton et al. 2012)."""

import functools
from collections.abc import Iterable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from infojax import checks
from infojax.divergences.kernel_widths import kernel_width
from infojax.divergences.permutation_tests import PermutationTest, permutation_test
from infojax.divergences.two_samples import TwoSamples, two_samples
from infojax.kernels.gaussian_gram_matvec import gaussian_gram_matvec
from infojax.numerics import gated, narrow

Width = ArrayLike | str
# Numbers in the vectors of permutations that are taken together.
_ENTRIES = 2**24


def _widths(pair: TwoSamples, sigma: Width | tuple[Width, ...]):
    """The bandwidths of a sum of kernels, with where all of them are valid."""
    given = sigma if isinstance(sigma, tuple) else (sigma,)
    if not given:
        raise ValueError("sigma must hold a bandwidth; got an empty tuple.")
    points, where = pair.joined()[0], pair.joined_where()
    widths, valid = zip(*(kernel_width("sigma", one, points, where) for one in given), strict=True)
    return widths, jnp.all(jnp.stack(valid), 0)


def _total(parts: Iterable[jax.Array]) -> jax.Array:
    return functools.reduce(jnp.add, parts)


def _biased(points: jax.Array, weights: jax.Array, width: jax.Array) -> jax.Array:
    rows = gaussian_gram_matvec(points, weights, sigma=width)
    return jnp.maximum(jnp.sum(weights * rows, -1), 0)


def _unbiased(pair: TwoSamples, width: jax.Array) -> jax.Array:
    """Means over pairs of different samples: the kernel of a sample with itself is 1."""
    points = pair.joined()[0]
    ones = [jnp.zeros_like(w) for w in (pair.x_weights, pair.y_weights)]
    sides = [(pair.x_weights > 0).astype(points.dtype), (pair.y_weights > 0).astype(points.dtype)]
    vectors = jnp.stack(
        [jnp.concatenate([sides[0], ones[1]], -1), jnp.concatenate([ones[0], sides[1]], -1)], -1
    )
    sums = gaussian_gram_matvec(points, vectors, sigma=width)
    size = pair.x.shape[-2]
    x_rows, y_rows = sums[..., :size, :], sums[..., size:, :]
    n, m = (jnp.sum(side, -1) for side in sides)
    within_x = jnp.sum(pair.x_weights * (x_rows[..., 0] - 1), -1) / (n - 1)
    within_y = jnp.sum(pair.y_weights * (y_rows[..., 1] - 1), -1) / (m - 1)
    between = jnp.sum(pair.x_weights * x_rows[..., 1], -1) / m
    return (within_x - between) + (within_y - between)


@functools.partial(jax.jit, static_argnames="unbiased")
def _value(pair: TwoSamples, widths: tuple[jax.Array, ...], unbiased: bool) -> jax.Array:
    if unbiased:
        return _total(_unbiased(pair, width) for width in widths)
    points, weights = pair.joined()
    return _total(_biased(points, weights, width) for width in widths)


def squared_maximum_mean_discrepancy(
    x: Float[Array, "*B N D"],
    y: Float[Array, "*B M D"],
    *,
    sigma: Width | tuple[Width, ...],
    unbiased: bool = False,
    x_where: Bool[Array, "..."] | None = None,
    y_where: Bool[Array, "..."] | None = None,
) -> Float[Array, "*B"]:
    r"""Squared maximum mean discrepancy $E k(x, x') + E k(y, y') - 2 E k(x, y)$.

    With $k(u, v) = \exp(-|u - v|^2 / (2 \sigma^2))$. The biased estimate takes means over all
    pairs: it is never negative, and exceeds the truth by $(1 - E k(x, x'))/N + (1 - E k(y,
    y'))/M$ on average. The unbiased one leaves out the pairs of a sample with itself, and may be
    negative. One product with the joint Gram matrix, which is never in memory.

    Args:
        x: samples of the first distribution.
        y: samples of the second; another number of them is allowed.
        sigma: the bandwidth: a positive number, an array that broadcasts to *B, or "median" for
            the median distance of all samples; a tuple of these for a sum of kernels.
        unbiased: whether to leave out the pairs of a sample with itself.
        x_where: the samples of x that count, broadcasting to (*B, N); all if None.
        y_where: the samples of y that count, broadcasting to (*B, M); all if None.

    Returns:
        The squared discrepancy: for one kernel at most 2.

    Raises:
        TypeError: `x` or `y` is not of floating type.
        ValueError: shapes that do not fit together, a sample that is not finite, a bandwidth
            that is not positive; fewer than one sample, or two for the unbiased estimate.

    Reference:
        Gretton, Borgwardt, Rasch, Schoelkopf and Smola, A Kernel Two-Sample Test, JMLR 2012,
        equations (3) and (5).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> x, y = jnp.array([[0.0], [1.0]]), jnp.array([[0.0], [2.0]])
        >>> print(divergences.squared_maximum_mean_discrepancy(x, y, sigma=1.0))
        0.1967
    """
    pair = two_samples(x, y, x_where, y_where, least=2 if unbiased else 1)
    widths, valid = _widths(pair, sigma)
    return pair.finish(_value(pair, widths, bool(unbiased)), valid)


@jax.jit
def _linear_time(x: jax.Array, y: jax.Array, widths: tuple[jax.Array, ...]) -> jax.Array:
    even = x.shape[-2] // 2 * 2
    (x, other_x), (y, other_y) = (
        (side[..., 0:even:2, :], side[..., 1:even:2, :]) for side in (x, y)
    )

    def one(width):
        def kernel(a, b):
            return jnp.exp(-jnp.sum((a - b) ** 2, -1) / (2 * width[..., None] ** 2))

        within = kernel(x, other_x) + kernel(y, other_y)
        return jnp.mean(within - kernel(x, other_y) - kernel(other_x, y), -1)

    return _total(one(width) for width in widths)


def linear_time_maximum_mean_discrepancy(
    x: Float[Array, "*B N D"], y: Float[Array, "*B N D"], *, sigma: Width | tuple[Width, ...]
) -> Float[Array, "*B"]:
    r"""Squared maximum mean discrepancy from N/2 independent terms, in time linear in N.

    The mean over pairs of neighbours (x, y), (x', y') of $k(x, x') + k(y, y') - k(x, y') -
    k(x', y)$: unbiased, of larger variance than `squared_maximum_mean_discrepancy`, and for
    streams. It depends on the order of the samples; the last of an odd number is left out.

    Args:
        x: samples of the first distribution, at least two.
        y: samples of the second, as many.
        sigma: the bandwidth, as in `squared_maximum_mean_discrepancy`; "median" takes time
            quadratic in N.

    Returns:
        The squared discrepancy; may be negative.

    Raises:
        TypeError: `x` or `y` is not of floating type.
        ValueError: shapes that differ, fewer than two samples, a sample that is not finite, a
            bandwidth that is not positive.

    Reference:
        Gretton et al., A Kernel Two-Sample Test, JMLR 2012, lemma 14.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> x, y = jnp.array([[0.0], [0.0]]), jnp.array([[2.0], [2.0]])
        >>> print(divergences.linear_time_maximum_mean_discrepancy(x, y, sigma=1.0))
        1.729
    """
    pair = two_samples(x, y, least=2)
    if pair.x.shape != pair.y.shape:
        raise ValueError(
            f"x and y must hold as many samples; got x {pair.x.shape}, y {pair.y.shape}."
        )
    widths, valid = _widths(pair, sigma)
    return pair.finish(_linear_time(pair.x, pair.y, widths), valid)


@jax.jit
def _statistics(points: jax.Array, columns: jax.Array, widths) -> jax.Array:
    """Biased statistics of many weightings (..., N, P) of the same points, some at a time."""
    number, total = columns.shape[-2:]
    together = max(64, _ENTRIES // number)

    def some(columns):
        rows = _total(gaussian_gram_matvec(points, columns, sigma=width) for width in widths)
        return jnp.sum(columns * rows, -2)

    parts = [some(columns[..., i : i + together]) for i in range(0, total, together)]
    return parts[0] if len(parts) == 1 else jnp.concatenate(parts, -1)


def maximum_mean_discrepancy_test(
    x: Float[Array, "*B N D"],
    y: Float[Array, "*B M D"],
    *,
    key: PRNGKeyArray,
    sigma: Width | tuple[Width, ...],
    num_permutations: int = 500,
) -> PermutationTest:
    """Tests whether two sample sets come from one distribution, by the discrepancy's permutations.

    The statistic is the biased squared discrepancy. Those of all permutations are one product
    of the joint Gram matrix, which is never in memory, with as many vectors of signs. The
    p-value is exact: at most a with probability at most a under the null hypothesis, for every
    N and M, if samples are independent.

    Args:
        x: samples of the first distribution.
        y: samples of the second; another number of them is allowed.
        key: for the permutations, which are the same for all problems of a batch.
        sigma: the bandwidth, as in `squared_maximum_mean_discrepancy`; "median" keeps the test
            exact up to 2048 samples, since it does not know which sample is whose.
        num_permutations: P, the number of random permutations.

    Returns:
        The statistic, the p-value and the statistics of the permutations.

    Raises:
        TypeError: `x` or `y` is not of floating type, `num_permutations` not a whole number.
        ValueError: as in `squared_maximum_mean_discrepancy`, or no permutation.

    Reference:
        Gretton et al., A Kernel Two-Sample Test, JMLR 2012, section 5.

    Example:
        >>> import jax
        >>> from infojax import divergences
        >>> x, y = jax.random.normal(jax.random.key(0), (2, 50, 1))
        >>> found = divergences.maximum_mean_discrepancy_test(
        ...     x, y + 2.0, key=jax.random.key(1), sigma=1.0, num_permutations=99)
        >>> print(found.p_value)
        0.01
    """
    number = checks.positive_integer("num_permutations", num_permutations)
    pair = two_samples(x, y)
    widths, valid = _widths(pair, sigma)
    points = pair.joined()[0]
    n, m = pair.x.shape[-2], pair.y.shape[-2]
    signs = jnp.concatenate([jnp.full(n, 1 / n, points.dtype), jnp.full(m, -1 / m, points.dtype)])
    shuffled = jax.random.permutation(
        key, jnp.broadcast_to(signs, (number, n + m)), axis=1, independent=True
    )
    columns = jnp.concatenate([signs[None], shuffled]).T
    columns = jnp.broadcast_to(columns, (*points.shape[:-2], *columns.shape))
    values = jnp.maximum(_statistics(points, columns, widths), 0)
    values = gated(values, (pair.valid & valid)[..., None])
    found = permutation_test(values[..., 0], values[..., 1:])
    return jax.tree.map(lambda part: narrow(part, *pair.given), found)

"""The permutation test of independence by HSIC (Gretton et al. 2008), exact and matrix-free.

A statistic of a permutation is an inner product <K^s, L^t> of permuted centred Gram matrices, and
those of all pairs (s, t) of two short lists of permutations are one matrix product of their
tiles: about 2 sqrt P permuted matrices give P statistics.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from infojax import checks
from infojax.divergences.kernel_widths import in_units, kernel_width
from infojax.divergences.permutation_tests import PermutationTest, permutation_test
from infojax.divergences.two_samples import observed
from infojax.kernels.gaussian_gram_matvec import gaussian_gram_row_sums
from infojax.numerics import gated, narrow

# Numbers in the tiles of all permuted matrices of one variable.
_ENTRIES = 2**20


def _shuffled(key: jax.Array, count: int, lists: int) -> jax.Array:
    """The identity and further random permutations, (lists, count)."""
    numbers = jnp.arange(count, dtype=jnp.int32)
    others = jnp.broadcast_to(numbers, (lists - 1, count))
    others = jax.random.permutation(key, others, axis=1, independent=True)
    return jnp.concatenate([numbers[None], others])


def _centred_rows(permuted: tuple, start: jax.Array, rows: int) -> jax.Array:
    """Some rows of H K H for each of several orders of the same points, (S, rows * N)."""
    points, norms, means = permuted

    def cut(array):
        return jax.lax.dynamic_slice_in_dim(array, start, rows, 1)

    inner = jnp.einsum("srd,snd->srn", cut(points), points, precision="highest")
    # The points are in units of sigma sqrt 2.
    squares = jnp.maximum(cut(norms)[:, :, None] + norms[:, None] - 2 * inner, 0)
    columns = jnp.arange(points.shape[1])
    squares = jnp.where((start + jnp.arange(rows))[:, None] == columns, 0, squares)
    total = jnp.mean(means, -1)[:, None, None]
    centred = jnp.exp(-squares) - (cut(means)[:, :, None] - total) - means[:, None]
    return centred.reshape(points.shape[0], -1)


def _inner_products(x, y, x_lists, y_lists) -> jax.Array:
    """<K^s, L^t> / N^2 of all pairs of the lists, (S, T); points in units of the bandwidth."""
    count = x.shape[0]

    def permuted(points, lists):
        means = gaussian_gram_row_sums(points, sigma=1.0) / count
        points = points[lists] / math.sqrt(2)
        return points, jnp.sum(points * points, -1), means[lists]

    permuted_x, permuted_y = permuted(x, x_lists), permuted(y, y_lists)
    rows = max(1, min(count, _ENTRIES // (count * x_lists.shape[0])))

    def tile(start):
        # The last tile begins earlier, so that it is whole; the rows that it shares count once.
        begin = jnp.minimum(start, count - rows)
        k = _centred_rows(permuted_x, begin, rows)
        l = _centred_rows(permuted_y, begin, rows)  # noqa: E741
        fresh = jnp.repeat(begin + jnp.arange(rows) >= start, count)
        return jnp.matmul(jnp.where(fresh, k, 0), l.T, precision="highest")

    starts = jnp.arange(0, count, rows)
    return jnp.sum(jax.lax.map(tile, starts), 0) / count**2


@functools.partial(jax.jit, static_argnames="number")
def _statistics(key, x, y, number: int) -> jax.Array:
    """The statistic and those of `number` permutations, (*B, 1 + number)."""
    lists = math.isqrt(number) + 1
    keys = jax.random.split(key, 3)
    x_lists, y_lists = (_shuffled(k, x.shape[-2], lists) for k in keys[:2])
    # Which of the pairs are left out is as random as the permutations are.
    places = 1 + jax.random.permutation(keys[2], lists * lists - 1)[:number]
    places = jnp.concatenate([jnp.zeros(1, places.dtype), places])

    def one(points):
        return _inner_products(points[0], points[1], x_lists, y_lists).reshape(-1)[places]

    batch = x.shape[:-2]
    flat = tuple(p.reshape(math.prod(batch), *p.shape[-2:]) for p in (x, y))
    return jax.lax.map(one, flat).reshape(*batch, number + 1)


def hsic_test(
    x: Float[Array, "*B N D"],
    y: Float[Array, "*B N E"],
    *,
    key: PRNGKeyArray,
    sigma_x: ArrayLike | str,
    sigma_y: ArrayLike | str,
    num_permutations: int = 500,
) -> PermutationTest:
    r"""Tests whether paired samples are independent, by permutations of HSIC.

    The statistic is the biased `hsic`. The P permutations that y is given against x are the
    products of two lists of $\sqrt{P + 1}$ independent uniform permutations each. Each product
    is uniform, and any two are independent: the p-value has the mean and the variance that P
    independent permutations give, and is exact (at most a with probability at most a under
    independence, for every N), because relabelling x and y moves the statistic to any place of
    the table of products. Time is that of some $4 \sqrt P$ Gram matrices, of which none is in
    memory.

    Args:
        x: samples of X, each independent of the others.
        y: samples of Y, observed with x.
        key: for the permutations, which are the same for all problems of a batch.
        sigma_x: the bandwidth of x, as in `hsic`.
        sigma_y: the bandwidth of y.
        num_permutations: P, the number of permutations; the least p-value is 1/(1 + P).

    Returns:
        The statistic, the p-value and the statistics of the permutations.

    Raises:
        TypeError: `x` or `y` is not of floating type, `num_permutations` not a whole number.
        ValueError: shapes that do not fit together, fewer than 2 samples, a sample that is not
            finite, a bandwidth that is not positive, or no permutation.

    Reference:
        Gretton, Fukumizu, Teo, Song, Schoelkopf and Smola, A Kernel Statistical Test of
        Independence, 2008, section 3.

    Example:
        >>> import jax
        >>> from infojax import information
        >>> x, noise = jax.random.normal(jax.random.key(0), (2, 50, 1))
        >>> found = information.hsic_test(x, x**2 + 0.1 * noise, key=jax.random.key(1),
        ...     sigma_x=1.0, sigma_y=1.0, num_permutations=99)
        >>> print(found.p_value)
        0.01
    """
    number = checks.positive_integer("num_permutations", num_permutations)
    pair = observed(least=2, x=x, y=y)
    a, b = pair.arrays
    width_x, x_fine = kernel_width("sigma_x", sigma_x, a)
    width_y, y_fine = kernel_width("sigma_y", sigma_y, b)
    values = _statistics(key, in_units(a, width_x), in_units(b, width_y), number)
    values = gated(values, (pair.valid & x_fine & y_fine)[..., None])
    found = permutation_test(values[..., 0], values[..., 1:])
    return jax.tree.map(lambda part: narrow(part, *pair.given), found)

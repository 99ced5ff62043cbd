"""Information by discretising samples and counting: entropy and mutual information of cells.

Cells are identified exactly, by ranking the rows of cell numbers: no hash that may collide, and
no table of all bins^D cells, of which at most N are occupied.
"""

import functools
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from infojax import checks
from infojax.entropies import entropy_from_counts
from infojax.entropies.from_counts import Correction
from infojax.information.ranks import rank_ranges
from infojax.numerics import gated, narrow, smallest_normal, widen

Method = Literal["width", "quantile"]
_LARGEST = 2**31 - 1


@functools.partial(jax.jit, static_argnames=("bins",))
def _cells_by_width(x, low, high, where, bins: int):
    if where is not None:
        counted = where[..., None]
        lowest = jnp.min(jnp.where(counted, x, jnp.inf), -2, keepdims=True)
        highest = jnp.max(jnp.where(counted, x, -jnp.inf), -2, keepdims=True)
    else:
        lowest, highest = jnp.min(x, -2, keepdims=True), jnp.max(x, -2, keepdims=True)
    low = lowest if low is None else low
    high = highest if high is None else high
    # The range may exceed the floating type, and the reciprocal that compilers divide by be lost.
    far = jnp.maximum(jnp.abs(low), jnp.abs(high)) > jnp.finfo(x.dtype).max / 16
    scale = jnp.where(far, 1 / 16, 1).astype(x.dtype)
    low, width = low * scale, high * scale - low * scale
    wide = width >= smallest_normal(x.dtype)
    position = jnp.clip((x * scale - low) / jnp.where(wide, width, 1), 0, 1)
    cells = jnp.floor(position * bins).astype(jnp.int32)
    return jnp.where(wide, jnp.minimum(cells, bins - 1), 0)


@functools.partial(jax.jit, static_argnames=("bins",))
def _cells_by_quantile(x, where, bins: int):
    below, _ = rank_ranges(x, where)
    if where is None:
        return below * bins // x.shape[-2]
    count = jnp.maximum(jnp.sum(where, -1, dtype=jnp.int32), 1)[..., None, None]
    return jnp.minimum(below * bins // count, bins - 1)


def _limits(limits, method, features, dtype):
    """The given limits as arrays (1, D) or (1, 1), and whether they are valid."""
    if limits is None:
        return None, None, jnp.asarray(True)
    if method != "width":
        raise ValueError(f"limits need method='width'; got method={method!r}.")
    low, high = (checks.real_number("limits", limit).astype(dtype) for limit in limits)
    for limit in (low, high):
        if limit.shape not in ((), (features,)):
            raise ValueError(
                f"limits must be numbers or of shape ({features},); got {limit.shape}."
            )
    valid = jnp.all((low < high) & jnp.isfinite(low) & jnp.isfinite(high))
    checks.check(valid, "limits must be finite, the lower below the upper.")
    return low[..., None, :] if low.ndim else low, high[..., None, :] if high.ndim else high, valid


def _taken(name, x, where, bins, method):
    checks.choice("method", method, get_args(Method))
    bins = checks.positive_integer("bins", bins)
    given = checks.samples(name, x)
    if bins * given.shape[-2] > _LARGEST:
        raise ValueError(f"bins times samples must be below 2^31; got {bins} x {given.shape[-2]}.")
    counted = checks.mask("where", where, given.shape[:-1])
    if counted is not None:
        counted = jnp.broadcast_to(counted, given.shape[:-1])
    valid = checks.finite_samples(name, given, counted)
    if counted is not None:
        some = jnp.any(counted, -1)
        checks.check(some, "where must leave at least 1 sample.")
        valid &= some
    (wide,) = widen(given)
    # Rubbish at samples that do not count must not become a cell number.
    wide = wide if counted is None else jnp.where(counted[..., None], wide, 0)
    return given, wide, counted, valid, bins


def _cells(wide, counted, bins, method, limits):
    low, high, valid = _limits(limits, method, wide.shape[-1], wide.dtype)
    if method == "width":
        return _cells_by_width(wide, low, high, counted, bins), valid
    return _cells_by_quantile(wide, counted, bins), valid


def discretize(
    x: Float[Array, "*B N D"],
    *,
    bins: int,
    method: Method = "width",
    limits: tuple[ArrayLike, ArrayLike] | None = None,
    where: Bool[Array, "*B N"] | None = None,
) -> Int[Array, "*B N D"]:
    r"""Cell numbers 0 .. bins - 1 of samples, each feature by itself.

    - `"width"`: $\lfloor b (x - \min) / (\max - \min) \rfloor$, the maximum in the last cell;
      a feature that is constant has one cell, 0.
    - `"quantile"`: $\lfloor b r / N \rfloor$, r the number of samples below: cells of equal
      frequency, where tied samples always share a cell.

    Args:
        x: samples.
        bins: b, the number of cells of a feature.
        method: cells of equal width or of equal frequency.
        limits: lower and upper limit for cells of equal width, numbers or one a feature; samples
            outside are in the outermost cells. The range of the samples if None.
        where: the samples that count; the cell of any other is -1.

    Returns:
        Cell numbers as int32; -1 everywhere if invalid samples could not be refused (traced).

    Raises:
        TypeError: `x` is not of floating type, or `bins` no whole number.
        ValueError: no sample, a sample that is not finite, `bins` below 1, an unknown method,
            limits out of order.

    Reference:
        Cover and Thomas, Elements of Information Theory, section 8.3 (quantisation).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> x = jnp.array([[0.0], [1.0], [2.0], [8.0]])
        >>> print(information.discretize(x, bins=2)[:, 0])
        [0 0 0 1]
        >>> print(information.discretize(x, bins=2, method="quantile")[:, 0])
        [0 0 1 1]
    """
    _, wide, counted, valid, bins = _taken("x", x, where, bins, method)
    cells, limits_valid = _cells(wide, counted, bins, method, limits)
    known = (valid & limits_valid)[..., None, None]
    return jnp.where(known if counted is None else known & counted[..., None], cells, -1)


def _pack(cells: jax.Array, bins: int) -> jax.Array:
    """As many cell numbers as fit into one int32 word: (N, D) to (words, N)."""
    digits = 1
    while bins > 1 and bins ** (digits + 1) <= _LARGEST and digits < cells.shape[-1]:
        digits += 1
    words = -(-cells.shape[-1] // digits)
    padded = jnp.pad(cells, ((0, 0), (0, words * digits - cells.shape[-1])))
    place = jnp.asarray([bins**k for k in range(digits)], jnp.int32)
    return jnp.sum(padded.reshape(-1, words, digits) * place, -1, dtype=jnp.int32).T


def _dense_labels(words: jax.Array) -> jax.Array:
    """The rank of each row among the distinct rows of (words, N), a word at a time."""
    place = jnp.arange(words.shape[-1], dtype=jnp.int32)

    def refine(labels, word):
        first, second, origin = jax.lax.sort((labels, word, place), num_keys=2)
        new = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
        ranks = jnp.concatenate([jnp.zeros(1, jnp.int32), jnp.cumsum(new, dtype=jnp.int32)])
        return jax.lax.sort((origin, ranks), num_keys=1)[1], None

    return jax.lax.scan(refine, jnp.zeros_like(place), words)[0]


def _over_sets(function, *arrays):
    """Maps a function of one sample set over any leading batch axes."""
    for _ in range(arrays[0].ndim - 2):
        function = jax.vmap(function)
    return function(*arrays)


@functools.partial(jax.jit, static_argnames="bins")
def _labels(cells: jax.Array, bins: int) -> jax.Array:
    return _over_sets(lambda c: _dense_labels(_pack(c, bins)), cells)


@jax.jit
def _joint_labels(x_labels: jax.Array, y_labels: jax.Array) -> jax.Array:
    return _over_sets(lambda c: _dense_labels(c.T), jnp.stack([x_labels, y_labels], -1))


@jax.jit
def _counts(labels: jax.Array, weights: jax.Array) -> jax.Array:
    def count(labels, weights):
        return jnp.zeros_like(weights).at[labels].add(weights)

    return jnp.vectorize(count, signature="(n),(n)->(n)")(labels, weights)


def _entropy(labels, counted, dtype, correction, base):
    weights = jnp.ones(labels.shape, dtype) if counted is None else counted.astype(dtype)
    counts = _counts(labels, weights)
    # At least one label everywhere, so that an invalid set gives NaN below and no second error.
    counts = jnp.where(jnp.sum(counts, -1, keepdims=True) > 0, counts, 1)
    return entropy_from_counts(counts, base=base, correction=correction, where=counts > 0)


def binned_entropy(
    x: Float[Array, "*B N D"],
    *,
    bins: int,
    correction: Correction = "none",
    method: Method = "width",
    limits: tuple[ArrayLike, ArrayLike] | None = None,
    base: float | None = None,
    where: Bool[Array, "*B N"] | None = None,
) -> Float[Array, "*B"]:
    r"""Entropy of the occupied cells of samples that are discretised feature by feature.

    $-\sum_c \frac{n_c}{N} \log \frac{n_c}{N}$ over the cells of a grid of b bins a feature. At
    most log N: with many features all samples lie alone and the value says nothing. Biased low
    by about (occupied cells - 1) / 2N, which `correction` reduces. It is no differential entropy:
    add the logarithm of a cell's volume for that. The derivative is 0.

    Args:
        x: samples.
        bins: b, the number of cells of a feature.
        correction: the correction of the bias, as in `entropies.entropy_from_counts`;
            "shrinkage" shrinks towards equal occupied cells.
        method: cells of equal width or of equal frequency, as in `discretize`.
        limits: limits of cells of equal width, as in `discretize`.
        base: the logarithm's base (2 for bits); None for nats.
        where: the samples that count.

    Returns:
        The entropy in units of `base`.

    Raises:
        TypeError: as in `discretize`.
        ValueError: as in `discretize`; an unknown correction; a base that is not positive or 1.

    Reference:
        The classic Shannon entropy of Liao et al. 2023, arXiv 2312.04823; corrections as in
        `entropies.entropy_from_counts`.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> x = jnp.array([[0.0, 0.0], [0.1, 0.9], [0.9, 0.2], [1.0, 1.0]])
        >>> print(information.binned_entropy(x, bins=2, base=2))
        2.0
    """
    checks.choice("correction", correction, get_args(Correction))
    given, wide, counted, valid, bins = _taken("x", x, where, bins, method)
    cells, limits_valid = _cells(wide, counted, bins, method, limits)
    value = _entropy(_labels(cells, bins), counted, wide.dtype, correction, base)
    return narrow(gated(value, valid & limits_valid), given)


def binned_mutual_information(
    x: Float[Array, "*B N Dx"],
    y: Float[Array, "*B N Dy"],
    *,
    bins: int,
    correction: Correction = "none",
    method: Method = "width",
    base: float | None = None,
    where: Bool[Array, "*B N"] | None = None,
) -> Float[Array, "*B"]:
    r"""Mutual information of discretised samples, $H(X) + H(Y) - H(X, Y)$ of the cells.

    Discretising loses information; counting adds about $(K_x - 1)(K_y - 1) / 2N$ for K occupied
    cells, which the corrections reduce (each entropy is corrected by itself, so that a corrected
    value may be negative). With few samples a cell the value runs to log N whatever the truth.

    Args:
        x: samples.
        y: samples observed together with `x`.
        bins: the number of cells of a feature.
        correction: the correction of the bias of each entropy, as in `binned_entropy`.
        method: cells of equal width or of equal frequency, as in `discretize`.
        base: the logarithm's base (2 for bits); None for nats.
        where: the samples that count.

    Returns:
        The mutual information in units of `base`.

    Raises:
        TypeError: as in `discretize`.
        ValueError: as in `binned_entropy`; x and y differ in the number of samples.

    Reference:
        Cover and Thomas, Elements of Information Theory, section 8.3; Roulston 1999 (the bias).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> x = jnp.array([[0.0], [0.1], [0.9], [1.0]])
        >>> print(information.binned_mutual_information(x, -x, bins=2, base=2))
        1.0
    """
    checks.choice("correction", correction, get_args(Correction))
    checks.paired_samples(x=x, y=y)
    x_given, x_wide, counted, x_valid, bins = _taken("x", x, where, bins, method)
    y_given, y_wide, _, y_valid, _ = _taken("y", y, where, bins, method)
    dtype = jnp.promote_types(x_wide.dtype, y_wide.dtype)
    x_labels = _labels(_cells(x_wide, counted, bins, method, None)[0], bins)
    y_labels = _labels(_cells(y_wide, counted, bins, method, None)[0], bins)
    value = jnp.zeros((), dtype)
    for labels, sign in (
        (x_labels, 1),
        (y_labels, 1),
        (_joint_labels(x_labels, y_labels), -1),
    ):
        value += sign * _entropy(labels, counted, dtype, correction, base)
    return narrow(gated(value, x_valid, y_valid), x_given, y_given)

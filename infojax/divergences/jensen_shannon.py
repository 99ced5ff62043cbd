"""Jensen-Shannon divergence of two or many distributions, and its distance (Lin 1991)."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from infojax import checks
from infojax.divergences.pairs import checked_pair
from infojax.divergences.terms import jensen_shannon_terms, relative_entropy_terms
from infojax.numerics import (
    gated,
    narrow,
    nats_to_base,
    normalize_axes,
    reduce_axes,
    safe_sqrt,
    smallest_normal,
    widen,
)
from infojax.numerics.reductions import Axis


@functools.partial(jax.jit, static_argnames="axes")
def _jensen_shannon_nats(p: jax.Array, q: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    return jnp.sum(jensen_shannon_terms(p, q), axes, keepdims=True)


def jensen_shannon_divergence(
    p: Float[Array, "..."],
    q: Float[Array, "..."],
    *,
    axis: Axis = -1,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Jensen-Shannon divergence $\frac12 D(p \| m) + \frac12 D(q \| m)$, $m = \frac12 (p+q)$.

    Between 0 and log 2, symmetric bit for bit, accurate where p is close to q. The derivative
    by p is $\frac12 \log (p/m)$; at p = 0, where it would be -inf, it is 0.

    Args:
        p: probabilities, summing to one along `axis`.
        q: probabilities, broadcasting with `p`.
        axis: the axis or axes of one distribution; None for all.
        base: the logarithm's base (2 for bits); None for nats.
        where: entries that count.
        keepdims: whether the reduced axes stay with size one.

    Returns:
        The divergence in units of `base`.

    Raises:
        TypeError: `p` or `q` is not of floating type.
        ValueError: `p` or `q` is not a distribution, or they do not broadcast; a bad `axis` or
            `base`.

    Reference:
        Lin, Divergence Measures Based on the Shannon Entropy, 1991, equation (4.1).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> p, q = jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0])
        >>> print(divergences.jensen_shannon_divergence(p, q, base=2))
        1.0
    """
    pair = checked_pair(p, q, axis, where)
    return pair.finish_nats(_jensen_shannon_nats(pair.p, pair.q, pair.axes), base, keepdims)


def jensen_shannon_distance(
    p: Float[Array, "..."],
    q: Float[Array, "..."],
    *,
    axis: Axis = -1,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Jensen-Shannon distance: the square root of the divergence, which is a metric.

    At p = q, where it has no derivative, the gradient is 0.

    Args:
        p: probabilities, summing to one along `axis`.
        q: probabilities, broadcasting with `p`.
        axis: the axis or axes of one distribution; None for all.
        base: the logarithm's base (2 for bits); None for nats.
        where: entries that count.
        keepdims: whether the reduced axes stay with size one.

    Returns:
        The root of the divergence in units of `base`.

    Raises:
        TypeError: `p` or `q` is not of floating type.
        ValueError: as in `jensen_shannon_divergence`.

    Reference:
        Endres and Schindelin, A New Metric for Probability Distributions, 2003.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> p, q = jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0])
        >>> print(divergences.jensen_shannon_distance(p, q))
        0.8325...
    """
    pair = checked_pair(p, q, axis, where)
    nats = _jensen_shannon_nats(pair.p, pair.q, pair.axes)
    return pair.finish(safe_sqrt(nats_to_base(nats, base)), keepdims)


@functools.partial(jax.jit, static_argnames="axes")
def _mixture_nats(ps: jax.Array, weights: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    mixture = jnp.sum(weights * ps, 0, keepdims=True)
    # A distribution of weight zero is left out, and so is a mass that vanishes in the mixture.
    counts = (weights > 0) & (mixture >= smallest_normal(ps.dtype))
    rows = jnp.where(counts, ps, jnp.broadcast_to(mixture, ps.shape))
    divergences = jnp.sum(relative_entropy_terms(rows, mixture), axes, keepdims=True)
    return jnp.sum(weights * divergences, 0)


def jensen_shannon_divergence_many(
    ps: Float[Array, "N ..."],
    weights: Float[Array, " N"] | None = None,
    *,
    axis: Axis = -1,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Jensen-Shannon divergence of N distributions, $\sum_i w_i D(p_i \| \sum_j w_j p_j)$.

    It is the mutual information between the index i, drawn by the weights, and the symbol. The
    derivative by p_i is $w_i \log(p_i/m)$, and 0 at p_i = 0; by a weight of zero it is 0.

    Args:
        ps: the distributions, stacked along the leading axis; axes between the first and `axis`
            are batch axes.
        weights: probabilities of the N distributions; equal if None. All batches share them.
        axis: the axis or axes of one distribution, counted in `ps`; not the leading one. None
            for all others.
        base: the logarithm's base (2 for bits); None for nats.
        where: entries that count, broadcasting with `ps`.
        keepdims: whether the reduced axes stay with size one (the leading one does not).

    Returns:
        The divergence in units of `base`, of the shape of `ps` without the leading axis and
        `axis`; between 0 and the entropy of the weights.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: `ps` has no two axes, or `axis` names the leading one; one of `ps` or
            `weights` is not a distribution; a number of weights other than N.

    Reference:
        Lin, Divergence Measures Based on the Shannon Entropy, 1991, equation (5.1).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> print(divergences.jensen_shannon_divergence_many(jnp.eye(4), base=2))
        2.0
    """
    given = checks.floating("ps", ps, min_ndim=2)
    axes = tuple(range(1, given.ndim)) if axis is None else normalize_axes(axis, given.ndim)
    if 0 in axes:
        raise ValueError(f"axis must not name the leading axis, which stacks ps; got {axis!r}.")
    valid = jnp.all(checks.check_distribution("ps", given, axes, where), 0)
    count = given.shape[0]
    if weights is None:
        weights = jnp.full((count,), 1 / max(count, 1), given.dtype)
    as_given = checks.floating("weights", weights, ndim=1)
    if as_given.shape[0] != count:
        raise ValueError(f"weights must be {count}, one for each of ps; got {as_given.shape}.")
    weights_valid = checks.check_distribution("weights", as_given, (0,))[0]
    wide, shares = widen(given, as_given)
    if where is not None:
        wide = jnp.where(where, wide, 0)
    nats = _mixture_nats(wide, jnp.reshape(shares, (count,) + (1,) * (wide.ndim - 1)), axes)
    nats = nats_to_base(gated(nats, valid, weights_valid), base)
    result = reduce_axes(nats, tuple(a - 1 for a in axes), keepdims)
    return narrow(result, given, as_given)

r"""f-divergences: of a given generator, total variation, Hellinger, chi squared, Amari's alpha.

An f-divergence is $\sum_k q_k f(p_k / q_k)$ for a convex f with f(1) = 0 (Csiszar 1967).
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from infojax import checks
from infojax.divergences.pairs import checked_pair
from infojax.divergences.terms import absolute_value, hellinger_terms, power_terms
from infojax.entropies.generalized import expand_order
from infojax.numerics import gated, safe_divide, safe_sqrt, smallest_normal
from infojax.numerics.reductions import Axis


def f_divergence(
    p: Float[Array, "..."],
    q: Float[Array, "..."],
    f: Callable[[jax.Array], jax.Array],
    *,
    slope_at_infinity: ArrayLike = jnp.inf,
    axis: Axis = -1,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""f-divergence $\sum_k q_k f(p_k / q_k)$ of a convex generator f.

    A symbol with q = 0 < p adds $p f'(\infty)$, one with p = 0 < q adds q f(0), one with
    p = q = 0 nothing. The derivatives by a mass that is zero, and by p where q = 0 and the slope
    is infinite, are 0. The generator works elementwise: it is called on the ratios of positive
    masses and, apart, on a zero, where it must give its limit.

    Args:
        p: probabilities, summing to one along `axis`.
        q: probabilities, broadcasting with `p`.
        f: the generator, a convex function with f(1) = 0.
        slope_at_infinity: the limit of f(t) / t, which may be +inf.
        axis: the axis or axes of one distribution; None for all.
        where: entries that count.
        keepdims: whether the reduced axes stay with size one.

    Returns:
        The divergence, in the unit of f.

    Raises:
        TypeError: `p` or `q` is not of floating type, or `f` cannot be called.
        ValueError: `p` or `q` is not a distribution, or they do not broadcast;
            `slope_at_infinity` is NaN.

    Reference:
        Csiszar, Information-Type Measures of Difference of Probability Distributions, 1967;
        Liese and Vajda 2006, equation (22).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> p, q = jnp.array([0.5, 0.5, 0.0]), jnp.array([0.5, 0.25, 0.25])
        >>> triangular = lambda t: (t - 1) ** 2 / (t + 1)
        >>> print(divergences.f_divergence(p, q, triangular, slope_at_infinity=1.0))
        0.3333...
    """
    if not callable(f):
        raise TypeError(f"f must be a function; got {type(f).__name__}.")
    pair = checked_pair(p, q, axis, where)
    slope = checks.real_number("slope_at_infinity", slope_at_infinity).astype(pair.p.dtype)
    slope_valid = checks.check_real("slope_at_infinity", slope, ~jnp.isnan(slope), "not NaN")
    tiny = smallest_normal(pair.p.dtype)
    has_p, has_q = pair.p >= tiny, pair.q >= tiny
    both = has_p & has_q
    safe_p, safe_q = jnp.where(both, pair.p, 1), jnp.where(both, pair.q, 1)
    terms = jnp.where(both, safe_q * f(safe_divide(safe_p, safe_q)), 0)
    terms += jnp.where(has_q & ~has_p, pair.q, 0) * f(jnp.zeros((), pair.p.dtype))
    unmatched = has_p & ~has_q
    finite = jnp.where(jnp.isfinite(slope), slope, 0)
    terms += jnp.where(unmatched, pair.p, 0) * finite
    terms = jnp.where(unmatched & jnp.isinf(slope), slope, terms)
    value = jnp.sum(terms, pair.axes, keepdims=True)
    return pair.finish(gated(value, slope_valid), keepdims)


@functools.partial(jax.jit, static_argnames="axes")
def _total_variation(p: jax.Array, q: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    return 0.5 * jnp.sum(absolute_value(p - q), axes, keepdims=True)


def total_variation(
    p: Float[Array, "..."],
    q: Float[Array, "..."],
    *,
    axis: Axis = -1,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Total variation distance $\frac12 \sum_k |p_k - q_k|$, between 0 and 1.

    The derivative by p is half of sign(p - q), and 0 at p = q.

    Args:
        p: probabilities, summing to one along `axis`.
        q: probabilities, broadcasting with `p`.
        axis: the axis or axes of one distribution; None for all.
        where: entries that count.
        keepdims: whether the reduced axes stay with size one.

    Returns:
        The distance.

    Raises:
        TypeError: `p` or `q` is not of floating type.
        ValueError: `p` or `q` is not a distribution, or they do not broadcast.

    Reference:
        Levin, Peres and Wilmer, Markov Chains and Mixing Times, proposition 4.2.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> print(divergences.total_variation(jnp.array([0.5, 0.5]), jnp.array([0.25, 0.75])))
        0.25
    """
    pair = checked_pair(p, q, axis, where)
    return pair.finish(_total_variation(pair.p, pair.q, pair.axes), keepdims)


@functools.partial(jax.jit, static_argnames="axes")
def _hellinger(p: jax.Array, q: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    return safe_sqrt(0.5 * jnp.sum(hellinger_terms(p, q), axes, keepdims=True))


def hellinger_distance(
    p: Float[Array, "..."],
    q: Float[Array, "..."],
    *,
    axis: Axis = -1,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Hellinger distance $\bigl(\frac12 \sum_k (\sqrt{p_k} - \sqrt{q_k})^2\bigr)^{1/2}$.

    Between 0 and 1, a metric. The derivative by a mass that is zero is 0, and so is the whole
    gradient at p = q.

    Args:
        p: probabilities, summing to one along `axis`.
        q: probabilities, broadcasting with `p`.
        axis: the axis or axes of one distribution; None for all.
        where: entries that count.
        keepdims: whether the reduced axes stay with size one.

    Returns:
        The distance.

    Raises:
        TypeError: `p` or `q` is not of floating type.
        ValueError: `p` or `q` is not a distribution, or they do not broadcast.

    Reference:
        Liese and Vajda, On Divergences and Informations in Statistics and Information Theory,
        2006, equation (9).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> print(divergences.hellinger_distance(jnp.array([0.5, 0.5]), jnp.array([1.0, 0.0])))
        0.5411...
    """
    pair = checked_pair(p, q, axis, where)
    return pair.finish(_hellinger(pair.p, pair.q, pair.axes), keepdims)


@functools.partial(jax.jit, static_argnames="axes")
def _chi_squared(p: jax.Array, q: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    tiny = smallest_normal(p.dtype)
    has_q = q >= tiny
    safe_q = jnp.where(has_q, q, 1)
    difference = jnp.where(has_q, p - safe_q, 0)
    terms = jnp.where(~has_q & (p >= tiny), jnp.inf, difference * safe_divide(difference, safe_q))
    return jnp.sum(terms, axes, keepdims=True)


def chi_squared_divergence(
    p: Float[Array, "..."],
    q: Float[Array, "..."],
    *,
    axis: Axis = -1,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Pearson's chi-squared divergence $\sum_k (p_k - q_k)^2 / q_k$.

    Args:
        p: probabilities, summing to one along `axis`.
        q: probabilities, broadcasting with `p`; the expected ones, which divide.
        axis: the axis or axes of one distribution; None for all.
        where: entries that count.
        keepdims: whether the reduced axes stay with size one.

    Returns:
        The divergence; +inf, with derivatives 0 by that symbol, where q = 0 < p.

    Raises:
        TypeError: `p` or `q` is not of floating type.
        ValueError: `p` or `q` is not a distribution, or they do not broadcast.

    Reference:
        Liese and Vajda 2006, equation (8).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> print(divergences.chi_squared_divergence(jnp.array([1.0, 0.0]), jnp.array([0.5, 0.5])))
        1.0
    """
    pair = checked_pair(p, q, axis, where)
    return pair.finish(_chi_squared(pair.p, pair.q, pair.axes), keepdims)


@functools.partial(jax.jit, static_argnames="axes")
def _alpha(p: jax.Array, q: jax.Array, alpha: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    return jnp.sum(power_terms(p, q, (1 - alpha) / 2), axes, keepdims=True)


def alpha_divergence(
    p: Float[Array, "..."],
    q: Float[Array, "..."],
    alpha: ArrayLike,
    *,
    axis: Axis = -1,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Amari's alpha divergence, between and beyond the two Kullback-Leibler divergences.

    $\frac{4}{1-\alpha^2} \bigl(1 - \sum_k p_k^{(1-\alpha)/2} q_k^{(1+\alpha)/2}\bigr)$

    Alpha -1 is D(p || q), +1 is D(q || p), 0 is four times the squared Hellinger distance, -3
    half of chi squared; the function is continuous through all of them, with its derivatives by
    `p`, `q` and `alpha`. Every term is non-negative. Authors who write the exponent
    $t = (1-\alpha)/2$ divide by t (t - 1): the value is the same. The derivative by a mass that
    is zero is 0.

    Args:
        p: probabilities, summing to one along `axis`.
        q: probabilities, broadcasting with `p`.
        alpha: any real number, or an array of them that broadcasts with the batch axes; may be
            traced.
        axis: the axis or axes of one distribution; None for all.
        where: entries that count.
        keepdims: whether the reduced axes stay with size one.

    Returns:
        The divergence in nats; +inf, with derivatives 0 by that symbol, where q = 0 < p and
        alpha <= -1, and where p = 0 < q and alpha >= 1. A term that would exceed about the
        largest number of the type to the power 0.8 saturates there.

    Raises:
        TypeError: `p` or `q` is not of floating type, or `alpha` not real.
        ValueError: `p` or `q` is not a distribution, or `alpha` is infinite or NaN.

    Reference:
        Amari, Alpha-Divergence Is Unique, Belonging to Both f-Divergence and Bregman Divergence
        Classes, 2009, equation (21); Amari and Nagaoka 2000, equation (3.26).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> p, q = jnp.array([0.5, 0.5, 0.0]), jnp.array([0.25, 0.25, 0.5])
        >>> print(divergences.alpha_divergence(p, q, -1.0))
        0.6931...
    """
    pair = checked_pair(p, q, axis, where)
    alpha = checks.real_number("alpha", alpha)
    valid = checks.check_real("alpha", alpha, jnp.isfinite(alpha), "finite")
    ndim = pair.p.ndim
    alpha = jnp.where(valid, alpha, 0).astype(pair.p.dtype)
    value = _alpha(pair.p, pair.q, expand_order(alpha, pair.axes, ndim, "alpha"), pair.axes)
    return pair.finish(gated(value, expand_order(valid, pair.axes, ndim, "alpha")), keepdims)

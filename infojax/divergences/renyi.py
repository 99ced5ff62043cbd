"""Renyi divergence of every order, and the Bhattacharyya coefficient and distance.

With A = sum (p^a q^(1-a) - a p - (1-a) q) / (a - 1), whose terms are non-negative, Renyi's
divergence is log(1 + (a-1) A) / (a-1): continuous through order one and accurate where p is
close to q. Far from there it is a log-sum-exp.
"""

import functools

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from infojax.divergences.pairs import checked_pair
from infojax.divergences.terms import hellinger_terms, log_ratio, power_terms
from infojax.entropies.generalized import checked_order, expand_order
from infojax.numerics import gated, log1p_ratio, safe_log, smallest_normal
from infojax.numerics.reductions import Axis


@functools.partial(jax.jit, static_argnames="axes")
def _renyi_nats(p, q, order, axes):
    tiny = smallest_normal(p.dtype)
    has_p, has_q = p >= tiny, q >= tiny
    infinite = order == jnp.inf
    finite = jnp.where(infinite, 2, order)
    lost = jnp.any(has_p & ~has_q, axes, keepdims=True) & (order >= 1)

    shared = has_p & (has_q | (finite < 1))
    terms = finite * power_terms(jnp.where(shared, p, 0), jnp.where(has_p, q, 0), finite)
    total = jnp.sum(jnp.where(has_p, terms, q), axes, keepdims=True)
    near = jnp.abs((finite - 1) * total) < 0.5
    total = jnp.where(near, total, 0)
    close = total * log1p_ratio((finite - 1) * total)

    both = has_p & has_q
    safe_p, safe_q = jnp.where(both, p, 1), jnp.where(both, q, 1)
    log = log_ratio(safe_p, safe_q)
    excess = jnp.where(near, 1, finite - 1)
    exponent = safe_log(safe_p) + excess * log
    far = jax.nn.logsumexp(exponent, axes, where=both, keepdims=True) / excess
    largest = jnp.max(log, axes, where=both, initial=-jnp.inf, keepdims=True)
    value = jnp.where(infinite, largest, jnp.where(near, close, far))
    return jnp.where(lost, jnp.inf, value)


def renyi_divergence(
    p: Float[Array, "..."],
    q: Float[Array, "..."],
    order: ArrayLike,
    *,
    axis: Axis = -1,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Renyi divergence $\frac{1}{\alpha-1} \log \sum_k p_k^\alpha q_k^{1-\alpha}$ of any order.

    Order 0 is $-\log q(p > 0)$, 1 is Kullback and Leibler's, 2 the log of one plus chi squared,
    infinity $\log \max p/q$; the function is continuous through 1, with its derivatives by `p`,
    `q` and `order`. The derivative by a mass that is zero is 0. Near order 1 and where the
    divergence is small, the derivatives by `p` and `q` may differ by a constant from those of
    the formula: along the simplex they agree.

    Args:
        p: probabilities, summing to one along `axis`.
        q: probabilities, broadcasting with `p`.
        order: non-negative number or infinity, or an array of them that broadcasts with the
            batch axes; may be traced.
        axis: the axis or axes of one distribution; None for all.
        base: the logarithm's base (2 for bits); None for nats.
        where: entries that count.
        keepdims: whether the reduced axes stay with size one.

    Returns:
        The divergence in units of `base`; +inf, with derivatives 0, where q = 0 < p for an
        order of at least 1, and where p and q share no symbol.

    Raises:
        TypeError: `p` or `q` is not of floating type, or `order` not real.
        ValueError: `p` or `q` is not a distribution, or `order` is negative or NaN.

    Reference:
        van Erven and Harremoes, Renyi Divergence and Kullback-Leibler Divergence, 2014,
        equation (9), arXiv:1206.2459.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> p, q = jnp.array([0.5, 0.5, 0.0]), jnp.array([0.25, 0.25, 0.5])
        >>> orders = jnp.array([0.0, 0.5, 1.0, jnp.inf])
        >>> print(divergences.renyi_divergence(p[None], q[None], orders, base=2).round(5))
        [1. 1. 1. 1.]
    """
    pair = checked_pair(p, q, axis, where)
    order, valid = checked_order(order)
    ndim = pair.p.ndim
    order = expand_order(order.astype(pair.p.dtype), pair.axes, ndim)
    nats = _renyi_nats(pair.p, pair.q, order, pair.axes)
    return pair.finish_nats(gated(nats, expand_order(valid, pair.axes, ndim)), base, keepdims)


@functools.partial(jax.jit, static_argnames="axes")
def _overlap(p, q, axes):
    """The coefficient, and one minus it, each computed without cancellation."""
    tiny = smallest_normal(p.dtype)
    both = (p >= tiny) & (q >= tiny)
    roots = jnp.sqrt(jnp.where(both, p, 1)) * jnp.sqrt(jnp.where(both, q, 1))
    coefficient = jnp.sum(jnp.where(both, roots, 0), axes, keepdims=True)
    return coefficient, jnp.sum(hellinger_terms(p, q), axes, keepdims=True) / 2


def bhattacharyya_coefficient(
    p: Float[Array, "..."],
    q: Float[Array, "..."],
    *,
    axis: Axis = -1,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Bhattacharyya coefficient $\sum_k \sqrt{p_k q_k}$, between 0 and 1.

    The derivative by a mass is 0 where p or q is 0.

    Args:
        p: probabilities, summing to one along `axis`.
        q: probabilities, broadcasting with `p`.
        axis: the axis or axes of one distribution; None for all.
        where: entries that count.
        keepdims: whether the reduced axes stay with size one.

    Returns:
        The coefficient.

    Raises:
        TypeError: `p` or `q` is not of floating type.
        ValueError: `p` or `q` is not a distribution, or they do not broadcast.

    Reference:
        Bhattacharyya, On a Measure of Divergence Between Two Statistical Populations, 1943.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> p, q = jnp.array([0.5, 0.5]), jnp.array([1.0, 0.0])
        >>> print(divergences.bhattacharyya_coefficient(p, q))
        0.7071...
    """
    pair = checked_pair(p, q, axis, where)
    return pair.finish(_overlap(pair.p, pair.q, pair.axes)[0], keepdims)


def bhattacharyya_distance(
    p: Float[Array, "..."],
    q: Float[Array, "..."],
    *,
    axis: Axis = -1,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Bhattacharyya distance $-\log \sum_k \sqrt{p_k q_k}$: half of Renyi's at order 1/2.

    Never negative, accurate where p is close to q. The derivative by a mass is 0 where it is 0.

    Args:
        p: probabilities, summing to one along `axis`.
        q: probabilities, broadcasting with `p`.
        axis: the axis or axes of one distribution; None for all.
        base: the logarithm's base (2 for bits); None for nats.
        where: entries that count.
        keepdims: whether the reduced axes stay with size one.

    Returns:
        The distance in units of `base`; +inf, with derivatives 0, where p and q share no symbol.

    Raises:
        TypeError: `p` or `q` is not of floating type.
        ValueError: `p` or `q` is not a distribution, or they do not broadcast.

    Reference:
        Bhattacharyya, On a Measure of Divergence Between Two Statistical Populations, 1943.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> p, q = jnp.array([0.5, 0.5]), jnp.array([1.0, 0.0])
        >>> print(divergences.bhattacharyya_distance(p, q, base=2))
        0.5
    """
    pair = checked_pair(p, q, axis, where)
    coefficient, missing = _overlap(pair.p, pair.q, pair.axes)
    near = missing < 0.5
    close = -jnp.log1p(-jnp.where(near, missing, 0))
    touching = coefficient > 0
    far = jnp.where(touching, -jnp.log(jnp.where(touching, coefficient, 1)), jnp.inf)
    return pair.finish_nats(jnp.where(near, close, far), base, keepdims)

"""Renyi and Tsallis entropies of every order, continuous through order one.

Near order one both are written with u = (order - 1) log p and the ratios expm1(u) / u and
log1p(s) / s, which are accurate at zero; elsewhere Renyi's is a log-sum-exp.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from infojax import checks
from infojax.numerics import (
    expm1_ratio,
    gated,
    log1p_ratio,
    log_of_base,
    narrow,
    normalize_axes,
    reduce_axes,
    safe_log,
    smallest_normal,
    total,
    widen,
)
from infojax.numerics.reductions import Axis

_NEAR_ONE = 0.1


def checked_order(order: ArrayLike, *, finite: bool = False) -> tuple[jax.Array, jax.Array]:
    """Takes the order of an entropy or a divergence.

    Args:
        order: a non-negative number, or an array of them.
        finite: whether infinity is excluded.

    Returns:
        The order as an array, and where it is valid.

    Raises:
        TypeError: it is not real.
        ValueError: eagerly, if it is negative, NaN, or infinite where it must be finite.
    """
    array = checks.real_number("order", order)
    valid = (array >= 0) & (jnp.isfinite(array) if finite else True)
    expected = "a non-negative finite number" if finite else "a non-negative number or infinity"
    return array, checks.check_real("order", array, valid, expected)


def expand_order(
    order: jax.Array,
    axes: tuple[int, ...],
    ndim: int,
    name: str = "order",
    shape: tuple[int, ...] | None = None,
) -> jax.Array:
    """Lays the axes of an array of orders along the batch axes of the masses.

    Args:
        order: the orders, or a scalar.
        axes: the axes of one distribution.
        ndim: the number of axes of the masses.
        name: what the caller's users call the order.
        shape: the shape of the masses, if their batch axes are to be compared too.

    Returns:
        The orders, broadcasting with the masses.

    Raises:
        ValueError: there are more axes of orders than batch axes, or they do not broadcast.
    """
    if order.ndim == 0:
        return order
    batch = ndim - len(axes)
    if order.ndim > batch:
        raise ValueError(
            f"{name} must be a scalar or broadcast with {batch} batch axes; got {order.shape}."
        )
    if shape is not None:
        sizes = tuple(size for axis, size in enumerate(shape) if axis not in axes)
        try:
            np.broadcast_shapes(order.shape, sizes)
        except ValueError:
            raise ValueError(
                f"{name} must broadcast with the batch axes {sizes}; got shape {order.shape}."
            ) from None
    return jnp.expand_dims(jnp.reshape(order, (1,) * (batch - order.ndim) + order.shape), axes)


def _powers(p: jax.Array, order: jax.Array) -> jax.Array:
    """(p^order - p) / (order - 1), elementwise, with 0 where p is 0."""
    log_p = safe_log(p)
    return p * log_p * expm1_ratio((order - 1) * log_p)


def _prepare(p, order, where, axes: tuple[int, ...]):
    """Masses of at least float32 that are 0 where they do not count, and orders beside them."""
    (masses,) = widen(p if where is None else jnp.where(where, p, 0))
    return masses, expand_order(order.astype(masses.dtype), axes, p.ndim)


def renyi_entropy(
    p: Float[Array, "..."],
    order: ArrayLike,
    *,
    axis: Axis = -1,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Renyi entropy $H_\alpha(p) = \frac{1}{1-\alpha} \log \sum_k p_k^\alpha$.

    Order 0 is the log of the support's size (Hartley), 1 Shannon's, 2 the collision entropy,
    infinity $-\log \max p$; the function is continuous through 1, with its derivatives by `p`
    and by `order`. At p_k = 0 the derivative by p_k is 0.

    Args:
        p: probabilities, summing to one along `axis`.
        order: non-negative number or infinity, or an array of them that broadcasts with the
            batch axes of `p`; may be traced.
        axis: the axis or axes of one distribution; None for all.
        base: the logarithm's base (2 for bits); None for nats.
        where: entries that count.
        keepdims: whether the reduced axes stay with size one.

    Returns:
        The entropy in units of `base`, of the shape of `p` without `axis`.

    Raises:
        TypeError: `p` is not of floating type, or `order` not real.
        ValueError: `p` is not a distribution, or `order` is negative or NaN.

    Reference:
        Renyi, On Measures of Entropy and Information, 1961, equation (1.21).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import entropies
        >>> p = jnp.array([0.5, 0.25, 0.25])
        >>> print(entropies.renyi_entropy(p, jnp.inf, base=2))
        1.0
    """
    p = checks.floating("p", p)
    axes = normalize_axes(axis, p.ndim)
    where = checks.mask("where", where, p.shape)
    order, order_valid = checked_order(order)
    expand_order(order, axes, p.ndim, shape=p.shape)
    unit = log_of_base(base)
    value, valid = _renyi(p, order, order_valid, where, unit, axes, bool(keepdims))
    checks.check_distribution("p", p, axes, where, valid)
    return value


# The order and the unit are arguments, so that another one compiles nothing anew.
@functools.partial(jax.jit, static_argnames=("axes", "keepdims"))
def _renyi(p, order, order_valid, where, unit, axes: tuple[int, ...], keepdims: bool):
    valid = checks.distributions_are_valid(p, axes, where)
    masses, orders = _prepare(p, order, where, axes)
    nats = gated(_renyi_nats(masses, orders, axes), valid, expand_order(order_valid, axes, p.ndim))
    return narrow(reduce_axes(nats / unit, axes, keepdims), p), valid


def _renyi_nats(p, order, axes):
    near = jnp.abs(order - 1) < _NEAR_ONE
    excess = jnp.where(near, order - 1, 0)
    slope = total(_powers(p, 1 + excess), axes)
    around_one = -slope * log1p_ratio(excess * slope)

    infinite = order == jnp.inf
    far = jnp.where(near | infinite, 2, order)
    log_p = jnp.where(p >= smallest_normal(p.dtype), safe_log(p), -jnp.inf)
    # The largest mass is taken out before the product with the order can overflow; any constant
    # does, so it has no derivative.
    peak = jax.lax.stop_gradient(jnp.max(log_p, axes, keepdims=True, initial=-jnp.inf))
    relative = log_p - jnp.where(jnp.isfinite(peak), peak, 0)
    powers = jnp.where(relative == -jnp.inf, 0, jnp.exp(far * _finite(relative)))
    elsewhere = far / (1 - far) * peak + jnp.log(total(powers, axes)) / (1 - far)

    largest = -jnp.log(jnp.max(p, axes, initial=0, keepdims=True))
    return jnp.where(near, around_one, jnp.where(infinite, largest, elsewhere))


def _finite(x: jax.Array) -> jax.Array:
    return jnp.where(jnp.isfinite(x), x, 0)


def tsallis_entropy(
    p: Float[Array, "..."],
    order: ArrayLike,
    *,
    axis: Axis = -1,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Tsallis entropy $S_q(p) = \frac{1}{q-1} \bigl(1 - \sum_k p_k^q\bigr)$.

    Order 1 is Shannon's entropy in nats (the function is continuous through it), 2 the Gini
    impurity, 0 the support's size minus one. At p_k = 0 the derivative by p_k is 0.

    Args:
        p: probabilities, summing to one along `axis`.
        order: non-negative finite number, or an array of them that broadcasts with the batch
            axes of `p`; may be traced.
        axis: the axis or axes of one distribution; None for all.
        where: entries that count.
        keepdims: whether the reduced axes stay with size one.

    Returns:
        The entropy, of the shape of `p` without `axis`.

    Raises:
        TypeError: `p` is not of floating type, or `order` not real.
        ValueError: `p` is not a distribution, or `order` is negative, infinite or NaN.

    Reference:
        Tsallis, Possible Generalization of Boltzmann-Gibbs Statistics, 1988, equation (1).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import entropies
        >>> print(entropies.tsallis_entropy(jnp.array([0.5, 0.5]), 2))
        0.5
    """
    p = checks.floating("p", p)
    axes = normalize_axes(axis, p.ndim)
    where = checks.mask("where", where, p.shape)
    order, order_valid = checked_order(order, finite=True)
    expand_order(order, axes, p.ndim, shape=p.shape)
    value, valid = _tsallis(p, order, order_valid, where, axes, bool(keepdims))
    checks.check_distribution("p", p, axes, where, valid)
    return value


@functools.partial(jax.jit, static_argnames=("axes", "keepdims"))
def _tsallis(p, order, order_valid, where, axes: tuple[int, ...], keepdims: bool):
    valid = checks.distributions_are_valid(p, axes, where)
    masses, orders = _prepare(p, order, where, axes)
    value = total(-_powers(masses, _finite(orders)), axes)
    value = gated(value, valid, expand_order(order_valid, axes, p.ndim))
    return narrow(reduce_axes(value, axes, keepdims), p), valid

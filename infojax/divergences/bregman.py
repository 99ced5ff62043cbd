"""Bregman divergences: of a given convex function, and Itakura and Saito's."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from infojax import checks
from infojax.divergences.terms import relative_entropy_terms
from infojax.numerics import gated, narrow, normalize_axes, reduce_axes, safe_divide, widen
from infojax.numerics.reductions import Axis


def bregman_divergence(
    x: Float[Array, "*B D"], y: Float[Array, "*B D"], phi: Callable[[jax.Array], jax.Array]
) -> Float[Array, "*B"]:
    r"""Bregman divergence $\phi(x) - \phi(y) - \langle \nabla \phi(y), x - y \rangle$.

    Args:
        x: points.
        y: points, broadcasting with `x`.
        phi: a convex function that takes one point of shape (D,) to a scalar and can be
            differentiated by JAX.

    Returns:
        The divergences, non-negative up to the rounding of phi(x).

    Raises:
        TypeError: `x` or `y` is not of floating type, or `phi` cannot be called.
        ValueError: `x` or `y` has no axis, they do not broadcast, or `phi` gives no scalar.

    Reference:
        Bregman, The Relaxation Method of Finding the Common Point of Convex Sets, 1967;
        Banerjee et al., Clustering with Bregman Divergences, 2005, definition 1.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> x, y = jnp.array([1.0, 2.0]), jnp.array([3.0, 1.0])
        >>> print(divergences.bregman_divergence(x, y, lambda v: jnp.sum(v**2)))
        5.0
    """
    if not callable(phi):
        raise TypeError(f"phi must be a function; got {type(phi).__name__}.")
    x = checks.floating("x", x, min_ndim=1)
    y = checks.floating("y", y, min_ndim=1)
    shape = checks.broadcast_shapes(x=x, y=y)
    wide_x, wide_y = widen(jnp.broadcast_to(x, shape), jnp.broadcast_to(y, shape))
    out = jax.eval_shape(phi, jax.ShapeDtypeStruct(shape[-1:], wide_x.dtype))
    if getattr(out, "shape", None) != ():
        raise ValueError(f"phi must take a point of shape {shape[-1:]} to a scalar; got {out}.")

    def one(x, y):
        value, slope = jax.value_and_grad(phi)(y)
        return phi(x) - value - jnp.sum(slope * (x - y))

    return narrow(jnp.vectorize(one, signature="(d),(d)->()")(wide_x, wide_y), x, y)


@functools.partial(jax.jit, static_argnames="axes")
def _itakura_saito(x, y, where, axes):
    x, y = widen(x, y)
    return jnp.sum(safe_divide(relative_entropy_terms(y, x), y), axes, where=where, keepdims=True)


def itakura_saito_divergence(
    x: Float[Array, "..."],
    y: Float[Array, "..."],
    *,
    axis: Axis = -1,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Itakura-Saito divergence $\sum_k (x_k / y_k - \log (x_k / y_k) - 1)$ of positive spectra.

    Never negative, accurate where x is close to y. It is the Bregman divergence of
    $-\sum_k \log x_k$.

    Args:
        x: positive numbers (a power spectrum).
        y: positive numbers, broadcasting with `x`.
        axis: the axis or axes of one spectrum; None for all.
        where: entries that count.
        keepdims: whether the reduced axes stay with size one.

    Returns:
        The divergence.

    Raises:
        TypeError: `x` or `y` is not of floating type.
        ValueError: an entry is not positive and finite; they do not broadcast; a bad `axis`.

    Reference:
        Itakura and Saito, Analysis Synthesis Telephony Based on the Maximum Likelihood Method,
        1968; Banerjee et al. 2005, table 1.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> x, y = jnp.array([1.0, 1.0]), jnp.array([1.0, 0.5])
        >>> print(divergences.itakura_saito_divergence(x, y))
        0.3068...
    """
    x, y = checks.floating("x", x), checks.floating("y", y)
    shape = checks.broadcast_shapes(x=x, y=y)
    wide = {"x": jnp.broadcast_to(x, shape), "y": jnp.broadcast_to(y, shape)}
    axes = normalize_axes(axis, len(shape))
    valid = jnp.ones((), bool)
    for name, array in wide.items():
        positive = (array > 0) & jnp.isfinite(array)
        if where is not None:
            positive |= ~jnp.broadcast_to(where, shape)
            wide[name] = jnp.where(where, array, 1)
        valid &= jnp.all(
            checks.check_real(name, array, positive, "positive and finite"), axes, keepdims=True
        )
    value = gated(_itakura_saito(wide["x"], wide["y"], where, axes), valid)
    return narrow(reduce_axes(value, axes, keepdims), x, y)

"""Axes of reductions, maps over batches, and the gate that turns invalid input into NaN."""

import math
import operator
from collections.abc import Sequence

import jax
import jax.numpy as jnp

Axis = int | Sequence[int] | None


def normalize_axes(axis: Axis, ndim: int, name: str = "axis") -> tuple[int, ...]:
    """Turns an axis argument in the manner of numpy into a tuple of axes from 0.

    Args:
        axis: a number, several numbers, or None for all axes.
        ndim: the number of axes of the array.
        name: what the caller's users call the argument.

    Returns:
        The axes, in the order given.

    Raises:
        TypeError: an axis is not a whole number.
        ValueError: an axis is out of range or stands there twice, or the array has no axis.
    """
    if ndim == 0:
        raise ValueError(f"{name}={axis!r} needs an array with at least one axis; got a scalar.")
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, str):
        raise TypeError(f"{name} must hold whole numbers; got {axis!r}.")
    given = axis if isinstance(axis, Sequence) else (axis,)
    axes = []
    for one in given:
        try:
            if isinstance(one, bool):
                raise TypeError
            number = operator.index(one)
        except TypeError:
            raise TypeError(f"{name} must hold whole numbers; got {one!r}.") from None
        if not -ndim <= number < ndim:
            raise ValueError(f"{name}={one} is out of range for an array with {ndim} axes.")
        axes.append(number % ndim)
    if len(set(axes)) != len(axes):
        raise ValueError(f"{name} must name each axis once; got {axis!r}.")
    return tuple(axes)


def total(x: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """Sums along axes, which stay with size one, without adding a long row one by one.

    XLA on CPU splits a long sum, unless an axis of size one stands beside it (a batch of one):
    then it adds term by term and loses 1e-5 of a sum of 10^6 equal float32 terms. Such axes are
    taken out first. Those of a `vmap` cannot be seen from here, so that a mapped batch of one
    keeps the larger error; to sum in blocks instead would keep what is summed from being fused
    into the sum, at 2.5 times the cost for everyone.

    Args:
        x: floating array.
        axes: the axes to sum along.

    Returns:
        The sums.
    """
    axes = tuple(axis % x.ndim for axis in axes)
    kept = [axis for axis in range(x.ndim) if axis in axes or x.shape[axis] != 1]
    flat = x.reshape([x.shape[axis] for axis in kept])
    sums = jnp.sum(flat, tuple(kept.index(axis) for axis in axes))
    return sums.reshape([1 if axis in axes else size for axis, size in enumerate(x.shape)])


def gated(value: jax.Array, *valid: jax.Array) -> jax.Array:
    """NaN wherever an input was not valid, so that a wrong input never gives a plausible number.

    Args:
        value: a result.
        *valid: boolean arrays that broadcast with it.

    Returns:
        `value` where all of `valid` hold, NaN elsewhere.
    """
    for condition in valid:
        value = jnp.where(condition, value, jnp.nan)
    return value


def reduce_axes(value: jax.Array, axes: tuple[int, ...], keepdims: bool) -> jax.Array:
    """Drops the reduced axes, which are of size one, unless they are to be kept.

    Args:
        value: a result whose reduced axes have size one.
        axes: the reduced axes.
        keepdims: whether they stay.

    Returns:
        `value`, without `axes` unless `keepdims`.
    """
    return value if keepdims else jnp.squeeze(value, axes)


def over_batch(function, *arrays: jax.Array):
    """Maps a function of one problem over leading batch axes.

    Args:
        function: takes one (n,)-shaped array for each of `arrays`, returns a pytree.
        *arrays: arrays of shapes (*B, n_i) with the same batch axes.

    Returns:
        The results with leading axes *B.
    """
    batch = arrays[0].shape[:-1]
    count = math.prod(batch)
    flat = jax.vmap(function)(*(x.reshape(count, x.shape[-1]) for x in arrays))
    return jax.tree.map(lambda leaf: leaf.reshape(*batch, *leaf.shape[1:]), flat)

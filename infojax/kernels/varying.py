"""Shapes of arrays inside of `shard_map`, where a type tells over which mesh axes it varies."""

from typing import Any

import jax


def varying_over(*arrays: Any) -> frozenset:
    """The mesh axes over which any of the arrays varies; none outside of `shard_map`.

    Args:
        *arrays: arrays, or pytrees of them.

    Returns:
        Names of mesh axes.
    """
    return frozenset().union(*(jax.typeof(x).vma for x in jax.tree.leaves(arrays)))


def output(shape: tuple[int, ...], dtype: Any, *like: Any) -> jax.ShapeDtypeStruct:
    """The shape of a kernel's output that depends on other arrays.

    Args:
        shape: its shape.
        dtype: its type.
        *like: the arrays on which it depends.

    Returns:
        What `pallas_call` takes as `out_shape`.
    """
    return jax.ShapeDtypeStruct(shape, dtype, vma=varying_over(*like))


def vary_like(x: Any, *like: Any) -> Any:
    """Marks fresh arrays, the start of a loop's carry, as varying where others vary.

    Args:
        x: an array, or a pytree of them.
        *like: the arrays that will flow into the carry.

    Returns:
        The arrays, with the same values.
    """
    axes = varying_over(*like)

    def mark(leaf):
        missing = tuple(axes - jax.typeof(leaf).vma)
        return jax.lax.pcast(leaf, missing, to="varying") if missing else leaf

    return jax.tree.map(mark, x)

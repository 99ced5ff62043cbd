"""Shapes of arrays inside of `shard_map`, where a type tells over which mesh axes it varies."""

from typing import Any

import jax


def _axes_of(x: Any) -> frozenset:
    kind = jax.typeof(x)
    # jax 0.10.2 gave the set a class of its own.
    manual = getattr(kind, "manual_axis_type", None)
    return kind.vma if manual is None else manual.varying


def varying_over(*arrays: Any) -> frozenset:
    """The mesh axes over which any of the arrays varies; none outside of `shard_map`.

    Args:
        *arrays: arrays, or pytrees of them.

    Returns:
        Names of mesh axes.
    """
    return frozenset().union(*(_axes_of(x) for x in jax.tree.leaves(arrays)))


def output(shape: tuple[int, ...], dtype: Any, *like: Any) -> jax.ShapeDtypeStruct:
    """The shape of a kernel's output that depends on other arrays.

    Args:
        shape: its shape.
        dtype: its type.
        *like: the arrays on which it depends.

    Returns:
        What `pallas_call` takes as `out_shape`.
    """
    axes = varying_over(*like)
    if not axes:
        return jax.ShapeDtypeStruct(shape, dtype)
    manual = getattr(jax.typeof(jax.tree.leaves(like)[0]), "manual_axis_type", None)
    kind = {"vma": axes} if manual is None else {"manual_axis_type": type(manual)(varying=axes)}
    return jax.ShapeDtypeStruct(shape, dtype, **kind)


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
        missing = tuple(axes - _axes_of(leaf))
        return jax.lax.pcast(leaf, missing, to="varying") if missing else leaf

    return jax.tree.map(mark, x)

"""How the leaves of a loop's state are written to a checkpoint and put back where they were.

Arrays go to Orbax, Python numbers to JSON. A restored state must drive the step function exactly
as the state that was saved would have: same kinds, dtypes, weak types and layout over devices.
"""

import dataclasses
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.runner.errors import StorageError


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where the leaves of a state live: taken from the initial state, before it is donated.

    Attributes:
      treedef: The structure of the state.
      names: A readable, unique name for each leaf.
      shardings: For each leaf its sharding, or None for one that is bound to no device.
    """

    treedef: Any
    names: tuple[str, ...]
    shardings: tuple[Any, ...]


def layout_of(state: Any) -> Layout:
    """Returns the layout of a state."""
    entries, treedef = jax.tree_util.tree_flatten_with_path(state)
    names, shardings = [], []
    for position, (path, leaf) in enumerate(entries):
        readable = jax.tree_util.keystr(path, simple=True, separator=".")
        names.append(f"{position:03d}.{re.sub(r'[^A-Za-z0-9_.]+', '_', readable)}".rstrip("."))
        bound = isinstance(leaf, jax.Array) and leaf.committed
        shardings.append(_data(leaf).sharding if bound else None)
    return Layout(treedef, tuple(names), tuple(shardings))


def settle(state: Any, layout: Layout) -> Any:
    """Returns the state as a restored one would be: strongly typed and laid out as at the start.

    A run that goes on from a checkpoint in memory and one that reads it back then compile the same
    program, which is what makes them bit-identical.
    """
    leaves = []
    for leaf, sharding in zip(jax.tree.leaves(state), layout.shardings, strict=True):
        if isinstance(leaf, jax.Array):
            data = _data(leaf)
            if data.weak_type:
                leaf = data = jax.lax.convert_element_type(data, data.dtype)
            if sharding is not None and not data.sharding.is_equivalent_to(sharding, data.ndim):
                leaf = _same_kind(leaf, jax.device_put(data, sharding))
        leaves.append(leaf)
    return jax.tree.unflatten(layout.treedef, leaves)


def encode(state: Any, layout: Layout) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Splits a state into a description of its leaves (for JSON) and their arrays (for Orbax)."""
    described, arrays = [], {}
    for name, leaf in zip(layout.names, jax.tree.leaves(state), strict=True):
        if isinstance(leaf, bool | int | float | str) and not isinstance(leaf, np.generic):
            value = leaf.hex() if isinstance(leaf, float) else leaf
            kind = "float" if isinstance(leaf, float) else "plain"
            described.append({"name": name, "kind": kind, "value": value})
            continue
        entry = {"name": name, "kind": "array", "dtype": None, "shape": None, "global": False}
        if isinstance(leaf, np.ndarray | np.generic):
            entry["kind"] = "numpy"
            data = np.asarray(leaf)
        elif isinstance(leaf, jax.Array):
            data = _data(leaf)
            if data is not leaf:
                entry |= {"kind": "key", "impl": str(jax.random.key_impl(leaf))}
            entry["global"] = not data.is_fully_addressable
        else:
            raise TypeError(
                f"leaf {name} of the loop's state is {type(leaf).__name__}; a state holds arrays, "
                "typed keys, numbers and strings"
            )
        entry |= {"dtype": data.dtype.name, "shape": list(data.shape)}
        described.append(entry)
        if data.size:  # Orbax stores no empty array
            # Orbax refuses a device array that only this process can see: process 0 writes those.
            local = jax.process_count() > 1 and not entry["global"]
            arrays[name] = np.asarray(data) if local else data
    return described, arrays


def targets(described: list[dict[str, Any]], layout: Layout) -> dict[str, Any]:
    """Returns what Orbax is asked for: global arrays in their layout, the rest as NumPy."""
    wanted = {}
    for entry, sharding in zip(described, layout.shardings, strict=True):
        if "shape" not in entry or 0 in entry["shape"]:
            continue
        shape, dtype = tuple(entry["shape"]), jnp.dtype(entry["dtype"])
        if entry["global"] and jax.process_count() > 1:
            wanted[entry["name"]] = jax.ShapeDtypeStruct(shape, dtype, sharding=sharding)
        else:
            wanted[entry["name"]] = np.empty(shape, dtype)
    return wanted


def decode(described: list[dict[str, Any]], arrays: dict[str, Any], layout: Layout) -> Any:
    """Puts a state together again from what `encode` gave."""
    leaves = [
        _decode_leaf(entry, arrays, sharding)
        for entry, sharding in zip(described, layout.shardings, strict=True)
    ]
    return jax.tree.unflatten(layout.treedef, leaves)


def check_names(described: list[dict[str, Any]], layout: Layout, where: Any) -> None:
    """Raises StorageError if a checkpoint holds other leaves than the program's state has."""
    stored = [entry["name"] for entry in described]
    if stored != list(layout.names):
        odd = sorted(set(stored) ^ set(layout.names)) or stored
        raise StorageError(
            f"{where} was written by another version of the program: its state differs in "
            f"{', '.join(odd[:4])}; use another --workdir"
        )


def _decode_leaf(entry: dict[str, Any], arrays: dict[str, Any], sharding: Any) -> Any:
    if entry["kind"] == "plain":
        return entry["value"]
    if entry["kind"] == "float":
        return float.fromhex(entry["value"])
    data = arrays.get(entry["name"])
    if data is None:
        data = np.zeros(entry["shape"], jnp.dtype(entry["dtype"]))
    if entry["kind"] == "numpy":
        return np.asarray(data) if entry["shape"] else np.asarray(data)[()]
    if not isinstance(data, jax.Array):
        data = jnp.array(data) if sharding is None else jax.device_put(data, sharding)
    if entry["kind"] == "key":
        return jax.random.wrap_key_data(data, impl=entry["impl"])
    return data


def _data(leaf):
    """Returns the numbers of a typed key; any other leaf itself."""
    is_key = isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return jax.random.key_data(leaf) if is_key else leaf


def _same_kind(leaf, data):
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
    return data

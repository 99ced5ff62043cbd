"""Gated attention pooling in plain XLA: a loop over tiles of instances, O(N) memory.

The last tile of a bag is moved back to lie inside of it. The loop runs from the last tile to the
first, so that what the last one writes over its neighbour's instances, which count as absent
there, is written again.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from infojax.kernels import varying
from infojax.kernels.gated_attention_pooling import tiles
from infojax.kernels.gated_attention_pooling.tiles import Attended, AttentionGates

# Instances of all bags in one tile: enough for the matrix products to run at full speed, with
# hidden units that stay in the cache.
_INSTANCES = 1024
_LEAST = 128


def _loop(body: Callable[[Any, jax.Array, jax.Array], Any], carry: Any, batch: int, count: int):
    """Runs `body(carry, start, fresh)` over tiles, whose size `fresh` has, from the last on."""
    size = min(count, max(_LEAST, _INSTANCES // batch))

    def step(carry, number):
        start = jnp.minimum(number * jnp.int32(size), jnp.int32(count - size))
        fresh = start + jax.lax.iota(jnp.int32, size) >= number * jnp.int32(size)
        return body(carry, start, fresh), None

    if size == count:
        return step(carry, jnp.int32(0))[0]
    numbers = jnp.arange(-(-count // size), dtype=jnp.int32)
    return jax.lax.scan(step, carry, numbers, reverse=True)[0]


def _read(x: jax.Array, start: jax.Array, size: int, axis: int) -> jax.Array:
    return jax.lax.dynamic_slice_in_dim(x, start, size, axis)


def _write(x: jax.Array, tile: jax.Array, start: jax.Array, axis: int) -> jax.Array:
    return jax.lax.dynamic_update_slice_in_dim(x, tile.astype(x.dtype), start, axis)


def _instances(instances, where, start, size) -> jax.Array:
    tile = _read(instances, start, size, 1)
    if where is None:
        return tile
    return jnp.where(jnp.swapaxes(_read(where, start, size, 2), 1, 2) > 0, tile, 0)


def _per_bag(rows: jax.Array, batch: int) -> jax.Array:
    """From (K, B T) to (B, K, T)."""
    return jnp.swapaxes(rows.reshape(rows.shape[0], batch, -1), 0, 1)


def _per_row(bags: jax.Array) -> jax.Array:
    """From (B, K, T) to (K, B T)."""
    return jnp.swapaxes(bags, 0, 1).reshape(bags.shape[1], -1)


def forward(
    instances: jax.Array,
    logits: jax.Array | None,
    gates: AttentionGates | None,
    where: jax.Array | None,
) -> tuple[Attended, jax.Array | None]:
    """Pools bags.

    Args:
        instances: (B, N, D).
        logits: (B, K, N) of at least float32, or None.
        gates: the weights that give the logits, or None.
        where: (B, 1, N), positive for instances that count; all if None.

    Returns:
        What attention gives, and the logits (B, K, N) if they were computed.
    """
    batch, count, features = instances.shape
    rows = tiles.number_of_rows(logits, gates)
    weights = logits if gates is None else gates.output_kernel
    assert weights is not None
    dtype = weights.dtype

    def body(carry, start, fresh):
        sums, computed = carry
        size = fresh.size
        tile = _instances(instances, where, start, size)
        if gates is not None:
            units = tiles.hidden_units(tile.reshape(batch * size, features), gates)
            found = _per_bag(tiles.gated_logits(*units, gates), batch)
        else:
            found = _read(weights, start, size, 2)
        if where is not None:
            found = jnp.where(_read(where, start, size, 2) > 0, found, -jnp.inf)
        found = jnp.where(fresh, found, -jnp.inf)
        sums = tiles.merge(sums, jax.vmap(tiles.summarise)(found, tile))
        return sums, None if computed is None else _write(computed, found, start, 2)

    computed = None if gates is None else jnp.zeros((batch, rows, count), dtype)
    start = tiles.no_sums((batch, rows, features), dtype), computed
    start = varying.vary_like(start, instances, logits, gates, where)
    sums, computed = _loop(body, start, batch, count)
    return tiles.attended(sums), computed


def backward(
    instances: jax.Array,
    logits: jax.Array,
    gates: AttentionGates | None,
    where: jax.Array | None,
    saved: Attended,
    cotangents: tuple[jax.Array, jax.Array, jax.Array | None],
) -> tuple[jax.Array, jax.Array | None, AttentionGates | None]:
    """The derivative, with hidden units and attention computed again tile by tile.

    Args:
        instances: (B, N, D).
        logits: (B, K, N), given or computed.
        gates: the weights that gave the logits, or None.
        where: (B, 1, N), positive for instances that count; all if None.
        saved: what `forward` gave.
        cotangents: of the pooled bags (B, K, D), the entropies (B, K, 1) and, with gates, the
            logits.

    Returns:
        The cotangents of the instances, of the logits without gates, and of the gates.
    """
    batch, count, features = instances.shape
    pooled_cotangent, entropy_cotangent, logits_cotangent = cotangents
    pooled_projected = jnp.sum(pooled_cotangent * saved.pooled, -1, keepdims=True)

    def body(carry, start, fresh):
        by_instances, by_logits, by_gates = carry
        size = fresh.size
        tile = _instances(instances, where, start, size)
        found = jnp.where(fresh, _read(logits, start, size, 2), -jnp.inf)
        if where is not None:
            found = jnp.where(_read(where, start, size, 2) > 0, found, -jnp.inf)
        projected = jax.vmap(lambda g, h: tiles.dot(g, h, (1, 1)))(pooled_cotangent, tile)
        attention, change = tiles.logit_cotangents(
            found, projected, pooled_projected, saved, entropy_cotangent
        )
        moved = jax.vmap(lambda a, g: tiles.dot(a, g, (0, 0)))(attention, pooled_cotangent)
        if gates is None:
            by_logits = _write(by_logits, change, start, 2)
        else:
            assert logits_cotangent is not None
            upstream = _read(logits_cotangent, start, size, 2)
            change = _per_row(change + jnp.where(found == -jnp.inf, 0, upstream))
            flat = tile.reshape(batch * size, features)
            through, more = gate_cotangents(flat, change, gates)
            moved = moved + through.reshape(moved.shape)
            by_gates = jax.tree.map(jnp.add, by_gates, more)
        return _write(by_instances, moved, start, 1), by_logits, by_gates

    by_gates = None
    if gates is not None:
        by_gates = jax.tree.map(lambda x: jnp.zeros(x.shape, saved.pooled.dtype), gates)
    start = (
        jnp.zeros_like(instances),
        jnp.zeros_like(logits) if gates is None else None,
        by_gates,
    )
    start = varying.vary_like(start, instances, logits, gates, where, saved, cotangents)
    return _loop(body, start, batch, count)


def gate_sums(
    instances: jax.Array, change: jax.Array, gates: AttentionGates, where: jax.Array | None
) -> AttentionGates:
    """The derivative by the gates, from that by the logits.

    Args:
        instances: (B, N, D).
        change: the cotangents of the logits, (B, K, N).
        gates: the weights.
        where: (B, 1, N), positive for instances that count; all if None.

    Returns:
        The cotangents of the gates.
    """
    batch, count, features = instances.shape

    def body(by_gates, start, fresh):
        tile = _instances(instances, where, start, fresh.size)
        part = jnp.where(fresh, _read(change, start, fresh.size, 2), 0)
        flat = tile.reshape(batch * fresh.size, features)
        return jax.tree.map(jnp.add, by_gates, gate_cotangents(flat, _per_row(part), gates)[1])

    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, change.dtype), gates)
    zeros = varying.vary_like(zeros, instances, change, gates, where)
    return _loop(body, zeros, batch, count)


def gate_cotangents(
    instances: jax.Array, change: jax.Array, gates: AttentionGates
) -> tuple[jax.Array, AttentionGates]:
    """The derivative by the instances through the gates, and by the gates.

    Args:
        instances: (T, D).
        change: the cotangents of their logits, (K, T).
        gates: the weights.

    Returns:
        The cotangents of the instances, (T, D), and the sums over the tile of those of the gates.
    """
    value, gate = tiles.hidden_units(instances, gates)
    by_value, by_gate = tiles.hidden_cotangents(change, value, gate, gates.output_kernel)
    kind = gates.value_kernel.dtype
    rows, left, right = instances.astype(kind), by_value.astype(kind), by_gate.astype(kind)
    through = tiles.dot(left, gates.value_kernel, (1, 1))
    through = through + tiles.dot(right, gates.gate_kernel, (1, 1))
    return through, AttentionGates(
        tiles.dot(rows, left, (0, 0)),
        jnp.sum(by_value, 0, keepdims=True),
        tiles.dot(rows, right, (0, 0)),
        jnp.sum(by_gate, 0, keepdims=True),
        tiles.dot(change, value * gate, (1, 0)),
        jnp.sum(change, 1, keepdims=True),
    )

"""Gated attention pooling for TPU: one program a tile of instances, weights kept in VMEM.

The grid is (bags, tiles), run in order. The sums of a bag stay in scratch memory from its first
tile to its last, and the derivative by the weights in its output blocks from the first program to
the last one.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from infojax.kernels import varying
from infojax.kernels.gated_attention_pooling import tiles
from infojax.kernels.gated_attention_pooling.tiles import Attended, AttentionGates, Sums

_LANES = 128
# Elements of a tile of instances: large enough to hide the start of a transfer. And of a tile of
# hidden units, of which the backward kernel holds several.
_ELEMENTS = 1 << 18
_UNITS = 1 << 16
_MOST = 1024
_MOST_FEATURES = 2048
_MOST_HIDDEN = 512
_MOST_ROWS = 16
# Weights of one kernel of the gates in the derivative, by their bytes: it adds as many sums, and
# takes factors of float32 in three parts. VMEM has 16 MiB on the smallest generation.
_MOST_WEIGHTS = {2: 3 << 18, 4: 1 << 18}
# Features at a time in the derivative through the gates: a product of (D, L) would not fit.
_FEATURES = 256


def refusal(
    instances: jax.Array, rows: int, gates: AttentionGates | None, backward: bool = False
) -> str | None:
    """Why the kernel cannot take the arguments.

    Args:
        instances: (B, N, D).
        rows: K.
        gates: the weights, or None.
        backward: whether the derivative is asked for.

    Returns:
        The reason, or None.
    """
    types = {instances.dtype} | {x.dtype for x in jax.tree.leaves(gates)}
    if not types <= {jnp.dtype(jnp.float32), jnp.dtype(jnp.bfloat16)}:
        return f"takes float32 and bfloat16 alone; got {sorted(map(str, types))}"
    features = instances.shape[2]
    hidden = 0 if gates is None else gates.value_kernel.shape[1]
    if features > _MOST_FEATURES or hidden > _MOST_HIDDEN or rows > _MOST_ROWS:
        return (
            f"takes up to {_MOST_FEATURES} features, {_MOST_HIDDEN} hidden units and "
            f"{_MOST_ROWS} rows of attention; got {features}, {hidden} and {rows}"
        )
    if gates is None or not backward:
        return None
    kind = gates.value_kernel.dtype
    most = _MOST_WEIGHTS[kind.itemsize]
    if features * pl.cdiv(hidden, _LANES) * _LANES > most:
        return (
            f"has room in VMEM for {most} {kind} weights of a kernel in its derivative; "
            f"got {features} x {hidden}"
        )
    return None


def _tile_size(count: int, features: int, hidden: int) -> int:
    largest = min(_ELEMENTS // features, _UNITS // max(hidden, _LANES) if hidden else _MOST)
    size = max(_LANES, min(_MOST, largest // _LANES * _LANES))
    return min(size, count)


def _start(axes: int) -> tuple[jax.Array, ...]:
    """The first block along some axes; a plain 0 would be 64 bits wide under x64."""
    return (jnp.int32(0),) * axes


def _specs(arrays: dict[str, Any], size: int) -> dict[str, Any]:
    """How each array is cut: instances by tiles, statistics by bags, weights not at all."""
    cuts = {}
    for name, x in arrays.items():
        if name in ("instances", "by_instances"):
            cuts[name] = pl.BlockSpec((1, size, x.shape[2]), lambda b, i: (b, i, *_start(1)))
        elif name in ("logits", "by_logits", "where"):
            cuts[name] = pl.BlockSpec((1, x.shape[1], size), lambda b, i: (b, *_start(1), i))
        elif name in AttentionGates._fields:
            # Their block never changes: a second buffer would stay empty.
            once = pl.Buffered(1)
            cuts[name] = pl.BlockSpec(x.shape, lambda b, i: _start(2), pipeline_mode=once)
        else:
            cuts[name] = pl.BlockSpec((1, *x.shape[1:]), lambda b, i: (b, *_start(2)))
    return cuts


def _weights(refs: dict[str, Any]) -> AttentionGates:
    return AttentionGates(*(refs[name][...] for name in AttentionGates._fields))


def _instances(refs: dict[str, Any], count: int) -> jax.Array:
    """A tile of instances, 0 where they do not count or lie behind the last one."""
    tile = refs["instances"][0]
    size = tile.shape[0]
    if count % size:
        left = jnp.int32(count) - pl.program_id(1) * jnp.int32(size)
        positions = jax.lax.broadcasted_iota(jnp.int32, tile.shape, 0)
        tile = jnp.where(positions < left, tile, jnp.zeros_like(tile))
    if "where" in refs:
        row = jnp.broadcast_to(refs["where"][0], (8, size))
        column = jnp.transpose(row)[:, :1]
        tile = jnp.where(column > 0, tile, jnp.zeros_like(tile))
    return tile


def _masked(refs: dict[str, Any], logits: jax.Array, count: int) -> jax.Array:
    size = logits.shape[1]
    if "where" in refs:
        logits = jnp.where(refs["where"][0] > 0, logits, -jnp.inf)
    if count % size:
        left = jnp.int32(count) - pl.program_id(1) * jnp.int32(size)
        positions = jax.lax.broadcasted_iota(jnp.int32, logits.shape, 1)
        logits = jnp.where(positions < left, logits, -jnp.inf)
    return logits


def _forward_kernel(refs, outputs, *scratch, count: int):
    tile, tiles_in_all = pl.program_id(1), pl.num_programs(1)
    sums = Sums(*scratch)

    @pl.when(tile == 0)
    def _():
        for ref, value in zip(sums, tiles.no_sums(sums.output.shape, jnp.float32), strict=True):
            ref[...] = value

    instances = _instances(refs, count)
    if "logits" in refs:
        logits = _masked(refs, refs["logits"][0], count)
    else:
        gates = _weights(refs)
        logits = tiles.gated_logits(*tiles.hidden_units(instances, gates), gates)
        logits = _masked(refs, logits, count)
        outputs["logits"][0] = logits
    merged = tiles.merge(Sums(*(ref[...] for ref in sums)), tiles.summarise(logits, instances))
    for ref, value in zip(sums, merged, strict=True):
        ref[...] = value

    @pl.when(tile == tiles_in_all - 1)
    def _():
        found = tiles.attended(merged)
        for name, value in found._asdict().items():
            outputs[name][0] = value


def _call(kernel, arguments, outputs, rows: int, products: tuple[int, int], scratch, interpret):
    """Runs a kernel that makes so many products of instances with the gates, and with rows."""
    batch, count, features = arguments["instances"].shape
    hidden = arguments["value_kernel"].shape[1] if "value_kernel" in arguments else 0
    size = _tile_size(count, features, hidden)
    operations = features * (products[0] * hidden + products[1] * rows)
    moved = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves((arguments, outputs)))
    return pl.pallas_call(
        functools.partial(kernel, count=count),
        grid=(batch, pl.cdiv(count, size)),
        in_specs=(_specs(arguments, size),),
        out_specs=_specs(outputs, size),
        out_shape=outputs,
        scratch_shapes=scratch,
        compiler_params=pltpu.CompilerParams(dimension_semantics=("arbitrary", "arbitrary")),
        cost_estimate=pl.CostEstimate(
            flops=2 * batch * count * operations,
            bytes_accessed=moved,
            transcendentals=batch * count * (2 * hidden + rows),
        ),
        interpret=interpret,
    )(arguments)


def forward(
    instances: jax.Array,
    logits: jax.Array | None,
    gates: AttentionGates | None,
    where: jax.Array | None,
    interpret: bool = False,
) -> tuple[Attended, jax.Array | None]:
    """Pools bags; arguments and results as `xla.forward`.

    Args:
        instances: (B, N, D).
        logits: (B, K, N) in float32, or None.
        gates: the weights that give the logits, or None.
        where: (B, 1, N), positive for instances that count; all if None.
        interpret: whether to run in the interpreter.

    Returns:
        What attention gives, and the logits (B, K, N) if they were computed.
    """
    batch, count, features = instances.shape
    rows = tiles.number_of_rows(logits, gates)
    arguments = tiles.by_name(instances, logits, gates, where)

    def shape(*sizes):
        return varying.output(sizes, jnp.float32, arguments)

    one = shape(batch, rows, 1)
    pooled = shape(batch, rows, features)
    outputs = dict(zip(Attended._fields, (pooled, one, one, one), strict=True))
    if gates is not None:
        outputs["logits"] = shape(batch, rows, count)
    scratch = [pltpu.VMEM((rows, width), jnp.float32) for width in (1, 1, 1, features)]
    found = _call(_forward_kernel, arguments, outputs, rows, (2, 1), scratch, interpret)
    return Attended(*(found[name] for name in Attended._fields)), found.get("logits")


def _backward_kernel(refs, outputs, *, count: int):
    instances = _instances(refs, count)
    logits = _masked(refs, refs["logits"][0], count)
    by_pooled = refs["by_pooled"][0]
    projected = tiles.dot(by_pooled, instances, (1, 1))
    # The pooled bag itself is not needed: its product with the cotangent came along.
    pooled = jnp.zeros_like(by_pooled)
    saved = Attended(pooled, *(refs[name][0] for name in ("entropy", "peak", "log_weight")))
    attention, change = tiles.logit_cotangents(
        logits,
        projected,
        refs["pooled_projected"][0],
        saved,
        refs["by_entropy"][0],
    )
    if "value_kernel" in refs:
        change = change + jnp.where(logits == -jnp.inf, 0.0, refs["by_logits"][0])
        _through_gates(refs, outputs, instances, attention, change)
    else:
        outputs["by_logits"][0] = change
        moved = tiles.dot(attention, by_pooled, (0, 0))
        outputs["by_instances"][0] = moved.astype(instances.dtype)


def _through_gates(refs, outputs, instances, attention, change):
    """Writes the cotangent of the instances and adds to those of the gates, by some features."""

    @pl.when((pl.program_id(0) == 0) & (pl.program_id(1) == 0))
    def _():
        for name in AttentionGates._fields:
            outputs[name][...] = jnp.zeros_like(outputs[name])

    gates = _weights(refs)
    value, gate = tiles.hidden_units(instances, gates)
    by_value, by_gate = tiles.hidden_cotangents(change, value, gate, gates.output_kernel)
    outputs["value_bias"][...] += jnp.sum(by_value, 0, keepdims=True)
    outputs["gate_bias"][...] += jnp.sum(by_gate, 0, keepdims=True)
    outputs["output_kernel"][...] += tiles.dot(change, value * gate, (1, 0))
    outputs["output_bias"][...] += jnp.sum(change, 1, keepdims=True)
    kind = gates.value_kernel.dtype
    by_value, by_gate = by_value.astype(kind), by_gate.astype(kind)
    features = instances.shape[1]
    for first in range(0, features, _FEATURES):
        part = slice(first, min(first + _FEATURES, features))
        rows = instances[:, part].astype(kind)
        moved = tiles.dot(attention, refs["by_pooled"][0, :, part], (0, 0))
        moved += tiles.dot(by_value, refs["value_kernel"][part, :], (1, 1))
        moved += tiles.dot(by_gate, refs["gate_kernel"][part, :], (1, 1))
        outputs["by_instances"][0, :, part] = moved.astype(instances.dtype)
        outputs["value_kernel"][part, :] += tiles.dot(rows, by_value, (0, 0))
        outputs["gate_kernel"][part, :] += tiles.dot(rows, by_gate, (0, 0))


def backward(
    instances: jax.Array,
    logits: jax.Array,
    gates: AttentionGates | None,
    where: jax.Array | None,
    saved: Attended,
    cotangents: tuple[jax.Array, jax.Array, jax.Array | None],
    interpret: bool = False,
) -> tuple[jax.Array, jax.Array | None, AttentionGates | None]:
    """The derivative in one pass; arguments and results as `xla.backward`.

    Args:
        instances: (B, N, D).
        logits: (B, K, N), given or computed.
        gates: the weights that gave the logits, or None.
        where: (B, 1, N), positive for instances that count; all if None.
        saved: what `forward` gave.
        cotangents: of the pooled bags, the entropies and, with gates, the logits.
        interpret: whether to run in the interpreter.

    Returns:
        The cotangents of the instances, of the logits without gates, and of the gates.
    """
    arguments = tiles.backward_by_name(instances, logits, gates, where, saved, cotangents)

    def shape(like, dtype=jnp.float32):
        return varying.output(like.shape, dtype, arguments)

    outputs = {"by_instances": shape(instances, instances.dtype)}
    outputs |= (
        {"by_logits": shape(logits)}
        if gates is None
        else {name: shape(x) for name, x in gates._asdict().items()}
    )
    rows = logits.shape[1]
    found = _call(_backward_kernel, arguments, outputs, rows, (6, 2), (), interpret)
    by_gates = None
    if gates is not None:
        by_gates = AttentionGates(*(found[name] for name in AttentionGates._fields))
    return found["by_instances"], found.get("by_logits"), by_gates

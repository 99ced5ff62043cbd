"""Gated attention pooling for GPU, through Triton: one program a tile of instances of one bag.

Every program goes over the features in chunks, so that what it keeps does not grow with them. The
sums of the tiles are combined exactly afterwards. The derivative by the gates, sums over all
instances, is left to large matrix products over tiles outside of the kernel: partial sums of the
programs would take more memory than the instances themselves.
"""

import dataclasses
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as plgpu

from infojax.kernels import varying
from infojax.kernels.attention_statistics import combine
from infojax.kernels.gated_attention_pooling import tiles, xla
from infojax.kernels.gated_attention_pooling.tiles import Attended, AttentionGates, Sums

# The least size of each axis of a matrix product; rows of attention are padded to it.
_ROWS = 16
# Hidden units by bytes of a weight, and the elements of their tiles, of which a program holds up
# to four in registers: float32 is multiplied without tensor cores, and takes more of them.
_MOST_HIDDEN = {2: 512, 4: 256}
_UNITS = {2: 8192, 4: 4096}
# Elements of a chunk of weights, of which a program holds two in shared memory.
_CHUNK = {2: 4096, 4: 2048}


def refusal(instances: jax.Array, rows: int, gates: AttentionGates | None) -> str | None:
    """Why the kernel cannot take the arguments.

    Args:
        instances: (B, N, D).
        rows: K.
        gates: the weights, or None.

    Returns:
        The reason, or None.
    """
    types = {str(x.dtype) for x in (instances, *jax.tree.leaves(gates))}
    if not types <= {"float32", "bfloat16", "float16"}:
        return f"takes float32, bfloat16 and float16 alone; got {sorted(types)}"
    if rows > _ROWS:
        return f"takes up to {_ROWS} rows of attention; got {rows}"
    if gates is not None:
        hidden, kind = gates.value_kernel.shape[1], gates.value_kernel.dtype
        if hidden > _MOST_HIDDEN[kind.itemsize]:
            return f"takes up to {_MOST_HIDDEN[kind.itemsize]} hidden units of {kind}; got {hidden}"
    if max(math.prod(instances.shape), math.prod(instances.shape[:2]) * rows) >= 1 << 31:
        return f"counts elements in 32 bits; got instances of shape {instances.shape}"
    return None


@dataclasses.dataclass(frozen=True)
class _Plan:
    """Sizes of the arrays, and from them the sizes of the blocks: powers of two.

    Attributes:
        count: N.
        features: D.
        rows: K.
        hidden: L; 0 without gates.
        itemsize: bytes of a weight of the gates.
    """

    count: int
    features: int
    rows: int
    hidden: int
    itemsize: int

    @property
    def hidden_block(self) -> int:
        return max(64, pl.next_power_of_2(self.hidden)) if self.hidden else 0

    @property
    def tile(self) -> int:
        """Instances of a program."""
        largest = min(64, _UNITS[self.itemsize] // self.hidden_block) if self.hidden else 64
        return max(16, min(largest, pl.next_power_of_2(self.count)))

    @property
    def chunk(self) -> int:
        """Features at a time."""
        largest = min(64, _CHUNK[self.itemsize] // self.hidden_block) if self.hidden else 64
        return max(16, min(largest, pl.next_power_of_2(self.features)))

    def positions(self) -> tuple[jax.Array, jax.Array]:
        """Where this program's tile starts, and which of its instances exist, (1, tile)."""
        start = pl.program_id(1) * jnp.int32(self.tile)
        positions = start + jax.lax.broadcasted_iota(jnp.int32, (1, self.tile), 1)
        return start, positions < self.count

    def over_chunks(self, body, carry):
        """Runs `body(start, carry)` over the chunks of features."""
        number = jnp.int32(pl.cdiv(self.features, self.chunk))
        return jax.lax.fori_loop(
            jnp.int32(0), number, lambda i, carry: body(i * jnp.int32(self.chunk), carry), carry
        )


def _load(ref, rows: tuple[Any, int, int], columns: tuple[Any, int, int]) -> jax.Array:
    """A block of a matrix, 0 outside: (start, size, end) by axis."""
    return plgpu.load(_block(ref, rows, columns), mask=_inside(rows, columns), other=0.0)


def _store(ref, value, rows: tuple[Any, int, int], columns: tuple[Any, int, int]) -> None:
    plgpu.store(_block(ref, rows, columns), value.astype(ref.dtype), mask=_inside(rows, columns))


def _block(ref, rows, columns):
    return ref.at[pl.ds(rows[0], rows[1]), pl.ds(columns[0], columns[1])]


def _inside(rows, columns) -> jax.Array:
    shape = rows[1], columns[1]
    row = rows[0] + jax.lax.broadcasted_iota(jnp.int32, shape, 0)
    column = columns[0] + jax.lax.broadcasted_iota(jnp.int32, shape, 1)
    return (row < rows[2]) & (column < columns[2])


class _Tile:
    """A program's tile: its blocks of the arrays in global memory."""

    def __init__(self, refs: dict[str, Any], plan: _Plan):
        self.refs, self.plan = refs, plan
        start, exists = plan.positions()
        self.instance_rows = start, plan.tile, plan.count
        self.attention_rows = jnp.int32(0), _ROWS, plan.rows
        self.units = jnp.int32(0), plan.hidden_block, plan.hidden
        one = jnp.int32(0), 1, 1
        self.one = one
        self.counts = exists
        if "where" in refs:
            self.counts = exists & (_load(refs["where"], one, self.instance_rows) > 0)

    def features(self, start):
        return start, self.plan.chunk, self.plan.features

    def instances(self, start) -> jax.Array:
        """The tile's instances, some features; 0 for those that do not count."""
        rows, columns = self.instance_rows, self.features(start)
        mask = _inside(rows, columns) & jnp.transpose(self.counts)
        return plgpu.load(_block(self.refs["instances"], rows, columns), mask=mask, other=0.0)

    def by_row(self, name: str) -> jax.Array:
        """A statistic of every row of attention, (16, 1)."""
        return _load(self.refs[name], self.attention_rows, self.one)

    def masked(self, logits: jax.Array) -> jax.Array:
        row = jax.lax.broadcasted_iota(jnp.int32, logits.shape, 0)
        return jnp.where((row < self.plan.rows) & self.counts, logits, -jnp.inf)

    def weights(self, name: str, start) -> jax.Array:
        return _load(self.refs[name], self.features(start), self.units)

    def products(self, start, carry) -> tuple[jax.Array, jax.Array]:
        """Adds some features' part of h Wv and h Wu."""
        instances = self.instances(start).astype(self.refs["value_kernel"].dtype)
        return tuple(
            total + tiles.dot(instances, self.weights(name, start), (1, 0))
            for total, name in zip(carry, ("value_kernel", "gate_kernel"), strict=True)
        )

    def no_products(self) -> tuple[jax.Array, jax.Array]:
        zeros = jnp.zeros((self.plan.tile, self.plan.hidden_block), jnp.float32)
        return zeros, zeros

    def hidden_units(self, products) -> tuple[jax.Array, jax.Array]:
        value = products[0] + _load(self.refs["value_bias"], self.one, self.units)
        gate = products[1] + _load(self.refs["gate_bias"], self.one, self.units)
        return jnp.tanh(value), jax.nn.sigmoid(gate)

    def output_kernel(self) -> jax.Array:
        return _load(self.refs["output_kernel"], self.attention_rows, self.units)


def _forward_kernel(refs, outputs, *, plan: _Plan):
    tile = _Tile(refs, plan)
    rows, here = tile.attention_rows, tile.instance_rows
    if "logits" in refs:
        logits = tile.masked(_load(refs["logits"], rows, here))
    else:
        products = plan.over_chunks(tile.products, tile.no_products())
        value, gate = tile.hidden_units(products)
        logits = tiles.dot(tile.output_kernel(), value * gate, (1, 1))
        logits = tile.masked(logits + tile.by_row("output_bias"))
        _store(outputs["logits"], logits, rows, here)
    weights, peak, rest, tilt = tiles.weigh(logits)
    for name, x in (("peak", peak), ("rest", rest), ("tilt", tilt)):
        _store(outputs[name], x, rows, tile.one)

    def pool(start, carry):
        pooled = tiles.dot(weights, tile.instances(start), (1, 0))
        _store(outputs["output"], pooled, rows, tile.features(start))
        return carry

    plan.over_chunks(pool, ())


def _backward_kernel(refs, outputs, *, plan: _Plan):
    tile = _Tile(refs, plan)
    rows, here = tile.attention_rows, tile.instance_rows
    gated = "value_kernel" in refs

    def project(start, carry):
        projected, products = carry
        cotangent = _load(refs["by_pooled"], rows, tile.features(start))
        projected += tiles.dot(cotangent, tile.instances(start), (1, 1))
        return projected, tile.products(start, products) if gated else ()

    start = jnp.zeros((_ROWS, plan.tile), jnp.float32)
    start = start, tile.no_products() if gated else ()
    projected, products = plan.over_chunks(project, start)
    logits = tile.masked(_load(refs["logits"], rows, here))
    empty = jnp.zeros((_ROWS, 1), jnp.float32)
    saved = Attended(empty, *(tile.by_row(name) for name in ("entropy", "peak", "log_weight")))
    attention, change = tiles.logit_cotangents(
        logits, projected, tile.by_row("pooled_projected"), saved, tile.by_row("by_entropy")
    )
    by_units = None
    if gated:
        upstream = _load(refs["by_logits"], rows, here)
        change = change + jnp.where(logits == -jnp.inf, 0.0, upstream)
        kind = refs["value_kernel"].dtype
        units = tile.hidden_units(products)
        by_units = tiles.hidden_cotangents(change, *units, tile.output_kernel())
        by_units = tuple(x.astype(kind) for x in by_units)
    _store(outputs["by_logits"], change, rows, here)

    def move(start, carry):
        columns = tile.features(start)
        moved = tiles.dot(attention, _load(refs["by_pooled"], rows, columns), (0, 0))
        if by_units is not None:
            for x, name in zip(by_units, ("value_kernel", "gate_kernel"), strict=True):
                moved += tiles.dot(x, tile.weights(name, start), (1, 1))
        _store(outputs["by_instances"], moved, here, columns)
        return carry

    plan.over_chunks(move, ())


def _start(axes: int) -> tuple[jax.Array, ...]:
    """The first block along some axes; a plain 0 would be 64 bits wide under x64."""
    return (jnp.int32(0),) * axes


def _specs(arrays: dict[str, Any]) -> dict[str, Any]:
    """Whole bags, whole weights and one tile's sums: programs find their blocks themselves."""
    cuts = {}
    for name, x in arrays.items():
        if name in AttentionGates._fields:
            cuts[name] = pl.BlockSpec(x.shape, lambda b, i: _start(2))
        elif x.ndim == 4:
            cuts[name] = pl.BlockSpec((None, None, *x.shape[2:]), lambda b, i: (b, i, *_start(2)))
        else:
            cuts[name] = pl.BlockSpec((None, *x.shape[1:]), lambda b, i: (b, *_start(2)))
    return cuts


def _call(kernel, plan: _Plan, arguments, outputs, interpret: bool):
    batch = arguments["instances"].shape[0]
    return pl.pallas_call(
        functools.partial(kernel, plan=plan),
        grid=(batch, pl.cdiv(plan.count, plan.tile)),
        in_specs=(_specs(arguments),),
        out_specs=_specs(outputs),
        out_shape=outputs,
        compiler_params=plgpu.CompilerParams(num_warps=8, num_stages=1),
        interpret=interpret,
        name=kernel.__name__.strip("_"),
    )(arguments)


def _plan(instances, rows: int, gates) -> _Plan:
    _, count, features = instances.shape
    if gates is None:
        return _Plan(count, features, rows, 0, 4)
    kernel = gates.value_kernel
    return _Plan(count, features, rows, kernel.shape[1], kernel.dtype.itemsize)


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
    rows = tiles.number_of_rows(logits, gates)
    plan = _plan(instances, rows, gates)
    arguments = tiles.by_name(instances, logits, gates, where)
    batch, tiles_in_all = instances.shape[0], pl.cdiv(plan.count, plan.tile)

    def shape(*sizes):
        return varying.output(sizes, jnp.float32, arguments)

    one = shape(batch, tiles_in_all, rows, 1)
    output = shape(batch, tiles_in_all, rows, plan.features)
    outputs = dict(zip(Sums._fields, (one, one, one, output), strict=True))
    if gates is not None:
        outputs["logits"] = shape(batch, rows, plan.count)
    found = _call(_forward_kernel, plan, arguments, outputs, interpret)
    parts = tiles.attended(Sums(*(found[name] for name in Sums._fields)))
    return _combined(parts), found.get("logits")


def _combined(parts: Attended) -> Attended:
    """Combines tiles, stacked along axis 1, with log normalisers relative to the largest peak."""
    peak = jnp.max(parts.peak, 1, keepdims=True)
    relative = parts.peak - jnp.where(peak == -jnp.inf, 0.0, peak) + parts.log_weight
    pooled, entropy, log_weight = combine(
        parts.pooled, parts.entropy[..., 0], relative[..., 0], axis=1
    )
    log_weight = jnp.where(log_weight == -jnp.inf, 0.0, log_weight)
    return Attended(pooled, entropy[..., None], peak[:, 0], log_weight[..., None])


def backward(
    instances: jax.Array,
    logits: jax.Array,
    gates: AttentionGates | None,
    where: jax.Array | None,
    saved: Attended,
    cotangents: tuple[jax.Array, jax.Array, jax.Array | None],
    interpret: bool = False,
) -> tuple[jax.Array, jax.Array | None, AttentionGates | None]:
    """The derivative; arguments and results as `xla.backward`.

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
    plan = _plan(instances, logits.shape[1], gates)
    arguments = tiles.backward_by_name(instances, logits, gates, where, saved, cotangents)
    outputs = {
        "by_instances": varying.output(instances.shape, instances.dtype, arguments),
        "by_logits": varying.output(logits.shape, jnp.float32, arguments),
    }
    found = _call(_backward_kernel, plan, arguments, outputs, interpret)
    if gates is None:
        return found["by_instances"], found["by_logits"], None
    by_gates = xla.gate_sums(instances, found["by_logits"], gates, where)
    return found["by_instances"], None, by_gates

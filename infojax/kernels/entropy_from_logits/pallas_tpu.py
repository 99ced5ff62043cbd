"""Statistics of logits on TPU: one read, blocks of the rows, statistics of each lane apart.

A block's entries fall on 128 lanes, each with a peak and sums of its own, so that no reduction
crosses lanes until the row has been read. Within a block the lanes' peaks come first, then the
sums: the block is read from HBM once and from VMEM twice, with one exponential an entry.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from infojax.kernels import varying
from infojax.kernels.entropy_from_logits.parts import Part, finish, finite_peak, merge, move

_LANES = 128
_BLOCK_BYTES = 2 << 20  # two of them in flight: small in VMEM, long against the cost of a step
_UNROLL = 8  # chunks of lanes that one turn of the inner loops takes


def _chunks(width: int, visit, start):
    """Folds over the chunks of a block, several in one turn of a loop."""
    count = width // _LANES
    unroll = math.gcd(count, _UNROLL)

    def turn(number, carried):
        for inner in range(unroll):
            offset = pl.multiple_of((number * unroll + inner) * _LANES, _LANES)
            carried = visit(offset, carried)
        return carried

    return jax.lax.fori_loop(jnp.int32(0), jnp.int32(count // unroll), turn, start)


def _read_group(logits_ref, mask_ref, state, rows, first_column, size: int | None):
    """Adds one block's entries to the statistics of a few rows."""
    width = logits_ref.shape[1]

    def entries(offset):
        columns = pl.ds(offset, _LANES)
        x = logits_ref[rows, columns].astype(jnp.float32)
        possible = None
        if mask_ref is not None:
            possible = mask_ref[rows, columns].astype(jnp.int32) != 0
        if size is not None:
            lanes = jax.lax.broadcasted_iota(jnp.int32, x.shape, 1)
            inside = lanes + (first_column + offset) < size
            possible = inside if possible is None else possible & inside
        return x if possible is None else jnp.where(possible, x, jnp.float32(-jnp.inf))

    old = Part(*(ref[rows, :] for ref in state))
    peak = _chunks(width, lambda at, highest: jnp.maximum(highest, entries(at)), old.peak)
    origin = finite_peak(peak)
    part = move(old, peak)

    def add(offset, sums):
        ties, rest, tilt = sums
        x = entries(offset)
        below = x - origin
        weight = jnp.exp(below)
        at_peak = x == origin
        ties = ties + jnp.where(at_peak, jnp.float32(1), jnp.float32(0))
        rest = rest + jnp.where(at_peak, jnp.float32(0), weight)
        # The term of an impossible symbol is 0; one of NaN stays NaN.
        term = jnp.where(x == -jnp.inf, jnp.float32(0), weight * below)
        return ties, rest, tilt + term

    sums = _chunks(width, add, (part.ties, part.rest, part.tilt))
    for ref, value in zip(state, (peak, *sums), strict=True):
        ref[rows, :] = value


def _kernel(*refs, size: int, group: int, masked: bool):
    logits_ref, *rest = refs
    mask_ref = rest.pop(0) if masked else None
    out_ref, *state = rest
    height, width = logits_ref.shape
    block, last = pl.program_id(1), pl.num_programs(1) - 1

    def each_group(visit):
        def turn(number, carried):
            visit(pl.ds(pl.multiple_of(number * group, group), group))
            return carried

        jax.lax.fori_loop(jnp.int32(0), jnp.int32(height // group), turn, jnp.int32(0))

    @pl.when(block == 0)
    def _():
        for ref, value in zip(state, (-jnp.inf, 0.0, 0.0, 0.0), strict=True):
            ref[...] = jnp.full(ref.shape, value, jnp.float32)

    def read(limit):
        each_group(
            lambda rows: _read_group(logits_ref, mask_ref, state, rows, block * width, limit)
        )

    if size % width:
        pl.when(block < last)(lambda: read(None))
        pl.when(block == last)(lambda: read(size))
    else:
        read(None)

    def write(rows):
        statistics = finish(merge(Part(*(ref[rows, :] for ref in state)), 1))
        lane = jax.lax.broadcasted_iota(jnp.int32, (group, _LANES), 1)
        entropy, log_weight, peak = (jnp.broadcast_to(x, lane.shape) for x in statistics)
        out_ref[rows, :] = jnp.where(lane == 0, entropy, jnp.where(lane == 1, log_weight, peak))

    pl.when(block == last)(lambda: each_group(write))


@jax.custom_batching.custom_vmap
def _stays_in_hbm(x: jax.Array) -> jax.Array:
    """Keeps XLA from copying what fits into VMEM before the kernel starts to read it in blocks."""
    return pltpu.with_memory_space_constraint(x, pltpu.HBM)


@_stays_in_hbm.def_vmap
def _(size, batched, x):
    return _stays_in_hbm(x), batched[0]


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def _block(rows: int, size: int, itemsize: int, group: int) -> tuple[int, int]:
    """Rows and columns of a block."""
    # Two blocks of rows at least: some chips have two cores.
    height = min(_round_up(-(-rows // 2), group), 32 if size > 4096 else 256)
    wide = _BLOCK_BYTES // (height * itemsize) // (_LANES * _UNROLL) * (_LANES * _UNROLL)
    return height, min(_round_up(size, _LANES), wide)


@functools.partial(jax.jit, static_argnames="interpret")
def logit_statistics(
    logits: jax.Array, where: jax.Array | None, *, interpret: bool = False
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Entropy, log weight and peak of rows.

    Args:
        logits: (rows, V), float32 or bfloat16, neither size 0.
        where: mask of the same shape, or None.
        interpret: whether to interpret the kernel.

    Returns:
        Three float32 arrays (rows, 1).
    """
    rows, size = logits.shape
    # Rows of one native tile of the narrowest array.
    group = 32 if where is not None else 32 // logits.dtype.itemsize
    height, width = _block(rows, size, logits.dtype.itemsize, group)
    operands = (logits,) if where is None else (logits, where.astype(jnp.int8))
    if not interpret:
        operands = tuple(_stays_in_hbm(x) for x in operands)
    packed = pl.pallas_call(
        functools.partial(_kernel, size=size, group=group, masked=where is not None),
        grid=(pl.cdiv(rows, height), pl.cdiv(size, width)),
        in_specs=[pl.BlockSpec((height, width), lambda i, j: (i, j))] * len(operands),
        out_specs=pl.BlockSpec((height, _LANES), lambda i, j: (i, jnp.int32(0))),
        out_shape=varying.output((rows, _LANES), jnp.float32, *operands),
        scratch_shapes=[pltpu.VMEM((height, _LANES), jnp.float32)] * 4,
        compiler_params=pltpu.CompilerParams(dimension_semantics=("parallel", "arbitrary")),
        cost_estimate=pl.CostEstimate(
            flops=8 * rows * size,
            transcendentals=rows * size,
            bytes_accessed=sum(x.size * x.dtype.itemsize for x in operands) + 512 * rows,
        ),
        interpret=interpret,
        name="logit_statistics",
    )(*operands)
    return packed[:, 0:1], packed[:, 1:2], packed[:, 2:3]

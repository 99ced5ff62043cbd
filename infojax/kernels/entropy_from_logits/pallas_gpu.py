"""Statistics of logits on GPU: one or several programs a row, each with statistics by thread.

Every lane of a program keeps a peak and sums of its own and takes an entry with one exponential,
of minus its distance from the peak, whichever of the two is the higher. Where there are too few
rows to fill the device a row is cut into stretches, whose statistics merge exactly afterwards.
"""

import functools

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as plgpu

from infojax.kernels import varying
from infojax.kernels.entropy_from_logits.parts import Part, finish, finite_peak, merge

_LANES = 1024  # entries that a program takes at once
_WARPS = 4
_PROGRAMS = 512  # enough to fill a large device
_LEAST_TURNS = 4  # blocks below which a stretch is not worth a program


def _take(part: Part, x: jax.Array) -> Part:
    """Adds one entry to each lane."""
    distance = x - finite_peak(part.peak)
    impossible = x == -jnp.inf
    higher = (x > part.peak) & ~impossible
    level = x == part.peak
    weight = jnp.exp(-jnp.abs(distance))
    below = part.rest + part.ties
    # A NaN is neither higher nor level: it falls among the terms and stays in the tilt.
    rest = jnp.where(higher, weight * below, part.rest + jnp.where(level | impossible, 0.0, weight))
    tilt = jnp.where(
        higher,
        weight * (part.tilt - distance * below),
        part.tilt + jnp.where(level | impossible, 0.0, weight * distance),
    )
    one = jnp.float32(1)
    ties = jnp.where(higher, one, part.ties + jnp.where(level & ~impossible, one, jnp.float32(0)))
    return Part(jnp.where(higher, x, part.peak), ties, rest, tilt)


def _kernel(*refs, size: int, turns: int, masked: bool):
    logits_ref, *rest = refs
    mask_ref = rest.pop(0) if masked else None
    row, stretch = pl.program_id(0), pl.program_id(1)
    lanes = jax.lax.iota(jnp.int32, _LANES)

    def turn(number, part):
        columns = (stretch * turns + number) * _LANES + lanes
        inside = columns < size
        low = float("-inf")
        x = plgpu.load(logits_ref.at[row, columns], mask=inside, other=low).astype(jnp.float32)
        if mask_ref is not None:
            keep = plgpu.load(mask_ref.at[row, columns], mask=inside, other=0)
            x = jnp.where(keep.astype(jnp.int32) != 0, x, jnp.float32(low))
        return _take(part, x)

    zeros = jnp.zeros((_LANES,), jnp.float32)
    start = Part(jnp.full((_LANES,), -jnp.inf, jnp.float32), zeros, zeros, zeros)
    part = jax.lax.fori_loop(jnp.int32(0), jnp.int32(turns), turn, start)
    for ref, value in zip(rest, merge(part, 0), strict=True):
        ref[row, stretch + jax.lax.iota(jnp.int32, 1)] = value


@functools.partial(jax.jit, static_argnames="interpret")
def logit_statistics(
    logits: jax.Array, where: jax.Array | None, *, interpret: bool = False
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Entropy, log weight and peak of rows.

    Args:
        logits: (rows, V), float32, bfloat16 or float16, neither size 0.
        where: mask of the same shape, or None.
        interpret: whether to interpret the kernel.

    Returns:
        Three float32 arrays (rows, 1).
    """
    rows, size = logits.shape
    blocks = pl.cdiv(size, _LANES)
    stretches = max(1, min(_PROGRAMS // rows, blocks // _LEAST_TURNS))
    turns = pl.cdiv(blocks, stretches)
    operands = (logits,) if where is None else (logits, where.astype(jnp.int8))
    partial = pl.pallas_call(
        functools.partial(_kernel, size=size, turns=turns, masked=where is not None),
        grid=(rows, stretches),
        out_shape=[varying.output((rows, stretches), jnp.float32, *operands)] * 4,
        compiler_params=plgpu.CompilerParams(num_warps=_WARPS, num_stages=2),
        interpret=interpret,
        name="logit_statistics",
    )(*operands)
    return finish(merge(Part(*partial), 1))

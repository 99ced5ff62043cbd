"""The greedy coupling on GPU: one problem a program, in registers or in rows of global memory."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as plgpu

from infojax.kernels.greedy_coupling.pallas_gpu_steps import (
    couple,
    first_maximum,
    least,
    tile,
    warps,
)
from infojax.kernels.varying import output, vary_like

# Entries of all tiles that fit the registers of a program: 16 a thread of eight warps.
IN_REGISTERS = 4096
# Larger marginals are rows of global memory with their maxima in registers, one warp a program:
# eight entries a thread of a row, and up to 32 of the maxima of one marginal.
_WIDTH = 256
_MOST_MAXIMA = 2048


def _rows(symbols: int) -> int:
    return tile(-(-symbols // _WIDTH))


def in_registers(sizes: Sequence[int]) -> bool:
    """Whether problems of these sizes are held in registers alone."""
    return sum(tile(n) for n in sizes) <= IN_REGISTERS


def refusal(sizes: Sequence[int]) -> str | None:
    """Why the kernel cannot take marginals of these sizes; None where it can."""
    needed = sum(_rows(n) for n in sizes)
    if in_registers(sizes) or needed <= _MOST_MAXIMA:
        return None
    return (
        f"holds a maximum for each {_WIDTH} symbols in registers, {_MOST_MAXIMA} in all, and "
        f"marginals of {tuple(sizes)} symbols need {needed}"
    )


def whole(*shape: int) -> pl.BlockSpec:
    """A block that is all of one problem."""
    return pl.BlockSpec((None, *shape), lambda i: (i, *[jnp.int32(0)] * len(shape)))


def no_cells(batch: int, steps: int, like: Sequence[jax.Array]) -> tuple[jax.Array, jax.Array]:
    """Cells of index 0 and mass 0, which the kernel writes over: it ends when mass has run out."""
    indices = jnp.zeros((batch, steps, len(like)), jnp.int32)
    masses = jnp.zeros((batch, steps), jnp.float32)
    return vary_like((indices, masses), like)


def _register_kernel(*refs, sizes):
    count = len(sizes)
    index_ref, mass_ref = refs[count + 2 :]
    couple([ref[...] for ref in refs[:count]], index_ref, mass_ref, sizes)


def _couple_in_registers(marginals, interpret) -> tuple[jax.Array, jax.Array]:
    batch, count = marginals[0].shape[0], len(marginals)
    sizes = tuple(p.shape[-1] for p in marginals)
    tiles = [jnp.pad(p, ((0, 0), (0, tile(n) - n))) for p, n in zip(marginals, sizes, strict=True)]
    steps = sum(sizes) - count + 1
    specs = [whole(steps, count), whole(steps)]
    return pl.pallas_call(
        functools.partial(_register_kernel, sizes=sizes),
        out_shape=[
            output((batch, steps, count), jnp.int32, marginals),
            output((batch, steps), jnp.float32, marginals),
        ],
        grid=(batch,),
        in_specs=[*(whole(x.shape[1]) for x in tiles), *specs],
        out_specs=specs,
        input_output_aliases={count: 0, count + 1: 1},
        compiler_params=plgpu.CompilerParams(
            num_warps=warps(sum(tile(n) for n in sizes)), num_stages=1
        ),
        interpret=interpret,
        name="greedy_coupling_registers",
    )(*tiles, *no_cells(batch, steps, marginals))


def _row_kernel(*refs, sizes):
    count = len(sizes)
    index_ref, mass_ref, *residuals = refs[2 * count + 2 :]
    steps = mass_ref.shape[0]

    def mass_is_left(carry):
        number, _, tops = carry
        return (number < steps) & (least(tops) > 0)

    def step(carry):
        number, maxima, tops = carry
        mass = least(tops)
        mass_ref[number] = mass
        following = []
        for side, (top, x, residual) in enumerate(zip(tops, maxima, residuals, strict=True)):
            largest, number_of_row = top
            row = residual[number_of_row, :]
            _, lane = first_maximum(row)
            index = number_of_row * jnp.int32(_WIDTH) + lane
            index_ref[number, side] = jnp.minimum(index, jnp.int32(sizes[side] - 1))
            row = jnp.where(jax.lax.iota(jnp.int32, _WIDTH) == lane, largest - mass, row)
            # Rows are read and written by equal expressions, hence in one layout: a thread
            # rereads what it wrote itself, and no barrier is needed.
            residual[number_of_row, :] = row
            here = jax.lax.iota(jnp.int32, x.size) == number_of_row
            following.append(jnp.where(here, jnp.max(row), x))
        return number + jnp.int32(1), tuple(following), tuple(first_maximum(x) for x in following)

    maxima = tuple(ref[...] for ref in refs[count : 2 * count])
    tops = tuple(first_maximum(x) for x in maxima)
    jax.lax.while_loop(mass_is_left, step, (jnp.int32(0), maxima, tops))


def _lay_out(p: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Masses in rows, and the rows' maxima."""
    batch, n = p.shape
    rows = jnp.pad(p, ((0, 0), (0, _rows(n) * _WIDTH - n))).reshape(batch, -1, _WIDTH)
    return rows, jnp.max(rows, -1)


def _couple_in_rows(marginals, interpret) -> tuple[jax.Array, jax.Array]:
    batch, count = marginals[0].shape[0], len(marginals)
    sizes = tuple(p.shape[-1] for p in marginals)
    steps = sum(sizes) - count + 1
    rows, maxima = zip(*(_lay_out(p) for p in marginals), strict=True)
    cells = [whole(steps, count), whole(steps)]
    row_specs = [whole(*x.shape[1:]) for x in rows]
    indices, masses, *_ = pl.pallas_call(
        functools.partial(_row_kernel, sizes=sizes),
        out_shape=[
            output((batch, steps, count), jnp.int32, marginals),
            output((batch, steps), jnp.float32, marginals),
            *(output(x.shape, jnp.float32, marginals) for x in rows),
        ],
        grid=(batch,),
        in_specs=[*row_specs, *(whole(x.shape[1]) for x in maxima), *cells],
        out_specs=[*cells, *row_specs],
        # The residuals are the rows themselves, written over.
        input_output_aliases={
            2 * count: 0,
            2 * count + 1: 1,
            **{side: 2 + side for side in range(count)},
        },
        compiler_params=plgpu.CompilerParams(num_warps=1, num_stages=1),
        interpret=interpret,
        name="greedy_coupling_rows",
    )(*rows, *maxima, *no_cells(batch, steps, marginals))
    return indices, masses


def greedy_coupling(
    marginals: Sequence[jax.Array], *, interpret: bool = False
) -> tuple[jax.Array, jax.Array]:
    """Couples a batch of problems.

    Args:
        marginals: non-negative float32 arrays of shapes (batch, n_i), batch >= 1.
        interpret: runs the kernel in its interpreter.

    Returns:
        Indices (batch, steps, N) and masses (batch, steps).
    """
    marginals = vary_like(tuple(marginals), marginals)
    if in_registers([p.shape[-1] for p in marginals]):
        return _couple_in_registers(marginals, interpret)
    return _couple_in_rows(marginals, interpret)

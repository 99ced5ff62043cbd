"""The greedy coupling on TPU: 128 small problems a program, or one large problem a program."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from infojax.kernels.greedy_coupling import pallas_tpu_rows
from infojax.kernels.greedy_coupling.pallas_tpu_steps import (
    LANES,
    block_and_rows,
    chunked,
    couple,
)
from infojax.kernels.varying import output

# What a program may hold in vector memory: every generation grants 16 MiB without being asked.
VECTOR_MEMORY = 14 << 20
# A problem that is alone has the lanes' 128 seats to itself; beyond so many symbols the sweep
# over all of them takes longer than the row-wise search.
_ALONE_UP_TO = 2048


def lanes_bytes(sizes: Sequence[int]) -> int:
    """The vector memory that 128 problems take: masses, what is left of them, and cells."""
    rows = sum(block_and_rows(n)[1] for n in sizes)
    steps = chunked(sum(sizes) - len(sizes) + 1)
    return 4 * LANES * (2 * rows + (len(sizes) + 1) * steps)


def takes_lanes(batch: int, sizes: Sequence[int]) -> bool:
    """Whether problems go on lanes, rather than one a program."""
    fits = lanes_bytes(sizes) <= VECTOR_MEMORY
    return fits and (batch > 1 or sum(sizes) <= _ALONE_UP_TO)


def program_bytes(batch: int, sizes: Sequence[int]) -> int:
    """The vector memory of one program of the kernel that these problems get."""
    return lanes_bytes(sizes) if takes_lanes(batch, sizes) else pallas_tpu_rows.program_bytes(sizes)


def refusal(batch: int, sizes: Sequence[int]) -> str | None:
    """Why the kernel cannot take a batch of marginals of these sizes; None where it can."""
    needed = program_bytes(batch, sizes)
    if needed <= VECTOR_MEMORY:
        return None
    return (
        f"holds a problem in {VECTOR_MEMORY} bytes of vector memory, and marginals of "
        f"{tuple(sizes)} symbols need {needed}"
    )


def on_lanes(x: jax.Array) -> jax.Array:
    """Lays (batch, n) out with symbols along sublanes and problems on lanes, padded with 0."""
    batch, n = x.shape
    x = jnp.pad(x, ((0, -batch % LANES), (0, block_and_rows(n)[1] - n)))
    return x.T


def lanes_spec(rows: int) -> pl.BlockSpec:
    """A block of 128 problems; single-buffered, as a program works far longer than it loads."""
    return pl.BlockSpec((rows, LANES), lambda i: (jnp.int32(0), i), pipeline_mode=pl.Buffered(1))


def from_lanes(x: jax.Array, batch: int, steps: int) -> jax.Array:
    """Takes rows of cells back to (batch, steps)."""
    return x.T[:batch, :steps]


def _kernel(*refs, sizes):
    count = len(sizes)
    marginals, index_refs = refs[:count], refs[count : 2 * count]
    mass_ref, residuals = refs[2 * count], refs[2 * count + 1 :]
    couple(marginals, residuals, index_refs, mass_ref, sizes)


def _couple_lanes(marginals, interpret) -> tuple[jax.Array, jax.Array]:
    batch, count = marginals[0].shape[0], len(marginals)
    sizes = tuple(p.shape[-1] for p in marginals)
    steps = sum(sizes) - count + 1
    laid_out = [on_lanes(p) for p in marginals]
    cells = (chunked(steps), laid_out[0].shape[1])
    *indices, masses = pl.pallas_call(
        functools.partial(_kernel, sizes=sizes),
        out_shape=[output(cells, jnp.int32, marginals)] * count
        + [output(cells, jnp.float32, marginals)],
        grid=(cells[1] // LANES,),
        in_specs=[lanes_spec(p.shape[0]) for p in laid_out],
        out_specs=[lanes_spec(cells[0])] * (count + 1),
        scratch_shapes=[pltpu.VMEM((p.shape[0], LANES), jnp.float32) for p in laid_out],
        compiler_params=pltpu.CompilerParams(dimension_semantics=("parallel",)),
        interpret=interpret,
        name="greedy_coupling_lanes",
    )(*laid_out)
    indices = jnp.stack([from_lanes(x, batch, steps) for x in indices], -1)
    return indices, from_lanes(masses, batch, steps)


def greedy_coupling(
    marginals: Sequence[jax.Array], *, interpret: bool | pltpu.InterpretParams = False
) -> tuple[jax.Array, jax.Array]:
    """Couples a batch of problems.

    Args:
        marginals: non-negative float32 arrays of shapes (batch, n_i), batch >= 1.
        interpret: runs the kernel in its interpreter.

    Returns:
        Indices (batch, steps, N) and masses (batch, steps).
    """
    sizes = tuple(p.shape[-1] for p in marginals)
    if takes_lanes(marginals[0].shape[0], sizes):
        return _couple_lanes(marginals, interpret)
    return pallas_tpu_rows.greedy_coupling(marginals, interpret=interpret)

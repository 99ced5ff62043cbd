"""The greedy coupling on TPU, one large problem a program: rows of 128 masses and their maxima.

A step finds the row by the maxima, reads and writes that one row, and replaces its maximum.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from infojax.kernels.varying import output, vary_like

_LANES = 128
_SUBLANES = 8


def _rows(symbols: int) -> int:
    return _SUBLANES * -(-symbols // (_SUBLANES * _LANES))


def _maxima_rows(symbols: int) -> int:
    return _SUBLANES * -(-_rows(symbols) // (_SUBLANES * _LANES))


def _cell_rows(sizes: Sequence[int]) -> int:
    steps = sum(sizes) - len(sizes) + 1
    return _SUBLANES * -(-steps // (_SUBLANES * _LANES))


def program_bytes(sizes: Sequence[int]) -> int:
    """The vector memory of a program: masses, what is left of them, maxima and cells.

    Args:
        sizes: the marginals' numbers of symbols.

    Returns:
        Bytes.
    """
    masses = sum(2 * _rows(n) + _maxima_rows(n) for n in sizes)
    return 4 * _LANES * (masses + (len(sizes) + 1) * _cell_rows(sizes))


def _first(is_it: jax.Array, positions: jax.Array, otherwise: int) -> jax.Array:
    """The lowest position that is it, as (1, 1)."""
    candidates = jnp.where(is_it, positions, jnp.int32(otherwise))
    return jnp.min(candidates, axis=(0, 1), keepdims=True)


def _positions(shape: tuple[int, ...]) -> jax.Array:
    row, lane = (jax.lax.broadcasted_iota(jnp.int32, shape, axis) for axis in (0, 1))
    return row * jnp.int32(_LANES) + lane


def _top(maxima: jax.Array) -> jax.Array:
    return jnp.max(maxima, axis=(0, 1), keepdims=True)


def _subtract(residual, maxima: jax.Array, largest: jax.Array, mass: jax.Array):
    """Takes the mass of a step from the largest entry: new maxima, and the entry's index."""
    numbers = _positions(maxima.shape)
    # NaN equals nothing: the default keeps the row, and below the lane, within the residual.
    number = _first(maxima == largest, numbers, residual.shape[0] - 1)
    at = pl.ds(number[0, 0], 1)
    row = residual[at, :]
    lanes = _positions(row.shape)
    lane = _first(row == largest, lanes, _LANES - 1)
    row = jnp.where(lanes == lane, largest - mass, row)
    residual[at, :] = row
    maxima = jnp.where(numbers == number, _top(row), maxima)
    return maxima, number * jnp.int32(_LANES) + lane


def _kernel(*refs, sizes):
    count = len(sizes)
    groups = [refs[i * count : (i + 1) * count] for i in range(3)]
    (marginals, starts, index_refs), mass_ref = groups, refs[3 * count]
    residuals = refs[3 * count + 1 :]
    for ref in (*index_refs, mass_ref):
        ref[...] = jnp.zeros(ref.shape, ref.dtype)
    for p, residual in zip(marginals, residuals, strict=True):
        residual[...] = p[...]
    lanes = _positions((1, _LANES))

    def least(tops):
        mass, *others = tops
        for other in others:
            mass = jnp.minimum(mass, other)
        return mass

    def some_mass_left(carry):
        done, *maxima = carry
        return (done < mass_ref.shape[0]) & (least([_top(x) for x in maxima])[0, 0] > 0)

    def step(number, carry):
        maxima, indices, masses = carry
        tops = [_top(x) for x in maxima]
        # A negative mass is invalid and ends the problem, as a marginal that is used up does.
        mass = jnp.maximum(least(tops), 0)
        taken = [_subtract(*p, mass) for p in zip(residuals, maxima, tops, strict=True)]
        here = lanes == number
        kept = tuple(
            jnp.where(here, jnp.minimum(index, jnp.int32(n - 1)), old)
            for (_, index), old, n in zip(taken, indices, sizes, strict=True)
        )
        return tuple(x for x, _ in taken), kept, jnp.where(here, mass, masses)

    def run_row(carry):
        # A row of cells is gathered in registers and stored once.
        done, *maxima = carry
        empty = (jnp.zeros((1, _LANES), jnp.int32),) * count
        start = (tuple(maxima), empty, jnp.zeros((1, _LANES), jnp.float32))
        maxima, indices, masses = jax.lax.fori_loop(jnp.int32(0), jnp.int32(_LANES), step, start)
        for ref, row in zip((*index_refs, mass_ref), (*indices, masses), strict=True):
            ref[pl.ds(done, 1), :] = row
        return done + jnp.int32(1), *maxima

    jax.lax.while_loop(some_mass_left, run_row, (jnp.int32(0), *(x[...] for x in starts)))


def _lay_out(p: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Masses in rows, and the rows' maxima in rows again."""
    batch, n = p.shape
    rows = jnp.pad(p, ((0, 0), (0, _rows(n) * _LANES - n))).reshape(batch, -1, _LANES)
    maxima = jnp.max(rows, -1)
    maxima = jnp.pad(maxima, ((0, 0), (0, _maxima_rows(n) * _LANES - maxima.shape[1])))
    return rows, maxima.reshape(batch, -1, _LANES)


def _spec(rows: int) -> pl.BlockSpec:
    def program(number):
        return number, jnp.int32(0), jnp.int32(0)

    # Single-buffered: a program works far longer than it loads.
    return pl.BlockSpec((None, rows, _LANES), program, pipeline_mode=pl.Buffered(1))


def greedy_coupling(
    marginals: Sequence[jax.Array], *, interpret: bool | pltpu.InterpretParams = False
) -> tuple[jax.Array, jax.Array]:
    """Couples a batch of problems, one after the other.

    Args:
        marginals: non-negative float32 arrays of shapes (batch, n_i), batch >= 1.
        interpret: runs the kernel in its interpreter.

    Returns:
        Indices (batch, steps, N) and masses (batch, steps).
    """
    batch, count = marginals[0].shape[0], len(marginals)
    sizes = tuple(p.shape[-1] for p in marginals)
    steps = sum(sizes) - count + 1
    rows, maxima = zip(*(_lay_out(vary_like(p, marginals)) for p in marginals), strict=True)
    cells = (batch, _cell_rows(sizes), _LANES)
    *indices, masses = pl.pallas_call(
        functools.partial(_kernel, sizes=sizes),
        out_shape=[output(cells, jnp.int32, marginals)] * count
        + [output(cells, jnp.float32, marginals)],
        grid=(batch,),
        in_specs=[_spec(x.shape[1]) for x in (*rows, *maxima)],
        out_specs=[_spec(cells[1])] * (count + 1),
        scratch_shapes=[pltpu.VMEM(x.shape[1:], jnp.float32) for x in rows],
        compiler_params=pltpu.CompilerParams(dimension_semantics=("parallel",)),
        interpret=interpret,
        name="greedy_coupling_rows",
    )(*rows, *maxima)
    cut = [x.reshape(batch, -1)[:, :steps] for x in (*indices, masses)]
    return jnp.stack(cut[:-1], -1), cut[-1]

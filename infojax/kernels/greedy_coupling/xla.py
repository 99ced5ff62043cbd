"""The greedy coupling in plain XLA: a two-level search for the maxima, steps in chunks.

Each marginal is kept as (blocks, width) beside its block maxima, both about sqrt(n) long: a step
reads the maxima and one block, and writes one block and one maximum. The chunks of steps end as
soon as every problem of the batch has run out of mass, so sparse marginals cost what their
support costs.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

# Steps between two looks at whether mass is left: rare enough that the look and the write of
# the chunk's cells cost nothing, short enough for supports of a few symbols.
_CHUNK = 16


class _Side(NamedTuple):
    """The residual masses of one marginal: (blocks, width), and the maximum of each block."""

    blocks: jax.Array
    maxima: jax.Array


def _split(p: jax.Array) -> _Side:
    width = 1 << round(math.log2(max(math.sqrt(p.shape[-1]), 1)))
    count = -(-p.shape[-1] // width)
    padding = [(0, 0)] * (p.ndim - 1) + [(0, count * width - p.shape[-1])]
    blocks = jnp.pad(p, padding).reshape(*p.shape[:-1], count, width)
    return _Side(blocks, jnp.max(blocks, -1))


def _first_maximum(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The lowest index of the maximum, and the maximum, as two reductions that vectorise.

    XLA's argmax is one reduction over pairs, which on CPU runs element by element.
    """
    largest = jnp.max(x)
    positions = jax.lax.iota(jnp.int32, x.size)
    # NaN equals nothing: the clip keeps the index in range, the caller's gate tells of it.
    index = jnp.min(jnp.where(x == largest, positions, x.size - 1))
    return index, largest


def _replace(side: _Side, block: jax.Array, row: jax.Array, index, value) -> _Side:
    row = jnp.where(jax.lax.iota(jnp.int32, row.size) == index, value, row)
    here = jax.lax.iota(jnp.int32, side.maxima.size) == block
    return _Side(
        jax.lax.dynamic_update_index_in_dim(side.blocks, row, block, 0),
        jnp.where(here, jnp.max(row), side.maxima),
    )


def _step(sides: tuple[_Side, ...]):
    found = [_first_maximum(side.maxima) for side in sides]
    mass = jnp.min(jnp.stack([largest for _, largest in found]))
    updated, indices = [], []
    for side, (block, largest) in zip(sides, found, strict=True):
        row = jax.lax.dynamic_index_in_dim(side.blocks, block, 0, keepdims=False)
        index, _ = _first_maximum(row)
        updated.append(_replace(side, block, row, index, largest - mass))
        indices.append(block * row.size + index)
    return tuple(updated), jnp.stack(indices), mass


def greedy_coupling(marginals: Sequence[jax.Array]) -> tuple[jax.Array, jax.Array]:
    """Couples a batch of problems.

    Args:
        marginals: non-negative arrays of shapes (batch, n_i).

    Returns:
        Indices (batch, steps, N) and masses (batch, steps).
    """
    batch = marginals[0].shape[0]
    steps = sum(p.shape[-1] for p in marginals) - len(marginals) + 1
    chunk = min(_CHUNK, steps)
    chunks = -(-steps // chunk)
    sides = tuple(_split(p) for p in marginals)

    def scan_step(sides, _):
        sides, indices, mass = jax.vmap(_step)(sides)
        return sides, (indices, mass)

    def some_mass_left(carry):
        done, sides, _, _ = carry
        least = jnp.stack([jnp.max(side.maxima, -1) for side in sides]).min(0)
        return (done < chunks) & jnp.any(least > 0)

    def run_chunk(carry):
        done, sides, indices, masses = carry
        sides, (new_indices, new_masses) = jax.lax.scan(scan_step, sides, length=chunk)
        start = done * chunk
        indices = jax.lax.dynamic_update_slice_in_dim(indices, new_indices, start, 0)
        masses = jax.lax.dynamic_update_slice_in_dim(masses, new_masses, start, 0)
        return done + 1, sides, indices, masses

    start = (
        jnp.int32(0),
        sides,
        jnp.zeros((chunks * chunk, batch, len(marginals)), jnp.int32),
        jnp.zeros((chunks * chunk, batch), marginals[0].dtype),
    )
    _, _, indices, masses = jax.lax.while_loop(some_mass_left, run_chunk, start)
    return jnp.swapaxes(indices, 0, 1)[:, :steps], jnp.swapaxes(masses, 0, 1)[:, :steps]

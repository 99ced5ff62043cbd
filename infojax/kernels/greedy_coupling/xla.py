"""The greedy coupling in plain XLA: a tree of maxima for the search, steps in chunks.

Each marginal is kept as rows of a few masses, beside it the maxima of the rows, in rows again, up
to a single row: a step walks down from the top to the largest mass, and back up with the new
maxima, reading and writing one row a level. The chunks of steps end as soon as every problem of
the batch has run out of mass, so sparse marginals cost what their support costs.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from infojax.kernels.varying import vary_like

# Steps between two looks at whether mass is left: rare enough that the look and the write of
# the chunk's cells cost nothing, short enough for supports of a few symbols.
_CHUNK = 16
# Rows of eight are unrolled into vector instructions over the batch: at 256 symbols a step takes
# a fifth of the time that rows of sixteen take. Beyond some thousands of symbols XLA copies the
# deeper tree at every step, and two levels of about sqrt(n) are faster.
_WIDTH = 8
_DEEP_UP_TO = 8192

_Tree = tuple[jax.Array, ...]  # leaves first: (..., rows, width) a level, the last (..., width)


def _grow(p: jax.Array) -> _Tree:
    """Lays masses (..., n) out as a tree of maxima."""
    size = p.shape[-1]
    deep = size <= _DEEP_UP_TO
    width = _WIDTH if deep else 1 << round(math.log2(math.sqrt(size)))
    levels = []
    while p.shape[-1] > width and (deep or not levels):
        count = -(-p.shape[-1] // width)
        padding = [(0, 0)] * (p.ndim - 1) + [(0, count * width - p.shape[-1])]
        levels.append(jnp.pad(p, padding).reshape(*p.shape[:-1], count, width))
        p = jnp.max(levels[-1], -1)
    return (*levels, p)


def _first_maximum(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The lowest index of the maximum, and the maximum, as two reductions that vectorise.

    XLA's argmax is one reduction over pairs, which on CPU runs element by element.
    """
    largest = jnp.max(x)
    positions = jax.lax.iota(jnp.int32, x.size)
    # NaN equals nothing: the clip keeps the index within the row, the caller's gate tells of it.
    index = jnp.min(jnp.where(x == largest, positions, x.size - 1))
    return index, largest


def _descend(tree: _Tree) -> tuple[list[tuple[jax.Array, jax.Array, jax.Array]], jax.Array]:
    """Finds the largest mass: the rows on the way as (row number, row, index), leaves first."""
    *lower, top = tree
    index, largest = _first_maximum(top)
    way = [(jnp.int32(0), top, index)]
    number = index
    for level in reversed(lower):
        row = jax.lax.dynamic_index_in_dim(level, number, 0, keepdims=False)
        index, _ = _first_maximum(row)
        way.append((number, row, index))
        number = number * row.size + index
    return way[::-1], largest


def _replace(tree: _Tree, way, value: jax.Array) -> _Tree:
    """Writes a mass at the end of a way and the maxima that follow from it."""
    levels = []
    for level, (number, row, index) in zip(tree, way, strict=True):
        row = jnp.where(jax.lax.iota(jnp.int32, row.size) == index, value, row)
        value = jnp.max(row)
        whole = level.ndim == 1
        levels.append(row if whole else jax.lax.dynamic_update_index_in_dim(level, row, number, 0))
    return tuple(levels)


def _step(trees: tuple[_Tree, ...]):
    found = [_descend(tree) for tree in trees]
    mass = jnp.min(jnp.stack([largest for _, largest in found]))
    indices = []
    for way, _ in found:
        number, row, index = way[0]
        indices.append(number * row.size + index)
    updated = tuple(
        _replace(tree, way, largest - mass)
        for tree, (way, largest) in zip(trees, found, strict=True)
    )
    return updated, jnp.stack(indices), mass


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
    trees = tuple(_grow(p) for p in marginals)

    def scan_step(trees, _):
        trees, indices, mass = jax.vmap(_step)(trees)
        return trees, (indices, mass)

    def some_mass_left(carry):
        done, trees, _, _ = carry
        least = jnp.stack([jnp.max(tree[-1], -1) for tree in trees]).min(0)
        return (done < chunks) & jnp.any(least > 0)

    def run_chunk(carry):
        done, trees, indices, masses = carry
        trees, (new_indices, new_masses) = jax.lax.scan(scan_step, trees, length=chunk)
        start = done * chunk
        indices = jax.lax.dynamic_update_slice_in_dim(indices, new_indices, start, 0)
        masses = jax.lax.dynamic_update_slice_in_dim(masses, new_masses, start, 0)
        return done + 1, trees, indices, masses

    cells = (
        jnp.zeros((chunks * chunk, batch, len(marginals)), jnp.int32),
        jnp.zeros((chunks * chunk, batch), marginals[0].dtype),
    )
    trees, cells = vary_like((trees, cells), marginals)
    start = (jnp.int32(0), trees, *cells)
    _, _, indices, masses = jax.lax.while_loop(some_mass_left, run_chunk, start)
    # NaN sends a descent into the padding: no index may leave its marginal for it.
    indices = jnp.minimum(indices, jnp.array([p.shape[-1] - 1 for p in marginals], jnp.int32))
    return jnp.swapaxes(indices, 0, 1)[:, :steps], jnp.swapaxes(masses, 0, 1)[:, :steps]

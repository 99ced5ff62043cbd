"""The product with a Gram matrix on TPU: tiles of the matrix live in VMEM alone.

The inner products of the points run on the matrix unit. So do the products with many vectors;
with a few, whose columns would leave that unit idle, lanes multiply and add, and a sum crosses
them once a strip of rows.
"""

import functools

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from infojax.kernels import varying

_LANES = 128
_FEW_VECTORS = 4


def _inner(x: jax.Array, y: jax.Array) -> jax.Array:
    """Products of rows with rows, in full float32."""
    return jax.lax.dot_general(
        x,
        y,
        (((1,), (1,)), ((), ())),
        precision=jax.lax.Precision.HIGHEST,
        preferred_element_type=jnp.float32,
    )


def _kernel(a_ref, b_ref, norms_ref, vectors_ref, out_ref, total_ref, *, same: bool):
    strip, block = pl.program_id(1), pl.program_id(2)
    tile = a_ref.shape[0]
    few = vectors_ref.shape[0] <= _FEW_VECTORS

    @pl.when(block == 0)
    def _():
        total_ref[...] = jnp.zeros(total_ref.shape, jnp.float32)

    a = a_ref[...]
    squares = jnp.sum(a * a, 1, keepdims=True) + norms_ref[...]
    squares = jnp.maximum(squares - jnp.float32(2) * _inner(a, b_ref[...]), jnp.float32(0))
    if same:
        rows = jax.lax.broadcasted_iota(jnp.int32, squares.shape, 0)
        columns = jax.lax.broadcasted_iota(jnp.int32, squares.shape, 1)
        diagonal = rows - columns == (block - strip) * tile
        squares = jnp.where(diagonal, jnp.float32(0), squares)
    gram = jnp.exp(-squares)

    if few:
        for vector in range(vectors_ref.shape[0]):
            weighted = gram * vectors_ref[vector : vector + 1, :]
            for start in range(0, tile, _LANES):
                total_ref[vector] += weighted[:, start : start + _LANES]
    else:
        total_ref[...] += _inner(gram, vectors_ref[...])

    @pl.when(block == pl.num_programs(2) - 1)
    def _():
        if few:
            for vector in range(vectors_ref.shape[0]):
                out_ref[:, vector : vector + 1] = jnp.sum(total_ref[vector], 1, keepdims=True)
        else:
            out_ref[...] = total_ref[...]


def _pad(x: jax.Array, axis: int, multiple: int) -> jax.Array:
    padding = [(0, 0)] * x.ndim
    padding[axis] = (0, -x.shape[axis] % multiple)
    return jnp.pad(x, padding)


@functools.partial(jax.jit, static_argnames=("same", "interpret"))
def product(
    a: jax.Array, b: jax.Array, vectors: jax.Array, *, same: bool, interpret: bool = False
) -> jax.Array:
    """Applies exp(-|a_i - b_j|^2) to vectors.

    Args:
        a: points of the rows, (B, N, D), float32, no size 0, D up to 1024.
        b: points of the columns, (B, M, D).
        vectors: (B, M, R), R up to 64.
        same: whether a and b are the same points; the diagonal is then 1 exactly.
        interpret: whether to interpret the kernel.

    Returns:
        (B, N, R).
    """
    batch, count, size = a.shape
    others, width = b.shape[1], vectors.shape[2]
    tile = min(512 if size <= 512 else 256, -(-max(count, others) // _LANES) * _LANES)
    # Points that fill up a tile have weight 0.
    a, b = _pad(a, 1, tile), _pad(b, 1, tile)
    vectors = _pad(jnp.swapaxes(vectors, 1, 2), 2, tile)
    norms = jnp.sum(b * b, -1)[:, None, :]
    operands = (a, b, norms, vectors)
    grid = (batch, a.shape[1] // tile, b.shape[1] // tile)

    def of_columns(rows: int) -> pl.BlockSpec:
        return pl.BlockSpec((None, rows, tile), lambda n, i, j: (n, jnp.int32(0), j))

    out = pl.pallas_call(
        functools.partial(_kernel, same=same),
        grid=grid,
        in_specs=[
            pl.BlockSpec((None, tile, size), lambda n, i, j: (n, i, jnp.int32(0))),
            pl.BlockSpec((None, tile, size), lambda n, i, j: (n, j, jnp.int32(0))),
            of_columns(1),
            of_columns(width),
        ],
        out_specs=pl.BlockSpec((None, tile, width), lambda n, i, j: (n, i, jnp.int32(0))),
        out_shape=varying.output((batch, a.shape[1], width), jnp.float32, *operands),
        scratch_shapes=[
            pltpu.VMEM(
                (width, tile, _LANES) if width <= _FEW_VECTORS else (tile, width), jnp.float32
            )
        ],
        compiler_params=pltpu.CompilerParams(
            dimension_semantics=("parallel", "parallel", "arbitrary")
        ),
        cost_estimate=pl.CostEstimate(
            flops=2 * batch * a.shape[1] * b.shape[1] * (size + width),
            transcendentals=batch * a.shape[1] * b.shape[1],
            bytes_accessed=4 * (a.size + grid[1] * (b.size + vectors.size) + a.size),
        ),
        interpret=interpret,
        name="gaussian_gram_matvec",
    )(*operands)
    return out[:, :count]

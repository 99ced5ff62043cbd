"""The product with a Gram matrix on GPU: a program makes a strip of rows, tile by tile.

A tile's inner products are added up over stretches of the coordinates, so that any number of
these fits into the registers; the tile never leaves them.
"""

import functools

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as plgpu

from infojax.kernels import varying

_TILE = 64
_STRETCH = 16  # coordinates at once: twice as many spill registers
_FEW_VECTORS = 4
_WARPS = 8


def _dot(x: jax.Array, y: jax.Array) -> jax.Array:
    """A product of matrices in full float32: no TF32."""
    return jax.lax.dot_general(
        x,
        y,
        (((1,), (0,)), ((), ())),
        precision=jax.lax.Precision.HIGHEST,
        preferred_element_type=jnp.float32,
    )


def _kernel(a_ref, a_norms_ref, b_ref, b_norms_ref, vectors_ref, out_ref, *, same):
    problem, strip = pl.program_id(0), pl.program_id(1)
    rows = pl.ds(strip * _TILE, _TILE)
    a_norms = a_norms_ref[problem, rows]
    size, width = a_ref.shape[2], vectors_ref.shape[1]
    few = width <= _FEW_VECTORS

    def inner_products(columns):
        def add(number, total):
            coordinates = pl.ds(number * _STRETCH, _STRETCH)
            a = a_ref[problem, rows, coordinates]
            return total + _dot(a, b_ref[problem, columns, coordinates].T)

        zeros = jnp.zeros((_TILE, _TILE), jnp.float32)
        return jax.lax.fori_loop(jnp.int32(0), jnp.int32(size // _STRETCH), add, zeros)

    def visit(block, totals):
        columns = pl.ds(block * _TILE, _TILE)
        norms = a_norms[:, None] + b_norms_ref[problem, columns][None, :]
        squares = jnp.maximum(norms - 2 * inner_products(columns), jnp.float32(0))
        if same:
            index = jax.lax.iota(jnp.int32, _TILE)
            diagonal = index[:, None] + (strip - block) * _TILE == index[None, :]
            squares = jnp.where(diagonal, jnp.float32(0), squares)
        gram = jnp.exp(-squares)
        if few:
            weighted = (
                gram * vectors_ref[problem, vector, columns][None, :] for vector in range(width)
            )
            return tuple(t + jnp.sum(w, 1) for t, w in zip(totals, weighted, strict=True))
        return totals + _dot(gram, vectors_ref[problem, :, columns].T)

    blocks = jnp.int32(b_ref.shape[1] // _TILE)
    if few:
        start = tuple(jnp.zeros((_TILE,), jnp.float32) for _ in range(width))
        totals = jax.lax.fori_loop(jnp.int32(0), blocks, visit, start)
        for vector, total in enumerate(totals):
            out_ref[problem, rows, vector] = total
    else:
        start = jnp.zeros((_TILE, width), jnp.float32)
        out_ref[problem, rows, :] = jax.lax.fori_loop(jnp.int32(0), blocks, visit, start)


def _pad(x: jax.Array, *sizes: int | None) -> jax.Array:
    """Fills axes up with zeros."""
    return jnp.pad(
        x, [(0, 0 if size is None else size - n) for n, size in zip(x.shape, sizes, strict=True)]
    )


@functools.partial(jax.jit, static_argnames=("same", "interpret"))
def product(
    a: jax.Array, b: jax.Array, vectors: jax.Array, *, same: bool, interpret: bool = False
) -> jax.Array:
    """Applies exp(-|a_i - b_j|^2) to vectors.

    Args:
        a: points of the rows, (B, N, D), float32, no size 0.
        b: points of the columns, (B, M, D).
        vectors: (B, M, R), R up to 64.
        same: whether a and b are the same points; the diagonal is then 1 exactly.
        interpret: whether to interpret the kernel.

    Returns:
        (B, N, R).
    """
    batch, count, size = a.shape
    others, width = b.shape[1], vectors.shape[2]
    # Triton's blocks have sizes that are powers of two, of 16 or more where they are multiplied.
    wide = width if width <= _FEW_VECTORS else max(16, pl.next_power_of_2(width))
    tall, long = pl.cdiv(count, _TILE) * _TILE, pl.cdiv(others, _TILE) * _TILE
    deep = pl.cdiv(size, _STRETCH) * _STRETCH
    # Points that fill up a tile have weight 0, coordinates that fill up a stretch are 0.
    a, b = _pad(a, None, tall, deep), _pad(b, None, long, deep)
    vectors = _pad(jnp.swapaxes(vectors, 1, 2), None, wide, long)
    operands = (a, jnp.sum(a * a, -1), b, jnp.sum(b * b, -1), vectors)
    out = pl.pallas_call(
        functools.partial(_kernel, same=same),
        grid=(batch, tall // _TILE),
        out_shape=varying.output((batch, tall, wide), jnp.float32, *operands),
        compiler_params=plgpu.CompilerParams(num_warps=_WARPS, num_stages=2),
        interpret=interpret,
        name="gaussian_gram_matvec",
    )(*operands)
    return out[:, :count, :width]

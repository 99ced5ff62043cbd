"""Attention with entropy on TPU: the backward kernels, scores computed again block by block.

One kernel walks over keys for each block of queries and gives the gradient by the queries; one
walks over the queries (of all heads that share a key head) for each block of keys.
"""

import functools

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from infojax.kernels import varying
from infojax.kernels.attention_with_entropy import xla_chunked
from infojax.kernels.attention_with_entropy.backward import GradientInputs
from infojax.kernels.attention_with_entropy.pallas_tpu import (
    Sizes,
    cost,
    heads_first,
    keys_first,
    product,
    scores,
    sizes,
    table_spec,
)
from infojax.kernels.attention_with_entropy.pattern import (
    Pattern,
    finite,
    key_blocks,
    query_blocks,
)


def _gradient_by_scores(refs, i, j, cut: Sizes, pattern: Pattern):
    """Probabilities and the gradient by the products, of one block, keys by queries."""
    q_ref, upstream_ref, rows_ref, k_ref, v_ref, bias_ref, mask_ref = refs
    s, slope = scores(q_ref[...], k_ref[...], bias_ref, mask_ref, i, j, cut, pattern)
    log_normalizer, offset, weight = rows_ref[0:1], rows_ref[1:2], rows_ref[2:3]
    below = s - log_normalizer
    p = jnp.exp(below)
    products = product(v_ref[...], upstream_ref[...], (1, 1))
    ds = p * (products + offset - weight * finite(below))
    ds = ds if slope is None else ds * slope
    return p, ds * jnp.float32(pattern.scale)


def _query_kernel(*refs, cut, pattern):
    *inputs, dq_ref, sum_ref = refs
    i, j = pl.program_id(2), pl.program_id(3)

    @pl.when(j == 0)
    def _():
        sum_ref[...] = jnp.zeros_like(sum_ref)

    low, high = key_blocks(pattern, i, cut.queries, cut.keys, cut.key_count)

    @pl.when((j >= low) & (j < high))
    def _():
        _, ds = _gradient_by_scores(inputs, i, j, cut, pattern)
        k = inputs[3][...]
        sum_ref[...] += product(ds.astype(k.dtype), k, (0, 0))

    @pl.when(j == cut.key_count - 1)
    def _():
        dq_ref[...] = sum_ref[...].astype(dq_ref.dtype)


def _key_kernel(*refs, cut, pattern, groups):
    *inputs, dk_ref, dv_ref, k_sum_ref, v_sum_ref = refs
    j, g, i = pl.program_id(2), pl.program_id(3), pl.program_id(4)

    @pl.when((g == 0) & (i == 0))
    def _():
        k_sum_ref[...] = jnp.zeros_like(k_sum_ref)
        v_sum_ref[...] = jnp.zeros_like(v_sum_ref)

    low, high = query_blocks(pattern, j, cut.keys, cut.queries, cut.query_count)

    @pl.when((i >= low) & (i < high))
    def _():
        p, ds = _gradient_by_scores(inputs, i, j, cut, pattern)
        q, upstream = inputs[0][...], inputs[1][...]
        v_sum_ref[...] += product(p.astype(upstream.dtype), upstream, (1, 0))
        k_sum_ref[...] += product(ds.astype(q.dtype), q, (1, 0))

    @pl.when((g == groups - 1) & (i == cut.query_count - 1))
    def _():
        dk_ref[...] = k_sum_ref[...].astype(dk_ref.dtype)
        dv_ref[...] = v_sum_ref[...].astype(dv_ref.dtype)


def _in_specs(arrays, tables, cut: Sizes, place, key_place):
    """Blocks of (q, dO, rows, k, v, bias, mask); places from the grid's numbers."""

    def of_queries(x):
        def index(*grid):
            b, n, i, _ = place(*grid)
            return b, n, i, 0

        return pl.BlockSpec((None, None, cut.queries, x.shape[-1]), index)

    def rows(*grid):
        b, n, i, _ = place(*grid)
        return b, n, 0, i

    def of_keys(x):
        return pl.BlockSpec((None, None, cut.keys, x.shape[-1]), key_place)

    q, upstream, _, k, v = arrays
    return [
        of_queries(q),
        of_queries(upstream),
        pl.BlockSpec((None, None, 3, cut.queries), rows),
        of_keys(k),
        of_keys(v),
        *(None if x is None else table_spec(x, cut, place) for x in tables),
    ]


def _by_query(arrays, tables, cut: Sizes, pattern: Pattern, like, interpret: bool):
    q, key_heads = arrays[0], arrays[3].shape[1]
    batch, heads, rows, size = q.shape
    groups = heads // key_heads

    def needed(i, j):
        low, high = key_blocks(pattern, i, cut.queries, cut.keys, cut.key_count)
        return jnp.minimum(jnp.maximum(j, low), jnp.maximum(high - 1, 0))

    def place(b, n, i, j):
        return b, n, i, needed(i, j)

    def key_place(b, n, i, j):
        return b, jax.lax.div(n, jnp.int32(groups)), needed(i, j), 0

    return pl.pallas_call(
        functools.partial(_query_kernel, cut=cut, pattern=pattern),
        grid=(batch, heads, cut.query_count, cut.key_count),
        in_specs=_in_specs(arrays, tables, cut, place, key_place),
        out_specs=pl.BlockSpec((None, None, cut.queries, size), lambda b, n, i, j: (b, n, i, 0)),
        out_shape=varying.output((batch, heads, rows, size), q.dtype, *like),
        scratch_shapes=[pltpu.VMEM((cut.queries, size), jnp.float32)],
        compiler_params=pltpu.CompilerParams(
            dimension_semantics=("parallel", "parallel", "parallel", "arbitrary")
        ),
        cost_estimate=cost(q, arrays[3], pattern, 3),
        interpret=interpret,
        name="attention_with_entropy_by_query",
    )(*arrays, *tables)


def _by_key(arrays, tables, cut: Sizes, pattern: Pattern, like, interpret: bool):
    q, _, _, k, v = arrays
    batch, key_heads, columns, size = k.shape
    groups = q.shape[1] // key_heads

    def needed(i, j):
        low, high = query_blocks(pattern, j, cut.keys, cut.queries, cut.query_count)
        return jnp.minimum(jnp.maximum(i, low), jnp.maximum(high - 1, 0))

    def place(b, h, j, g, i):
        return b, h * jnp.int32(groups) + g, needed(i, j), j

    def key_place(b, h, j, g, i):
        return b, h, j, 0

    widths = (size, v.shape[-1])
    return pl.pallas_call(
        functools.partial(_key_kernel, cut=cut, pattern=pattern, groups=groups),
        grid=(batch, key_heads, cut.key_count, groups, cut.query_count),
        in_specs=_in_specs(arrays, tables, cut, place, key_place),
        out_specs=[pl.BlockSpec((None, None, cut.keys, width), key_place) for width in widths],
        out_shape=[
            varying.output((batch, key_heads, columns, width), k.dtype, *like) for width in widths
        ],
        scratch_shapes=[pltpu.VMEM((cut.keys, width), jnp.float32) for width in widths],
        compiler_params=pltpu.CompilerParams(
            dimension_semantics=("parallel", "parallel", "parallel", "arbitrary", "arbitrary")
        ),
        cost_estimate=cost(q, k, pattern, 4),
        interpret=interpret,
        name="attention_with_entropy_by_key",
    )(*arrays, *tables)


def attention_gradients(
    inputs: GradientInputs,
    *,
    pattern: Pattern,
    interpret: bool = False,
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array | None]:
    """The backward pass; see `backward` for the formula.

    Args:
        inputs: the arrays of the forward pass and the gradients by its results.
        pattern: scale, window and cap.
        interpret: whether to run in the interpreter.

    Returns:
        Gradients by query, key, value and bias. That by the bias is a pass of plain XLA by
        blocks, which the compiler drops where nobody asks for it.
    """
    query, key, value, bias, mask, output_gradient, *_ = inputs
    length, key_length = query.shape[1], key.shape[1]
    cut = sizes(length, key_length, max(query.shape[-1], value.shape[-1]))
    rows, columns = cut.query_count * cut.queries, cut.key_count * cut.keys
    per_query = inputs.per_query()
    arrays = (
        heads_first(query, rows),
        heads_first(output_gradient.astype(query.dtype), rows),
        jnp.pad(per_query, [(0, 0), (0, 0), (0, 0), (0, rows - length)]),
        heads_first(key, columns),
        heads_first(value, columns),
    )
    tables = [None if x is None else keys_first(x, cut) for x in (bias, mask)]
    dq = _by_query(arrays, tables, cut, pattern, inputs, interpret)
    dk, dv = _by_key(arrays, tables, cut, pattern, inputs, interpret)
    d_bias = None if bias is None else xla_chunked.attention_gradients(inputs, pattern=pattern)[3]
    dq = dq[:, :, :length].swapaxes(1, 2)
    dk, dv = (x[:, :, :key_length].swapaxes(1, 2) for x in (dk, dv))
    return dq, dk, dv, d_bias

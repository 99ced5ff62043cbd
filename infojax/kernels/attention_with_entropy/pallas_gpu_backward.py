"""Attention with entropy on NVIDIA GPUs through Triton: the backward kernels.

One program of the first kernel takes a block of queries and loops over keys; one of the second
takes a block of keys and loops over the queries of all heads that share its key head.
"""

import functools

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as plgpu

from infojax.kernels import varying
from infojax.kernels.attention_with_entropy import xla_chunked
from infojax.kernels.attention_with_entropy.backward import GradientInputs
from infojax.kernels.attention_with_entropy.pallas_gpu import (
    Sizes,
    padded,
    padded_table,
    power_of_two,
    product,
    scores,
    sizes,
)
from infojax.kernels.attention_with_entropy.pattern import (
    Pattern,
    finite,
    key_blocks,
    query_blocks,
)


def _backward_blocks(query: jax.Array) -> tuple[int, int, int, int]:
    """Blocks for two products and two sums at once."""
    size = power_of_two(query.shape[-1])
    if query.dtype == jnp.float32:
        return (16, 16, 4, 1) if size > 64 else (32, 32, 4, 1)
    if size > 64:
        return (32, 32, 8, 1) if size > 128 else (64, 32, 8, 1)
    return (64, 64, 4, 2)


def _gradient_by_scores(q, upstream, rows, k, v, tables, place, cut: Sizes, pattern: Pattern):
    """Probabilities and the gradient by the products, of one block, queries by keys."""
    bias_ref, mask_ref = tables
    head, i, j = place
    s, slope = scores(q, k, bias_ref, mask_ref, head, i, j, cut, pattern)
    log_normalizer, offset, weight = (row[:, None] for row in rows)
    below = s - log_normalizer
    p = jnp.exp(below)
    ds = p * (product(upstream, v.T) + offset - weight * finite(below))
    ds = ds if slope is None else ds * slope
    return p, ds * jnp.float32(pattern.scale)


def _query_kernel(q_ref, upstream_ref, rows_ref, k_ref, v_ref, *refs, cut, pattern):
    *tables, dq_ref = refs
    i = pl.program_id(0)
    q, upstream = q_ref[...], upstream_ref[...]
    rows = tuple(rows_ref[number, :] for number in range(3))

    def step(j, dq):
        here = pl.ds(j * cut.keys, cut.keys)
        k = k_ref[here, :]
        _, ds = _gradient_by_scores(
            q, upstream, rows, k, v_ref[here, :], tables, (0, i, j), cut, pattern
        )
        return dq + product(ds.astype(k.dtype), k)

    low, high = key_blocks(pattern, i, cut.queries, cut.keys, cut.key_count)
    dq = jax.lax.fori_loop(low, high, step, jnp.zeros(dq_ref.shape, jnp.float32))
    dq_ref[...] = dq.astype(dq_ref.dtype)


def _key_kernel(
    q_ref, upstream_ref, rows_ref, k_ref, v_ref, bias_ref, mask_ref, dk_ref, dv_ref, *, cut, pattern
):
    j = pl.program_id(0)
    k, v = k_ref[...], v_ref[...]
    low, high = query_blocks(pattern, j, cut.keys, cut.queries, cut.query_count)

    tables = (bias_ref, mask_ref)

    def some_head(g, sums):
        def step(i, sums):
            dk, dv = sums
            here = pl.ds(i * cut.queries, cut.queries)
            q, upstream = q_ref[here, g, :], upstream_ref[here, g, :]
            rows = tuple(rows_ref[g, number, here] for number in range(3))
            p, ds = _gradient_by_scores(q, upstream, rows, k, v, tables, (g, i, j), cut, pattern)
            dk = dk + product(ds.astype(q.dtype).T, q)
            return dk, dv + product(p.astype(upstream.dtype).T, upstream)

        return jax.lax.fori_loop(low, high, step, sums)

    start = (jnp.zeros(dk_ref.shape, jnp.float32), jnp.zeros(dv_ref.shape, jnp.float32))
    dk, dv = jax.lax.fori_loop(0, q_ref.shape[1], some_head, start)
    dk_ref[...] = dk.astype(dk_ref.dtype)
    dv_ref[...] = dv.astype(dv_ref.dtype)


def _by_query(arrays, tables, cut: Sizes, pattern: Pattern, like, interpret: bool):
    q, upstream, _, k, v = arrays
    batch, _, heads, _ = q.shape
    groups = heads // k.shape[2]

    def of_queries(x):
        block = (None, cut.queries, None, x.shape[-1])
        return pl.BlockSpec(block, lambda i, b, n: (b, i, n, 0))

    def of_keys(x):
        block = (None, x.shape[1], None, x.shape[-1])
        return pl.BlockSpec(block, lambda i, b, n: (b, 0, n // groups, 0))

    def of_table(x):
        own, shared = x.shape[0] != 1, x.shape[1] == 1
        return pl.BlockSpec(
            (None, 1, *x.shape[2:]),
            lambda i, b, n: (b if own else 0, 0 if shared else n, 0, 0),
        )

    return pl.pallas_call(
        functools.partial(_query_kernel, cut=cut, pattern=pattern),
        grid=(cut.query_count, batch, heads),
        in_specs=[
            of_queries(q),
            of_queries(upstream),
            pl.BlockSpec((None, None, 4, cut.queries), lambda i, b, n: (b, n, 0, i)),
            of_keys(k),
            of_keys(v),
            *(None if x is None else of_table(x) for x in tables),
        ],
        out_specs=of_queries(q),
        out_shape=varying.output(q.shape, q.dtype, *like),
        compiler_params=plgpu.CompilerParams(num_warps=cut.warps, num_stages=cut.stages),
        interpret=interpret,
        name="attention_with_entropy_by_query",
    )(*arrays, *tables)


def _by_key(arrays, tables, cut: Sizes, pattern: Pattern, like, interpret: bool):
    q, upstream, _, k, v = arrays
    batch, _, key_heads, _ = k.shape
    groups = q.shape[2] // key_heads

    def of_queries(x):
        block = (None, x.shape[1], groups, x.shape[-1])
        return pl.BlockSpec(block, lambda j, b, h: (b, 0, h, 0))

    def of_keys(x):
        block = (None, cut.keys, None, x.shape[-1])
        return pl.BlockSpec(block, lambda j, b, h: (b, j, h, 0))

    def of_table(x):
        own, shared = x.shape[0] != 1, x.shape[1] == 1
        return pl.BlockSpec(
            (None, 1 if shared else groups, *x.shape[2:]),
            lambda j, b, h: (b if own else 0, 0 if shared else h, 0, 0),
        )

    return pl.pallas_call(
        functools.partial(_key_kernel, cut=cut, pattern=pattern),
        grid=(cut.key_count, batch, key_heads),
        in_specs=[
            of_queries(q),
            of_queries(upstream),
            pl.BlockSpec((None, groups, 4, q.shape[1]), lambda j, b, h: (b, h, 0, 0)),
            of_keys(k),
            of_keys(v),
            *(None if x is None else of_table(x) for x in tables),
        ],
        out_specs=[of_keys(k), of_keys(v)],
        out_shape=[varying.output(x.shape, x.dtype, *like) for x in (k, v)],
        compiler_params=plgpu.CompilerParams(num_warps=cut.warps, num_stages=cut.stages),
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
    cut = sizes(query, value, largest=_backward_blocks(query))
    rows, columns = cut.query_count * cut.queries, cut.key_count * cut.keys
    # A fourth row of zeros: Triton's blocks are powers of two.
    per_query = inputs.per_query(jnp.zeros_like(inputs.weight))
    arrays = (
        padded(query, rows),
        padded(output_gradient.astype(query.dtype), rows),
        jnp.pad(per_query, [(0, 0), (0, 0), (0, 0), (0, rows - length)]),
        padded(key, columns),
        padded(value, columns),
    )
    tables = [padded_table(table, cut) for table in (bias, mask)]
    dq = _by_query(arrays, tables, cut, pattern, inputs, interpret)
    dk, dv = _by_key(arrays, tables, cut, pattern, inputs, interpret)
    d_bias = None if bias is None else xla_chunked.attention_gradients(inputs, pattern=pattern)[3]
    dq = dq[:, :length, :, : query.shape[-1]]
    dk = dk[:, :key_length, :, : key.shape[-1]]
    return dq, dk, dv[:, :key_length, :, : value.shape[-1]], d_bias

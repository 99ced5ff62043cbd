"""Attention with entropy by blocks in plain XLA: the path of CPUs and of whatever has no kernel.

One pass over the keys keeps, for each query, m = max s, l = sum e^(s-m), t = sum e^(s-m) (s-m)
and o = sum e^(s-m) v. When the maximum moves, l and o shrink by c = e^(m_old - m_new), and t
becomes c (t + (m_old - m_new) l).
"""

import math

import jax
import jax.numpy as jnp

from infojax.kernels.attention_with_entropy import blocks
from infojax.kernels.attention_with_entropy.backward import GradientInputs
from infojax.kernels.attention_with_entropy.blocks import Cut, Place
from infojax.kernels.attention_with_entropy.pattern import (
    Pattern,
    finite,
    key_blocks,
    query_blocks,
)
from infojax.kernels.varying import vary_like


def _attend(q, keys, values, bias, mask, place: Place, cut: Cut, pattern: Pattern):
    """Output and statistics of one block of queries (b, k, G, queries, H)."""
    wide = jnp.promote_types(q.dtype, jnp.float32)
    rows, size = q.shape[:-1], values.shape[-1]

    def step(j, carry):
        m_old, total, t, o = carry
        k, v = (blocks.block_at(x, j, cut.keys, 2) for x in (keys, values))
        s, _ = blocks.scores(q, k, bias, mask, place._replace(key=j), cut, pattern)
        # Axes of size one beside a sum keep XLA on CPU from splitting it: half of the time.
        s = s.reshape(-1, cut.keys)
        m = jnp.maximum(m_old, jnp.max(s, -1))
        # A query that has seen no key has m = -inf: any finite number may stand for it.
        reach = jnp.where(m == -jnp.inf, 0, m)
        moved, below = m_old - reach, s - reach[:, None]
        shrink, weights = jnp.exp(moved), jnp.exp(below)
        t = shrink * (t + finite(moved) * total) + jnp.sum(weights * finite(below), -1)
        by_head = weights.astype(v.dtype).reshape(*rows, cut.keys)
        pooled = jnp.einsum("bkgts,bksv->bkgtv", by_head, v, preferred_element_type=wide)
        o = o * shrink[:, None] + pooled.reshape(-1, size)
        return m, shrink * total + jnp.sum(weights, -1), t, o

    zeros = jnp.zeros(math.prod(rows), wide)
    start = (zeros - jnp.inf, zeros, zeros, jnp.zeros((zeros.size, size), wide))
    start = vary_like(start, q, keys, values, bias, mask)
    low, high = key_blocks(pattern, place.query, cut.queries, cut.keys, cut.key_count)
    m, total, t, o = jax.lax.fori_loop(low, high, step, start)
    total = jnp.where(total == 0, 1, total)
    # Both terms are non-negative: what falls below 0 is rounding.
    entropy = jnp.maximum(jnp.log(total) - t / total, 0)
    results = (o / total[:, None], entropy, m + jnp.log(total))
    return tuple(x.reshape(*rows, *x.shape[1:]) for x in results)


def attention_with_entropy(
    query, key, value, bias, mask, pattern: Pattern
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Attends.

    Args:
        query: (B, T, N, H).
        key: (B, S, K, H), N a multiple of K.
        value: (B, S, K, V).
        bias: (B, N, T, S) with axes that may be 1, or None.
        mask: likewise, of booleans.
        pattern: scale, window and cap.

    Returns:
        Output (B, T, N, V), and entropy and log normaliser (B, T, N) of at least float32.
    """
    cut = blocks.cut(query, key, blocks.FORWARD if pattern.left is None else blocks.WINDOWED)
    q = blocks.rows_by_head(query, key.shape[2], cut)
    k, v = (blocks.columns_by_head(x, cut) for x in (key, value))
    bias, mask = (blocks.padded_table(table, cut) for table in (bias, mask))

    def some_heads(numbers):
        batch, head = numbers
        place = Place(batch, head, jnp.int32(0), jnp.int32(0))
        here_q, here_k, here_v = (blocks.heads_at(x, place, cut) for x in (q, k, v))

        def some_queries(i):
            block = blocks.block_at(here_q, i, cut.queries, 3)
            return _attend(block, here_k, here_v, bias, mask, place._replace(query=i), cut, pattern)

        results = jax.lax.map(some_queries, jnp.arange(cut.query_count, dtype=jnp.int32))
        return jax.tree.map(_join_queries, results)

    results = jax.lax.map(some_heads, blocks.places(cut))
    output, entropy, log_normalizer = (
        _by_position(blocks.gather_heads(x, cut), query.shape[1]) for x in results
    )
    return output.astype(query.dtype), entropy, log_normalizer


def _join_queries(x: jax.Array) -> jax.Array:
    """(query blocks, b, k, G, queries, ...) to (b, k, G, T', ...)."""
    x = jnp.moveaxis(x, 0, 3)
    return x.reshape(*x.shape[:3], -1, *x.shape[5:])


def _by_position(x: jax.Array, length: int) -> jax.Array:
    """(B, K, G, T', ...) to (B, T, N, ...)."""
    x = jnp.moveaxis(x[:, :, :, :length], 3, 1)
    return x.reshape(*x.shape[:2], -1, *x.shape[4:])


def attention_gradients(
    inputs: GradientInputs,
    *,
    pattern: Pattern,
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array | None]:
    """The backward pass, scores computed again block by block.

    Args:
        inputs: the arrays of the forward pass and the gradients by its results.
        pattern: scale, window and cap.

    Returns:
        Gradients by query, key, value and bias.
    """
    query, key, value, bias, mask, output_gradient, *per_query = inputs
    cut = blocks.cut(query, key, blocks.BACKWARD, by_columns=True)
    key_heads = key.shape[2]
    q, upstream = (blocks.rows_by_head(x, key_heads, cut) for x in (query, output_gradient))
    rows = jnp.stack(per_query, -1)
    rows = blocks.rows_by_head(rows, key_heads, cut)
    k, v = (blocks.columns_by_head(x, cut) for x in (key, value))
    bias_table, mask = (blocks.padded_table(table, cut) for table in (bias, mask))
    wide = jnp.promote_types(query.dtype, jnp.float32)
    arrays = (q, upstream, rows, k, v)
    bias_start = None if bias_table is None else jnp.zeros(bias_table.shape, wide)
    bias_start = vary_like(bias_start, arrays, bias, mask)

    def some_heads(bias_gradient, numbers):
        batch, head = numbers
        place = Place(batch, head, jnp.int32(0), jnp.int32(0))
        here = tuple(blocks.heads_at(x, place, cut) for x in arrays)
        return _gradients_of_heads(bias_gradient, here, bias_table, mask, place, cut, pattern)

    bias_gradient, results = jax.lax.scan(some_heads, bias_start, blocks.places(cut))
    dq, dk, dv = (blocks.gather_heads(x, cut) for x in results)
    dq = _by_position(dq, query.shape[1])
    dk, dv = (x.transpose(0, 2, 1, 3)[:, : key.shape[1]] for x in (dk, dv))
    if bias is not None:
        bias_gradient = bias_gradient[:, :, : bias.shape[2], : bias.shape[3]].astype(bias.dtype)
    dq, dk, dv = (
        x.astype(like.dtype) for x, like in zip((dq, dk, dv), (query, key, value), strict=True)
    )
    return dq, dk, dv, bias_gradient


def _gradients_of_heads(bias_gradient, arrays, bias, mask, place: Place, cut: Cut, pattern):
    """Gradients of some heads: over blocks of keys, and within over blocks of queries."""
    q, _, _, k, v = arrays
    wide = jnp.promote_types(q.dtype, jnp.float32)

    def some_keys(carry, j):
        here = tuple(blocks.block_at(x, j, cut.keys, 2) for x in (k, v))
        start = tuple(jnp.zeros(x.shape, wide) for x in here)
        start = (*carry, *vary_like(start, arrays, bias, mask))

        def some_queries(i, carry):
            spot = place._replace(query=i, key=j)
            return _gradient_step(carry, arrays, here, bias, mask, spot, cut, pattern)

        low, high = query_blocks(pattern, j, cut.keys, cut.queries, cut.query_count)
        dq, bias_gradient, dk, dv = jax.lax.fori_loop(low, high, some_queries, start)
        return (dq, bias_gradient), (dk, dv)

    start = vary_like(jnp.zeros(q.shape, wide), arrays, bias, mask)
    numbers = jnp.arange(cut.key_count, dtype=jnp.int32)
    (dq, bias_gradient), columns = jax.lax.scan(some_keys, (start, bias_gradient), numbers)
    dk, dv = (jnp.moveaxis(x, 0, 2).reshape(*x.shape[1:3], -1, x.shape[-1]) for x in columns)
    return bias_gradient, (dq, dk, dv)


def _gradient_step(carry, arrays, columns, bias, mask, place: Place, cut: Cut, pattern):
    """Adds what one block of scores gives."""
    dq, bias_gradient, dk, dv = carry
    all_q, all_upstream, all_rows, _, _ = arrays
    k, v = columns
    wide = dk.dtype
    i = place.query
    q, upstream, rows = (
        blocks.block_at(x, i, cut.queries, 3) for x in (all_q, all_upstream, all_rows)
    )
    log_normalizer, offset, weight = (rows[..., n, None] for n in range(3))
    s, slope = blocks.scores(q, k, bias, mask, place, cut, pattern)
    below = s - log_normalizer
    p = jnp.exp(below)
    products = jnp.einsum("bkgtv,bksv->bkgts", upstream, v, preferred_element_type=wide)
    ds = p * (products + offset - weight * finite(below))
    dv = dv + jnp.einsum(
        "bkgts,bkgtv->bksv", p.astype(upstream.dtype), upstream, preferred_element_type=wide
    )
    if bias is not None:
        bias_gradient = _add_to_table(bias_gradient, ds, place, cut)
    dx = (ds if slope is None else ds * slope) * pattern.scale
    dx = dx.astype(q.dtype)
    dk = dk + jnp.einsum("bkgts,bkgth->bksh", dx, q, preferred_element_type=wide)
    more = jnp.einsum("bkgts,bksh->bkgth", dx, k, preferred_element_type=wide)
    old = blocks.block_at(dq, i, cut.queries, 3)
    dq = jax.lax.dynamic_update_slice_in_dim(dq, old + more, i * jnp.int32(cut.queries), 3)
    return dq, bias_gradient, dk, dv


def _add_to_table(table: jax.Array, ds: jax.Array, place: Place, cut: Cut) -> jax.Array:
    """Adds a block of gradients by scores to the gradient by the bias."""
    groups = ds.shape[2]
    start, sizes = blocks.table_window(table, place, groups, cut)
    ds = ds.reshape(ds.shape[0], -1, *ds.shape[3:])
    summed = tuple(axis for axis, whole in enumerate(table.shape) if whole == 1)
    ds = jnp.sum(ds, summed, keepdims=True)
    old = jax.lax.dynamic_slice(table, start, sizes)
    return jax.lax.dynamic_update_slice(table, old + ds, start)

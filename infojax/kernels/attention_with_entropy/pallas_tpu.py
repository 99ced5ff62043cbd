"""Attention with entropy on TPU: the forward kernel.

Scores are kept with keys along sublanes and queries along lanes, so that the statistics of the
queries are rows: their reductions are sums of registers, and they broadcast for free. The grid
walks over blocks of keys innermost, with the statistics and the output in scratch memory.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from infojax.kernels import varying
from infojax.kernels.attention_with_entropy.pattern import Pattern, allowed, finite, key_blocks

# Blocks of float32 scores of 512 x 512 take 1 MiB each; v4 and v5e let a kernel have 16 MiB,
# which large heads in float32 beside a full bias would exceed.
_BLOCK = 512
_LARGE_HEAD = 128
_LARGEST_HEAD = 256
_SMALLEST = 16  # rows of a register of bfloat16


class Sizes(NamedTuple):
    """Blocks of queries and keys, and the counts of them.

    Attributes:
        queries: queries of a block.
        keys: keys of a block.
        query_count: number of blocks of queries.
        key_count: number of blocks of keys.
        true_keys: how many keys are true, where padding follows; else None.
    """

    queries: int
    keys: int
    query_count: int
    key_count: int
    true_keys: int | None


def refuses(query: jax.Array, value: jax.Array) -> str | None:
    """Why the kernel cannot take these arrays, or None.

    Args:
        query: (B, T, N, H).
        value: (B, S, K, V).
    """
    if query.dtype not in (jnp.float32, jnp.bfloat16):
        return f"takes float32 and bfloat16 and not {query.dtype}"
    if max(query.shape[-1], value.shape[-1]) > _LARGEST_HEAD:
        return f"takes heads of up to {_LARGEST_HEAD} features"
    return None


def sizes(length: int, key_length: int, head: int) -> Sizes:
    """Chooses blocks: all of a short axis, else a fixed number.

    Args:
        length: T.
        key_length: S.
        head: the larger of H and V.

    Returns:
        The sizes.
    """
    most = _BLOCK if head <= _LARGE_HEAD else _BLOCK // 2
    queries, keys = (min(most, max(_SMALLEST, n)) for n in (length, key_length))
    query_count, key_count = -(-length // queries), -(-key_length // keys)
    true_keys = key_length if key_count * keys != key_length else None
    return Sizes(queries, keys, query_count, key_count, true_keys)


def heads_first(x: jax.Array, padded_length: int) -> jax.Array:
    """(B, T, N, H) to (B, N, T', H), padded with zeros."""
    x = x.swapaxes(1, 2)
    return jnp.pad(x, [(0, 0), (0, 0), (0, padded_length - x.shape[2]), (0, 0)])


def keys_first(table: jax.Array, sizes: Sizes) -> jax.Array:
    """A bias or mask (b, n, t, s) as (b, n, s', t'), padded; booleans as bytes."""
    table = table.astype(jnp.int8) if table.dtype == jnp.bool_ else table
    widths = [(0, 0), (0, 0)]
    for size, block, count in zip(
        table.shape[2:], sizes[:2], (sizes.query_count, sizes.key_count), strict=True
    ):
        widths.append((0, 0 if size == 1 else block * count - size))
    return jnp.pad(table, widths).swapaxes(2, 3)


def table_spec(table: jax.Array, sizes: Sizes, place) -> pl.BlockSpec:
    """The blocks of a bias or mask laid out by `keys_first`.

    Args:
        table: (b, n, s', t').
        sizes: the blocks.
        place: from the grid's numbers to those of (batch, head, query block, key block).

    Returns:
        The block specification.
    """
    b, n, s, t = table.shape
    block = (None, None, 1 if s == 1 else sizes.keys, 1 if t == 1 else sizes.queries)

    def index(*grid):
        batch, head, i, j = place(*grid)
        zero = jnp.int32(0)
        return (
            zero if b == 1 else batch,
            zero if n == 1 else head,
            zero if s == 1 else j,
            zero if t == 1 else i,
        )

    return pl.BlockSpec(block, index)


def cost(query: jax.Array, key: jax.Array, pattern: Pattern, products: int) -> pl.CostEstimate:
    """What the compiler is told that a kernel costs, to schedule around it.

    Args:
        query: (B, N, T, H).
        key: (B, K, S, H).
        pattern: scale, window and cap.
        products: products of matrices for each block of scores.

    Returns:
        The estimate.
    """
    batch, heads, length, size = query.shape
    key_length = key.shape[2]
    reach = [key_length if side is None else side for side in (pattern.left, pattern.right)]
    pairs = batch * heads * length * min(key_length, sum(reach) + 1)
    if pattern.left is None and pattern.right == 0:
        pairs //= 2
    array_bytes = (query.size * 2 + key.size * 2) * query.dtype.itemsize
    return pl.CostEstimate(
        flops=2 * products * pairs * size, transcendentals=pairs, bytes_accessed=array_bytes
    )


def precision(dtype) -> jax.lax.Precision | None:
    """Float32 products in full: the unit's own way rounds to bfloat16."""
    return jax.lax.Precision.HIGHEST if dtype == jnp.float32 else None


def product(a: jax.Array, b: jax.Array, contract: tuple[int, int]) -> jax.Array:
    """A product of matrices over an axis of each, accumulated in float32."""
    return jax.lax.dot_general(
        a,
        b,
        (((contract[0],), (contract[1],)), ((), ())),
        precision=precision(a.dtype),
        preferred_element_type=jnp.float32,
    )


def scores(q, k, bias_ref, mask_ref, i, j, sizes: Sizes, pattern: Pattern):
    """Scores of a block, keys by queries, and the derivative of the cap (None without one)."""
    s = product(k, q, (1, 1)) * jnp.float32(pattern.scale)
    slope = None
    if pattern.soft_cap is not None:
        tangent = jnp.tanh(s * jnp.float32(1 / pattern.soft_cap))
        s, slope = jnp.float32(pattern.soft_cap) * tangent, 1 - tangent * tangent
    if bias_ref is not None:
        s = s + bias_ref[...].astype(jnp.float32)
    if mask_ref is not None:
        s = jnp.where(mask_ref[...].astype(jnp.int32) != 0, s, -jnp.inf)
    keys = jax.lax.broadcasted_iota(jnp.int32, s.shape, 0) + j * jnp.int32(sizes.keys)
    queries = jax.lax.broadcasted_iota(jnp.int32, s.shape, 1) + i * jnp.int32(sizes.queries)
    near = allowed(pattern, queries, keys, sizes.true_keys)
    return (s if near is None else jnp.where(near, s, -jnp.inf)), slope


def _kernel(
    q_ref, k_ref, v_ref, bias_ref, mask_ref, o_ref, rows_ref, stat_ref, sum_ref, *, sizes, pattern
):
    i, j = pl.program_id(2), pl.program_id(3)

    @pl.when(j == 0)
    def _():
        stat_ref[0:1] = jnp.full_like(stat_ref[0:1], -jnp.inf)
        stat_ref[1:3] = jnp.zeros_like(stat_ref[1:3])
        sum_ref[...] = jnp.zeros_like(sum_ref)

    low, high = key_blocks(pattern, i, sizes.queries, sizes.keys, sizes.key_count)

    @pl.when((j >= low) & (j < high))
    def _():
        v = v_ref[...]
        s, _ = scores(q_ref[...], k_ref[...], bias_ref, mask_ref, i, j, sizes, pattern)
        m_old, total, t = stat_ref[0:1], stat_ref[1:2], stat_ref[2:3]
        m = jnp.maximum(m_old, jnp.max(s, 0, keepdims=True))
        # A query that has seen no key has m = -inf: any finite number may stand for it.
        reach = jnp.where(m == -jnp.inf, 0, m)
        moved, below = m_old - reach, s - reach
        shrink, weights = jnp.exp(moved), jnp.exp(below)
        stat_ref[0:1] = m
        stat_ref[1:2] = shrink * total + jnp.sum(weights, 0, keepdims=True)
        stat_ref[2:3] = shrink * (t + finite(moved) * total) + jnp.sum(
            weights * finite(below), 0, keepdims=True
        )
        sum_ref[...] = sum_ref[...] * shrink + product(v, weights.astype(v.dtype), (0, 0))

    @pl.when(j == sizes.key_count - 1)
    def _():
        m, total, t = stat_ref[0:1], stat_ref[1:2], stat_ref[2:3]
        total = jnp.where(total == 0, 1, total)
        o_ref[...] = (sum_ref[...] / total).T.astype(o_ref.dtype)
        rows_ref[0:1] = jnp.maximum(jnp.log(total) - t / total, 0)
        rows_ref[1:2] = m + jnp.log(total)


def attention_with_entropy(
    query, key, value, bias, mask, *, pattern: Pattern, interpret: bool = False
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Attends.

    Args:
        query: (B, T, N, H).
        key: (B, S, K, H), N a multiple of K.
        value: (B, S, K, V).
        bias: (B, N, T, S) with axes that may be 1, or None.
        mask: likewise, of booleans.
        pattern: scale, window and cap.
        interpret: whether to run in the interpreter.

    Returns:
        Output (B, T, N, V), and entropy and log normaliser (B, T, N) in float32.
    """
    batch, length, heads, size = query.shape
    key_length, key_heads, value_size = value.shape[1:]
    cut = sizes(length, key_length, max(size, value_size))
    groups = heads // key_heads
    rows, columns = cut.query_count * cut.queries, cut.key_count * cut.keys

    q = heads_first(query, rows)
    k, v = (heads_first(x, columns) for x in (key, value))

    def needed(i, j):
        # A block that is skipped names one that is not, which is there already.
        low, high = key_blocks(pattern, i, cut.queries, cut.keys, cut.key_count)
        return jnp.minimum(jnp.maximum(j, low), jnp.maximum(high - 1, 0))

    def of_queries(width):
        return pl.BlockSpec((None, None, cut.queries, width), lambda b, n, i, j: (b, n, i, 0))

    def of_keys(width):
        return pl.BlockSpec(
            (None, None, cut.keys, width),
            lambda b, n, i, j: (b, jax.lax.div(n, jnp.int32(groups)), needed(i, j), 0),
        )

    def place(b, n, i, j):
        return b, n, i, needed(i, j)

    tables = [None if x is None else keys_first(x, cut) for x in (bias, mask)]
    output, statistics = pl.pallas_call(
        functools.partial(_kernel, sizes=cut, pattern=pattern),
        grid=(batch, heads, cut.query_count, cut.key_count),
        in_specs=[
            of_queries(size),
            of_keys(size),
            of_keys(value_size),
            *(None if x is None else table_spec(x, cut, place) for x in tables),
        ],
        out_specs=[
            of_queries(value_size),
            pl.BlockSpec((None, None, 2, cut.queries), lambda b, n, i, j: (b, n, 0, i)),
        ],
        out_shape=[
            varying.output(
                (batch, heads, rows, value_size), query.dtype, query, key, value, bias, mask
            ),
            varying.output((batch, heads, 2, rows), jnp.float32, query, key, value, bias, mask),
        ],
        scratch_shapes=[
            pltpu.VMEM((3, cut.queries), jnp.float32),
            pltpu.VMEM((value_size, cut.queries), jnp.float32),
        ],
        compiler_params=pltpu.CompilerParams(
            dimension_semantics=("parallel", "parallel", "parallel", "arbitrary")
        ),
        cost_estimate=cost(q, k, pattern, 2),
        interpret=interpret,
        name="attention_with_entropy",
    )(q, k, v, *tables)
    entropy, log_normalizer = statistics[:, :, :, :length].transpose(2, 0, 3, 1)
    return output[:, :, :length].swapaxes(1, 2), entropy, log_normalizer

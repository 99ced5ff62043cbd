"""Attention with entropy on NVIDIA GPUs through Triton: the forward kernel.

One program takes a block of queries of one head and loops over the blocks of keys that it needs,
with the statistics and the output in registers.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as plgpu

from infojax.kernels import varying
from infojax.kernels.attention_with_entropy.pattern import Pattern, allowed, finite, key_blocks

_LARGEST_HEAD = 256
_SMALLEST = 16  # Triton multiplies no smaller matrices


class Sizes(NamedTuple):
    """Blocks of queries and keys, and how a program runs.

    Attributes:
        queries: queries of a block.
        keys: keys of a block.
        query_count: number of blocks of queries.
        key_count: number of blocks of keys.
        true_keys: how many keys are true, where padding follows; else None.
        warps: warps of a program.
        stages: depth of the pipeline of loads.
    """

    queries: int
    keys: int
    query_count: int
    key_count: int
    true_keys: int | None
    warps: int
    stages: int


def refuses(query: jax.Array, value: jax.Array) -> str | None:
    """Why the kernel cannot take these arrays, or None.

    Args:
        query: (B, T, N, H).
        value: (B, S, K, V).
    """
    if query.dtype not in (jnp.float32, jnp.bfloat16, jnp.float16):
        return f"takes float32, bfloat16 and float16 and not {query.dtype}"
    if max(query.shape[-1], value.shape[-1]) > _LARGEST_HEAD:
        return f"takes heads of up to {_LARGEST_HEAD} features"
    return None


def power_of_two(size: int) -> int:
    """The least power of two of at least `size` that Triton multiplies."""
    return max(_SMALLEST, 1 << (size - 1).bit_length())


def sizes(query: jax.Array, value: jax.Array, *, largest: tuple[int, int, int, int]) -> Sizes:
    """Chooses blocks.

    Args:
        query: (B, T, N, H).
        value: (B, S, K, V).
        largest: block of queries, block of keys, warps and stages.

    Returns:
        The sizes; short axes take a smaller block.
    """
    length, key_length = query.shape[1], value.shape[1]
    queries, keys = (
        min(most, power_of_two(n)) for most, n in zip(largest, (length, key_length), strict=False)
    )
    query_count, key_count = -(-length // queries), -(-key_length // keys)
    true_keys = key_length if key_count * keys != key_length else None
    return Sizes(queries, keys, query_count, key_count, true_keys, *largest[2:])


def _forward_blocks(query: jax.Array) -> tuple[int, int, int, int]:
    """Blocks whose scores and outputs stay in registers, and whose keys fit shared memory."""
    size = power_of_two(query.shape[-1])
    if query.dtype == jnp.float32:
        # Products in full precision run without tensor cores, from registers.
        return (16, 32, 4, 1) if size > 128 else (32, 32, 4, 1)
    return (64, 32, 8, 2) if size > 128 else (128, 64, 8, 2)


def padded(x: jax.Array, length: int) -> jax.Array:
    """(B, T, N, H) padded with zeros to `length` and a power of two of features."""
    size = power_of_two(x.shape[-1])
    widths = [(0, 0), (0, length - x.shape[1]), (0, 0), (0, size - x.shape[-1])]
    return jnp.pad(x, widths)


def padded_table(table: jax.Array | None, sizes: Sizes) -> jax.Array | None:
    """A bias or mask (b, n, t, s), padded; booleans as bytes."""
    if table is None:
        return None
    table = table.astype(jnp.int8) if table.dtype == jnp.bool_ else table
    wanted = (sizes.query_count * sizes.queries, sizes.key_count * sizes.keys)
    widths = [
        (0, 0 if n == 1 else most - n) for n, most in zip(table.shape[2:], wanted, strict=True)
    ]
    return jnp.pad(table, [(0, 0), (0, 0), *widths])


def product(a: jax.Array, b: jax.Array) -> jax.Array:
    """A product of matrices accumulated in float32; of float32, in full precision."""
    precision = jax.lax.Precision.HIGHEST if a.dtype == jnp.float32 else None
    return jnp.dot(a, b, precision=precision, preferred_element_type=jnp.float32)


def _part(ref, head, i, j, sizes: Sizes) -> jax.Array:
    """The part (queries|1, keys|1) of a table's ref (n, t', s')."""
    rows = pl.ds(0, 1) if ref.shape[1] == 1 else pl.ds(i * sizes.queries, sizes.queries)
    columns = pl.ds(0, 1) if ref.shape[2] == 1 else pl.ds(j * sizes.keys, sizes.keys)
    return ref[0 if ref.shape[0] == 1 else head, rows, columns]


def scores(q, k, bias_ref, mask_ref, head, i, j, sizes: Sizes, pattern: Pattern):
    """Scores of a block, queries by keys, and the derivative of the cap (None without one)."""
    s = product(q, k.T) * jnp.float32(pattern.scale)
    slope = None
    if pattern.soft_cap is not None:
        # tanh by the exponential, which every Triton has.
        twice = jnp.exp(-2 * jnp.abs(s) * jnp.float32(1 / pattern.soft_cap))
        tangent = jnp.where(s < 0, -1.0, 1.0) * (1 - twice) / (1 + twice)
        s, slope = jnp.float32(pattern.soft_cap) * tangent, 1 - tangent * tangent
    if bias_ref is not None:
        s = s + _part(bias_ref, head, i, j, sizes).astype(jnp.float32)
    if mask_ref is not None:
        s = jnp.where(_part(mask_ref, head, i, j, sizes) != 0, s, -jnp.inf)
    queries = (i * sizes.queries + jnp.arange(sizes.queries, dtype=jnp.int32))[:, None]
    keys = (j * sizes.keys + jnp.arange(sizes.keys, dtype=jnp.int32))[None, :]
    near = allowed(pattern, queries, keys, sizes.true_keys)
    return (s if near is None else jnp.where(near, s, -jnp.inf)), slope


def _kernel(
    q_ref, k_ref, v_ref, bias_ref, mask_ref, o_ref, entropy_ref, normalizer_ref, *, sizes, pattern
):
    i = pl.program_id(0)
    q = q_ref[...]

    def step(j, carry):
        m_old, total, t, o = carry
        here = pl.ds(j * sizes.keys, sizes.keys)
        v = v_ref[here, :]
        s, _ = scores(q, k_ref[here, :], bias_ref, mask_ref, 0, i, j, sizes, pattern)
        m = jnp.maximum(m_old, jnp.max(s, 1))
        # A query that has seen no key has m = -inf: any finite number may stand for it.
        reach = jnp.where(m == -jnp.inf, 0.0, m)
        moved, below = m_old - reach, s - reach[:, None]
        shrink, weights = jnp.exp(moved), jnp.exp(below)
        t = shrink * (t + finite(moved) * total) + jnp.sum(weights * finite(below), 1)
        total = shrink * total + jnp.sum(weights, 1)
        return m, total, t, o * shrink[:, None] + product(weights.astype(v.dtype), v)

    zeros = jnp.zeros(sizes.queries, jnp.float32)
    start = (zeros - jnp.inf, zeros, zeros, jnp.zeros(o_ref.shape, jnp.float32))
    low, high = key_blocks(pattern, i, sizes.queries, sizes.keys, sizes.key_count)
    m, total, t, o = jax.lax.fori_loop(low, high, step, start)
    total = jnp.where(total == 0, 1.0, total)
    o_ref[...] = (o / total[:, None]).astype(o_ref.dtype)
    entropy_ref[...] = jnp.maximum(jnp.log(total) - t / total, 0.0)
    normalizer_ref[...] = m + jnp.log(total)


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
    batch, length, heads, _ = query.shape
    groups = heads // key.shape[2]
    cut = sizes(query, value, largest=_forward_blocks(query))
    rows, columns = cut.query_count * cut.queries, cut.key_count * cut.keys
    q, k, v = padded(query, rows), padded(key, columns), padded(value, columns)
    tables = [padded_table(table, cut) for table in (bias, mask)]

    def of_queries(x):
        block = (None, cut.queries, None, x.shape[-1])
        return pl.BlockSpec(block, lambda i, b, n: (b, i, n, 0))

    def of_keys(x):
        return pl.BlockSpec(
            (None, columns, None, x.shape[-1]), lambda i, b, n: (b, 0, n // groups, 0)
        )

    def of_table(x):
        own, shared = x.shape[0] != 1, x.shape[1] == 1
        return pl.BlockSpec(
            (None, 1, *x.shape[2:]),
            lambda i, b, n: (b if own else 0, 0 if shared else n, 0, 0),
        )

    def output(shape, dtype):
        return varying.output(shape, dtype, query, key, value, bias, mask)

    statistic = pl.BlockSpec((None, None, cut.queries), lambda i, b, n: (b, n, i))
    o, entropy, log_normalizer = pl.pallas_call(
        functools.partial(_kernel, sizes=cut, pattern=pattern),
        grid=(cut.query_count, batch, heads),
        in_specs=[
            of_queries(q),
            of_keys(k),
            of_keys(v),
            *(None if x is None else of_table(x) for x in tables),
        ],
        out_specs=[
            pl.BlockSpec((None, cut.queries, None, v.shape[-1]), lambda i, b, n: (b, i, n, 0)),
            statistic,
            statistic,
        ],
        out_shape=[
            output((batch, rows, heads, v.shape[-1]), query.dtype),
            output((batch, heads, rows), jnp.float32),
            output((batch, heads, rows), jnp.float32),
        ],
        compiler_params=plgpu.CompilerParams(num_warps=cut.warps, num_stages=cut.stages),
        interpret=interpret,
        name="attention_with_entropy",
    )(q, k, v, *tables)
    return (
        o[:, :length, :, : value.shape[-1]],
        entropy[:, :, :length].swapaxes(1, 2),
        log_normalizer[:, :, :length].swapaxes(1, 2),
    )

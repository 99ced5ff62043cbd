"""How the chunked implementation cuts a problem: heads, queries and keys, bias and mask.

A few heads at a time, whole blocks of queries and keys: a block of scores stays in the cache, and
the parts of bias and mask that it needs are rectangles.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from infojax.kernels.attention_with_entropy.pattern import Pattern, allowed

# Queries, and keys, of a block at most. Forward, XLA's products on CPU reuse more of larger blocks,
# until the scores in flight (4 MiB in float32) leave the cache; blocks that a window leaves mostly
# empty should be smaller. The backward pass also reads scores by columns, which a stride of many
# powers of two sends to the same few lines of the cache: 528 rows take three quarters of the time
# of 512.
FORWARD = 1024
WINDOWED = 512
BACKWARD = 640
# Lengths of blocks are multiples of this, so that rows begin where vectors do.
_LANES = 16
_ALIASED = 128


class Cut(NamedTuple):
    """Sizes of blocks, and how many there are.

    Attributes:
        batch: batch elements in flight.
        key_heads: key heads in flight.
        queries: queries of a block.
        keys: keys of a block.
        batch_count: how many times `batch`; likewise the next three.
        head_count: of `key_heads`.
        query_count: of `queries`.
        key_count: of `keys`.
        true_keys: how many keys are true, where padding follows; else None.
    """

    batch: int
    key_heads: int
    queries: int
    keys: int
    batch_count: int
    head_count: int
    query_count: int
    key_count: int
    true_keys: int | None


def _largest_divisor(number: int, most: int) -> int:
    return max(d for d in range(1, number + 1) if number % d == 0 and d <= max(most, 1))


def _even_blocks(length: int, most: int, by_columns: bool) -> tuple[int, int]:
    """How many blocks, and their length: the fewest that may be, as even as can be."""
    count = -(-length // most)
    if count == 1:
        return 1, length
    even = -(-length // (count * _LANES)) * _LANES
    if by_columns and even % _ALIASED == 0:
        even += _LANES
    return count, even


def cut(query: jax.Array, key: jax.Array, most: int, *, by_columns: bool = False) -> Cut:
    """Chooses the blocks of a problem.

    Args:
        query: (B, T, N, H).
        key: (B, S, K, H).
        most: queries, and keys, of a block at most.
        by_columns: whether scores are read by columns too.

    Returns:
        The sizes.
    """
    batch, length, heads, _ = query.shape
    key_length, key_heads = key.shape[1:3]
    query_count, queries = _even_blocks(length, most, by_columns)
    key_count, keys = _even_blocks(key_length, most, by_columns)
    rows = most**2 // (queries * keys * (heads // key_heads))
    heads_together = _largest_divisor(key_heads, rows)
    together = _largest_divisor(batch, rows // key_heads) if heads_together == key_heads else 1
    return Cut(
        batch=together,
        key_heads=heads_together,
        queries=queries,
        keys=keys,
        batch_count=batch // together,
        head_count=key_heads // heads_together,
        query_count=query_count,
        key_count=key_count,
        true_keys=key_length if key_count * keys != key_length else None,
    )


def _pad(x: jax.Array, axis: int, size: int) -> jax.Array:
    if x.shape[axis] == size:
        return x
    widths = [(0, 0)] * x.ndim
    widths[axis] = (0, size - x.shape[axis])
    return jnp.pad(x, widths)


def rows_by_head(x: jax.Array, key_heads: int, cut: Cut) -> jax.Array:
    """Lays out what queries carry.

    Args:
        x: (B, T, N, H).
        key_heads: K.
        cut: the sizes of blocks.

    Returns:
        (B, K, G, T', H), padded with zeros.
    """
    batch, length, heads, size = x.shape
    x = x.reshape(batch, length, key_heads, heads // key_heads, size).transpose(0, 2, 3, 1, 4)
    return _pad(x, 3, cut.query_count * cut.queries)


def columns_by_head(x: jax.Array, cut: Cut) -> jax.Array:
    """Lays out what keys carry.

    Args:
        x: (B, S, K, H).
        cut: the sizes of blocks.

    Returns:
        (B, K, S', H), padded with zeros.
    """
    return _pad(x.transpose(0, 2, 1, 3), 2, cut.key_count * cut.keys)


def padded_table(table: jax.Array | None, cut: Cut) -> jax.Array | None:
    """Pads a bias or a mask.

    Args:
        table: (B|1, N|1, T|1, S|1), or None.
        cut: the sizes of blocks.

    Returns:
        (B|1, N|1, T'|1, S'|1), or None.
    """
    if table is None:
        return None
    for axis, size in ((2, cut.query_count * cut.queries), (3, cut.key_count * cut.keys)):
        table = table if table.shape[axis] == 1 else _pad(table, axis, size)
    return table


class Place(NamedTuple):
    """Which block of a problem: numbers of the blocks of batch, key heads, queries and keys."""

    batch: jax.Array
    head: jax.Array
    query: jax.Array
    key: jax.Array


def table_window(table: jax.Array, place: Place, groups: int, cut: Cut):
    """The rectangle of a bias or a mask that a block needs.

    Args:
        table: (B|1, N|1, T'|1, S'|1).
        place: the block.
        groups: query heads of a key head.
        cut: the sizes of blocks.

    Returns:
        Where it starts and its sizes, one number an axis; all of an axis of size one.
    """
    sizes = (cut.batch, cut.key_heads * groups, cut.queries, cut.keys)
    chosen = tuple(
        1 if whole == 1 else size for whole, size in zip(table.shape, sizes, strict=True)
    )
    start = tuple(
        jnp.int32(0) if whole == 1 else number * jnp.int32(size)
        for whole, number, size in zip(table.shape, place, sizes, strict=True)
    )
    return start, chosen


def _part(table: jax.Array, place: Place, groups: int, cut: Cut) -> jax.Array:
    """The part of a bias or mask at a block, (b|1, k|1, G|1, queries|1, keys|1)."""
    start, sizes = table_window(table, place, groups, cut)
    part = jax.lax.dynamic_slice(table, start, sizes)
    heads = (1, 1) if sizes[1] == 1 and table.shape[1] == 1 else (cut.key_heads, groups)
    return part.reshape(sizes[0], *heads, *sizes[2:])


def scores(
    q: jax.Array, k: jax.Array, bias, mask, place: Place, cut: Cut, pattern: Pattern
) -> tuple[jax.Array, jax.Array | None]:
    """The scores of a block.

    Args:
        q: (b, k, G, queries, H).
        k: (b, k, keys, H).
        bias: padded, or None.
        mask: padded, or None.
        place: the block.
        cut: the sizes of blocks.
        pattern: scale, window and cap.

    Returns:
        Scores (b, k, G, queries, keys), -inf where a query may not attend, and the derivative of
        the cap, None without one.
    """
    wide = jnp.promote_types(q.dtype, jnp.float32)
    # The queries are fewer than the scores; in a narrow type they would be rounded again.
    before, after = (pattern.scale, None) if q.dtype == wide else (None, pattern.scale)
    q = q if before is None else before * q
    s = jnp.einsum("bkgth,bksh->bkgts", q, k, preferred_element_type=wide)
    s = s if after is None else after * s
    slope = None
    if pattern.soft_cap is not None:
        tangent = jnp.tanh(s / pattern.soft_cap)
        s, slope = pattern.soft_cap * tangent, 1 - tangent * tangent
    groups = q.shape[2]
    if bias is not None:
        s = s + _part(bias, place, groups, cut).astype(wide)
    if mask is not None:
        s = jnp.where(_part(mask, place, groups, cut), s, -jnp.inf)
    rows = place.query * cut.queries + jnp.arange(cut.queries, dtype=jnp.int32)[:, None]
    columns = place.key * cut.keys + jnp.arange(cut.keys, dtype=jnp.int32)
    near = allowed(pattern, rows, columns, cut.true_keys)
    return (s if near is None else jnp.where(near, s, -jnp.inf)), slope


def heads_at(x: jax.Array, place: Place, cut: Cut) -> jax.Array:
    """The heads in flight.

    Args:
        x: (B, K, ...).
        place: the block.
        cut: the sizes of blocks.

    Returns:
        (b, k, ...).
    """
    start = (place.batch * cut.batch, place.head * cut.key_heads, *[jnp.int32(0)] * (x.ndim - 2))
    return jax.lax.dynamic_slice(x, start, (cut.batch, cut.key_heads, *x.shape[2:]))


def block_at(x: jax.Array, number, size: int, axis: int) -> jax.Array:
    """A block along an axis.

    Args:
        x: any shape.
        number: which block, from 0.
        size: its length.
        axis: the axis, which blocks of this length fill.

    Returns:
        `x` with `size` along `axis`.
    """
    if x.shape[axis] == size:
        return x
    return jax.lax.dynamic_slice_in_dim(x, number * jnp.int32(size), size, axis)


def places(cut: Cut) -> tuple[jax.Array, jax.Array]:
    """Numbers of the blocks of batch and heads, in the order in which they are done.

    Args:
        cut: the sizes of blocks.

    Returns:
        Those of the batch and those of the key heads, int32, each (batch_count * head_count,).
    """
    numbers = jnp.arange(cut.batch_count * cut.head_count, dtype=jnp.int32)
    return jax.lax.div(numbers, jnp.int32(cut.head_count)), jax.lax.rem(
        numbers, jnp.int32(cut.head_count)
    )


def gather_heads(x: jax.Array, cut: Cut) -> jax.Array:
    """Puts the results of the heads in flight together.

    Args:
        x: stacked as `places` numbers them, (batch_count * head_count, b, k, ...).
        cut: the sizes of blocks.

    Returns:
        (B, K, ...).
    """
    rest = x.shape[3:]
    x = x.reshape(cut.batch_count, cut.head_count, cut.batch, cut.key_heads, *rest)
    x = x.swapaxes(1, 2)
    return x.reshape(cut.batch_count * cut.batch, cut.head_count * cut.key_heads, *rest)

"""Which keys a query may attend to by position, and how scores are scaled; all of it static.

Causal masks and local windows are one thing here: a query at position i attends to the keys from
i - left to i + right. The blocks that a whole block of queries (or keys) needs follow from it, so
that every implementation skips the others.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Pattern(NamedTuple):
    """How scores follow from products of queries and keys.

    Attributes:
        scale: factor of the products.
        left: how far back a query sees; None for all the way.
        right: how far ahead a query sees; 0 is causal, None is all the way.
        soft_cap: scaled products x become cap tanh(x / cap); None for none.
    """

    scale: float
    left: int | None = None
    right: int | None = None
    soft_cap: float | None = None


def allowed(
    pattern: Pattern, queries: jax.Array, keys: jax.Array, key_count: int | None = None
) -> jax.Array | None:
    """Which positions may attend to which.

    Args:
        pattern: left and right.
        queries: positions of queries.
        keys: positions of keys, broadcast against `queries`.
        key_count: number of true keys, where more follow as padding; None without padding.

    Returns:
        Booleans of the broadcast shape, or None where all are allowed.
    """
    conditions = []
    if pattern.right is not None:
        conditions.append(keys <= queries + pattern.right)
    if pattern.left is not None:
        conditions.append(keys >= queries - pattern.left)
    if key_count is not None:
        conditions.append(
            jnp.broadcast_to(keys < key_count, jnp.broadcast_shapes(queries.shape, keys.shape))
        )
    if not conditions:
        return None
    result = conditions[0]
    for condition in conditions[1:]:
        result = result & condition
    return result


def _range(ahead: int | None, behind: int | None, first, last, block: int, count: int):
    """Blocks that hold a position of first - behind .. last + ahead, as [low, high)."""
    low, high = jnp.int32(0), jnp.int32(count)
    if behind is not None:
        low = jax.lax.div(jnp.maximum(first - jnp.int32(behind), 0), jnp.int32(block))
    if ahead is not None:
        end = jax.lax.div(last + jnp.int32(ahead), jnp.int32(block)) + 1
        high = jnp.minimum(end, jnp.int32(count))
    return low, high


def key_blocks(pattern: Pattern, queries, query_block: int, key_block: int, count: int):
    """The blocks of keys that a block of queries needs.

    Args:
        pattern: left and right.
        queries: number of the block of queries, an int32 scalar.
        query_block: its size.
        key_block: size of a block of keys.
        count: number of blocks of keys.

    Returns:
        The first, and one behind the last; none are needed where they meet or cross.
    """
    first = queries * jnp.int32(query_block)
    last = first + jnp.int32(query_block - 1)
    return _range(pattern.right, pattern.left, first, last, key_block, count)


def query_blocks(pattern: Pattern, keys, key_block: int, query_block: int, count: int):
    """The blocks of queries that need a block of keys.

    Args:
        pattern: left and right.
        keys: number of the block of keys, an int32 scalar.
        key_block: its size.
        query_block: size of a block of queries.
        count: number of blocks of queries.

    Returns:
        The first, and one behind the last; none need it where they meet or cross.
    """
    first = keys * jnp.int32(key_block)
    last = first + jnp.int32(key_block - 1)
    return _range(pattern.left, pattern.right, first, last, query_block, count)


def finite(below: jax.Array) -> jax.Array:
    """A log weight that may multiply its own exponential, which must not meet 0 * -inf.

    The exponential of the floor is 0 in every type, so the product is what it should be; a
    maximum vectorises where a select would not.

    Args:
        below: scores less their peak or log normaliser; -inf where a key does not count.

    Returns:
        The same, not below the floor.
    """
    return jnp.maximum(below, jnp.asarray(-1e3, below.dtype))

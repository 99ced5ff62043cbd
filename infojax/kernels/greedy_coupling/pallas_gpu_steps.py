"""The greedy coupling's steps on GPU for one small problem, its masses held in registers."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

_LEAST_TILE = 32


def tile(symbols: int) -> int:
    """The registers that a marginal takes, over all threads.

    Args:
        symbols: the marginal's number of symbols.

    Returns:
        A power of two of at least 32.
    """
    return max(_LEAST_TILE, 1 << (symbols - 1).bit_length())


def warps(entries: int) -> int:
    """The warps of a program.

    Args:
        entries: what all tiles of the program hold.

    Returns:
        One as long as a thread holds at most 16 entries, as a warp alone needs no barrier to
        find a maximum; then as many as that takes, at most eight.
    """
    return min(8, max(1, entries // 512))


def first_maximum(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The largest entry and its lowest index.

    Args:
        x: the entries, (n,).

    Returns:
        Two scalars. With NaN the index means nothing and is in range.
    """
    largest = jnp.max(x)
    positions = jax.lax.iota(jnp.int32, x.size)
    return largest, jnp.min(jnp.where(x == largest, positions, jnp.int32(x.size - 1)))


def least(found: Sequence[tuple[jax.Array, Any]]) -> jax.Array:
    """The smallest of the largest masses.

    Args:
        found: the largest mass of each marginal, beside something else.

    Returns:
        A scalar.
    """
    mass, *others = [largest for largest, _ in found]
    for other in others:
        mass = jnp.minimum(mass, other)
    return mass


def couple(
    tiles: Sequence[jax.Array],
    index_ref: Any,
    mass_ref: Any,
    sizes: Sequence[int],
    account: Callable[[Any, jax.Array], Any] = lambda carry, mass: carry,
    start: Any = (),
) -> Any:
    """Couples one problem and writes the cells that have mass, inside of a kernel.

    Args:
        tiles: the masses, padded with 0, one power of two a marginal.
        index_ref: reference to the cells' indices, (steps, N), which holds zeros.
        mass_ref: reference to the cells' masses, (steps,), which holds zeros.
        sizes: the marginals' numbers of symbols.
        account: what to do with the mass of a step: from (carry, mass) to carry.
        start: its first carry.

    Returns:
        Its last carry.
    """
    steps = mass_ref.shape[0]

    def mass_is_left(carry):
        number, _, found, _ = carry
        # False for NaN and for negative masses, which are invalid: they end the problem.
        return (number < steps) & (least(found) > 0)

    def step(carry):
        number, tiles, found, accounts = carry
        mass = least(found)
        mass_ref[number] = mass
        following = []
        for side, ((largest, index), x, n) in enumerate(zip(found, tiles, sizes, strict=True)):
            index_ref[number, side] = jnp.minimum(index, jnp.int32(n - 1))
            positions = jax.lax.iota(jnp.int32, x.size)
            following.append(jnp.where(positions == index, largest - mass, x))
        found = tuple(first_maximum(x) for x in following)
        return number + jnp.int32(1), tuple(following), found, account(accounts, mass)

    found = tuple(first_maximum(x) for x in tiles)
    first = (jnp.int32(0), tuple(tiles), found, start)
    return jax.lax.while_loop(mass_is_left, step, first)[3]

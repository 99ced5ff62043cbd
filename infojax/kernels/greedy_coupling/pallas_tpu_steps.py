"""The greedy coupling's steps on TPU, 128 problems at once: one a lane, symbols along sublanes.

A step is one sweep over each marginal: it writes the masses that the last step left and finds
the next largest ones on the way, so a residual is read and written once a step.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl

LANES = 128
# A chunk of steps is a tile of eight sublanes of cells, between two looks at whether any problem
# of the 128 has mass left: a look takes a reduction over the lanes, as long as a short sweep.
CHUNK = 8
# Symbols that are held in registers at once: eight registers of masses, and as many of the
# largest so far and of their indices.
_BLOCK = 64

_Found = tuple[jax.Array, jax.Array]  # the largest mass and its index, (1, LANES) each


def block_and_rows(symbols: int) -> tuple[int, int]:
    """How the symbols of a marginal are laid out: the rows of a block, and all rows.

    Args:
        symbols: the marginal's number of symbols.

    Returns:
        The rows that are worked on at once, a multiple of 8, and a multiple of it that holds
        the symbols.
    """
    blocks = -(-symbols // _BLOCK)
    block = 8 * math.ceil(symbols / blocks / 8)
    return block, block * blocks


def chunked(steps: int) -> int:
    """The rows that the cells of so many steps take.

    Args:
        steps: the number of steps.

    Returns:
        The next multiple of `CHUNK`.
    """
    return CHUNK * -(-steps // CHUNK)


def over_blocks(symbols: int, body: Callable[[Any, jax.Array, Any], Any], start: Any) -> Any:
    """Runs a loop over the blocks of a marginal.

    Args:
        symbols: the marginal's number of symbols.
        body: from (the block's slice, its symbols' numbers (block, LANES), carry) to the carry.
        start: the first carry.

    Returns:
        The last carry.
    """
    block, rows = block_and_rows(symbols)
    sublane = jax.lax.broadcasted_iota(jnp.int32, (block, LANES), 0)

    def step(number, carry):
        first = number * jnp.int32(block)
        return body(pl.ds(pl.multiple_of(first, 8), block), sublane + first, carry)

    if rows == block:
        return step(jnp.int32(0), start)
    return jax.lax.fori_loop(jnp.int32(0), jnp.int32(rows // block), step, start)


def _first_maximum(largest: jax.Array, positions: jax.Array) -> _Found:
    """Reduces a block's running maxima to each lane's, the lowest index among equals."""
    top = jnp.max(largest, axis=0, keepdims=True)
    none = jnp.int32(jnp.iinfo(jnp.int32).max)
    index = jnp.min(jnp.where(largest == top, positions, none), axis=0, keepdims=True)
    return top, index


def _replace_and_search(source, target, symbols: int, index, value) -> _Found:
    """Copies masses with one a lane replaced, and finds the largest of what is written."""
    block, _ = block_and_rows(symbols)

    def sweep(rows, positions, carry):
        largest, where = carry
        x = jnp.where(positions == index, value, source[rows, :])
        target[rows, :] = x
        # Only what is strictly larger: the lowest index wins, and NaN never does.
        better = x > largest
        return jnp.where(better, x, largest), jnp.where(better, positions, where)

    start = (
        jnp.full((block, LANES), -jnp.inf, jnp.float32),
        jnp.zeros((block, LANES), jnp.int32),
    )
    return _first_maximum(*over_blocks(symbols, sweep, start))


def couple(
    marginals: Sequence[Any],
    residuals: Sequence[Any],
    index_refs: Sequence[Any],
    mass_ref: Any,
    sizes: Sequence[int],
    account: Callable[[Any, jax.Array], Any] = lambda carry, mass: carry,
    start: Any = (),
) -> Any:
    """Couples 128 problems and writes their cells, inside of a kernel.

    Args:
        marginals: references to the masses, (rows, LANES) each, rows as in `block_and_rows`.
        residuals: references to scratch of the same shapes; may be the marginals themselves.
        index_refs: references to the cells' indices, (chunked steps, LANES), one a marginal.
        mass_ref: reference to the cells' masses, (chunked steps, LANES).
        sizes: the marginals' numbers of symbols.
        account: what to do with the masses of a step: from (carry, masses (1, LANES)) to carry.
        start: its first carry.

    Returns:
        Its last carry.
    """
    nowhere, zero = jnp.int32(-1), jnp.float32(0)
    for ref in (*index_refs, mass_ref):
        ref[...] = jnp.zeros(ref.shape, ref.dtype)
    found = tuple(
        _replace_and_search(p, left, n, nowhere, zero)
        for p, left, n in zip(marginals, residuals, sizes, strict=True)
    )

    def least(found):
        mass, *others = [largest for largest, _ in found]
        for other in others:
            mass = jnp.minimum(mass, other)
        return mass

    def some_mass_left(carry):
        done, found, _ = carry
        return (done < mass_ref.shape[0]) & (jnp.max(least(found)) > 0)

    def step(number, carry):
        found, accounts = carry
        # A negative mass is invalid and ends the problem, as a marginal that is used up does.
        mass = jnp.maximum(least(found), 0)
        row = pl.ds(number, 1)
        mass_ref[row, :] = mass
        following = []
        for (largest, index), ref, left, n in zip(found, index_refs, residuals, sizes, strict=True):
            ref[row, :] = jnp.minimum(index, jnp.int32(n - 1))
            following.append(_replace_and_search(left, left, n, index, largest - mass))
        return tuple(following), account(accounts, mass)

    def run_chunk(carry):
        done, *state = carry
        state = jax.lax.fori_loop(done, done + jnp.int32(CHUNK), step, tuple(state))
        return done + jnp.int32(CHUNK), *state

    return jax.lax.while_loop(some_mass_left, run_chunk, (jnp.int32(0), found, start))[2]

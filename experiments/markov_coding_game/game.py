"""One step of the Markov coding game for many lanes at once, and the messages' beliefs.

A sender who knows the message and a receiver who sees states and actions share a belief over
messages. At each step they couple it with the policy's action law; the sender draws the action
given its message, and the receiver conditions the belief on it.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

from experiments.markov_coding_game.grid_world import GridWorld
from infojax import couplings, entropies

Encoder = Literal["none", "search", "uniform"]
_ENCODERS: dict[str, Callable] = {
    "search": couplings.greedy_ebim,
    "uniform": couplings.uniform_quantizer,
}


class World(NamedTuple):
    """The grid world's tables on the device, with one policy a temperature.

    Attributes:
        policies: action probabilities, (policies, S, 4).
        following: the state that each direction leads to, (S, 4).
        direction: distribution function of the directions of an action, (4, 4).
        reward: reward of entering a state, (S,).
        terminal: whether a state ends the episode, (S,).
    """

    policies: jax.Array
    following: jax.Array
    direction: jax.Array
    reward: jax.Array
    terminal: jax.Array


class Player(NamedTuple):
    """What an episode is about: one entry a lane.

    Attributes:
        policy: the index of its policy.
        rate: the bound in bits on the code of a belief.
        message: the true message of each block, (blocks,).
        seed: the number from which all its randomness comes.
    """

    policy: jax.Array
    rate: jax.Array
    message: jax.Array
    seed: jax.Array


class Position(NamedTuple):
    """Where an episode stands: one entry a lane.

    Attributes:
        state: the cell of the grid.
        beliefs: the receiver's law of each block's message, (blocks, messages).
        time: steps taken.
        reward: discounted reward so far.
    """

    state: jax.Array
    beliefs: jax.Array
    time: jax.Array
    reward: jax.Array


class Outcome(NamedTuple):
    """What a step did.

    Attributes:
        ended: whether the episode is over.
        action: the action taken.
        information: I(message; action) under the coupling, in bits.
    """

    ended: jax.Array
    action: jax.Array
    information: jax.Array


def world_on_device(world: GridWorld, policies: jax.Array) -> World:
    """Puts a grid world and its policies on the device.

    Args:
        world: the grid world.
        policies: action probabilities, (policies, S, 4).

    Returns:
        The tables in float32.
    """
    return World(
        policies=jnp.asarray(policies, jnp.float32),
        following=jnp.asarray(world.following),
        direction=jnp.asarray(world.direction.cumsum(1), jnp.float32),
        reward=jnp.asarray(world.reward, jnp.float32),
        terminal=jnp.asarray(world.terminal),
    )


def first_position(world: GridWorld, shape: tuple[int, ...], messages: int) -> Position:
    """The start of an episode: the first cell and uniform beliefs.

    Args:
        world: the grid world.
        shape: lanes' shape with the number of blocks at its end.
        messages: the number of messages of a block.

    Returns:
        The position of every lane.
    """
    lanes = shape[:-1]
    return Position(
        state=jnp.full(lanes, world.start, jnp.int32),
        beliefs=jnp.full((*shape, messages), 1 / messages, jnp.float32),
        time=jnp.zeros(lanes, jnp.int32),
        reward=jnp.zeros(lanes, jnp.float32),
    )


def couple(
    belief: jax.Array, policy: jax.Array, rate: jax.Array, encoder: Encoder
) -> tuple[jax.Array, jax.Array]:
    """Couples beliefs with action laws.

    Args:
        belief: laws of the message, (lanes, messages).
        policy: laws of the action, (lanes, 4).
        rate: bounds on the code's entropy in bits, (lanes,).
        encoder: how the belief is compressed; "none" for no rate limit.

    Returns:
        The joint law of message and action, (lanes, messages, 4), and its mutual information in
        bits, (lanes,).
    """
    if encoder == "none":
        return _couple_freely(belief, policy)
    if encoder == "search":
        # A belief within the rate is its own code. Where all are, which is most of the time in
        # long episodes, the search and its sort are not needed; the bits are the same.
        within = jnp.all(entropies.entropy(belief, base=2) <= rate * (1 - 1e-5))
        return jax.lax.cond(
            within,
            lambda: _couple_freely(belief, policy),
            lambda: _couple_codes(belief, policy, rate, encoder),
        )
    return _couple_codes(belief, policy, rate, encoder)


def _own_code(p: jax.Array, rate: jax.Array, *, base: float | None) -> couplings.EntropyBoundedCode:
    """The code in which every message is its own label."""
    labels = jnp.broadcast_to(jnp.arange(p.shape[-1], dtype=jnp.int32), p.shape)
    return couplings.EntropyBoundedCode(labels, p, entropies.entropy(p, base=base))


def _couple_freely(belief: jax.Array, policy: jax.Array) -> tuple[jax.Array, jax.Array]:
    # The same step as with a code, so that the bits are those of the search that keeps all apart.
    chain = couplings.mec_bottleneck(belief, policy, jnp.inf, base=2, encoder=_own_code)
    return chain.decoder.to_dense(), chain.mutual_information(base=2)


def _couple_codes(
    belief: jax.Array, policy: jax.Array, rate: jax.Array, encoder: Encoder
) -> tuple[jax.Array, jax.Array]:
    chain = couplings.mec_bottleneck(belief, policy, rate, base=2, encoder=_ENCODERS[encoder])
    return chain.joint(), chain.mutual_information(base=2)


def _pick(probabilities: jax.Array, uniform: jax.Array) -> jax.Array:
    """Draws an index from non-negative weights by inversion; never one of weight zero."""
    ends = jnp.cumsum(probabilities, -1)
    index = jnp.sum(ends <= uniform[..., None] * ends[..., -1:], -1)
    last = probabilities.shape[-1] - 1 - jnp.argmax(probabilities[..., ::-1] > 0, -1)
    return jnp.minimum(index, last)


def step(
    world: World,
    player: Player,
    position: Position,
    encoder: Encoder,
    *,
    discount: float,
    max_steps: int,
) -> tuple[Position, Outcome]:
    """Plays one step in every lane.

    Args:
        world: the grid world.
        player: what each lane plays, leading axis lanes.
        position: where each lane stands.
        encoder: how beliefs are compressed.
        discount: the discount factor.
        max_steps: the step after which an episode ends in any case.

    Returns:
        The next positions and what happened.
    """
    lanes = jnp.arange(position.state.shape[0])
    policy = world.policies[player.policy, position.state]
    block = jnp.argmax(entropies.entropy(position.beliefs), -1)
    joint, information = couple(position.beliefs[lanes, block], policy, player.rate, encoder)
    draws = jax.vmap(_draws)(player.seed, position.time)
    row = joint[lanes, player.message[lanes, block]]
    # Rounding can prune the true message; the sender then follows the policy alone.
    row = jnp.where(jnp.sum(row, -1, keepdims=True) > 0, row, policy)
    action = _pick(row, draws[:, 0])
    posterior = jnp.take_along_axis(joint, action[:, None, None], -1)[..., 0]
    mass = jnp.sum(posterior, -1, keepdims=True)
    posterior = jnp.where(
        mass > 0, posterior / jnp.where(mass > 0, mass, 1), position.beliefs[lanes, block]
    )
    way = jnp.sum(world.direction[action] <= draws[:, 1:], -1)
    state = world.following[position.state, jnp.minimum(way, 3)]
    time = position.time + 1
    following = Position(
        state=state,
        beliefs=position.beliefs.at[lanes, block].set(posterior),
        time=time,
        reward=position.reward + discount**time * world.reward[state],
    )
    ended = world.terminal[state] | (time >= max_steps)
    return following, Outcome(ended=ended, action=action, information=information)


def _draws(seed: jax.Array, time: jax.Array) -> jax.Array:
    """The action's and the move's uniform numbers: of the episode and its time alone."""
    return jax.random.uniform(jax.random.fold_in(jax.random.key(seed), time), (2,))

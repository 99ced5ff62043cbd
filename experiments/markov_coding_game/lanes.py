"""Many episodes on a fixed number of lanes: a lane whose episode ends takes the next one.

Lanes come in shards, each with its own queue, so that shards can live on different devices
without talking to each other. An episode's randomness depends on its own number alone: its
result does not depend on lanes, shards or devices.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from experiments.markov_coding_game.game import (
    Encoder,
    Outcome,
    Player,
    Position,
    World,
    first_position,
    step,
)
from experiments.markov_coding_game.grid_world import GridWorld


class Results(NamedTuple):
    """What came of each episode, (shards, episodes of a shard).

    Attributes:
        reward: discounted reward.
        correct: whether the most probable message is the true one.
        belief: the final belief of the true message.
        length: steps played; 0 while it has not ended.
    """

    reward: jax.Array
    correct: jax.Array
    belief: jax.Array
    length: jax.Array


class Records(NamedTuple):
    """Sums over episodes at each of the first steps, (shards, points, steps).

    Attributes:
        information: I(message; action) in bits.
        belief: belief of the true message after the step.
        count: episodes that played the step.
    """

    information: jax.Array
    belief: jax.Array
    count: jax.Array


class Lanes(NamedTuple):
    """Everything that goes on: the state of the loop, all leading axes shards.

    Attributes:
        position: where each lane stands, (shards, lanes, ...).
        episode: the episode of each lane within its shard; the queue's length for idle lanes.
        head: the next episode of the queue, (shards,).
        finished: episodes that have ended, (shards,).
        results: what came of them.
        records: sums over steps.
    """

    position: Position
    episode: jax.Array
    head: jax.Array
    finished: jax.Array
    results: Results
    records: Records


class Queue(NamedTuple):
    """The episodes of each shard, (shards, episodes of a shard).

    Attributes:
        player: what the episode is about.
        point: the figure's point that it belongs to.
        real: False for padding, which is never played.
    """

    player: Player
    point: jax.Array
    real: jax.Array


class Rules(NamedTuple):
    """Static rules of a game; see `config.py`."""

    encoder: Encoder
    discount: float
    max_steps: int
    lanes: int
    points: int
    recorded_steps: int


def make_queue(
    policy: np.ndarray, rate: np.ndarray, messages: int, seed: int, episodes: int, shards: int
) -> Queue:
    """Lays out the episodes of all points over shards, points with long episodes first.

    Args:
        policy: the policy of each point, (points,).
        rate: the rate in bits of each point, (points,).
        messages: the number of messages, drawn uniformly.
        seed: from which messages and the episodes' own seeds come.
        episodes: episodes a point.
        shards: the number of shards.

    Returns:
        The queue. Episode e of point k has the same message and seed whatever the rate and the
        encoder: arms are compared on common random numbers.
    """
    points = len(policy)
    rng = np.random.default_rng(seed)
    message = rng.integers(0, messages, (policy.max() + 1, episodes))
    seeds = rng.integers(0, 2**31, (policy.max() + 1, episodes))
    # Random policies wander longest: started first, they do not hold up the end.
    order = np.lexsort((np.arange(points), -policy))
    point = np.repeat(order, episodes)
    episode = np.tile(np.arange(episodes), points)
    size = -(-point.size // shards)
    padding = size * shards - point.size

    def deal(values: np.ndarray) -> jax.Array:
        padded = np.concatenate([values, np.zeros((padding, *values.shape[1:]), values.dtype)])
        return jnp.asarray(np.swapaxes(padded.reshape(size, shards, *values.shape[1:]), 0, 1))

    player = Player(
        policy=deal(policy[point].astype(np.int32)),
        rate=deal(rate[point].astype(np.float32)),
        message=deal(message[policy[point], episode].astype(np.int32)[:, None]),
        seed=deal(seeds[policy[point], episode].astype(np.int32)),
    )
    return Queue(player, deal(point.astype(np.int32)), deal(np.ones(point.size, bool)))


def first_lanes(world: GridWorld, queue: Queue, messages: int, rules: Rules) -> Lanes:
    """The state before the first step: every lane has the first episodes of its queue.

    Args:
        world: the grid world.
        queue: the episodes.
        messages: the number of messages.
        rules: the game's rules.

    Returns:
        The state.
    """
    shards, size = queue.point.shape
    numbers = jnp.broadcast_to(jnp.arange(rules.lanes, dtype=jnp.int32), (shards, rules.lanes))
    waiting = jnp.sum(queue.real, 1, dtype=jnp.int32)
    zeros = jnp.zeros((shards, rules.points, rules.recorded_steps), jnp.float32)
    return Lanes(
        position=first_position(world, (shards, rules.lanes, 1), messages),
        episode=jnp.where(numbers < waiting[:, None], numbers, size),
        head=jnp.minimum(rules.lanes, waiting),
        finished=jnp.zeros(shards, jnp.int32),
        results=Results(
            reward=jnp.zeros((shards, size), jnp.float32),
            correct=jnp.zeros((shards, size), bool),
            belief=jnp.zeros((shards, size), jnp.float32),
            length=jnp.zeros((shards, size), jnp.int32),
        ),
        records=Records(zeros, zeros, zeros),
    )


def _store(results: Results, lanes: Lanes, true: jax.Array, correct: jax.Array, ended: jax.Array):
    """Writes the results of one shard's episodes that ended; others fall outside the array."""
    size = results.reward.shape[0]
    where = jnp.where(ended, lanes.episode, size)
    new = Results(lanes.position.reward, correct, true, lanes.position.time)
    return jax.tree.map(lambda old, x: old.at[where].set(x, mode="drop"), results, new)


def _record(records: Records, point, time, true, information, active) -> Records:
    """Adds one shard's step to the sums of its points."""
    index = jnp.where(active, time - 1, records.count.shape[-1])
    new = Records(information, true, jnp.ones_like(true))
    return jax.tree.map(lambda old, x: old.at[point, index].add(x, mode="drop"), records, new)


def _refill(world_start: Position, queue: Queue, lanes: Lanes, ended: jax.Array) -> Lanes:
    """Gives one shard's lanes that ended the next episodes of its queue, in order of lanes."""
    size = queue.point.shape[0]
    waiting = jnp.sum(queue.real, dtype=jnp.int32)
    following = lanes.head + jnp.cumsum(ended, dtype=jnp.int32) - 1
    episode = jnp.where(ended, jnp.where(following < waiting, following, size), lanes.episode)

    def restart(first: jax.Array, now: jax.Array) -> jax.Array:
        return jnp.where(ended.reshape(-1, *[1] * (now.ndim - 1)), first, now)

    taken = jnp.sum(ended, dtype=jnp.int32)
    position = jax.tree.map(restart, world_start, lanes.position)
    # An idle lane is certain of its message: the cheapest thing to couple.
    certain = jax.nn.one_hot(0, position.beliefs.shape[-1])
    idle = (episode == size)[:, None, None]
    return lanes._replace(
        position=position._replace(beliefs=jnp.where(idle, certain, position.beliefs)),
        episode=episode,
        head=jnp.minimum(lanes.head + taken, waiting),
        finished=lanes.finished + taken,
    )


def _play_one_step(world: World, start: Position, queue: Queue, lanes: Lanes, rules: Rules):
    shards, count = lanes.episode.shape
    # Idle lanes stand still on the last episode's data; nothing of theirs is kept.
    index = jnp.minimum(lanes.episode, queue.point.shape[1] - 1)
    player = jax.tree.map(lambda x: jax.vmap(lambda x, i: x[i])(x, index), queue.player)
    active = lanes.episode < queue.point.shape[1]

    def flatten(x):
        return x.reshape(shards * count, *x.shape[2:])

    def restore(x):
        return x.reshape(shards, count, *x.shape[1:])

    position, outcome = step(
        world,
        jax.tree.map(flatten, player),
        jax.tree.map(flatten, lanes.position),
        rules.encoder,
        discount=rules.discount,
        max_steps=rules.max_steps,
    )
    outcome: Outcome = jax.tree.map(restore, outcome)
    lanes = lanes._replace(position=jax.tree.map(restore, position))
    belief = lanes.position.beliefs[:, :, 0]
    message = player.message[:, :, 0]
    true = jnp.take_along_axis(belief, message[..., None], -1)[..., 0]
    correct = jnp.argmax(belief, -1) == message
    ended = outcome.ended & active
    point = jax.vmap(lambda x, i: x[i])(queue.point, index)
    results = jax.vmap(_store)(lanes.results, lanes, true, correct, ended)
    records = jax.vmap(_record)(
        lanes.records, point, lanes.position.time, true, outcome.information, active
    )
    lanes = lanes._replace(results=results, records=records)
    return jax.vmap(_refill)(start, queue, lanes, ended)


def _play_until(world: World, start: Position, queue: Queue, lanes: Lanes, quota, rules: Rules):
    """Plays until every shard of this device has finished its share `quota` of its queue."""
    waiting = jnp.sum(queue.real, 1)
    goal = jnp.ceil(quota * waiting).astype(jnp.int32)

    def unfinished(lanes: Lanes) -> jax.Array:
        return jnp.any(lanes.finished < goal)

    def body(lanes: Lanes) -> Lanes:
        return _play_one_step(world, start, queue, lanes, rules)

    return jax.lax.while_loop(unfinished, body, lanes)


@functools.partial(jax.jit, static_argnames=("rules", "mesh"))
def play_until(
    world: World,
    start: Position,
    queue: Queue,
    lanes: Lanes,
    quota: jax.Array,
    *,
    rules: Rules,
    mesh: Mesh | None = None,
) -> Lanes:
    """Plays until a share of all episodes has ended.

    Args:
        world: the grid world on the device.
        start: the first position of every lane.
        queue: the episodes.
        lanes: the state.
        quota: the share of each shard's queue to finish, in (0, 1].
        rules: the game's rules.
        mesh: devices over which the shards are spread; None for one device.

    Returns:
        The next state. Each device plays on its own: there is no communication.
    """
    if mesh is None:
        return _play_until(world, start, queue, lanes, quota, rules)
    split, whole = PartitionSpec("data"), PartitionSpec()
    return jax.shard_map(
        lambda *arguments: _play_until(*arguments, rules),
        mesh=mesh,
        in_specs=(whole, split, split, split, whole),
        out_specs=split,
        check_vma=False,
    )(world, start, queue, lanes, quota)


def by_point(results: Results, queue: Queue, points: int) -> list[Results]:
    """Collects the results of each point, in the order of its episodes.

    Args:
        results: results of all episodes, on the host.
        queue: the episodes, on the host.
        points: the number of points.

    Returns:
        One `Results` of one-dimensional arrays for each point.
    """
    # Shard s holds the episodes s, s + shards, ... of the sequence that was dealt.
    point, real = (np.swapaxes(np.asarray(x), 0, 1).ravel() for x in (queue.point, queue.real))
    flat = jax.tree.map(lambda x: np.swapaxes(np.asarray(x), 0, 1).ravel(), results)
    return [jax.tree.map(lambda x, k=k: x[real & (point == k)], flat) for k in range(points)]

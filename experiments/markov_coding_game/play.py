"""The games of the main figure: every temperature, compression rate and encoder."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from experiments import runner
from experiments.markov_coding_game import lanes as lane_loop
from experiments.markov_coding_game.game import Encoder, world_on_device
from experiments.markov_coding_game.grid_world import make_grid_world, soft_policy

_ARM_NAMES = {"none": "unlimited", "search": "search", "uniform": "uniform"}


@dataclasses.dataclass(frozen=True)
class Point:
    """One point of the figure and the results of its episodes.

    Attributes:
        message_bits: bits of the message.
        side: rows and columns of the grid.
        log_beta: natural logarithm of the policy's temperature.
        compression_rate: H(message) / R.
        encoder: "search" or "uniform".
        reward: discounted reward of each episode.
        correct: whether the receiver's most probable message was the true one, each episode.
        belief: the final belief of the true message, each episode.
        length: steps of each episode.
        information: mean I(message; action) in bits at each of the first steps.
        belief_over_time: mean belief of the true message after each of the first steps;
            episodes that have ended keep their final belief.
    """

    message_bits: int
    side: int
    log_beta: float
    compression_rate: float
    encoder: str
    reward: np.ndarray
    correct: np.ndarray
    belief: np.ndarray
    length: np.ndarray
    information: np.ndarray
    belief_over_time: np.ndarray


def play_all(run: runner.Run) -> list[Point]:
    """Plays every game of the configuration.

    Args:
        run: the run, whose loops are checkpointed.

    Returns:
        The points: for each game, temperature and rate both encoders. Without a rate limit
        (compression rate 1) nothing is compressed, so both share the same episodes.
    """
    game = run.config.game
    points = []
    for bits, side in zip(game.message_bits, game.grid_sides, strict=True):
        rates = tuple(game.compression_rates)
        free = tuple(rate for rate in rates if rate <= 1)
        bound = tuple(rate for rate in rates if rate > 1)
        if free:
            shared = _play_arm(run, bits, side, "none", free)
            for encoder in ("search", "uniform"):
                points += [dataclasses.replace(point, encoder=encoder) for point in shared]
        if bound:
            for encoder in ("search", "uniform"):
                points += _play_arm(run, bits, side, encoder, bound)
    return points


def _play_arm(
    run: runner.Run, bits: int, side: int, encoder: Encoder, rates: tuple[float, ...]
) -> list[Point]:
    game, messages = run.config.game, 2**bits
    world = make_grid_world(side, game.noise)
    policies = jnp.stack(
        [
            soft_policy(world, float(np.exp(b)), discount=game.discount, sweeps=game.soft_q_sweeps)
            for b in game.log_betas
        ]
    )
    arms = [(k, rate) for k in range(len(game.log_betas)) for rate in rates]
    queue = lane_loop.make_queue(
        np.array([k for k, _ in arms]),
        np.array([bits / rate for _, rate in arms]),
        messages,
        run.seed,
        game.episodes,
        game.shards,
    )
    rules = lane_loop.Rules(
        encoder=encoder,
        discount=game.discount,
        max_steps=game.max_steps,
        lanes=game.lanes_per_shard,
        points=len(arms),
        recorded_steps=game.recorded_steps,
    )
    lanes = _loop(
        run,
        f"{_ARM_NAMES[encoder]}_{bits}bits_{side}x{side}",
        world,
        policies,
        queue,
        messages,
        rules,
    )
    results, records = runner.gather_to_host((lanes.results, lanes.records))
    host_queue = runner.gather_to_host(queue)
    found = lane_loop.by_point(results, host_queue, len(arms))
    sums = jax.tree.map(lambda x: np.asarray(x, np.float64).sum(0), records)
    return [
        Point(
            message_bits=bits,
            side=side,
            log_beta=float(game.log_betas[k]),
            compression_rate=float(rate),
            encoder=encoder,
            **found[i]._asdict(),
            information=sums.information[i] / np.maximum(sums.count[i], 1),
            belief_over_time=_carry_forward(sums.belief[i], found[i]),
        )
        for i, (k, rate) in enumerate(arms)
    ]


def _carry_forward(playing: np.ndarray, results: lane_loop.Results) -> np.ndarray:
    """Adds to the sums of those who still play the final beliefs of those who have ended."""
    times = np.arange(1, playing.size + 1)
    ended = np.where(results.length[:, None] < times, results.belief[:, None], 0).sum(0)
    return (playing + ended) / len(results.length)


def _loop(run, name, world, policies, queue, messages, rules) -> lane_loop.Lanes:
    game, mesh = run.config.game, run.mesh
    devices = mesh.size
    if game.shards % devices:
        raise runner.UserError(
            f"game.shards must be a multiple of the {devices} devices; got {game.shards}"
        )
    lanes = lane_loop.first_lanes(world, queue, messages, rules)
    tables = world_on_device(world, policies)
    start = lanes.position
    if devices > 1:
        queue, lanes, start = runner.shard_leading((queue, lanes, start), mesh)
        tables = runner.replicate(tables, mesh)
    steps = game.checkpoints

    def step(lanes: lane_loop.Lanes, index: int):
        quota = jnp.float32((index + 1) / steps)
        return lane_loop.play_until(
            tables, start, queue, lanes, quota, rules=rules, mesh=mesh if devices > 1 else None
        )

    episodes = rules.points * game.episodes
    return run.loop(
        name,
        lanes,
        step,
        num_steps=steps,
        checkpoint_every=1,
        unit="episodes",
        units_per_step=-(-episodes // steps),
    )

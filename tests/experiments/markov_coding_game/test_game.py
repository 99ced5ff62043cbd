"""The game's laws: action law, reward independent of the message, lanes that change nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.markov_coding_game import game, lanes
from experiments.markov_coding_game.grid_world import make_grid_world, soft_policy

_WORLD = make_grid_world()
_BETAS = (-5.0, -4.0)
_POLICIES = jnp.stack([soft_policy(_WORLD, float(np.exp(b))) for b in _BETAS])
_TABLES = game.world_on_device(_WORLD, _POLICIES)


def _play(messages, encoder, rates, *, episodes=64, shards=2, count=8, max_steps=200, seed=0):
    arms = [(k, rate) for k in range(len(_BETAS)) for rate in rates]
    queue = lanes.make_queue(
        np.array([k for k, _ in arms]),
        np.array([rate for _, rate in arms]),
        messages,
        seed,
        episodes,
        shards,
    )
    rules = lanes.Rules(encoder, 0.95, max_steps, count, len(arms), 20)
    start = lanes.first_lanes(_WORLD, queue, messages, rules)
    state = start
    for quota in (0.4, 1.0):
        state = lanes.play_until(
            _TABLES, start.position, queue, state, jnp.float32(quota), rules=rules
        )
    return lanes.by_point(state.results, queue, len(arms)), state, queue


def _exact_reward(policy, max_steps):
    """Expected discounted reward of the plain decision process, by backward induction."""
    table = _WORLD.transition()
    chain = np.einsum("sa,sat->st", np.asarray(policy, np.float64), table)
    value = np.zeros(64)
    for _ in range(max_steps):
        value = 0.95 * chain @ (_WORLD.reward + np.where(_WORLD.terminal, 0, value))
    return value[_WORLD.start]


@pytest.mark.parametrize("encoder", ["none", "search", "uniform"])
def test_averaged_over_messages_the_action_law_is_the_policy(encoder):
    rng = np.random.default_rng(0)
    belief = jnp.asarray(rng.dirichlet(np.ones(32), 5), jnp.float32)
    belief = belief.at[0].set(jnp.eye(32)[3])
    policy = jnp.asarray(rng.dirichlet(np.ones(4), 5), jnp.float32)
    joint, information = game.couple(belief, policy, jnp.full(5, 2.0), encoder)
    np.testing.assert_allclose(joint.sum(1), policy, atol=1e-6)
    np.testing.assert_allclose(joint.sum(2), belief, atol=1e-6)
    product = joint.sum(1)[:, None] * joint.sum(2)[:, :, None]
    ratio = np.log2(np.where(joint > 0, joint / np.where(product > 0, product, 1), 1))
    np.testing.assert_allclose(information, (joint * ratio).sum((1, 2)), atol=1e-4)


def test_a_belief_within_the_rate_skips_the_search_bit_for_bit():
    rng = np.random.default_rng(1)
    belief = jnp.asarray(rng.dirichlet(np.ones(16), 4), jnp.float32)
    policy = jnp.asarray(rng.dirichlet(np.ones(4), 4), jnp.float32)
    together = game.couple(belief, policy, jnp.full(4, 4.5), "search")
    # One narrow lane sends all of them through the search.
    mixed = game.couple(belief, policy, jnp.array([4.5, 4.5, 4.5, 1.0]), "search")
    for a, b in zip(together, mixed, strict=True):
        np.testing.assert_array_equal(a[:3], b[:3])


@pytest.mark.parametrize(
    ("messages", "encoder"), [(1, "none"), (32, "none"), (32, "search"), (32, "uniform")]
)
def test_reward_is_that_of_the_plain_decision_process(messages, encoder):
    results, _, _ = _play(messages, encoder, (2.5,), episodes=256, max_steps=60)
    for policy, result in zip(_POLICIES, results, strict=True):
        error = result.reward.std(ddof=1) / np.sqrt(result.reward.size)
        assert abs(result.reward.mean() - _exact_reward(policy, 60)) < 4 * error
        assert np.all((result.length >= 1) & (result.length <= 60))
    if messages == 1:
        assert all(result.correct.all() for result in results)


def test_results_do_not_depend_on_lanes_or_shards():
    few, _, _ = _play(16, "search", (2.0, 4.0), episodes=13, shards=1, count=3)
    many, state, queue = _play(16, "search", (2.0, 4.0), episodes=13, shards=4, count=8)
    for a, b in zip(few, many, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)
    np.testing.assert_array_equal(state.finished, queue.real.sum(1))
    np.testing.assert_array_equal(np.asarray(state.results.length > 0), queue.real)


def test_records_count_every_step_of_every_episode():
    results, state, _ = _play(16, "none", (4.0,), episodes=20)
    count = np.asarray(state.records.count).sum(0)
    for k, result in enumerate(results):
        expected = [(result.length >= step).sum() for step in range(1, 21)]
        np.testing.assert_array_equal(count[k], expected)


def test_accuracy_grows_with_the_temperature_and_search_beats_uniform():
    search, _, _ = _play(64, "search", (2.0,), episodes=100)
    uniform, _, _ = _play(64, "uniform", (2.0,), episodes=100)
    assert search[1].correct.mean() > search[0].correct.mean()
    assert search[1].correct.mean() > uniform[1].correct.mean() + 0.3
    np.testing.assert_array_equal(search[0].belief > 0, True)


def test_draws_never_pick_what_cannot_happen():
    weights = jnp.array([[0.0, 0.5, 0.5, 0.0], [0.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0]])
    for uniform in (0.0, 0.5, np.nextafter(np.float32(1), np.float32(0))):
        index = game._pick(weights, jnp.full(3, uniform, jnp.float32))
        assert np.all(np.take_along_axis(np.asarray(weights), np.asarray(index)[:, None], 1) > 0)


def test_a_step_is_one_program_for_all_episodes():
    _play(16, "none", (4.0,), episodes=5)
    compiled = lanes.play_until._cache_size()
    _play(16, "none", (4.0,), episodes=5, seed=1)
    assert lanes.play_until._cache_size() == compiled


def test_keys_of_an_episode_depend_on_its_seed_and_time_alone():
    one = jax.vmap(game._draws)(jnp.array([3, 4, 3]), jnp.array([7, 7, 8]))
    two = jax.vmap(game._draws)(jnp.array([9, 3]), jnp.array([7, 7]))
    np.testing.assert_array_equal(one[0], two[1])
    assert len({tuple(row) for row in np.asarray(one)}) == 3

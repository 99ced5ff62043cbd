"""The grid world and its soft-optimal policies against golden tables and hard value iteration."""

import pathlib

import jax
import numpy as np
import pytest

from experiments.markov_coding_game.grid_world import make_grid_world, soft_policy

_GOLDEN = np.load(pathlib.Path(__file__).parents[2] / "golden/mec_bottleneck/soft_q_policy.npz")


def test_golden_tables():
    world = make_grid_world()
    np.testing.assert_allclose(world.transition(), _GOLDEN["transition"], atol=1e-15)
    np.testing.assert_array_equal(world.reward, _GOLDEN["reward"])
    assert world.start == 5 * 8 + 4


@pytest.mark.parametrize("log_beta", [-6, -3])
def test_golden_policies(log_beta):
    expected = _GOLDEN[f"policy_logbeta_{log_beta}"]
    world = make_grid_world()
    with jax.enable_x64(True):
        policy = soft_policy(world, float(np.exp(log_beta)))
        np.testing.assert_allclose(policy, expected, atol=1e-6)
        np.testing.assert_allclose(policy.sum(1), 1, atol=1e-12)
    # A small temperature magnifies float32's rounding of Q by 1 / beta = 403.
    np.testing.assert_allclose(soft_policy(world, float(np.exp(log_beta))), expected, atol=1e-4)


@pytest.mark.parametrize("log_beta", [-9.0, -12.0])
def test_a_small_temperature_is_hard_value_iteration(log_beta):
    world = make_grid_world()
    table, q = world.transition(), np.zeros((64, 4))
    for _ in range(100):
        q = world.reward[:, None] + 0.95 * table @ q.max(1)
    policy = np.asarray(soft_policy(world, float(np.exp(log_beta))))
    assert np.all(np.isfinite(policy))
    best = q.max(1, keepdims=True)
    clear = np.sort(best - q, axis=1)[:, 1] > 0.02
    assert clear.sum() >= 20
    assert np.all(policy[clear, q.argmax(1)[clear]] > 0.98)


@pytest.mark.parametrize("side", [8, 13, 16])
def test_every_grid_is_a_markov_chain_with_its_parts_apart(side):
    world = make_grid_world(side)
    rows = world.transition().sum(-1)
    np.testing.assert_allclose(rows[~world.terminal], 1)
    assert world.start not in {*world.obstacles, world.goal, world.trap}
    free = np.setdiff1d(np.arange(side * side), world.obstacles)
    assert not np.isin(world.following[free], world.obstacles).any()


@pytest.mark.parametrize(("arguments", "name"), [((7,), "side"), ((8, 0.7), "noise")])
def test_bad_input(arguments, name):
    with pytest.raises(ValueError, match=name):
        make_grid_world(*arguments)

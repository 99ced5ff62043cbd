"""Batches and constraints against golden numbers, single points, quadrature and hand work."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ndtr

from infojax.optimize import acquisition, covariance, gaussian_process
from tests.optimize.problems import golden, small


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("number", [0, 1])
def test_golden_batches(number):
    data, _ = golden(number)
    for index, value, exact in zip(data["q_idx"], data["qei_mc"], data["qei2_exact"], strict=True):
        mean, matrix = data["mean_m52"][index], data["cov_m52"][np.ix_(index, index)]
        found = acquisition.q_expected_improvement(mean, matrix, data["best"], data["base_samples"])
        np.testing.assert_allclose(found, value, rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(found, exact, atol=0.006)


def test_batch_laws():
    rng = np.random.default_rng(0)
    # Midpoints of quantiles: quadrature for one point.
    base = np.asarray(jax.scipy.special.ndtri((jnp.arange(4000) + 0.5) / 4000))[:, None]
    one = acquisition.q_expected_improvement(np.array([0.3]), np.array([[0.49]]), 0.5, base)
    expected = acquisition.expected_improvement(np.array(0.3), np.array(0.7), 0.5)
    np.testing.assert_allclose(one, expected, rtol=1e-3)
    draws = rng.normal(size=(4000, 3))
    mean = np.array([0.1, 0.3, -0.2])
    root = rng.normal(size=(3, 3))
    matrix = root @ root.T
    pair = acquisition.q_expected_improvement(mean[:2], matrix[:2, :2], 0.5, draws[:, :2])
    three = acquisition.q_expected_improvement(mean, matrix, 0.5, draws)
    assert three >= pair  # the same draws: a set more is no loss
    order = np.array([1, 0])
    swapped = acquisition.q_expected_improvement(
        mean[order], matrix[np.ix_(order, order)], 0.5, draws[:, :2]
    )
    np.testing.assert_allclose(swapped, pair, rtol=0.05)
    gradient = jax.grad(acquisition.q_expected_improvement)(
        jnp.asarray(mean), jnp.asarray(matrix), 0.5, draws
    )
    # The probability that this point is the best and better than the incumbent.
    values = rng.normal(size=(200_000, 3)) @ np.linalg.cholesky(matrix).T + mean
    wins = np.bincount(values.argmax(1)[values.max(1) > 0.5], minlength=3) / len(values)
    np.testing.assert_allclose(gradient, wins, atol=0.02)


def test_knowledge_gradient_of_a_batch():
    gp = small(7)
    points = jnp.asarray(np.random.default_rng(3).uniform(size=(9, 2)))
    base = jax.scipy.special.ndtri((jnp.arange(2000) + 0.5) / 2000)[:, None]
    one = acquisition.q_knowledge_gradient(gp, points[:1], points, base)
    expected = acquisition.knowledge_gradient(gp, points[:1], points)[0]
    np.testing.assert_allclose(one, expected, rtol=2e-3)
    draws = jax.random.normal(jax.random.key(0), (3000, 2))
    draws = jnp.concatenate([draws, -draws])
    assert acquisition.q_knowledge_gradient(gp, points[:2], points, draws) > 0.99 * expected


def test_a_gradient_is_worth_knowing():
    x = jnp.array([[0.1, 0.0], [0.9, 0.0], [0.5, 1.0]])
    gp = gaussian_process.condition(
        x,
        jnp.array([0.0, 0.1, 0.5]),
        gaussian_process.Parameters(0.4, 1.0, 1e-4),
        kernel=covariance.Derivatives(),
    )
    grid = jnp.column_stack([jnp.linspace(0, 1, 15), jnp.zeros(15)])
    draws = jax.random.normal(jax.random.key(0), (2000, 2))
    draws = jnp.concatenate([draws, -draws])
    place = jnp.array([[0.7, 0.0], [0.7, 1.0]])
    value_alone = acquisition.knowledge_gradient(gp, place[:1], grid)[0]
    both = acquisition.q_knowledge_gradient(gp, place, grid, draws)
    assert both > 1.05 * value_alone


@pytest.mark.parametrize("lie", ["min", "mean", "max", "believer"])
def test_liars(lie):
    gp = small(8, capacity=8)
    grid = jnp.asarray(np.random.default_rng(4).uniform(size=(30, 2)))

    def choose(gp):
        mean, std = gaussian_process.marginals(gp, grid)
        best = jnp.max(jnp.where(gp.where, gp.values, -jnp.inf))
        return grid[jnp.argmax(acquisition.expected_improvement(mean, std, best))]

    found = acquisition.constant_liar(gp, choose, q=3, lie=lie)
    told = {"min": np.min, "mean": np.mean, "max": np.max}
    expected = []
    for _ in range(3):
        expected.append(choose(gp))
        if lie == "believer":
            value = gaussian_process.marginals(gp, expected[-1][None])[0][0]
        else:
            value = told[lie](small(8).values)
        gp = gaussian_process.fantasize(gp, expected[-1], value)
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(found, axis=0)) == 3


@pytest.mark.parametrize("number", [0, 1])
def test_golden_constraint(number):
    data, _ = golden(number)
    mean, std = data["mean_m52"], np.sqrt(np.diag(data["cov_m52"]))
    means, stds = data["con_mean"][:, None], data["con_sd"][:, None]
    arguments = mean, std, data["best"], means, stds
    found = acquisition.constrained_expected_improvement(*arguments)
    np.testing.assert_allclose(found, data["cei"], rtol=1e-7, atol=1e-12)
    logs = acquisition.log_constrained_expected_improvement(*arguments)
    np.testing.assert_allclose(jnp.exp(logs), found, rtol=1e-9, atol=1e-300)


def test_constraints():
    means, stds = np.array([[-1.0, 0.5], [0.0, -2.0]]), np.array([[1.0, 2.0], [0.0, 1.0]])
    expected = [ndtr(1.0) * ndtr(-0.25), ndtr(2.0)]
    found = acquisition.probability_of_feasibility(means, stds)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    # Nothing feasible is known: the probability alone.
    none = acquisition.constrained_expected_improvement(
        np.zeros(2), np.ones(2), -np.inf, means, stds
    )
    np.testing.assert_allclose(none, expected, rtol=1e-12)
    logs = acquisition.log_constrained_expected_improvement(
        np.zeros(2), np.ones(2), -np.inf, means, stds
    )
    np.testing.assert_allclose(logs, np.log(expected), rtol=1e-12)
    gradient = jax.grad(
        lambda m: jnp.sum(
            acquisition.log_constrained_expected_improvement(m, jnp.ones(2), -jnp.inf, means, stds)
        )
    )(jnp.zeros(2))
    np.testing.assert_array_equal(gradient, 0)
    height = np.array([3.0, 1.0])
    sure = np.array([[-9.0], [-9.0]])
    ones = np.ones((2, 1))
    assert acquisition.best_feasible(height, sure, ones) == 0
    assert acquisition.best_feasible(height, np.array([[9.0], [-9.0]]), ones) == 1
    assert acquisition.best_feasible(height, np.array([[1.0], [2.0]]), ones) == 0  # least unlikely


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: acquisition.q_expected_improvement(
                np.zeros(2), np.eye(2), 0.0, np.zeros((3, 1))
            ),
            r"base_samples must have shape \(S, 2\)",
        ),
        (
            lambda: acquisition.q_expected_improvement(
                np.zeros(0), np.zeros((0, 0)), 0.0, np.zeros((3, 0))
            ),
            r"mean and covariance must have shapes",
        ),
        (
            lambda: acquisition.q_expected_improvement(
                np.zeros(1), np.eye(1), np.inf, np.zeros((3, 1))
            ),
            "best must be finite",
        ),
        (
            lambda: acquisition.q_knowledge_gradient(
                small(), np.zeros((0, 2)), np.zeros((1, 2)), np.zeros((1, 0))
            ),
            "batch must hold at least one point",
        ),
        (lambda: acquisition.constant_liar(small(), lambda gp: 0, q=0), "q must be at least 1"),
        (
            lambda: acquisition.constant_liar(small(), lambda gp: 0, q=1, lie="median"),
            "lie must be one of",
        ),
        (
            lambda: acquisition.constant_liar(small(), lambda gp: gp.inputs[0], q=2),
            "gp must have a free row",
        ),
        (
            lambda: acquisition.probability_of_feasibility(np.zeros(2), -np.ones(2)),
            "std must be non-negative",
        ),
        (
            lambda: acquisition.best_feasible(np.zeros(2), np.zeros((3, 1)), np.ones((3, 1))),
            "mean and constraints must have shapes",
        ),
        (
            lambda: acquisition.best_feasible(
                np.zeros(2), np.zeros((2, 1)), np.ones((2, 1)), risk=0.0
            ),
            "risk must be between 0 and 1",
        ),
    ],
)
def test_faults(call, message):
    with pytest.raises(ValueError, match=message):
        call()

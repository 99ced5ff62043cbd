"""Knowledge gradients against golden numbers, quadrature, each other and finite differences."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infojax.optimize import acquisition, gaussian_process
from tests.optimize.problems import GOLDEN, counted, golden, padded, small

_EMPTY = np.zeros((0, 2))


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


def _by_quadrature(a, b):
    """E max_i (a_i + b_i Z) - max_i a_i on a fine grid."""
    z = np.linspace(-9, 9, 40_001)
    highest = np.max(a + np.outer(z, b), 1)
    density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    return np.trapezoid((highest - np.max(a)) * density, z)


_gain = jax.jit(acquisition.expected_maximum_gain)
_slopes = jax.jit(jax.grad(acquisition.expected_maximum_gain, (0, 1)))


def test_golden_gains():
    for row in json.loads((GOLDEN / "h_function.json").read_text()):
        a, b = np.array(row["a"]), np.array(row["b"])
        # Lines that are never the highest change nothing, and make all rows one program.
        fill = 12 - len(a)
        a, b = np.append(a, np.full(fill, a.min() - 99)), np.append(b, np.full(fill, b.min()))
        np.testing.assert_allclose(_gain(a, b), row["h"], atol=1e-8)


@given(seed=st.integers(0, 100_000), ties=st.booleans())
def test_gain_equals_quadrature(seed, ties):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=12), rng.normal(size=12)
    if ties:
        a, b = np.round(a), np.round(2 * b) / 2
    np.testing.assert_allclose(_gain(a, b), _by_quadrature(a, b), atol=2e-7)
    if not ties:
        direction = rng.normal(size=(2, 12))
        step = 1e-6 * direction
        change = (_gain(a + step[0], b + step[1]) - _gain(a - step[0], b - step[1])) / 2e-6
        by_a, by_b = _slopes(a, b)
        np.testing.assert_allclose(
            by_a @ direction[0] + by_b @ direction[1], change, rtol=1e-5, atol=1e-8
        )


def test_gain_does_not_cancel():
    # Two lines that cross at Z = 12: (b2 - b1) h(-12), 1e-33 and lost beside a height of 1000.
    a, b = np.append([1000.0, 988.0], np.full(10, -1e6)), np.append([0.0, 1.0], np.zeros(10))
    expected = acquisition.expected_improvement(np.array(-12.0), np.array(1.0), 0.0)
    np.testing.assert_allclose(_gain(a, b), expected, rtol=1e-10)
    assert 0 < expected < 1e-32


@pytest.mark.parametrize("number", [0, 1])
def test_golden_knowledge_gradients(number):
    data, parameters = golden(number)
    gp = gaussian_process.condition(
        padded(data["X"]), padded(data["y"]), parameters, where=counted(len(data["y"]))
    )
    mean, covariance = data["mean_m52"], data["cov_m52"]
    found = acquisition.knowledge_gradient_discrete(mean, covariance, data["noise"])
    np.testing.assert_allclose(found, data["kg"], atol=1e-6)
    again = acquisition.knowledge_gradient(gp, data["Xs"], data["Xs"])
    np.testing.assert_allclose(again, found, atol=1e-10)
    noisy = acquisition.noisy_expected_improvement(gp, data["Xs"])
    np.testing.assert_allclose(noisy, data["noisy_ei_gain"], atol=1e-6)


def test_without_noise_noisy_improvement_is_improvement():
    gp = small(noise=0.0, capacity=7)
    points = np.random.default_rng(1).uniform(size=(6, 2))
    mean, std = gaussian_process.marginals(gp, points)
    best = jnp.max(jnp.where(gp.where, gp.values, -jnp.inf))
    np.testing.assert_allclose(
        acquisition.noisy_expected_improvement(gp, points),
        acquisition.expected_improvement(mean, std, best),
        atol=1e-8,
    )
    # What is known teaches nothing.
    known = acquisition.knowledge_gradient(gp, gp.inputs[:5], points)
    np.testing.assert_allclose(known, 0, atol=1e-5)


def test_knowledge_gradient_of_the_evaluated_points_is_noisy_improvement():
    gp = small(3)
    # A candidate of low mean: the highest mean is at an evaluated point.
    candidates = np.random.default_rng(2).uniform(size=(12, 2))
    mean, _ = gaussian_process.marginals(gp, candidates)
    best = jnp.max(gaussian_process.marginals(gp, gp.inputs)[0])
    candidate = candidates[int(jnp.argmin(mean))]
    assert jnp.min(mean) < best
    own = jnp.concatenate([gp.inputs, candidate[None]])
    np.testing.assert_allclose(
        acquisition.knowledge_gradient(gp, candidate[None], own),
        acquisition.noisy_expected_improvement(gp, candidate[None]),
        rtol=1e-9,
    )


def test_simulation_agrees_with_the_exact_value_and_its_gradient():
    gp = small(4, features=1, number=4)
    grid = jnp.linspace(0, 1, 41)[:, None]
    bounds = jnp.array([[0.0], [1.0]])
    # Quantiles' midpoints in place of random draws: the rest is quadrature error.
    base = jax.scipy.special.ndtri((jnp.arange(64) + 0.5) / 64)
    candidate = jnp.array([0.37])
    simulated = jax.jit(
        jax.value_and_grad(
            lambda x: acquisition.simulated_knowledge_gradient(gp, x, grid, bounds, base)
        )
    )
    exact = jax.jit(
        jax.value_and_grad(lambda x: acquisition.knowledge_gradient(gp, x[None], grid)[0])
    )
    value, gradient = simulated(candidate)
    expected, slope = exact(candidate)
    np.testing.assert_allclose(value, expected, rtol=0.03)
    np.testing.assert_allclose(gradient, slope, rtol=0.05)
    step = 1e-5
    change = (simulated(candidate + step)[0] - simulated(candidate - step)[0]) / (2 * step)
    np.testing.assert_allclose(gradient[0], change, rtol=1e-3)
    change = (exact(candidate + step)[0] - exact(candidate - step)[0]) / (2 * step)
    np.testing.assert_allclose(slope[0], change, rtol=1e-5)


def test_ascent_finds_the_best_candidate():
    gp = small(4, features=1, number=4)
    grid = jnp.linspace(0, 1, 41)[:, None]
    bounds = jnp.array([[0.0], [1.0]])
    exact = acquisition.knowledge_gradient(gp, grid, grid)
    point, value = acquisition.knowledge_gradient_ascent(
        jax.random.key(0), gp, grid, bounds, starts=4, steps=20, samples=2
    )
    assert 0 <= point[0] <= 1
    reached = acquisition.knowledge_gradient(gp, point[None], grid)[0]
    assert reached > 0.95 * jnp.max(exact)
    np.testing.assert_allclose(value, reached, rtol=0.3)


def test_cost_divides():
    gp = small()
    candidates = jnp.array([[0.1, 0.2], [0.9, 0.4]])
    gains = acquisition.knowledge_gradient(gp, candidates, gp.inputs)
    costs = jnp.array([0.5, 4.0])
    found = acquisition.knowledge_gradient_per_cost(gp, candidates, gp.inputs, costs)
    np.testing.assert_allclose(found, gains / costs, rtol=1e-12)
    with pytest.raises(ValueError, match=r"costs must be positive and finite; got costs\[1\] = 0"):
        acquisition.knowledge_gradient_per_cost(gp, candidates, gp.inputs, jnp.array([1.0, 0.0]))
    with pytest.raises(ValueError, match=r"costs must have shape"):
        acquisition.knowledge_gradient_per_cost(gp, candidates, gp.inputs, jnp.ones(3))


def test_environment_is_a_weighted_sum():
    gp = small(5)
    points, nodes = jnp.array([[0.1], [0.5], [0.8]]), jnp.array([[0.2], [0.7]])
    weights = jnp.array([0.3, 0.7])
    mean, covariance = acquisition.integrate_environment(gp, points, nodes, weights)
    pairs = jnp.array([[x, w] for x in points[:, 0] for w in nodes[:, 0]])
    means, full = gaussian_process.posterior(gp, pairs)
    sums = jnp.kron(jnp.eye(3), weights[None])
    np.testing.assert_allclose(mean, sums @ means, rtol=1e-9)
    np.testing.assert_allclose(covariance, sums @ full @ sums.T, rtol=1e-7, atol=1e-10)
    # The knowledge gradient of the sums, by the joint law of sums and candidates.
    candidates = jnp.array([[0.4, 0.2], [0.9, 0.9]])
    both, joint = gaussian_process.posterior(gp, jnp.concatenate([pairs, candidates]))
    cross, own = sums @ joint[:6, 6:], jnp.diag(joint)[6:]
    slopes = cross / jnp.sqrt(own + gp.parameters.noise_variance)
    expected = acquisition.expected_maximum_gain(jnp.tile(sums @ both[:6], (2, 1)), slopes.T)
    found = acquisition.environment_knowledge_gradient(gp, candidates, points, nodes, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-7)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda gp: acquisition.expected_maximum_gain(jnp.ones(2), jnp.ones(3)), "a and b must"),
        (lambda gp: acquisition.expected_maximum_gain(jnp.ones(0), jnp.ones(0)), "a and b must"),
        (
            lambda gp: acquisition.expected_maximum_gain(jnp.array([jnp.inf]), jnp.ones(1)),
            r"a must be finite; got a\[0\] = inf",
        ),
        (
            lambda gp: acquisition.knowledge_gradient_discrete(jnp.ones(2), jnp.eye(3), 0.0),
            "mean and covariance must have shapes",
        ),
        (
            lambda gp: acquisition.knowledge_gradient_discrete(jnp.ones(2), jnp.eye(2), -1.0),
            "noise_variance must be non-negative",
        ),
        (
            lambda gp: acquisition.knowledge_gradient_discrete(jnp.ones(2), -jnp.eye(2), 0.0),
            "covariance must be non-negative on its diagonal",
        ),
        (lambda gp: acquisition.knowledge_gradient(gp, gp.inputs, _EMPTY), "points must hold"),
        (
            lambda gp: acquisition.noisy_expected_improvement(gp, jnp.ones((1, 3))),
            r"candidates must have shape \(M, 2\)",
        ),
        (
            lambda gp: acquisition.simulated_knowledge_gradient(
                gp, jnp.ones(2), gp.inputs, jnp.ones((2, 2)), jnp.ones(1)
            ),
            r"bounds must be finite, bounds\[0\] below bounds\[1\]",
        ),
        (
            lambda gp: acquisition.knowledge_gradient_ascent(
                jax.random.key(0), gp, gp.inputs, jnp.array([[0.0, jnp.nan], [1.0, 1.0]])
            ),
            r"bounds must be finite",
        ),
        (
            lambda gp: acquisition.integrate_environment(
                gp, jnp.ones((1, 1)), jnp.ones((2, 1)), jnp.ones(2)
            ),
            "weights must hold probabilities",
        ),
        (
            lambda gp: acquisition.integrate_environment(
                gp, jnp.ones((1, 2)), jnp.ones((2, 1)), jnp.ones(2) / 2
            ),
            r"must have D \+ W = 2 columns",
        ),
    ],
)
def test_faults(call, message):
    with pytest.raises(ValueError, match=message):
        call(small())

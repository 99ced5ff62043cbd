"""The knowledge gradient under constraints against a nested integral, and what it reduces to."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from infojax.optimize import acquisition, gaussian_process

_gain = acquisition.constrained_knowledge_gradient
_QUANTILES = ndtri((np.arange(2000) + 0.5) / 2000)
_POINTS = np.array([[0.05], [0.3], [0.55], [0.8], [1.0]])
_CANDIDATES = _POINTS[1:4]


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


def _processes(limits, noise=0.02, limit_noise=0.0, lengthscale=0.3):
    """An objective, and constraints of which each row of `limits` are the observations."""
    x = jnp.array([[0.1], [0.5], [0.9]])
    gp = gaussian_process.condition(
        x, jnp.array([0.2, 1.0, -0.3]), gaussian_process.Parameters(lengthscale, 1.3, noise)
    )
    parameters = gaussian_process.Parameters(lengthscale, 0.8, limit_noise)
    constraints = jax.vmap(lambda y: gaussian_process.condition(x, y, parameters))(
        jnp.asarray(limits)
    )
    return gp, constraints


def _one(constraints, number):
    return jax.tree.map(lambda leaf: leaf[number], constraints)


def _nested(gp, constraints, candidate, worst, noise):
    """The gain by conditioning on every outcome: of the constraints' `noise`, and on a grid."""
    joint = np.concatenate([_POINTS, candidate[None]])

    def moved(process):
        mean, matrix = map(np.asarray, gaussian_process.posterior(process, joint))
        total = matrix[-1, -1] + float(process.parameters.noise_variance)
        slope = matrix[:-1, -1] / np.sqrt(total)
        return mean[:-1], slope, np.diag(matrix)[:-1] - slope**2

    z = np.linspace(-8, 8, 4001)
    density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    mean, slope, _ = moved(gp)
    heights = mean + z[:, None] * slope - worst
    limits = [moved(_one(constraints, k)) for k in range(noise.shape[1])]
    after, before = [], []
    for draw in noise:
        probability = np.ones(len(_POINTS))
        for (limit, limit_slope, left), number in zip(limits, draw, strict=True):
            deviation = np.sqrt(np.maximum(left, 1e-16))
            probability = probability * ndtr(-(limit + limit_slope * number) / deviation)
        after.append(np.trapezoid((heights * probability).max(1) * density, z))
        before.append((mean - worst) * probability)
    return np.mean(after) - np.mean(before, 0).max()


@pytest.mark.parametrize("limit_noise", [0.0, 0.3])
def test_the_nested_integral(limit_noise):
    gp, constraints = _processes([[-0.5, 0.3, -1.0], [0.2, -0.6, 0.1]], limit_noise=limit_noise)
    noise = np.random.default_rng(0).normal(size=(40, 2))
    found = _gain(gp, constraints, _CANDIDATES, _POINTS, noise, infeasible_value=-0.5)
    expected = [_nested(gp, constraints, at, -0.5, noise) for at in _CANDIDATES]
    np.testing.assert_allclose(found, expected, atol=2e-6)
    assert np.all(found > 0)


def test_constraints_that_are_certain():
    gp, constraints = _processes([[-50.0, -50.0, -50.0]])
    noise = np.random.default_rng(0).normal(size=(40, 1))

    def found(constraints):
        return _gain(gp, constraints, _CANDIDATES, _POINTS, noise, infeasible_value=-2.0)

    expected = acquisition.knowledge_gradient(gp, _CANDIDATES, _POINTS)
    np.testing.assert_allclose(found(constraints), expected, rtol=1e-9)
    _, never = _processes([[50.0, 50.0, 50.0]])
    np.testing.assert_allclose(found(never), 0, atol=1e-12)


def test_of_independent_points_it_is_constrained_improvement():
    # Lengthscales so short that points say nothing of each other.
    gp, constraints = _processes([[-0.5, -0.3, -1.0]], noise=0.0, lengthscale=1e-3)
    best = 1.0  # observed at 0.5, and feasible
    points = np.concatenate([_CANDIDATES, [[0.5]]])
    found = _gain(gp, constraints, _CANDIDATES, points, _QUANTILES[:, None], infeasible_value=best)
    mean, std = gaussian_process.marginals(gp, _CANDIDATES)
    limit, deviation = gaussian_process.marginals(_one(constraints, 0), _CANDIDATES)
    expected = acquisition.constrained_expected_improvement(
        mean, std, best, limit[:, None], deviation[:, None]
    )
    np.testing.assert_allclose(found, expected, rtol=2e-3)


def test_what_is_known_to_be_feasible_is_worth_more_than_a_guess():
    """Without noise on the constraint more is learnt, of it, than with."""
    limits = [[-0.4, 0.2, -0.4]]
    gains = []
    for limit_noise in (0.0, 2.0):
        gp, constraints = _processes(limits, limit_noise=limit_noise)
        # The same belief of the constraint before; another observation next.
        _, same = _processes(limits, limit_noise=0.3)
        parameters = same.parameters
        noise_variance = jnp.full(1, limit_noise)
        after = gaussian_process.Parameters(
            parameters.lengthscales, parameters.signal_variance, noise_variance, parameters.mean
        )
        constraints = type(same)(**{**vars(same), "parameters": after})
        gains.append(
            _gain(
                gp, constraints, _CANDIDATES, _POINTS, _QUANTILES[::10, None], infeasible_value=-1.0
            )
        )
    assert np.all(gains[0] > gains[1])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"points": np.zeros((0, 1))}, ValueError, "points must hold at least one point"),
        ({"constraints": None}, TypeError, "constraints must be a GaussianProcess"),
        ({"base_samples": np.zeros((4, 3))}, ValueError, r"base_samples must have shape \(S, 1\)"),
        ({"infeasible_value": np.nan}, ValueError, "infeasible_value must be finite"),
        ({"infeasible_value": np.zeros(2)}, ValueError, "infeasible_value must be one number"),
    ],
)
def test_faults(change, error, message):
    gp, constraints = _processes([[-0.5, -0.3, -1.0]])
    arguments = {
        "gp": gp,
        "constraints": constraints,
        "candidates": _CANDIDATES,
        "points": _POINTS,
        "base_samples": np.zeros((4, 1)),
        "infeasible_value": 0.0,
    }
    with pytest.raises(error, match=message):
        acquisition.constrained_knowledge_gradient(**(arguments | change))
    with pytest.raises(ValueError, match=r"constraints must have inputs of shape \(K, C, 1\)"):
        acquisition.constrained_knowledge_gradient(**(arguments | {"constraints": gp}))

"""Sampled functions have the posterior's moments and go through the observations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax.optimize import covariance, gaussian_process
from tests.optimize.problems import small


@pytest.mark.parametrize("kernel", ["matern12", "matern52", "squared_exponential"])
def test_moments(kernel):
    gp = small(noise=0.01, capacity=7)
    gp = gaussian_process.condition(
        gp.inputs, gp.values, gp.parameters, where=gp.where, kernel=kernel
    )
    points = jnp.asarray(np.random.default_rng(0).uniform(size=(6, 2)), jnp.float32)
    mean, matrix = gaussian_process.posterior(gp, points)
    paths = gaussian_process.sample_paths(jax.random.key(0), gp, 4000, features=2048)
    for draws, tolerance in (
        (gaussian_process.sample(jax.random.key(1), gp, points, 4000), 0.06),
        (paths(points), 0.12),
    ):
        assert draws.shape == (4000, 6)
        np.testing.assert_allclose(jnp.mean(draws, 0), mean, atol=tolerance)
        np.testing.assert_allclose(jnp.cov(draws.T), matrix, atol=tolerance)


def test_paths_interpolate_and_differentiate():
    gp = small(noise=0.0)
    paths = gaussian_process.sample_paths(jax.random.key(0), gp, 3, features=128)
    np.testing.assert_allclose(paths(gp.inputs), jnp.tile(gp.values, (3, 1)), atol=0.02)

    def first(x):
        return paths(x[None])[0, 0]

    place = jnp.array([0.3, 0.6])
    gradient = jax.grad(first)(place)
    change = (first(place.at[0].add(0.01)) - first(place.at[0].add(-0.01))) / 0.02
    np.testing.assert_allclose(gradient[0], change, rtol=0.02, atol=0.02)


def test_faults():
    kernel = covariance.Derivatives()
    gp = gaussian_process.condition(
        jnp.zeros((1, 2)), jnp.ones(1), gaussian_process.Parameters(1.0), kernel=kernel
    )
    with pytest.raises(TypeError, match="gp must have a stationary kernel; got Derivatives"):
        gaussian_process.sample_paths(jax.random.key(0), gp, 1)
    with pytest.raises(ValueError, match="features must be at least 1"):
        gaussian_process.sample_paths(jax.random.key(0), small(), 1, features=0)
    with pytest.raises(ValueError, match="n must be at least 1"):
        gaussian_process.sample(jax.random.key(0), small(), jnp.zeros((1, 2)), 0)

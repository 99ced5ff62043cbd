"""The knowledge gradient in one shot is, at its best choices, the knowledge gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax.optimize import acquisition, gaussian_process
from tests.optimize.problems import small

_GRID = jnp.linspace(0, 1, 41)[:, None]
_BOUNDS = jnp.array([[0.0], [1.0]])


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


def test_at_the_best_choices_it_is_the_knowledge_gradient():
    gp = small(4, features=1, number=4)
    batch = jnp.array([[0.37], [0.9]])
    base = jnp.asarray(np.random.default_rng(0).normal(size=(12, 2)))
    means, covariance = gaussian_process.posterior(gp, jnp.concatenate([_GRID, batch]))
    own = covariance[-2:, -2:] + gp.parameters.noise_variance * jnp.eye(2)
    slopes = covariance[:-2, -2:] @ jnp.linalg.inv(jnp.linalg.cholesky(own)).T
    after = means[:-2] + base @ slopes.T
    best = _GRID[jnp.argmax(after, 1)]
    value = acquisition.one_shot_knowledge_gradient(gp, batch, best, base)
    expected = acquisition.q_knowledge_gradient(gp, batch, _GRID, base)
    np.testing.assert_allclose(value - jnp.max(means[:-2]), expected, rtol=1e-8)
    shifted = acquisition.one_shot_knowledge_gradient(gp, batch, jnp.roll(best, 1, 0), base)
    assert shifted < value
    # The choices held fixed, its gradient is the knowledge gradient's (the envelope theorem).
    gradient = jax.grad(acquisition.one_shot_knowledge_gradient, 1)(gp, batch, best, base)
    slope = jax.grad(acquisition.q_knowledge_gradient, 1)(gp, batch, _GRID, base)
    np.testing.assert_allclose(gradient, slope, rtol=1e-6)


def test_ascent_finds_the_best_candidate():
    gp = small(4, features=1, number=4)
    exact = acquisition.knowledge_gradient(gp, _GRID, _GRID)
    batch, value = acquisition.one_shot_knowledge_gradient_ascent(
        jax.random.key(0), gp, _GRID[::4], _BOUNDS, starts=4
    )
    assert batch.shape == (1, 1) and 0 <= batch[0, 0] <= 1
    reached = acquisition.knowledge_gradient(gp, batch, _GRID)[0]
    assert reached > 0.95 * jnp.max(exact)
    np.testing.assert_allclose(value, reached, rtol=0.3)
    pair, together = acquisition.one_shot_knowledge_gradient_ascent(
        jax.random.key(0), gp, _GRID[::4], _BOUNDS, q=2, fantasies=32, starts=4
    )
    assert pair.shape == (2, 1) and together > 1.02 * value


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda gp: acquisition.one_shot_knowledge_gradient(
                gp, np.zeros((0, 2)), np.zeros((1, 2)), np.zeros((1, 0))
            ),
            "batch must hold at least one point",
        ),
        (
            lambda gp: acquisition.one_shot_knowledge_gradient(
                gp, np.zeros((1, 2)), np.zeros((3, 2)), np.zeros((2, 1))
            ),
            "choices and base_samples must be of one number; got 3 and 2",
        ),
        (
            lambda gp: acquisition.one_shot_knowledge_gradient_ascent(
                jax.random.key(0), gp, np.zeros((0, 2)), np.array([[0.0, 0.0], [1.0, 1.0]])
            ),
            "points must hold at least one point",
        ),
        (
            lambda gp: acquisition.one_shot_knowledge_gradient_ascent(
                jax.random.key(0), gp, gp.inputs, np.array([[0.0, 0.0], [1.0, 1.0]]), q=0
            ),
            "q must be at least 1",
        ),
    ],
)
def test_faults(call, message):
    with pytest.raises(ValueError, match=message):
        call(small())

"""Surrogates, tasks and searches of offline optimisation: closed forms, properties, bad input."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from infojax import optimize

_KEY = jax.random.key(0)


def _bowl(x):
    return -jnp.sum(jnp.square(x - 0.5))


@functools.cache
def _line():
    """y = x_0, in units of its own standard deviation."""
    x = jax.random.normal(jax.random.key(1), (96, 2))
    return x, (x[:, 0] - x[:, 0].mean()) / x[:, 0].std()


@functools.cache
def _fits():
    """Plain and two weights, side by side."""
    x, y = _line()

    def fit(multiplier):
        regularize = functools.partial(optimize.ignite_penalty, multiplier=multiplier)
        return optimize.fit_surrogate(
            x,
            y,
            key=_KEY,
            hidden=(16,),
            epochs=40,
            batch_size=32,
            learning_rate=1e-2,
            loss="squared_error",
            regularize=regularize,
        )

    return jax.jit(jax.vmap(fit))(jnp.array([0.0, 0.3, 3.0]))


def test_a_surrogate_learns_and_a_penalty_lowers_its_sharpness():
    x, y = _line()
    fits = _fits()
    assert fits.losses.shape == (3, 40)
    error = jax.vmap(lambda fit: jnp.mean((fit.mean(x) - y) ** 2))(fits)
    sharp = jax.vmap(lambda fit: fit.sharpness_at(x, 0.2))(fits)
    assert error[0] < 0.02
    assert sharp[0] > sharp[1] > sharp[2]
    np.testing.assert_array_equal(fits.multipliers[:, -1], np.float32([0, 0.3, 3]))


def test_deviations_stay_between_their_bounds():
    surrogate = optimize.GaussianSurrogate(2, hidden=(8,), rngs=nnx.Rngs(0))
    mean, log_std = surrogate(100 * jax.random.normal(_KEY, (50, 2)))
    assert mean.shape == log_std.shape == (50,)
    # The lower clamp is laid over the upper one, whose end it moves: .1 + .2.
    assert np.exp(log_std).min() >= 0.1 - 1e-6 and np.exp(log_std).max() <= 0.3 + 1e-6
    with pytest.raises(ValueError, match="max_std must be above min_std"):
        optimize.GaussianSurrogate(2, min_std=0.3, rngs=nnx.Rngs(0))


def test_likelihood_is_the_normal_laws():
    y, mean, log_std = np.random.default_rng(0).normal(size=(3, 7)).astype(np.float32)
    found = optimize.gaussian_negative_log_likelihood(y, mean, log_std)
    expected = -jax.scipy.stats.norm.logpdf(y, mean, np.exp(log_std))
    np.testing.assert_allclose(found, expected, 1e-5)


def test_ensembles_take_mean_and_minimum():
    members = jnp.array([[1.0, 4.0], [3.0, 2.0]])
    np.testing.assert_array_equal(optimize.ensemble_prediction(members), [2, 3])
    np.testing.assert_array_equal(optimize.ensemble_prediction(members, "minimum"), [1, 2])
    np.testing.assert_array_equal(optimize.ensemble_prediction(members[:1], "minimum"), [1, 4])
    with pytest.raises(ValueError, match="reduction must be one of"):
        optimize.ensemble_prediction(members, "median")


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        ({"y": np.full(96, np.nan, np.float32)}, "y must hold finite"),
        ({"x": np.zeros((0, 2), np.float32), "y": np.zeros(0, np.float32)}, "an observation"),
        ({"y": np.zeros(95, np.float32)}, "of one number"),
        ({"loss": "absolute"}, "loss must be one of"),
        ({"learning_rate": 0.0}, "learning_rate must be positive"),
        ({"input_noise": -1.0}, "input_noise must be at least 0"),
        ({"epochs": 0}, "epochs must be at least 1"),
    ],
)
def test_bad_input_of_a_fit(change, pattern):
    x, y = _line()
    with pytest.raises(ValueError, match=pattern):
        optimize.fit_surrogate(**{"x": x, "y": y, "key": _KEY, "hidden": (4,), **change})


def test_conservative_loss_and_its_dual():
    x = jnp.array([[0.0], [1.0]])
    loss, over = optimize.conservative_loss(lambda w, x: x @ w, jnp.ones(1), x, x[:, 0], x + 2, 0.5)
    assert (loss, over) == (1, 2)
    with pytest.raises(ValueError, match="alpha must be at least 0"):
        optimize.conservative_loss(lambda w, x: x @ w, jnp.ones(1), x, x[:, 0], x, -1.0)
    x, y = _line()

    def alphas(limit):
        return optimize.fit_conservative(
            x,
            y,
            key=_KEY,
            hidden=(4,),
            epochs=3,
            batch_size=48,
            particle_steps=2,
            overestimation_limit=limit,
        ).alphas

    assert np.all(np.diff(alphas(-9.0)) > 0) and np.all(np.diff(alphas(9.0)) < 0)


def test_gradient_ascent_is_exact_on_a_quadratic_and_keeps_bounds():
    start = jnp.array([[0.0, 0.0], [2.0, -1.0]])
    found = optimize.gradient_ascent(_bowl, start, steps=7, learning_rate=0.1)
    np.testing.assert_allclose(found.points, 0.5 + 0.8**7 * (start - 0.5), 1e-5)
    np.testing.assert_allclose(found.history[0], np.mean([-0.5, -4.5]), 1e-6)
    assert np.all(np.diff(found.history) > 0)
    bounded = optimize.gradient_ascent(_bowl, start, steps=50, learning_rate=0.1, upper=0.2)
    np.testing.assert_allclose(bounded.points, 0.2)
    with pytest.raises(ValueError, match="starts must hold finite"):
        optimize.gradient_ascent(_bowl, start * np.inf)
    with pytest.raises(ValueError, match="learning_rate must be positive"):
        optimize.gradient_ascent(_bowl, start, learning_rate=-1.0)
    with pytest.raises(ValueError, match="upper must be at least lower"):
        optimize.gradient_ascent(_bowl, start, lower=1.0, upper=0.0)


def test_policies_move_to_where_the_score_is_high():
    start = jax.random.normal(_KEY, (32, 2)) - 1
    found = optimize.reinforce(_KEY, _bowl, start, learning_rate=0.05, upper=0.4)
    assert np.abs(np.mean(found.points, 0) - 0.4).max() < 0.3
    assert found.points.max() <= 0.4
    assert found.history[-1] > found.history[0]
    with pytest.raises(ValueError, match=r"symbols from 0 to 1; got starts\[0, 0\] = 2"):
        optimize.reinforce_categorical(_KEY, _bowl, jnp.full((1, 3), 2), 2)
    with pytest.raises(TypeError, match="whole numbers"):
        optimize.reinforce_categorical(_KEY, _bowl, start, 2)


def test_cma_es_finds_the_maximum():
    found = optimize.cma_es(_KEY, _bowl, jnp.zeros((2, 3)), generations=60, population=8)
    np.testing.assert_allclose(found.points, 0.5, atol=0.05)
    assert found.history.shape == (60,)


def test_adaptive_sampling_stays_near_the_data_and_moves_to_high_values():
    x = jax.random.normal(_KEY, (256, 2)) * jnp.array([1.0, 0.1])

    def predict(x):
        return x[:, 0], jnp.full(len(x), -2.0)

    found = optimize.conditioning_by_adaptive_sampling(
        _KEY, predict, x, x[:, 0], rounds=6, steps=200, hidden=16, latent=2, upper=3.0
    )
    assert np.mean(found.scores) > 0.7
    assert np.abs(np.median(found.points[:, 1])) < 0.5
    with pytest.raises(ValueError, match="quantile must be between"):
        optimize.conditioning_by_adaptive_sampling(_KEY, predict, x, x[:, 0], quantile=1.0)


def test_tasks_normalise_and_score():
    x = np.random.default_rng(0).normal(3, 2, (50, 2)).astype(np.float32)
    x[:, 1] = 4  # a constant feature
    task = optimize.offline_task(
        x, x[:, 0], lambda x: 2 * x[:, 0], lower=-10, upper=[10, 4.5], lowest=0, highest=40
    )
    z = task.normalize(task.x)
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(z.std(0), [1, 0], atol=1e-5)
    np.testing.assert_allclose(task.denormalize(z), x, 1e-5)
    np.testing.assert_allclose(task.denormalize_y(task.normalize_y(task.y)), x[:, 0], 1e-5)
    np.testing.assert_allclose(task.denormalize(jnp.full((1, 2), 99.0)), [[10, 4.5]])
    lower, upper = task.bounds()
    np.testing.assert_allclose(task.denormalize(jnp.stack([lower, upper])), [[-10] * 2, [10, 4.5]])
    best = task.denormalize(task.best(60))
    np.testing.assert_allclose(best[:50, 0], np.sort(x[:, 0])[::-1], 1e-5)
    np.testing.assert_allclose(best[50:], best[:10])
    values = task.evaluate(upper[None])
    np.testing.assert_allclose(values, 20, 1e-5)
    assert task.scores(values).maximum == pytest.approx(0.5)
    again = jax.tree.map(lambda leaf: leaf, task)
    assert again.oracle is task.oracle and jax.tree.leaves(again)


def test_symbols_are_relaxed_to_logits():
    x = jnp.array([[0, 2], [1, 1], [2, 0], [0, 0]])
    task = optimize.offline_task(x, jnp.arange(4.0), lambda x: x.sum(1), vocabulary=3)
    z = task.normalize(x)
    assert z.shape == (4, 6)
    np.testing.assert_array_equal(task.denormalize(z), x)
    raw = (z * task.x_std + task.x_mean).reshape(4, 2, 3)
    np.testing.assert_allclose(np.exp(raw).sum(-1), 1, 1e-5)
    np.testing.assert_allclose(np.exp(raw[0, 0]), [0.6 + 0.4 / 3, 0.4 / 3, 0.4 / 3], 1e-5)
    np.testing.assert_array_equal(task.evaluate(z), [2, 2, 2, 0])


@pytest.mark.parametrize(
    ("change", "error", "pattern"),
    [
        ({"y": np.array([0.0, np.nan], np.float32)}, ValueError, r"finite; got y\[1\] = nan"),
        ({"x": np.zeros((0, 1)), "y": np.zeros(0)}, ValueError, "x must hold designs"),
        ({"x": np.array([[0.0], [np.inf]])}, ValueError, "x must be finite"),
        ({"x": np.array([[0], [1]])}, TypeError, "vocabulary must say"),
        ({"x": np.array([[0], [3]]), "vocabulary": 3}, ValueError, "symbols from 0 to 2"),
        ({"vocabulary": 3}, TypeError, "whole numbers where vocabulary"),
        ({"y": np.zeros(3)}, ValueError, "of one number"),
        ({"lower": 2.0, "upper": 1.0}, ValueError, "upper must be above lower"),
        ({"lower": np.zeros(3)}, ValueError, "lower must broadcast"),
    ],
)
def test_bad_tasks(change, error, pattern):
    arguments = {"x": np.eye(2)[:, :1], "y": np.arange(2.0), "oracle": lambda x: x[:, 0]}
    with pytest.raises(error, match=pattern):
        optimize.offline_task(**{**arguments, **change})


def test_bad_proposals_oracles_and_constant_values():
    x = np.eye(2, dtype=np.float32)
    with pytest.warns(UserWarning, match="y is constant"):
        task = optimize.offline_task(x, np.ones(2, np.float32), lambda x: x)
    assert task.y_std == 1
    with pytest.raises(ValueError, match=r"proposals must be finite; got proposals\[0, 0\] = nan"):
        task.evaluate(np.full((1, 2), np.nan, np.float32))
    with pytest.raises(ValueError, match="oracle must return shape"):
        task.evaluate(x)
    with pytest.raises(ValueError, match="high must be finite and above low = 1"):
        optimize.percentile_scores(np.ones(3, np.float32), low=1.0, high=1.0)

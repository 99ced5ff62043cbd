"""One call from samples to an estimate: Gaussians, determinism, vmap, invariance, bad input."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from infojax import information, nn

_FIT = functools.partial(nn.fit_critic, hidden=(32,), embedding=8, max_epochs=40, patience=8)


@functools.cache
def _gaussians(rho=0.8, count=1000):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count, 1))
    y = rho * x + np.sqrt(1 - rho**2) * rng.normal(size=(count, 1))
    # y has a second feature that knows nothing.
    return x.astype(np.float32), np.hstack([y, rng.normal(size=y.shape)]).astype(np.float32)


@functools.cache
def _fitted(bound="info_nce", critic="separable"):
    return _FIT(*_gaussians(), key=jax.random.key(0), bound=bound, critic=critic)


@pytest.mark.parametrize("bound", ["donsker_varadhan", "mine", "nwj", "info_nce", "smile"])
def test_gaussians(bound):
    fit = _fitted(bound)
    truth = -0.5 * np.log(1 - 0.8**2)
    # Held-out samples are few: the bound may be under by what 600 samples cannot teach.
    assert abs(float(fit.estimate) - truth) < 0.15
    assert fit.low < fit.estimate < fit.high
    assert fit.high - fit.low < 0.5


def test_joint_critic_and_jensen_shannon():
    fit = _fitted("jensen_shannon", "joint")
    assert abs(float(fit.estimate) + 0.5 * np.log(1 - 0.8**2)) < 0.15
    assert isinstance(fit.critic(), nn.JointCritic)


def test_the_result_knows_its_critic_and_its_history():
    fit, (x, y) = _fitted(), _gaussians()
    epochs = int(fit.num_epochs)
    history = np.asarray(fit.history)
    assert np.all(np.isfinite(history[:epochs])) and np.all(np.isnan(history[epochs:]))
    assert int(fit.best_epoch) == int(np.argmax(history[:epochs]))
    assert epochs in (40, int(fit.best_epoch) + 9)
    scores = fit.scores(x[:200], y[:200])
    again = float(information.info_nce_bound(scores))
    assert 0.3 < again < 0.8
    np.testing.assert_allclose(fit.estimate, np.mean(fit.batch_estimates), 1e-6)
    spread = np.std(fit.batch_estimates, ddof=1) / np.sqrt(len(fit.batch_estimates))
    # Student's quantile at three degrees of freedom.
    assert len(fit.batch_estimates) == 4
    np.testing.assert_allclose((fit.high - fit.low) / 2, 3.182446 * spread, 1e-4)
    leaves, tree = jax.tree.flatten(fit)
    assert jax.tree.unflatten(tree, leaves).scores(x[:2], y[:2]).shape == (2, 2)


def test_the_same_key_gives_the_same_and_units_change_nothing_else():
    x, y = _gaussians()
    again = _FIT(x, y, key=jax.random.key(0), bound="info_nce", base=2)
    np.testing.assert_array_equal(again.history, _fitted().history)
    np.testing.assert_allclose(again.estimate * np.log(2), _fitted().estimate, 1e-6)
    other = _FIT(x, y, key=jax.random.key(1), bound="info_nce")
    assert float(other.estimate) != float(_fitted().estimate)
    # Scaling by powers of two is exact, and features are standardised.
    scaled = _FIT(4 * x, y / 8, key=jax.random.key(0), bound="info_nce")
    np.testing.assert_allclose(scaled.estimate, _fitted().estimate, atol=1e-3)


def test_several_problems_at_once():
    x, y = _gaussians()
    keys = jax.random.split(jax.random.key(3), 2)
    ys = jnp.stack([y, np.random.default_rng(1).permutation(y)])
    fits = jax.vmap(lambda y, key: _FIT(x, y, key=key))(ys, keys)
    assert fits.estimate.shape == (2,)
    assert fits.estimate[0] > 0.3
    assert fits.estimate[1] < 0.05, "independent: nothing to be found on samples held out"
    alone = _FIT(x, y, key=keys[0])
    np.testing.assert_allclose(fits.estimate[0], alone.estimate, atol=0.02)


def test_an_optimizer_of_the_callers_own():
    x, y = _gaussians()
    still = _FIT(x, y, key=jax.random.key(0), optimizer=optax.set_to_zero())
    assert int(still.num_epochs) == 9, "eight epochs without a better one, after the first"
    assert int(still.best_epoch) == 0


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        ({"bound": "club"}, "bound must be one of"),
        ({"critic": "deep"}, "critic must be one of"),
        ({"hidden": ()}, "at least one layer"),
        ({"held_out": 1.0}, "held_out must be between"),
        ({"batch_size": 150}, "got batches of 150"),
        ({"batch_size": 1}, "batch_size must be at least 2"),
        ({"level": 1.5}, "level must be between"),
        ({"learning_rate": -1.0}, "learning_rate must be positive"),
        ({"patience": 0}, "patience must be at least 1"),
        ({"base": -2}, "base must be positive"),
        ({"x": np.zeros((3, 1), np.float32), "y": np.zeros((3, 1), np.float32)}, "N = 3 samples"),
        ({"x": np.zeros((999, 1), np.float32)}, "agree in all axes"),
        ({"x": np.zeros((2, 1000, 1), np.float32)}, "agree in all axes"),
        ({"x": np.full((1000, 1), np.nan, np.float32)}, "finite samples; got x"),
    ],
)
def test_bad_input(change, pattern):
    x, y = _gaussians()
    with pytest.raises(ValueError, match=pattern):
        _FIT(**{"x": x, "y": y, "key": jax.random.key(0), **change})


def test_invalid_samples_give_nan_where_they_are_traced():
    x, y = _gaussians(count=100)
    short = functools.partial(_FIT, key=jax.random.key(0), max_epochs=1)
    fit = jax.jit(lambda x: short(x, y))(np.full_like(x, np.nan))
    assert np.isnan(fit.estimate) and np.isnan(fit.low)

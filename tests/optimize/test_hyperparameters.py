"""Hyper-parameters: found as well as by scikit-learn, in any units; sampled from the right law."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from infojax.optimize import covariance, gaussian_process, quasi_newton
from infojax.optimize.gaussian_process.slices import elliptical_slice_step
from tests.optimize.problems import counted, padded


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


_RNG = np.random.default_rng(0)
_X = _RNG.uniform(size=(14, 2))
_Y = np.sin(6 * _X[:, 0]) + 0.3 * _X[:, 1] + 0.1 * _RNG.normal(size=14)
_WIDE, _TALL, _WHERE = padded(_X, 16), padded(_Y, 16), counted(14, 16)


def _fit(x=_WIDE, y=_TALL, **options):
    return gaussian_process.fit(jax.random.key(0), x, y, where=_WHERE, **options)


def _likelihood(gp):
    return gaussian_process.log_marginal_likelihood(
        gp.parameters, gp.inputs, gp.values, where=gp.where, kernel=gp.kernel
    )


def test_maximum_likelihood_is_as_high_as_scikit_learns():
    gp = _fit(method="mle")
    kernel = ConstantKernel(1.0) * Matern([1.0, 1.0], (1e-2, 1e2), nu=2.5) + WhiteKernel(0.1)
    # Theirs has no mean to find: it is given ours.
    peer = GaussianProcessRegressor(kernel, n_restarts_optimizer=5, random_state=0)
    peer.fit(_X, _Y - float(gp.parameters.mean))
    assert _likelihood(gp) > peer.log_marginal_likelihood_value_ - 1e-3
    flat = jax.tree.leaves(
        jax.grad(gaussian_process.log_marginal_likelihood)(
            gp.parameters, gp.inputs, gp.values, where=gp.where
        )
    )
    scales = jax.tree.leaves(gp.parameters)
    slopes = jnp.concatenate([jnp.ravel(g * s) for g, s in zip(flat, scales, strict=True)])
    # A parameter at the end of the box may still have a slope: the irrelevant lengthscale.
    assert jnp.sum(jnp.abs(slopes) > 0.05) <= 1


def test_units_change_nothing():
    gp = _fit()
    other = _fit(10 + 100 * _WIDE, 7 - 5000 * _TALL)
    mean, std = gaussian_process.marginals(gp, jnp.array([[0.4, 0.6]]))
    there, width = gaussian_process.marginals(other, jnp.array([[50.0, 70.0]]))
    np.testing.assert_allclose((7 - there) / 5000, mean, rtol=1e-6)
    np.testing.assert_allclose(width / 5000, std, rtol=1e-5)
    np.testing.assert_allclose(
        other.parameters.lengthscales, 100 * gp.parameters.lengthscales, rtol=1e-5
    )


def test_given_noise_and_flat_values():
    gp = _fit(noise_variance=0.04)
    np.testing.assert_allclose(gp.parameters.noise_variance, 0.04)
    flat = _fit(y=np.full(16, 3.0))
    mean, std = gaussian_process.marginals(flat, jnp.array([[0.5, 0.5]]))
    np.testing.assert_allclose(mean, 3.0, atol=1e-6)
    assert np.all(np.isfinite(std)) and flat.parameters.signal_variance < 3


def test_one_observation_is_enough():
    gp = gaussian_process.fit(jax.random.key(0), _WIDE, _TALL, where=counted(1, 16))
    mean, std = gaussian_process.marginals(gp, _X[:1])
    np.testing.assert_allclose(mean, _Y[0], atol=1e-6)
    assert np.all(np.isfinite(jax.tree.leaves(gp.parameters)[0])) and std < 0.5


def test_a_kernel_of_two_tasks_is_found():
    rng = np.random.default_rng(1)
    task = np.repeat([0.0, 1.0], 7)
    x = np.column_stack([rng.uniform(size=14), task])
    y = np.sin(6 * x[:, 0]) * np.where(task == 0, 1.0, -1.0)
    start = covariance.IntrinsicCoregionalization(jnp.array([[1.0], [0.5]]), jnp.full(2, 0.1))
    gp = gaussian_process.fit(jax.random.key(0), x, y, kernel=start, starts=6, noise_variance=1e-4)
    found = gp.kernel.task_covariance()
    # The second task is the first with its sign turned: a correlation of -1.
    assert found[0, 1] / jnp.sqrt(found[0, 0] * found[1, 1]) < -0.7
    assert jnp.all(gp.kernel.diagonal > 0)


def test_bfgs_in_a_box():
    def valley(x):
        return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2

    start = jnp.array([-1.2, 1.0])
    found, value = jax.jit(lambda x: quasi_newton.minimize_bfgs(valley, x, steps=120))(start)
    np.testing.assert_allclose(found, 1.0, atol=1e-4)
    np.testing.assert_allclose(value, valley(found))
    boxed, _ = quasi_newton.minimize_bfgs(valley, start, steps=120, low=-2.0, high=0.5)
    np.testing.assert_allclose(boxed, [0.5, 0.25], atol=1e-4)
    # Not a number on one side: the search stays on the other.
    half, _ = quasi_newton.minimize_bfgs(
        lambda x: jnp.sum(jnp.log(x) ** 2 + x), jnp.array([0.9]), steps=40
    )
    np.testing.assert_allclose(2 * np.log(half) + half, 0, atol=1e-4)


def test_elliptical_slices_have_the_posterior_as_their_law():
    # A standard normal prior and y ~ N(x, 1/4): N(4 y / 5, 1/5).
    y = jnp.array([1.5, -0.5])

    def function(x):
        return -2 * jnp.sum((x - y) ** 2)

    def step(carry, key):
        carry = elliptical_slice_step(key, *carry, function)
        return carry, carry[0]

    start = jnp.zeros((4, 2))
    keys = jax.vmap(lambda key: jax.random.split(key, 4000))(jax.random.split(jax.random.key(0), 4))
    chains = jax.jit(jax.vmap(lambda x, keys: jax.lax.scan(step, (x, function(x)), keys)[1]))(
        start, keys
    )
    states = np.asarray(chains[:, 200:]).reshape(-1, 2)
    np.testing.assert_allclose(states.mean(0), 0.8 * y, atol=0.02)
    np.testing.assert_allclose(states.var(0), 0.2, atol=0.02)


def test_sampled_parameters_lie_about_the_mode():
    gps = gaussian_process.sample_parameters(
        jax.random.key(0), _WIDE, _TALL, where=_WHERE, samples=16
    )
    assert gps.weights.shape == (16, 16)
    mode = _fit()
    values = jax.vmap(_likelihood)(gps)
    assert jnp.median(values) > _likelihood(mode) - 6
    assert len(np.unique(np.asarray(gps.parameters.signal_variance))) > 8
    logs = jnp.log(gps.parameters.lengthscales / mode.parameters.lengthscales)
    assert jnp.all(jnp.abs(jnp.median(logs, 0)) < 1.5)
    mean = jax.vmap(lambda gp: gaussian_process.marginals(gp, _X)[0])(gps).mean(0)
    np.testing.assert_allclose(mean, _Y, atol=0.3)


def test_in_single_precision():
    gp = gaussian_process.fit(
        jax.random.key(0), *(a.astype(np.float32) for a in (_WIDE, _TALL)), where=_WHERE
    )
    assert gp.weights.dtype == np.float32
    reference = _likelihood(_fit())
    exact = dataclasses.replace(
        gp, parameters=jax.tree.map(lambda a: a.astype(jnp.float64), gp.parameters)
    )
    assert _likelihood(exact) > reference - 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "bayes"}, "method must be one of 'map', 'mle'"),
        ({"noise_variance": -1.0}, "noise_variance must be non-negative"),
        ({"starts": 0}, "starts must be at least 1"),
        ({"kernel": "rbf"}, "kernel must be one of"),
        ({"x": np.zeros((0, 2)), "y": np.zeros(0)}, "inputs must have at least 1 samples"),
        ({"y": np.full(16, np.nan)}, "values must be finite"),
    ],
)
def test_faults(options, message):
    with pytest.raises(ValueError, match=message):
        _fit(**options)
    if "starts" not in options and "method" not in options:
        where = None if "x" in options else _WHERE
        x, y = options.pop("x", _WIDE), options.pop("y", _TALL)
        with pytest.raises(ValueError, match=message):
            gaussian_process.sample_parameters(jax.random.key(0), x, y, where=where, **options)

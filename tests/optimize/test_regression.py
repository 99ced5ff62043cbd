"""Regression against golden numbers, scikit-learn, refitting and the laws of posteriors."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern

from infojax.optimize import gaussian_process
from infojax.optimize.gaussian_process import fantasies, regression
from tests.optimize.problems import counted, golden, padded, small

Parameters = gaussian_process.Parameters


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("kernel, short", [("matern52", "m52"), ("squared_exponential", "rbf")])
def test_golden(number, kernel, short):
    data, parameters = golden(number)
    x, y, where = padded(data["X"]), padded(data["y"]), counted(len(data["y"]))
    gp = gaussian_process.condition(x, y, parameters, where=where, kernel=kernel)
    mean, covariance = gaussian_process.posterior(gp, data["Xs"])
    np.testing.assert_allclose(mean, data[f"mean_{short}"], rtol=1e-8)
    np.testing.assert_allclose(covariance, data[f"cov_{short}"], rtol=1e-8, atol=1e-12)
    noisy = gaussian_process.posterior(gp, data["Xs"], observation_noise=True)[1]
    np.testing.assert_allclose(noisy - covariance, data["noise"] * np.eye(len(mean)), atol=1e-12)
    again, std = gaussian_process.marginals(gp, data["Xs"])
    np.testing.assert_allclose(again, mean, rtol=1e-12)
    np.testing.assert_allclose(std**2, np.diag(covariance), rtol=1e-9)
    value = gaussian_process.log_marginal_likelihood(parameters, x, y, where=where, kernel=kernel)
    np.testing.assert_allclose(value, data[f"lml_{short}"], rtol=1e-8)


@pytest.mark.parametrize("number", [0, 1])
def test_golden_gradient_of_the_likelihood(number):
    data, parameters = golden(number)
    x, y, where = padded(data["X"]), padded(data["y"], filler=0.0), counted(len(data["y"]))

    def likelihood(logs, mean):
        natural = Parameters(jnp.exp(logs[:-2]), jnp.exp(logs[-2]), jnp.exp(logs[-1]), mean)
        return gaussian_process.log_marginal_likelihood(natural, x, y, where=where)

    logs = jnp.log(jnp.append(parameters.lengthscales, jnp.array([data["s2"], data["noise"]])))
    mean = jnp.asarray(data["mu"])
    by_logs, by_mean = jax.jit(jax.grad(likelihood, (0, 1)))(logs, mean)
    np.testing.assert_allclose(jnp.append(by_logs, by_mean), data["lml_grad_log"], rtol=1e-7)
    # Forward over reverse, as a Newton step or a Laplace approximation takes it.
    curvature = jax.jit(jax.hessian(likelihood))(logs, mean)
    step = jnp.zeros_like(logs).at[0].set(1e-4)
    ends = [jax.jit(jax.grad(likelihood))(logs + sign * step, mean) for sign in (1, -1)]
    np.testing.assert_allclose(curvature[0], (ends[0] - ends[1]) / 2e-4, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kernel", ["matern12", "matern32", "matern52", "squared_exponential"])
def test_equals_scikit_learn(kernel):
    rng = np.random.default_rng(2)
    x, y, at = rng.normal(size=(9, 3)), rng.normal(size=9), rng.normal(size=(7, 3))
    scales = [0.7, 1.3, 2.0]
    nu = {"matern12": 0.5, "matern32": 1.5, "matern52": 2.5}.get(kernel)
    shape = RBF(scales) if nu is None else Matern(scales, nu=nu)
    peer = GaussianProcessRegressor(ConstantKernel(1.7) * shape, alpha=0.02, optimizer=None)
    mean, covariance = peer.fit(x, y).predict(at, return_cov=True)
    parameters = Parameters(jnp.array(scales), 1.7, 0.02)
    gp = gaussian_process.condition(x, y, parameters, kernel=kernel)
    found = gaussian_process.posterior(gp, at)
    np.testing.assert_allclose(found[0], mean, atol=1e-6)
    np.testing.assert_allclose(found[1], covariance, atol=1e-6)
    value = gaussian_process.log_marginal_likelihood(parameters, x, y, kernel=kernel)
    np.testing.assert_allclose(value, peer.log_marginal_likelihood_value_, atol=1e-6)


def test_likelihood_is_a_normal_density():
    x, y = np.array([[0.0], [0.5], [2.0]]), np.array([1.0, -1.0, 0.5])
    parameters = Parameters(0.8, 2.0, 0.3, 0.7)
    gp = gaussian_process.condition(x, y, parameters)
    covariance = gp.cholesky @ gp.cholesky.T
    expected = scipy.stats.multivariate_normal(np.full(3, 0.7), covariance).logpdf(y)
    value = gaussian_process.log_marginal_likelihood(parameters, x, y)
    np.testing.assert_allclose(value, expected, rtol=1e-10)


def test_fantasize_equals_conditioning_anew():
    gp = small(number=5, capacity=8)
    point, value = jnp.array([0.3, 0.8]), jnp.asarray(0.7)
    found = gaussian_process.fantasize(gp, point, value)
    inputs = gp.inputs.at[5].set(point)
    values = gp.values.at[5].set(value)
    expected = gaussian_process.condition(inputs, values, gp.parameters, where=counted(6, 8))
    for name in ("inputs", "values", "where", "cholesky", "whitener", "weights"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=1e-9, atol=1e-9, err_msg=name
        )
    at = jnp.array([[0.4, 0.6]])

    def mean_after(point, value):
        return gaussian_process.marginals(gaussian_process.fantasize(gp, point, value), at)[0][0]

    gradient = jax.jit(jax.grad(mean_after, (0, 1)))(point, value)
    step = 1e-6 * jnp.array([1.0, -2.0])
    difference = mean_after(point + step, value) - mean_after(point - step, value)
    np.testing.assert_allclose(gradient[0] @ (step / 1e-6), difference / 2e-6, rtol=1e-6)
    difference = mean_after(point, value + 1e-6) - mean_after(point, value - 1e-6)
    np.testing.assert_allclose(gradient[1], difference / 2e-6, rtol=1e-6)


def test_a_point_more_is_no_program_more():
    gp = small(number=2, capacity=8)
    before = None
    for number in range(3, 8):
        gp = gaussian_process.fantasize(gp, jnp.array([0.1, 0.1 * number]), jnp.asarray(1.0))
        again = gaussian_process.condition(
            gp.inputs, gp.values, gp.parameters, where=counted(number, 8)
        )
        gaussian_process.marginals(again, gp.inputs)
        assert gp.num_observations() == number
        sizes = [
            function._cache_size()
            for function in (
                fantasies._append,
                regression.condition_unchecked,
                regression._marginals,
            )
        ]
        assert before in (None, sizes)
        before = sizes


def test_marginals_hold_no_square_matrix():
    gp = small()
    points = jnp.zeros((321, 2))
    program = jax.jit(gaussian_process.marginals).lower(gp, points).compile().as_text()
    assert "321,321" not in program and "5,321" in program
    assert "triangular" not in program  # matrix products alone


@given(seed=st.integers(0, 10_000))
def test_a_point_more_never_raises_a_variance(seed):
    rng = np.random.default_rng(seed)
    gp = small(seed, capacity=8)
    points = rng.uniform(size=(6, 2))
    more = gaussian_process.fantasize(
        gp, jnp.asarray(rng.uniform(size=2)), jnp.asarray(rng.normal())
    )
    before, after = (gaussian_process.marginals(p, points)[1] for p in (gp, more))
    assert np.all(after <= before + 1e-9)


def test_without_noise_it_interpolates():
    gp = small(noise=0.0)
    mean, std = gaussian_process.marginals(gp, gp.inputs)
    np.testing.assert_allclose(mean, gp.values, atol=1e-9)
    assert np.all(std < 1e-5)


def test_legal_extremes():
    one = gaussian_process.condition(np.zeros((1, 1)), np.ones(1), Parameters(1.0))
    np.testing.assert_allclose(gaussian_process.marginals(one, np.zeros((1, 1)))[0], 1.0)
    # Coinciding inputs: legal with noise, and without it by the jitter.
    twins = np.array([[0.0], [0.0], [1.0]])
    for noise, dtype in ((0.1, np.float64), (0.0, np.float64), (0.0, np.float32)):
        gp = gaussian_process.condition(
            twins.astype(dtype), np.array([1.0, 1.0, 0.0], dtype), Parameters(1.0, 1.0, noise)
        )
        mean, std = gaussian_process.marginals(gp, twins.astype(dtype))
        assert mean.dtype == dtype and np.all(np.isfinite(mean)) and np.all(np.isfinite(std))
        if not noise:
            np.testing.assert_allclose(mean, [1.0, 1.0, 0.0], atol=2e-3)
    # A hole among the rows: the next observation goes after the last that counts.
    gp = small(number=4, capacity=6)
    where = gp.where.at[1].set(False)
    holed = gaussian_process.condition(gp.inputs, gp.values, gp.parameters, where=where)
    more = gaussian_process.fantasize(holed, jnp.array([0.1, 0.2]), jnp.asarray(1.0))
    expected = gaussian_process.condition(
        more.inputs, more.values, gp.parameters, where=where.at[4].set(True)
    )
    np.testing.assert_allclose(more.weights, expected.weights, rtol=1e-9, atol=1e-9)


def _condition(x=((0.0,), (1.0,)), y=(0.0, 1.0), parameters=None, **options):
    return gaussian_process.condition(
        jnp.asarray(x), jnp.asarray(y), parameters or Parameters(1.0), **options
    )


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: _condition(y=(0.0, 1.0, 2.0)), ValueError, r"inputs and values must have shapes"),
        (lambda: _condition(y=(0.0, np.nan)), ValueError, r"values.*failed evaluations.*= nan"),
        (lambda: _condition(x=((0.0,), (np.inf,))), ValueError, r"inputs\[1, 0\] = inf"),
        (lambda: _condition(where=np.zeros(2, bool)), ValueError, "at least one observation"),
        (lambda: _condition(kernel="rbf"), ValueError, "kernel must be one of 'matern12'"),
        (lambda: _condition(kernel=3), TypeError, "kernel must be a name or a kernel"),
        (lambda: _condition(parameters=Parameters(-1.0)), ValueError, "lengthscales must be pos"),
        (lambda: _condition(parameters=Parameters(jnp.ones(2))), ValueError, "lengthscales must"),
        (lambda: _condition(parameters=Parameters(1.0, 0.0)), ValueError, "signal_variance must"),
        (lambda: _condition(parameters=Parameters(1.0, 1.0, -0.1)), ValueError, "noise_variance"),
        (lambda: _condition(parameters=(1.0,)), TypeError, "parameters must be Parameters"),
        (
            lambda: gaussian_process.posterior(_condition(), jnp.zeros((2, 3))),
            ValueError,
            r"points must have shape \(M, 1\)",
        ),
        (
            lambda: gaussian_process.marginals(3, jnp.zeros((2, 1))),
            TypeError,
            "gp must be a GaussianProcess",
        ),
        (
            lambda: gaussian_process.fantasize(_condition(), jnp.zeros(1), jnp.asarray(0.0)),
            ValueError,
            "gp must have a free row",
        ),
        (
            lambda: gaussian_process.fantasize(_condition(), jnp.zeros(2), jnp.asarray(0.0)),
            ValueError,
            r"point must have shape \(M, 1\)",
        ),
    ],
)
def test_faults(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_faults_of_traced_values_give_nan():
    gp = small(number=3)
    full = jax.jit(gaussian_process.fantasize)(gp, jnp.zeros(2), jnp.asarray(0.0))
    none = jax.jit(
        lambda where: gaussian_process.condition(gp.inputs, gp.values, gp.parameters, where=where)
    )(jnp.zeros(3, bool))
    negative = jax.jit(
        lambda noise: gaussian_process.condition(
            gp.inputs, gp.values, dataclasses.replace(gp.parameters, noise_variance=noise)
        )
    )(-0.1)
    for wrong in (full, none, negative):
        assert np.all(np.isnan(gaussian_process.marginals(wrong, gp.inputs)[0]))

"""Kernels against closed forms, golden numbers, finite differences and what they reduce to."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax.optimize import covariance, gaussian_process
from tests.optimize.problems import golden

Parameters = gaussian_process.Parameters


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


def _variances_are_the_diagonal(kernel, x, parameters):
    matrix = kernel(x, x, parameters)
    np.testing.assert_allclose(kernel.variances(x, parameters), np.diag(matrix), rtol=1e-12)
    assert np.linalg.eigvalsh(matrix).min() > -1e-9
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)


def test_derivative_at_coinciding_points():
    x = jnp.zeros((1, 2))

    def along(kernel):
        return jax.hessian(lambda d: kernel(x + d, x)[0, 0])(jnp.zeros(2))

    def matern(nu):
        return lambda a, b: covariance.matern(a, b, nu=nu, lengthscales=jnp.array([0.5, 2.0]))

    squares = np.diag([4.0, 0.25])
    np.testing.assert_allclose(along(matern(2.5)), -5 / 3 * squares, atol=1e-12)
    np.testing.assert_allclose(along(matern(1.5)), -3 * squares, atol=1e-12)
    assert np.all(np.isfinite(along(matern(0.5))))


@pytest.mark.parametrize("number", [0, 1])
def test_golden_tasks(number):
    data, parameters = golden(number)
    kernel = covariance.IntrinsicCoregionalization.from_covariance(data["icm_B"])
    x = np.column_stack([data["X"], data["icm_tX"]])
    at = np.column_stack([data["Xs"], data["icm_tS"]])
    gp = gaussian_process.condition(x, data["y"], parameters, kernel=kernel)
    mean, std = gaussian_process.marginals(gp, at)
    np.testing.assert_allclose(mean, data["icm_mean"], rtol=1e-8)
    np.testing.assert_allclose(std**2, data["icm_var"], rtol=1e-7)


@pytest.mark.parametrize("number", [0, 1])
def test_golden_gradient_observations(number):
    data, parameters = golden(number)
    count, features = data["X"].shape
    kinds = np.repeat(np.arange(features + 1), count)[:, None]
    x = np.column_stack([np.tile(data["X"], (features + 1, 1)), kinds])
    kernel = covariance.Derivatives()
    gp = gaussian_process.condition(x, data["grad_obs"].T.ravel(), parameters, kernel=kernel)
    at = np.column_stack([data["Xs"], np.zeros(len(data["Xs"]))])
    mean, std = gaussian_process.marginals(gp, at)
    np.testing.assert_allclose(mean, data["grad_post_mean"], rtol=1e-8)
    np.testing.assert_allclose(std**2, data["grad_post_var"], rtol=1e-7)
    without = gaussian_process.condition(
        x[:count], data["grad_obs"][:, 0], parameters, kernel=kernel
    )
    assert np.all(std <= gaussian_process.marginals(without, at)[1] + 1e-12)


def test_derivative_blocks_in_closed_form():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 2, 2))
    scales = np.array([0.7, 1.4])
    parameters = Parameters(jnp.asarray(scales), 1.3)
    kernel = covariance.Derivatives()

    def rows(points, kind):
        return jnp.column_stack([points, jnp.full(len(points), float(kind))])

    difference = (x[:, None] - y[None]) / scales**2
    plain = kernel(rows(x, 0), rows(y, 0), parameters)
    for i in range(2):
        np.testing.assert_allclose(
            kernel(rows(x, 0), rows(y, i + 1), parameters), plain * difference[..., i], rtol=1e-9
        )
        np.testing.assert_allclose(
            kernel(rows(x, i + 1), rows(y, 0), parameters), -plain * difference[..., i], rtol=1e-9
        )
        for j in range(2):
            both = (i == j) / scales[i] ** 2 - difference[..., i] * difference[..., j]
            np.testing.assert_allclose(
                kernel(rows(x, i + 1), rows(y, j + 1), parameters), plain * both, rtol=1e-9
            )
    mixed = jnp.concatenate([rows(x, 0), rows(x, 1), rows(x, 2)])
    for base in ("squared_exponential", "matern52", "matern32"):
        _variances_are_the_diagonal(covariance.Derivatives(base), mixed, parameters)
    np.testing.assert_array_equal(kernel.mean_weights(mixed), [1, 1, 0, 0, 0, 0])


def test_tasks_share_all_or_nothing():
    rng = np.random.default_rng(1)
    x, y = rng.uniform(size=(6, 1)), rng.normal(size=6)
    task = np.array([0, 1, 0, 1, 0, 1.0])
    at = np.column_stack([rng.uniform(size=(4, 1)), np.zeros(4)])
    parameters = Parameters(0.3, 1.0, 0.1)

    def means(task_covariance):
        kernel = covariance.IntrinsicCoregionalization.from_covariance(task_covariance)
        _variances_are_the_diagonal(kernel, jnp.column_stack([x, task]), parameters)
        gp = gaussian_process.condition(np.column_stack([x, task]), y, parameters, kernel=kernel)
        return gaussian_process.marginals(gp, at)

    one = gaussian_process.marginals(gaussian_process.condition(x, y, parameters), at[:, :1])
    np.testing.assert_allclose(means(np.ones((2, 2))), one, atol=1e-7)
    first = task == 0
    alone = gaussian_process.condition(x[first], y[first], parameters)
    np.testing.assert_allclose(
        means(np.eye(2)), gaussian_process.marginals(alone, at[:, :1]), atol=1e-9
    )
    kernel = covariance.IntrinsicCoregionalization.from_covariance(np.eye(2))
    for wrong in (2.0, -1.0):
        other = jnp.array([[0.5, wrong]])
        assert np.all(np.isnan(kernel(other, other, parameters)))


def test_the_target_sees_its_own_kernel_alone():
    rng = np.random.default_rng(2)
    x = rng.uniform(size=(4, 2))
    parameters = Parameters(jnp.array([0.4, 0.9]), 1.2)
    plain = 1.2 * covariance.matern(x, x, lengthscales=parameters.lengthscales)
    truncated = covariance.LinearTruncated(jnp.array([0.3, 0.5]), 0.7, 2.0)
    sources = covariance.InformationSources(jnp.array([0.5, 0.2]), jnp.full((2, 2), 0.6))
    for kernel, target in ((truncated, 1.0), (sources, 0.0)):
        at_target = jnp.column_stack([x, jnp.full(4, target)])
        np.testing.assert_allclose(kernel(at_target, at_target, parameters), plain, rtol=1e-12)
        mixed = jnp.column_stack([x, jnp.array([0.0, 1.0, 1.0, target])])
        _variances_are_the_diagonal(kernel, mixed, parameters)
    low = jnp.column_stack([x, jnp.array([0.25, 0.5, 0.0, 0.75])])
    s = np.asarray(low[:, 2])
    other = 0.7 * covariance.matern(x, x, lengthscales=truncated.difference_lengthscales)
    share = np.outer(1 - s, 1 - s) * (1 + np.outer(s, s)) ** 2
    np.testing.assert_allclose(truncated(low, low, parameters), plain + share * other, rtol=1e-12)
    first = jnp.column_stack([x, jnp.ones(4)])
    second = jnp.column_stack([x, jnp.full(4, 2.0)])
    difference = 0.5 * covariance.matern(x, x, lengthscales=0.6)
    np.testing.assert_allclose(sources(first, first, parameters), plain + difference, rtol=1e-12)
    np.testing.assert_allclose(sources(first, second, parameters), plain, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: covariance.IntrinsicCoregionalization.from_covariance(
                jnp.array([[1.0, 2.0], [2.0, 1.0]])
            ),
            "task_covariance must be symmetric and positive semidefinite",
        ),
        (
            lambda: covariance.IntrinsicCoregionalization.from_covariance(jnp.ones((2, 3))),
            "task_covariance must be square",
        ),
        (lambda: covariance.Derivatives("matern12"), "base must be one of"),
        (lambda: covariance.Stationary("cosine"), "kernel must be one of"),
        (lambda: covariance.LinearTruncated(1.0).num_lengthscales(1), "at least 2 columns"),
        (lambda: covariance.matern(jnp.ones((1, 1)), jnp.ones((1, 1)), nu=2.0), "nu must be"),
        (lambda: covariance.matern(jnp.ones((1, 1)), jnp.ones((1, 2))), "x and y must have"),
        (
            lambda: covariance.squared_exponential(
                jnp.ones((1, 1)), jnp.ones((1, 1)), lengthscales=0.0
            ),
            "lengthscales must be positive",
        ),
        (
            lambda: covariance.squared_exponential(
                jnp.ones((1, 1)), jnp.ones((1, 1)), signal_variance=-1.0
            ),
            "signal_variance must be non-negative",
        ),
    ],
)
def test_faults(call, message):
    with pytest.raises(ValueError, match=message):
        call()

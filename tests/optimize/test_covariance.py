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


def _universal_kriging(x, y, at, parameters, basis):
    """Means and variances with a trend by generalised least squares."""
    scales, noise = parameters.lengthscales, float(parameters.noise_variance)

    def kernel(a, b):
        return np.asarray(covariance.matern(a, b, lengthscales=scales))

    inverse = np.linalg.inv(kernel(x, x) + noise * np.eye(len(x)))
    here, there, cross = basis(x), basis(at), kernel(x, at)
    information = np.linalg.inv(here.T @ inverse @ here)
    beta = information @ here.T @ inverse @ y
    mean = there @ beta + cross.T @ inverse @ (y - here @ beta)
    left = there - cross.T @ inverse @ here
    variance = 1 - np.sum(cross * (inverse @ cross), 0) + np.sum(left @ information * left, 1)
    return mean, variance


def test_a_trend_of_any_size_is_universal_kriging():
    rng = np.random.default_rng(4)
    x, at = rng.uniform(size=(12, 2)), rng.uniform(-1, 2, size=(5, 2))
    y = rng.normal(size=12)
    parameters = Parameters(jnp.array([0.4, 0.8]), 1.0, 0.1, 5.0)

    def basis(x):
        u, v = x.T
        return np.column_stack([np.ones(len(x)), u, v, u * u, u * v, v * v])

    mean, variance = _universal_kriging(x, y, at, parameters, basis)
    errors = []
    for size in (1e4, 1e5, 1e7):
        kernel = covariance.PolynomialTrend(size, degree=2)
        _variances_are_the_diagonal(covariance.PolynomialTrend(2.0, degree=2), x, parameters)
        np.testing.assert_allclose(kernel.basis(jnp.asarray(x)), basis(x), rtol=1e-12)
        gp = gaussian_process.condition(x, y, parameters, kernel=kernel)
        found, std = gaussian_process.marginals(gp, at)
        errors.append([np.abs(found - mean).max(), np.abs(std**2 / variance - 1).max()])
    # What is left of the prior falls as one over its size, down to rounding.
    np.testing.assert_allclose(np.divide(errors[0], errors[1]), 10, rtol=0.05)
    assert np.max(errors[2]) < 1e-4


def test_a_polynomial_goes_on():
    rng = np.random.default_rng(5)
    x, at = rng.uniform(size=(12, 2)), jnp.array([[3.0, -2.0], [10.0, 4.0]])

    def polynomial(x):
        return 1 - 2 * x[:, 0] + x[:, 0] * x[:, 1] + 0.5 * x[:, 1] ** 2

    gp = gaussian_process.condition(
        x,
        polynomial(x),
        Parameters(0.5, 1e-6, 1e-12),
        kernel=covariance.PolynomialTrend(jnp.full(6, 1e3), degree=2),
    )
    mean, std = gaussian_process.marginals(gp, at)
    np.testing.assert_allclose(mean, polynomial(at), rtol=1e-5)
    # It is surer near the data.
    assert std[1] > std[0] > gaussian_process.marginals(gp, x[:1])[1][0]


def test_a_trend_is_found():
    x = jnp.linspace(0, 1, 10)[:, None]
    y = 20 * x[:, 0] + 0.1 * jnp.sin(20 * x[:, 0])
    at, expected = jnp.array([[2.0]]), 40.0
    errors = []
    for kernel in (covariance.PolynomialTrend(100.0), "matern52"):
        gp = gaussian_process.fit(jax.random.key(0), x, y, kernel=kernel, starts=2, steps=30)
        errors.append(abs(gaussian_process.marginals(gp, at)[0][0] - expected))
    assert errors[0] < 1 and errors[0] < 0.2 * errors[1]


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
        (lambda: covariance.PolynomialTrend(degree=-1), "degree must be a whole number"),
        (lambda: covariance.PolynomialTrend(base="cosine"), "base must be one of"),
        (
            lambda: covariance.PolynomialTrend(jnp.ones(2), degree=2).num_lengthscales(2),
            r"coefficient_variances must have shape \(\) or \(6,\)",
        ),
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

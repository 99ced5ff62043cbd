"""Wasserstein-1 against scipy; Gaussian closed forms against quadrature and other formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.stats

from infojax import divergences


def _spd(rng, size):
    factor = rng.normal(size=(size, size + 2))
    return factor @ factor.T / size + np.eye(size) / 10


def test_wasserstein_1_equals_scipy():
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        for n, m in ((1, 1), (5, 8), (30, 7)):
            x, y = rng.normal(size=n).round(1), rng.normal(size=m).round(1)
            a, b = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
            weighted = divergences.wasserstein_1(x, y, x_weights=a, y_weights=b)
            expected = scipy.stats.wasserstein_distance(x, y, a, b)
            np.testing.assert_allclose(weighted, expected, rtol=1e-12)
            expected = scipy.stats.wasserstein_distance(x, y)
            np.testing.assert_allclose(divergences.wasserstein_1(x, y), expected, rtol=1e-12)
        support, p, q = np.sort(rng.normal(size=9)), *rng.dirichlet(np.ones(9), 2)
        expected = scipy.stats.wasserstein_distance(support, support, p, q)
        value = divergences.wasserstein_1_on_grid(p, q, support)
        np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_wasserstein_1_batches_and_differentiates():
    rng = np.random.default_rng(1)
    with jax.enable_x64(True):
        x, y = rng.normal(size=(3, 5)), rng.normal(size=4)
        a = rng.dirichlet(np.ones(5), 3)
        together = divergences.wasserstein_1(x, y, x_weights=a)
        alone = [divergences.wasserstein_1(x[i], y, x_weights=a[i]) for i in range(3)]
        np.testing.assert_allclose(together, alone, rtol=1e-12)
        direction = rng.normal(size=5)
        direction -= direction.mean()

        def value(w):
            return divergences.wasserstein_1(x[0], y, x_weights=w)

        slope = (value(a[0] + 1e-6 * direction) - value(a[0] - 1e-6 * direction)) / 2e-6
        np.testing.assert_allclose(jax.grad(value)(jnp.asarray(a[0])) @ direction, slope, rtol=1e-6)
    # Moving every sample moves the distance by as much; at equality the gradient is finite.
    assert jnp.sum(jax.grad(divergences.wasserstein_1)(jnp.arange(3.0) + 9, jnp.arange(3.0))) == 1
    assert np.all(np.isfinite(jax.grad(divergences.wasserstein_1)(jnp.zeros(3), jnp.zeros(3))))


def test_wasserstein_1_faults():
    x = jnp.arange(3.0)
    with pytest.raises(ValueError, match=r"x_weights.*sum of"):
        divergences.wasserstein_1(x, x, x_weights=x)
    with pytest.raises(ValueError, match="y_weights must hold one weight for each of 3"):
        divergences.wasserstein_1(x, x, y_weights=jnp.ones(1))
    with pytest.raises(ValueError, match="x must hold at least one sample"):
        divergences.wasserstein_1(jnp.zeros(0), x)
    with pytest.raises(ValueError, match="support must hold 3 points"):
        divergences.wasserstein_1_on_grid(x / 3, x / 3, x[:2])


def test_one_dimensional_gaussians_by_quadrature():
    (m, s), (n, t) = (0.3, 0.8), (-0.5, 1.3)
    p, q = scipy.stats.norm(m, s), scipy.stats.norm(n, t)

    def integral(f):
        return scipy.integrate.quad(f, -15, 15, epsabs=1e-13, limit=200)[0]

    overlap = integral(lambda x: np.sqrt(p.pdf(x) * q.pdf(x)))
    cross, pp, qq = (
        integral(lambda x, a=a, b=b: a.pdf(x) * b.pdf(x)) for a, b in ((p, q), (p, p), (q, q))
    )
    with jax.enable_x64(True):
        arguments = [jnp.array(v) for v in ([m], [[s**2]], [n], [[t**2]])]
        for function, value in (
            (
                divergences.gaussian_kl_divergence,
                integral(lambda x: p.pdf(x) * (p.logpdf(x) - q.logpdf(x))),
            ),
            (divergences.gaussian_bhattacharyya_distance, -np.log(overlap)),
            (divergences.gaussian_hellinger_distance, np.sqrt(1 - overlap)),
            (divergences.gaussian_cauchy_schwarz_divergence, -np.log(cross**2 / pp / qq)),
            (divergences.gaussian_wasserstein_2, np.hypot(m - n, s - t)),
        ):
            np.testing.assert_allclose(function(*arguments), value, rtol=1e-9)
        for order in (0.3, 1.0001, 1.5):
            power = integral(lambda x, a=order: np.exp(a * p.logpdf(x) + (1 - a) * q.logpdf(x)))
            value = divergences.gaussian_renyi_divergence(*arguments, order)
            np.testing.assert_allclose(value, np.log(power) / (order - 1), rtol=1e-7)


def test_full_covariances_against_textbook_formulas():
    rng = np.random.default_rng(2)
    a, b, m, n = _spd(rng, 4), _spd(rng, 4), *rng.normal(size=(2, 4))
    d = m - n
    with jax.enable_x64(True):
        inverse = np.linalg.inv(b)
        kl = np.trace(inverse @ a) - 4 + np.log(np.linalg.det(b) / np.linalg.det(a))
        kl = (kl + d @ inverse @ d) / 2
        np.testing.assert_allclose(divergences.gaussian_kl_divergence(m, a, n, b), kl, rtol=1e-11)
        near = divergences.gaussian_renyi_divergence(m, a, n, b, 1.0)
        np.testing.assert_allclose(near, kl, rtol=1e-11)
        root = scipy.linalg.sqrtm(b)
        bures = np.trace(a + b - 2 * scipy.linalg.sqrtm(root @ a @ root).real)
        w2 = divergences.gaussian_wasserstein_2(m, a, n, b)
        np.testing.assert_allclose(w2, np.sqrt(d @ d + bures), rtol=1e-9)
        half = divergences.gaussian_renyi_divergence(m, a, n, b, 0.5)
        distance = divergences.gaussian_bhattacharyya_distance(m, a, n, b)
        np.testing.assert_allclose(half, 2 * distance, rtol=1e-11)
        assert divergences.gaussian_renyi_divergence(m, a, n, b, 0.0) < 1e-12
        wide, narrow = 9 * np.eye(4), np.eye(4)
        assert divergences.gaussian_renyi_divergence(m, wide, n, narrow, 2.0) == np.inf
        by_order = jax.grad(lambda o: divergences.gaussian_renyi_divergence(m, a / 9, n, b, o))
        for order in (0.5, 1.0, 1.2):
            ends = [
                divergences.gaussian_renyi_divergence(m, a / 9, n, b, order + s)
                for s in (1e-5, -1e-5)
            ]
            np.testing.assert_allclose(by_order(order), (ends[0] - ends[1]) / 2e-5, rtol=1e-6)


def test_near_and_equal_gaussians():
    rng = np.random.default_rng(3)
    a, m = _spd(rng, 3).astype(np.float32), rng.normal(size=3).astype(np.float32)
    b = (a * (1 + 1e-3)).astype(np.float32)
    for function in (
        divergences.gaussian_kl_divergence,
        divergences.gaussian_bhattacharyya_distance,
        divergences.gaussian_wasserstein_2,
    ):
        arguments = [jnp.asarray(v) for v in (m, a, m, b)]
        with jax.enable_x64(True):
            exact = function(*[jnp.asarray(v, jnp.float64) for v in (m, a, m, b)])
        np.testing.assert_allclose(function(*arguments), exact, rtol=1e-2)
    equal = [jnp.asarray(v) for v in (m, np.eye(3, dtype=np.float32)) * 2]
    for function in (
        divergences.gaussian_kl_divergence,
        divergences.gaussian_wasserstein_2,
        divergences.gaussian_hellinger_distance,
        divergences.gaussian_cauchy_schwarz_divergence,
        lambda *args: divergences.gaussian_renyi_divergence(*args, 0.7),
    ):
        np.testing.assert_allclose(function(*equal), 0, atol=1e-6)
        for gradient in jax.grad(function, (0, 1, 2, 3))(*equal):
            np.testing.assert_allclose(gradient, 0, atol=1e-6)


def test_wasserstein_2_has_second_derivatives_at_equal_singular_values():
    with jax.enable_x64(True):
        one, zero = jnp.eye(2), jnp.zeros(2)

        def squared(scale):
            covariance = jnp.diag(scale)
            return divergences.gaussian_wasserstein_2(zero, covariance, zero + 1, one) ** 2

        # The square is 2 + sum (sqrt(s_i) - 1)^2, whose Hessian at one is 1/2.
        hessian = jax.hessian(squared)(jnp.ones(2))
        np.testing.assert_allclose(hessian, np.eye(2) / 2, atol=1e-9)


def test_sizes_must_agree():
    with pytest.raises(ValueError, match="same size"):
        divergences.gaussian_kl_divergence(jnp.zeros(2), jnp.eye(2), jnp.zeros(3), jnp.eye(2))
    with pytest.raises(ValueError, match="covariance_q must be square"):
        divergences.gaussian_wasserstein_2(jnp.zeros(2), jnp.eye(2), jnp.zeros(2), jnp.ones((2, 3)))
    with pytest.raises(ValueError, match="order"):
        divergences.gaussian_renyi_divergence(
            jnp.zeros(2), jnp.eye(2), jnp.zeros(2), jnp.eye(2), jnp.inf
        )

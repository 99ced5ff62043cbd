"""What users report against other packages: NaN gradients at zeros, lost digits near p = q."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax import divergences

INF = np.inf


def test_kl_with_a_zero_target_has_a_gradient_without_nan():
    p, q = jnp.array([0.5, 0.5, 0.0]), jnp.array([0.25, 0.5, 0.25])
    by_p, by_q = jax.grad(divergences.kl_divergence, (0, 1))(p, q)
    np.testing.assert_allclose(by_p, [np.log(2), 0, 0], rtol=1e-6)
    np.testing.assert_allclose(by_q, [-1, 0, 1], rtol=1e-6)


def test_zero_target_at_a_masked_logit_adds_nothing():
    p_logits = jnp.array([0.0, 1.0, -INF])
    q_logits = jnp.array([1.0, 0.0, -INF])
    value, gradients = jax.value_and_grad(divergences.kl_divergence_from_logits, (0, 1))(
        p_logits, q_logits
    )
    p = np.array([1, np.e]) / (1 + np.e)
    np.testing.assert_allclose(value, p @ np.array([-1.0, 1.0]), rtol=1e-6)
    for gradient in gradients:
        assert np.all(np.isfinite(gradient)) and gradient[2] == 0
    np.testing.assert_allclose(gradients[1][:2], p[::-1] - p, rtol=1e-6)


def test_log_targets_of_minus_infinity():
    log_p = jnp.array([jnp.log(0.5), jnp.log(0.5), -INF])
    for log_q in (jnp.log(jnp.array([0.25, 0.5, 0.25])), log_p):
        value, gradients = jax.value_and_grad(
            divergences.kl_divergence_from_log_probabilities, (0, 1)
        )(log_p, log_q)
        p, q = np.exp(log_p), np.exp(log_q)
        with np.errstate(divide="ignore", invalid="ignore"):
            expected = np.nansum(p * np.log(p / q))
        np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-7)
        assert all(np.all(np.isfinite(g)) for g in gradients)
        np.testing.assert_allclose(gradients[1], q - p, atol=1e-7)


@pytest.mark.parametrize(
    "function",
    [
        divergences.kl_divergence,
        divergences.jeffreys_divergence,
        divergences.chi_squared_divergence,
        lambda p, q: divergences.renyi_divergence(p, q, 2.0),
        lambda p, q: divergences.alpha_divergence(p, q, -2.0),
        lambda p, q: divergences.f_divergence(p, q, lambda t: t * t - 1),
    ],
)
def test_masking_an_infinite_value_leaves_a_finite_gradient(function):
    p = jnp.array([[0.5, 0.5, 0.0], [0.25, 0.25, 0.5]])
    q = jnp.array([[1.0, 0.0, 0.0], [0.5, 0.25, 0.25]])

    def loss(p, q):
        value = function(p, q)
        return jnp.sum(jnp.where(jnp.isinf(value), 0, value))

    assert function(p, q)[0] == INF
    for gradient in jax.grad(loss, (0, 1))(p, q):
        assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize(
    "function",
    [
        divergences.kl_divergence,
        divergences.jeffreys_divergence,
        divergences.jensen_shannon_divergence,
        divergences.bhattacharyya_distance,
        divergences.hellinger_distance,
        divergences.cauchy_schwarz_divergence,
        divergences.chi_squared_divergence,
        divergences.total_variation,
        lambda p, q: divergences.renyi_divergence(p, q, 0.4),
        lambda p, q: divergences.renyi_divergence(p, q, 1.0),
        lambda p, q: divergences.renyi_divergence(p, q, 3.0),
        lambda p, q: divergences.alpha_divergence(p, q, 0.7),
        lambda p, q: divergences.jensen_shannon_divergence_many(jnp.stack([p, q])),
    ],
)
@pytest.mark.parametrize("size", [1e-5, 1e-3])
def test_nearly_equal_distributions_keep_their_digits(function, size):
    rng = np.random.default_rng(3)
    p = rng.dirichlet(np.ones(1000)).astype(np.float32)
    q = (p * (1 + size * rng.uniform(-1, 1, p.size))).astype(np.float32)
    value = np.asarray(function(jnp.asarray(p), jnp.asarray(q)), np.float64)
    with jax.enable_x64(True):
        exact = np.asarray(function(jnp.asarray(p, jnp.float64), jnp.asarray(q, jnp.float64)))
    assert value > 0
    np.testing.assert_allclose(value, exact, rtol=1e-3)
    assert function(jnp.asarray(p), jnp.asarray(p)) == 0


def test_nearly_equal_logits_keep_their_digits():
    rng = np.random.default_rng(4)
    a = (5 * rng.normal(size=1000)).astype(np.float32)
    b = (a + 1e-4 * rng.normal(size=1000)).astype(np.float32)
    value = np.asarray(divergences.kl_divergence_from_logits(jnp.asarray(a), jnp.asarray(b)))
    with jax.enable_x64(True):
        wide = jnp.asarray(a, jnp.float64), jnp.asarray(b, jnp.float64)
        exact = np.asarray(divergences.kl_divergence_from_logits(*wide))
    np.testing.assert_allclose(value, exact, rtol=1e-3)
    # Adding a constant to one of them changes nothing.
    same = divergences.kl_divergence_from_logits(jnp.asarray(a), jnp.asarray(a) + 64)
    assert 0 <= same < 1e-9


@pytest.mark.parametrize("size", [10, 1000, 1_000_000])
def test_float32_is_within_two_millionths(size):
    rng = np.random.default_rng(size)
    p, q = (rng.dirichlet(np.ones(size)).astype(np.float32) for _ in range(2))
    s, t = (rng.normal(size=size).astype(np.float32) for _ in range(2))
    for function, a, b in (
        (divergences.kl_divergence, p, q),
        (divergences.jensen_shannon_divergence, p, q),
        (lambda p, q: divergences.renyi_divergence(p, q, 0.5), p, q),
        (divergences.hellinger_distance, p, q),
        (divergences.kl_divergence_from_logits, s, t),
    ):
        value = np.asarray(function(jnp.asarray(a), jnp.asarray(b)), np.float64)
        with jax.enable_x64(True):
            exact = np.asarray(function(jnp.asarray(a, jnp.float64), jnp.asarray(b, jnp.float64)))
        np.testing.assert_allclose(value, exact, rtol=2e-6)


@pytest.mark.parametrize(
    "function",
    [
        divergences.jensen_shannon_distance,
        divergences.hellinger_distance,
        divergences.total_variation,
    ],
)
def test_gradient_of_a_distance_at_equality_is_zero(function):
    p = jnp.array([0.5, 0.25, 0.25, 0.0])
    for gradient in jax.grad(function, (0, 1))(p, p):
        np.testing.assert_array_equal(gradient, 0)


def test_second_derivatives_are_the_fisher_information():
    with jax.enable_x64(True):
        p = jnp.array([0.5, 0.3, 0.2])
        for function, scale in (
            (divergences.kl_divergence, 1.0),
            (divergences.jensen_shannon_divergence, 0.25),
            (lambda p, q: divergences.alpha_divergence(p, q, 0.4), 1.0),
            (lambda p, q: divergences.renyi_divergence(p, q, 0.5), 0.5),
            (divergences.chi_squared_divergence, 2.0),
        ):
            hessian = jax.hessian(function, 1)(p, p)
            np.testing.assert_allclose(hessian, np.diag(scale / p), rtol=1e-9, atol=1e-9)
        logits = jnp.log(p)
        hessian = jax.hessian(divergences.kl_divergence_from_logits, 1)(logits, logits)
        np.testing.assert_allclose(hessian, np.diag(p) - np.outer(p, p), rtol=1e-9, atol=1e-12)

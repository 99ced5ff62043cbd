"""Derivatives at masses whose square is below the smallest number of float32."""

import jax
import jax.numpy as jnp
import numpy as np

from infojax import divergences


def test_chi_squared_at_a_tiny_expected_mass():
    p, q = jnp.array([1.0, 0.0]), jnp.array([1.0, 1e-30])
    by_p, by_q = jax.grad(divergences.chi_squared_divergence, (0, 1))(p, q)
    np.testing.assert_allclose(by_p, [0, -2], rtol=1e-6)
    np.testing.assert_allclose(by_q, [0, 1], rtol=1e-6)


def test_f_divergence_at_tiny_masses():
    p, q = jnp.array([1.0, 2e-30]), jnp.array([1.0, 1e-30])
    gradients = jax.grad(
        lambda p, q: divergences.f_divergence(p, q, lambda t: (t - 1) ** 2), (0, 1)
    )
    by_p, by_q = gradients(p, q)
    np.testing.assert_allclose(by_p, [0, 2], rtol=1e-5)
    np.testing.assert_allclose(by_q, [0, -3], rtol=1e-5)


def test_kl_at_tiny_masses():
    p, q = jnp.array([1.0, 1e-36]), jnp.array([1.0, 1e-30])
    by_p, by_q = jax.grad(divergences.kl_divergence, (0, 1))(p, q)
    np.testing.assert_allclose(by_p, [0, np.log(1e-6)], rtol=1e-5)
    np.testing.assert_allclose(by_q, [0, 1 - 1e-6], rtol=1e-5)

"""Density matrices, matrix-based Renyi entropies and ranks: closed forms, numpy, inequalities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from infojax import divergences, entropies, spectra


def _density(rng, size=4, rank=None):
    a = rng.normal(size=(size, rank or size))
    return a @ a.T / np.trace(a @ a.T)


def _rotation(rng, size=4):
    return np.linalg.qr(rng.normal(size=(size, size)))[0]


def test_von_neumann_against_the_logarithm_of_a_matrix():
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        for _ in range(3):
            rho, tau = _density(rng), _density(rng)
            log_rho, log_tau = scipy.linalg.logm(rho), scipy.linalg.logm(tau)
            entropy = spectra.von_neumann_entropy(rho)
            np.testing.assert_allclose(entropy, -np.trace(rho @ log_rho), rtol=1e-10)
            expected = np.trace(rho @ (log_rho - log_tau))
            found = spectra.relative_von_neumann_entropy(rho, tau)
            np.testing.assert_allclose(found, expected, rtol=1e-9)
            middle = (rho + tau) / 2
            expected = sum(spectra.relative_von_neumann_entropy(m, middle) for m in (rho, tau)) / 2
            found = spectra.quantum_jensen_shannon_divergence(rho, tau)
            np.testing.assert_allclose(found, expected, rtol=1e-9)
            assert found <= np.log(2)


def test_matrices_that_commute_are_distributions():
    rng = np.random.default_rng(1)
    p, q = rng.dirichlet(np.ones(4)), rng.dirichlet(np.ones(4))
    turn = _rotation(rng)
    rho, tau = ((turn * masses) @ turn.T for masses in (p, q))
    with jax.enable_x64(True):
        for found, expected in (
            (spectra.von_neumann_entropy(rho), entropies.entropy(p)),
            (spectra.relative_von_neumann_entropy(rho, tau), divergences.kl_divergence(p, q)),
            (
                spectra.quantum_jensen_shannon_divergence(rho, tau),
                divergences.jensen_shannon_divergence(p, q),
            ),
        ):
            np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_pure_states_and_weight_outside():
    plus, zero = np.full((2, 2), 0.5), np.diag([1.0, 0.0])
    assert abs(spectra.von_neumann_entropy(plus)) < 1e-6
    assert spectra.relative_von_neumann_entropy(plus, zero) == np.inf
    assert spectra.relative_von_neumann_entropy(zero, zero) == 0
    eigenvalues = np.array([1 + np.sqrt(0.5), 1 - np.sqrt(0.5)]) / 2
    expected = -(eigenvalues * np.log(eigenvalues)).sum()
    found = spectra.quantum_jensen_shannon_divergence(plus, zero)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    # tau has coinciding eigenvalues: the divided differences are derivatives of the logarithm.
    gradient = jax.grad(spectra.relative_von_neumann_entropy, 1)(
        jnp.asarray(plus, jnp.float32), jnp.eye(2) / 2
    )
    np.testing.assert_allclose(gradient, -2 * plus, rtol=1e-5)


def test_faults_of_density_matrices():
    with pytest.raises(ValueError, match="one shape"):
        spectra.relative_von_neumann_entropy(np.eye(2) / 2, np.eye(3) / 3)
    with pytest.raises(ValueError, match="square"):
        spectra.von_neumann_entropy(np.ones((2, 3)))
    with pytest.raises(ValueError, match="row"):
        spectra.von_neumann_entropy(np.ones((0, 0)))


def _grams(rng, count=12):
    x = rng.normal(size=(count, 2))
    y = x + 0.5 * rng.normal(size=(count, 2))
    with jax.enable_x64(True):
        return [np.asarray(spectra.gaussian_affinity(z, sigma=1.0)) for z in (x, y)]


def test_matrix_renyi_entropies_by_numpy_and_through_order_one():
    a, b = _grams(np.random.default_rng(0))

    def expected(gram, order):
        values = np.linalg.eigvalsh(gram / np.trace(gram))
        values = values[values > 1e-14]
        if order == 1:
            return -(values * np.log(values)).sum()
        return np.log((values**order).sum()) / (1 - order)

    with jax.enable_x64(True):
        for order in (0.5, 1, 2, 3):
            alone = spectra.matrix_renyi_entropy(a, order=order)
            np.testing.assert_allclose(alone, expected(a, order), rtol=1e-8)
            joint = spectra.matrix_renyi_joint_entropy(a, b, order=order)
            np.testing.assert_allclose(joint, expected(a * b, order), rtol=1e-8)
            given = spectra.matrix_renyi_conditional_entropy(a, b, order=order)
            other = spectra.matrix_renyi_entropy(b, order=order)
            np.testing.assert_allclose(given, joint - other, rtol=1e-8)
            mutual = spectra.matrix_renyi_mutual_information(a, b, order=order)
            np.testing.assert_allclose(mutual, alone + other - joint, rtol=1e-8)
            assert max(alone, other) <= joint + 1e-9 <= alone + other + 2e-9
        scale = np.diag(np.arange(1.0, 13.0))
        scaled = spectra.matrix_renyi_entropy(scale @ a @ scale, order=2)
        np.testing.assert_allclose(scaled, expected(a, 2), rtol=1e-8)
        around = [spectra.matrix_renyi_entropy(a, order=1 + e) for e in (-1e-6, 0, 1e-6)]
        np.testing.assert_allclose(around, around[1], rtol=1e-5)
        # At order 2 it is minus the log of the sum of squared entries: no eigenvalues needed.
        slope = jax.grad(lambda g: spectra.matrix_renyi_entropy(g, order=2))(jnp.asarray(a))
        plain = jax.grad(lambda g: -jnp.log(jnp.sum((g / 12) ** 2)))(jnp.asarray(a))
        hidden = ~np.eye(12, dtype=bool)
        np.testing.assert_allclose(slope[hidden], plain[hidden], rtol=1e-7)


def test_faults_of_grams():
    with pytest.raises(ValueError, match="none"):
        spectra.matrix_renyi_joint_entropy(order=1)
    with pytest.raises(ValueError, match="one shape"):
        spectra.matrix_renyi_mutual_information(np.eye(2), np.eye(3), order=1)
    with pytest.raises(ValueError, match="order"):
        spectra.matrix_renyi_entropy(np.eye(2), order=-1)


def test_ranks_by_numpy():
    rng = np.random.default_rng(0)
    a = (rng.normal(size=(7, 2)) @ rng.normal(size=(2, 5))).astype(np.float32)
    s = np.linalg.svd(a.astype(float), compute_uv=False)[:2]
    p = s / s.sum()
    effective = np.exp(-(p * np.log(p)).sum())
    np.testing.assert_allclose(spectra.effective_rank(a), effective, rtol=1e-4)
    np.testing.assert_allclose(spectra.stable_rank(a), (s**2).sum() / s[0] ** 2, rtol=1e-5)
    np.testing.assert_allclose(spectra.nuclear_norm(a), s.sum(), rtol=1e-5)
    np.testing.assert_allclose(spectra.rank_me(a), effective, rtol=1e-3)
    values = np.linalg.eigvalsh(np.cov(a.T.astype(float)))
    ratio = values.sum() ** 2 / (values**2).sum()
    np.testing.assert_allclose(spectra.participation_ratio(a), ratio, rtol=1e-5)
    wide = spectra.participation_ratio(a.T)
    values = np.linalg.eigvalsh(np.cov(a.astype(float)))
    np.testing.assert_allclose(wide, values.sum() ** 2 / (values**2).sum(), rtol=1e-5)
    zero = np.zeros((3, 2), np.float32)
    assert spectra.effective_rank(zero) == spectra.stable_rank(zero) == 0
    np.testing.assert_allclose(spectra.effective_rank(1e18 * a), effective, rtol=1e-4)


def test_the_decay_of_a_power_law():
    rng = np.random.default_rng(0)
    for exponent in (0.5, 2.0):
        scale = np.arange(1, 21) ** (-exponent / 2)
        x = np.concatenate([np.diag(scale), -np.diag(scale)]) @ _rotation(rng, 20)
        found = spectra.spectral_decay_exponent(x.astype(np.float32))
        np.testing.assert_allclose(found, exponent, rtol=1e-3)

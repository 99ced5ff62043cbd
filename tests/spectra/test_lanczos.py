"""Stochastic Lanczos quadrature against all eigenvalues: value, error bar, derivative, devices."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax import spectra
from infojax.spectra import block_lanczos
from tests import devices

_SMALL = {"num_probes": 12, "num_steps": 5, "block_size": 12, "num_powers": 1}


def _samples(count=300, size=6, seed=0):
    return np.random.default_rng(seed).normal(size=(count, size)).astype(np.float32)


_estimate = jax.jit(functools.partial(spectra.diffusion_spectral_entropy_estimate, **_SMALL))
_exact = jax.jit(spectra.diffusion_spectral_entropy)


@pytest.mark.parametrize(("sigma", "t"), [(1.0, 1.0), (3.0, 1.0), (2.0, 2.0)])
def test_the_exact_value_is_within_the_error(sigma, t):
    x = _samples()
    exact = float(_exact(x, sigma=sigma, t=t))
    found = [_estimate(x, key=jax.random.key(seed), sigma=sigma, t=t) for seed in range(8)]
    values = np.array([f.entropy for f in found])
    errors = np.array([f.standard_error + f.quadrature_change for f in found])
    assert np.all(np.abs(values - exact) < 4 * errors + 1e-5)
    assert np.all(errors < 0.01 * np.log(len(x)))
    # Their mean has an error of its own: no bias beyond it.
    assert abs(values.mean() - exact) < 3 * values.std() / np.sqrt(8) + errors.mean()


def test_within_three_errors_at_two_thousand():
    x = _samples(2000, 20)
    exact = float(_exact(x, sigma=3.0, t=1.0))
    found = spectra.diffusion_spectral_entropy_estimate(x, key=jax.random.key(0), sigma=3.0)
    assert abs(found.entropy - exact) < 3 * found.standard_error + 1e-5 * exact
    assert found.standard_error < 0.002 * exact


def test_masks_units_batches_and_the_short_way():
    x = _samples()
    wide = np.concatenate([x, np.full((40, 6), np.nan, np.float32)])
    keep = np.arange(340) < 300
    key = jax.random.key(1)
    exact = float(_exact(x, sigma=2.0, t=1.0))
    found = _estimate(wide, key=key, sigma=2.0, t=1.0, where=keep)
    assert abs(found.entropy - exact) < 4 * (found.standard_error + found.quadrature_change)
    options = {"key": key, "sigma": 2.0, **_SMALL}
    bits = spectra.diffusion_spectral_entropy_estimate(x[None], base=2, **options)
    np.testing.assert_allclose(bits.entropy * np.log(2), [exact], rtol=0.01)
    assert bits.standard_error.shape == (1,)
    # Too few samples for the spaces: all eigenvalues.
    few = spectra.diffusion_spectral_entropy(x, sigma=2.0, method="lanczos", key=key)
    np.testing.assert_allclose(few, exact, rtol=1e-5)
    with pytest.raises(ValueError, match="key"):
        spectra.diffusion_spectral_entropy(x, method="lanczos")
    with pytest.raises(ValueError, match="num_probes"):
        spectra.diffusion_spectral_entropy_estimate(x, key=key, num_probes=0)


def test_low_rank_and_coincident_samples():
    key = jax.random.key(0)
    points = 99 * np.eye(300, dtype=np.float32)
    for copies in (300, 75, 1):
        x = np.repeat(points[: 300 // copies], copies, 0)
        found = _estimate(x, key=key, sigma=1.0, t=1.0)
        np.testing.assert_allclose(found.entropy, np.log(300 / copies), rtol=1e-4, atol=1e-4)


def test_the_derivative_is_right_in_expectation():
    x = jnp.asarray(_samples(200, 3))
    sizes = {"num_probes": 12, "num_steps": 3, "block_size": 20, "num_powers": 1}

    def estimate(x, sigma, key):
        found = spectra.diffusion_spectral_entropy_estimate(x, key=key, sigma=sigma, **sizes)
        return found.entropy

    def exact(x, sigma):
        return spectra.diffusion_spectral_entropy(x, sigma=sigma)

    sigma = jnp.float32(1.5)
    expected, by_sigma = jax.jit(jax.grad(exact, (0, 1)))(x, sigma)
    gradient = jax.jit(jax.vmap(jax.grad(estimate, (0, 1)), (None, None, 0)))
    found, found_by_sigma = gradient(x, sigma, jax.random.split(jax.random.key(0), 24))
    size = np.linalg.norm(expected)
    alone = np.sqrt(np.mean(np.sum((found - expected) ** 2, (1, 2)))) / size
    together = np.linalg.norm(found.mean(0) - expected) / size
    assert alone < 0.25, alone
    # No more than what averaging leaves of the random error: no bias.
    assert together < 1.3 * alone / np.sqrt(24), (together, alone)
    np.testing.assert_allclose(found_by_sigma.mean(), by_sigma, rtol=0.04)


def test_full_reorthogonalisation_keeps_the_basis_orthonormal():
    rng = np.random.default_rng(0)
    vectors, _ = np.linalg.qr(rng.normal(size=(120, 120)))
    values = np.concatenate([[1.0] * 5, 10.0 ** -np.arange(1, 8), np.zeros(108)])
    matrix = jnp.asarray((vectors * values) @ vectors.T, jnp.float32)
    nothing = jnp.zeros((120, 1), jnp.float32)
    start = jnp.asarray(rng.normal(size=(120, 6)), jnp.float32)
    space = block_lanczos.begin(start, 8, nothing)
    (space,) = block_lanczos.run(lambda v: matrix @ v, ((space, 0),), 8, nothing)
    np.testing.assert_allclose(space.basis.T @ space.basis, np.eye(54), atol=2e-6)
    ritz, _ = block_lanczos.ritz(space, 8)
    np.testing.assert_allclose(ritz[::-1][:12], values[:12], atol=2e-6)


_SHARDED = """
import jax, numpy as np
from infojax import spectra
assert jax.device_count() == 8
mesh = jax.make_mesh((4, 2), ("a", "b"))
sizes = dict(num_probes=12, num_steps=5, block_size=12, num_powers=1)
def value(x, mesh):
    return spectra.diffusion_spectral_entropy_estimate(
        x, key=jax.random.key(0), sigma=2.0, mesh=mesh, **sizes).entropy
x = np.random.default_rng(0).normal(size=(304, 6)).astype(np.float32)
both = jax.jit(jax.value_and_grad(value), static_argnums=1)
shared, slope = both(x, mesh)
alone, expected = both(x, None)
assert abs(shared - alone) < 1e-4 * alone, (shared, alone)
away = np.linalg.norm(slope - expected) / np.linalg.norm(expected)
assert away < 0.01, away
# A number of rows that the devices cannot share evenly.
uneven = jax.jit(value, static_argnums=1)(x[:301], mesh)
exact = spectra.diffusion_spectral_entropy(x[:301], sigma=2.0)
assert abs(uneven - exact) < 0.01 * exact, (uneven, exact)
print("fine")
"""


def test_rows_shared_by_eight_devices():
    assert devices.run_on_devices(_SHARDED).strip() == "fine"


def test_memory_does_not_hold_the_matrix():
    count = 40_000
    shape = jax.ShapeDtypeStruct((count, 16), jnp.float32)

    def loss(x):
        return spectra.diffusion_spectral_entropy(x, method="lanczos", key=jax.random.key(0))

    memory = jax.jit(jax.grad(loss)).lower(shape).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 0.1 * 4 * count**2

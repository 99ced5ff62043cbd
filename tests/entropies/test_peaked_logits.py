"""Logits that all but decide: a small entropy keeps its digits, value and derivative."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax import entropies

_RNG = np.random.default_rng(0)
_CASES = {
    "one of five": np.array([20.0, 0, 0, 0, 1]),
    "harmonic": 20 / np.arange(1, 1001),
    "two peaks": np.concatenate([[30.0, 30.0], _RNG.normal(size=50)]),
    "masked": np.array([12.0, -np.inf, 0.0, -np.inf]),
    "far below": np.array([0.0, -80.0]),
    "shifted": np.array([1e4, 1e4 - 16, 1e4 - 18]),
}


def _exact(logits):
    below = logits.astype(np.float64) - logits.max()
    excess = np.exp(below[below < 0]).sum() + ((below == 0).sum() - 1)
    log_p = below - np.log1p(excess)
    p = np.exp(log_p)
    return -np.sum(p * np.where(p > 0, log_p, 0)), p, np.where(p > 0, log_p, 0)


@pytest.mark.parametrize("name", _CASES)
def test_value_and_derivative(name):
    logits = _CASES[name].astype(np.float32)
    value, p, log_p = _exact(logits)
    np.testing.assert_allclose(entropies.entropy_from_logits(logits), value, rtol=2e-6)
    gradient = jax.grad(entropies.entropy_from_logits)(jnp.asarray(logits))
    np.testing.assert_allclose(gradient, -p * (log_p + value), rtol=3e-6, atol=1e-6 * value)


def test_neighbours_do_not_matter():
    peaked, flat = _CASES["harmonic"].astype(np.float32), np.zeros(1000, np.float32)
    batch = entropies.entropy_from_logits(np.stack([flat, peaked, flat]))
    np.testing.assert_array_equal(batch[1], entropies.entropy_from_logits(peaked[None])[0])
    np.testing.assert_array_equal(batch[0], entropies.entropy_from_logits(flat[None])[0])
    mapped = jax.vmap(entropies.entropy_from_logits)(np.stack([flat, peaked]))
    np.testing.assert_allclose(mapped, batch[:2], rtol=1e-6)

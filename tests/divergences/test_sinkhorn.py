"""The Sinkhorn divergence through ott-jax: limits, masks, gradients, and its absence."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax import divergences


def test_limits_masks_batches_and_gradients():
    rng = np.random.default_rng(0)
    x, y = np.float32(rng.normal(size=(6, 2))), np.float32(rng.normal(size=(6, 2)) + 1)

    @jax.jit
    def divergence(x, y, epsilon, where):
        return divergences.sinkhorn_divergence(x, y, epsilon=epsilon, x_where=where)

    everyone = np.ones(6, bool)
    wide = divergence(x, y, 1e3, everyone)
    np.testing.assert_allclose(wide, ((x.mean(0) - y.mean(0)) ** 2).sum(), rtol=2e-2)
    np.testing.assert_allclose(divergence(x, x, 0.5, everyone), 0, atol=1e-3)
    # A shift adds its square exactly.
    np.testing.assert_allclose(divergence(x, x + 2, 0.5, everyone), 8, rtol=1e-3)
    assert np.isnan(divergence(x, y, -1.0, everyone))
    some = everyone.copy()
    some[2] = False
    rubbish = x.copy()
    rubbish[2] = np.nan
    masked = divergence(rubbish, y, 0.5, some)
    others = x.copy()
    others[2] = x[0]  # what stands there makes no difference
    np.testing.assert_allclose(masked, divergence(others, y, 0.5, some), rtol=1e-5)
    repeated = divergence(np.concatenate([x[some], x[some][:1]]), y, 0.5, everyone)
    assert abs(masked - repeated) > 1e-3
    both = jax.eval_shape(divergence, *(jnp.zeros((2, 6, 2)),) * 2, 0.5, everyone)
    assert both.shape == (2,)
    # By a shift of all x the derivative is that of the squared distance of the means.
    gradient = jax.grad(lambda x: divergence(x, y, 0.5, everyone))(jnp.asarray(x))
    np.testing.assert_allclose(gradient.sum(0), 2 * (x - y).mean(0), rtol=1e-2)


def test_without_ott_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ott.geometry", None)
    with pytest.raises(ImportError, match=r"pip install infojax\[transport\]"):
        divergences.sinkhorn_divergence(jnp.zeros((2, 1)), jnp.zeros((2, 1)), epsilon=1.0)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="epsilon must be positive"):
        divergences.sinkhorn_divergence(jnp.zeros((2, 1)), jnp.zeros((2, 1)), epsilon=0.0)

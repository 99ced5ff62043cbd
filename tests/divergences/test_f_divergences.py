"""f-divergences and Bregman divergences of functions that the caller gives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax import divergences

P, Q = jnp.array([0.5, 0.5, 0.0]), jnp.array([0.5, 0.25, 0.25])


def _square(t):
    return (t - 1) ** 2


def test_where_keepdims_axis_and_transformations():
    value = divergences.f_divergence(P, Q, _square)
    np.testing.assert_allclose(value, 0.5, rtol=1e-6)
    wide_p, wide_q = jnp.append(P, jnp.nan), jnp.append(Q, jnp.nan)
    masked = divergences.f_divergence(wide_p, wide_q, _square, where=jnp.arange(4) < 3)
    assert masked == value
    columns = divergences.f_divergence(
        jnp.stack([P, Q], 1), jnp.stack([Q, Q], 1), _square, axis=0, keepdims=True
    )
    np.testing.assert_allclose(columns, [[value, 0]])
    jitted = jax.jit(lambda p, q: divergences.f_divergence(p, q, _square))
    np.testing.assert_allclose(jitted(P, Q), value, rtol=1e-6)
    batch = jax.vmap(jitted)(jnp.stack([P, Q]), jnp.stack([Q, Q]))
    np.testing.assert_allclose(batch, [value, 0], rtol=1e-6)
    half = divergences.f_divergence(P.astype(jnp.bfloat16), Q.astype(jnp.bfloat16), _square)
    assert half.dtype == jnp.bfloat16


def test_gradients_are_finite_where_a_mass_is_zero():
    def gradient(f, **options):
        return jax.grad(lambda p, q: divergences.f_divergence(p, q, f, **options), (0, 1))

    by_p, by_q = gradient(_square)(P, Q)
    np.testing.assert_allclose(by_p[:2], 2 * (P / Q - 1)[:2])
    np.testing.assert_allclose(by_q, 1 - (P / Q) ** 2)

    def root(t):
        return 2 - 2 * jnp.sqrt(t)

    for p, q in ((P, Q), (Q, P), (jnp.array([1.0, 0, 0]), jnp.array([0, 1.0, 0]))):
        for part in gradient(root, slope_at_infinity=0.0)(p, q):
            assert np.all(np.isfinite(part))


def test_faults():
    with pytest.raises(TypeError, match="f must be a function"):
        divergences.f_divergence(P, Q, 2.0)
    with pytest.raises(ValueError, match="slope_at_infinity"):
        divergences.f_divergence(P, Q, _square, slope_at_infinity=jnp.nan)
    with pytest.raises(ValueError, match="sum of"):
        divergences.f_divergence(P, 2 * Q, _square)
    assert np.isnan(jax.jit(lambda p, q: divergences.f_divergence(p, q, _square))(P, 2 * Q))
    with pytest.raises(TypeError, match="phi must be a function"):
        divergences.bregman_divergence(P, Q, 3)
    with pytest.raises(ValueError, match="to a scalar"):
        divergences.bregman_divergence(P, Q, lambda v: v)
    with pytest.raises(ValueError, match="broadcast"):
        divergences.bregman_divergence(P, Q[:2], jnp.sum)


def test_bregman_divergences_of_known_functions():
    rng = np.random.default_rng(5)
    with jax.enable_x64(True):
        x, y = (jnp.asarray(rng.uniform(0.5, 2, (4, 3))) for _ in range(2))
        a = jnp.asarray(rng.normal(size=(3, 3)))
        value = divergences.bregman_divergence(x, y, lambda v: jnp.sum((a @ v) ** 2))
        np.testing.assert_allclose(value, np.sum(((x - y) @ a.T) ** 2, -1), rtol=1e-12)
        value = divergences.bregman_divergence(x, y, lambda v: -jnp.sum(jnp.log(v)))
        saito = divergences.itakura_saito_divergence(x, y)
        np.testing.assert_allclose(value, saito, rtol=1e-12)
        np.testing.assert_allclose(saito, np.sum(x / y - np.log(x / y) - 1, -1), rtol=1e-12)
        p, q = x / x.sum(-1, keepdims=True), y / y.sum(-1, keepdims=True)
        value = divergences.bregman_divergence(p, q, lambda v: jnp.sum(v * jnp.log(v)))
        np.testing.assert_allclose(value, divergences.kl_divergence(p, q), rtol=1e-12)
        gradient = jax.grad(
            lambda x: jnp.sum(divergences.bregman_divergence(x, y, lambda v: jnp.sum(v**4)))
        )(x)
        np.testing.assert_allclose(gradient, 4 * x**3 - 4 * y**3, rtol=1e-10)

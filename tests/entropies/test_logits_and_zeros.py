"""Logits, masks, zeros, subnormal masses, large supports: where others get NaN or lose digits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
from jax.experimental import checkify

from infojax import entropies

_LOGITS = np.round(np.random.default_rng(0).normal(size=(3, 8)) * 64) / 64


def _plain(x, axis=-1):
    log_p = jax.nn.log_softmax(x, axis)
    return -jnp.sum(jnp.exp(log_p) * log_p, axis)


def test_shift_by_ten_thousand_changes_nothing():
    x = jnp.asarray(_LOGITS, jnp.float32)  # 1 / 64 is exact beside 1e4
    p = jax.nn.softmax(x[::-1])
    for function in (
        entropies.entropy_from_logits,
        lambda x: entropies.cross_entropy_from_logits(p, x),
    ):
        value = function(x)
        gradient = jax.grad(lambda x, f=function: f(x).sum())
        for shift in (1e4, -1e4):
            np.testing.assert_array_equal(function(x + shift), value)
            np.testing.assert_array_equal(gradient(x + shift), gradient(x))


def test_derivatives_are_those_of_the_plain_formula():
    with jax.enable_x64(True):
        x, dot = jnp.asarray(_LOGITS[0]), jnp.asarray(_LOGITS[1])
        ours = entropies.entropy_from_logits
        np.testing.assert_allclose(ours(x), _plain(x), rtol=1e-14)
        np.testing.assert_allclose(
            jax.grad(ours)(x), jax.jit(jax.grad(_plain))(x), rtol=1e-10, atol=1e-14
        )
        for f in (ours, jax.grad(ours)):
            g = _plain if f is ours else jax.grad(_plain)
            np.testing.assert_allclose(
                jax.jit(lambda x, d, f=f: jax.jvp(f, (x,), (d,))[1])(x, dot),
                jax.jit(lambda x, d, g=g: jax.jvp(g, (x,), (d,))[1])(x, dot),
                rtol=1e-10,
                atol=1e-14,
            )
        np.testing.assert_allclose(
            jax.jit(jax.hessian(ours))(x), jax.jit(jax.hessian(_plain))(x), atol=1e-13
        )
        x = jnp.asarray(_LOGITS)
        both = [jax.jit(jax.grad(lambda x, f=f: f(x, axis=(0, 1))))(x) for f in (ours, _plain)]
        np.testing.assert_allclose(*both, atol=1e-14)


def test_backward_pass_keeps_no_probabilities():
    size = 1 << 14
    for dtype in (jnp.float32, jnp.bfloat16):
        x = jnp.zeros(size, dtype)
        _, backward = jax.vjp(entropies.entropy_from_logits, x)
        kept = [leaf for leaf in jax.tree.leaves(backward) if getattr(leaf, "size", 0) >= size]
        assert len(kept) <= 1 and all(leaf.dtype == dtype for leaf in kept)
    _, plain = jax.vjp(_plain, jnp.zeros(size))  # the plain formula does: the test can fail
    assert sum(getattr(leaf, "size", 0) >= size for leaf in jax.tree.leaves(plain)) > 1


def test_masked_logits():
    x = np.float32([1.0, -np.inf, 0.5, -np.inf])
    support = x[[0, 2]]
    for function in (
        entropies.entropy_from_logits,
        lambda x: entropies.cross_entropy_from_logits(jax.nn.softmax(x) * 0 + _half(x), x),
    ):
        np.testing.assert_allclose(function(x), function(support), rtol=1e-6)
        gradient = jax.jit(jax.grad(function))(x)
        np.testing.assert_allclose(
            gradient[jnp.array([0, 2])], jax.jit(jax.grad(function))(support), rtol=1e-5
        )
        np.testing.assert_array_equal(gradient[jnp.array([1, 3])], 0)
        assert np.all(np.isfinite(jax.jit(jax.hessian(function))(x)))
    # A target of mass where the prediction is impossible costs infinitely much; never NaN.
    p = np.float32([0.5, 0.5])
    assert entropies.cross_entropy_from_logits(p, np.float32([0, -np.inf])) == np.inf


def _half(x):
    return jnp.where(jnp.isfinite(x), 0.5, 0.0)


@pytest.mark.parametrize("rubbish", [np.nan, -np.inf])
def test_what_is_masked_never_reaches_gradients(rubbish):
    where = np.array([True, True, False])
    p, x = np.float32([0.5, 0.5, rubbish]), np.float32([1.0, 2.0, rubbish])
    with_p = [
        entropies.entropy,
        entropies.perplexity,
        lambda p, **k: entropies.renyi_entropy(p, 1, **k),
        lambda p, **k: entropies.renyi_entropy(p, 3, **k),
        lambda p, **k: entropies.renyi_entropy(p, np.inf, **k),
        lambda p, **k: entropies.tsallis_entropy(p, 2, **k),
        lambda p, **k: entropies.cross_entropy(p, p, **k),
        lambda p, **k: entropies.cross_entropy_from_logits(p, x, **k),
    ]
    for function in with_p:
        gradient = jax.jit(jax.grad(lambda p, f=function: f(p, where=where)))(p)
        assert np.all(np.isfinite(gradient)) and gradient[2] == 0
    for function in (
        entropies.entropy_from_logits,
        lambda x, **k: entropies.cross_entropy_from_logits(p, x, **k),
    ):
        gradient = jax.jit(jax.grad(lambda x, f=function: f(x, where=where)))(x)
        assert np.all(np.isfinite(gradient)) and gradient[2] == 0


@pytest.mark.parametrize("row", [[-np.inf] * 3, [0.0, np.nan, 0.0], [np.inf, 0.0, 0.0]])
def test_rows_without_a_distribution(row):
    logits = np.float32([[0, 1, 2], row])
    p = np.full((2, 3), 1 / 3, np.float32)
    for function in (
        entropies.entropy_from_logits,
        lambda x: entropies.cross_entropy_from_logits(p, x),
    ):
        with pytest.raises(ValueError, match="logits must be finite or -inf, with a finite one"):
            function(logits)
        value = jax.jit(function)(logits)
        assert np.isfinite(value[0]) and np.isnan(value[1])
        error, _ = checkify.checkify(jax.jit(function))(logits)
        assert "logits must be finite" in error.get()
    if np.isnan(row).any():
        with pytest.raises(ValueError, match=r"logits\[1, 1\] = nan"):
            entropies.entropy_from_logits(logits)


def test_gradients_at_zero_and_one():
    assert jax.grad(entropies.entropy)(np.float32([1, 0])).tolist() == [-1, 0]
    at_half = jax.grad(entropies.entropy)(np.float32([0.5, 0.5, 0]))
    np.testing.assert_allclose(at_half, [np.log(2) - 1, np.log(2) - 1, 0], rtol=1e-6)
    ends = jnp.array([0.0, 1.0])
    assert entropies.binary_entropy(ends).tolist() == [0, 0]
    slope = jax.grad(lambda p: entropies.binary_entropy(p).sum())
    assert slope(ends).tolist() == [0, 0]
    p = jnp.array([1e-6, 0.25, 0.5, 0.9])
    np.testing.assert_allclose(slope(p), -scipy.special.logit(np.asarray(p, float)), rtol=1e-5)
    target = jnp.array([0.5, 0.5, 0.0])
    by_p, by_q = jax.grad(entropies.cross_entropy, (0, 1))(target, jnp.array([0.5, 0.5, 0.0]))
    np.testing.assert_allclose(by_q, [-1, -1, 0])
    assert by_p[2] == 0


def test_subnormal_masses_count_as_zero():
    p = np.float32([1, 1e-40, 1e-44])
    for function in (
        entropies.entropy,
        lambda p: entropies.renyi_entropy(p, 0),
        lambda p: entropies.renyi_entropy(p, 0.5),
        lambda p: entropies.tsallis_entropy(p, 0.5),
        lambda p: entropies.cross_entropy(p, p),
    ):
        assert function(p) == 0
        assert np.all(np.isfinite(jax.grad(function)(p)))


def test_conditional_entropy_of_tiny_masses_has_a_gradient():
    joint = np.float32([[0.5, 1e-25], [0.5, 2e-25]])
    gradient = jax.grad(lambda p: entropies.conditional_entropy(p, axis=0, given=1))(joint)
    np.testing.assert_allclose(gradient, -np.log(joint / joint.sum(0)), rtol=1e-6)


_MILLION = 10**6


@pytest.mark.parametrize("law", ["uniform", "zipf", "exponential"])
@pytest.mark.parametrize("shape", [(_MILLION,), (1, _MILLION), (_MILLION, 1), (1000, 1000)])
def test_float32_on_a_million_symbols(law, shape):
    k = np.arange(1, _MILLION + 1.0)
    weights = {"uniform": k**0, "zipf": 1 / k, "exponential": -np.log(k / (_MILLION + 1))}[law]
    p = (weights / weights.sum()).astype(np.float32)
    exact = scipy.special.entr(p.astype(np.float64)).sum()
    axis = None if shape == (1000, 1000) else int(np.argmax(shape))
    single = p.reshape(shape)
    logits = np.log(single)
    q = np.exp(logits.astype(np.float64).ravel())
    for value, expected in (
        (entropies.entropy(single, axis=axis), exact),
        # A mapped batch of one is the exception that `numerics.total` tells of.
        (jax.vmap(lambda p: entropies.entropy(p, axis=axis))(np.stack([single] * 2)), exact),
        (entropies.renyi_entropy(single, 1.0, axis=axis), exact),
        (
            entropies.renyi_entropy(single, 0.5, axis=axis),
            2 * np.log(np.sqrt(p, dtype=float).sum()),
        ),
        (entropies.cross_entropy(single, single, axis=axis), exact),
        (
            entropies.entropy_from_logits(logits, axis=axis),
            np.log(q.sum()) - np.sum(q * np.log(q)) / q.sum(),
        ),
    ):
        np.testing.assert_allclose(value, np.full(value.shape, expected), rtol=2e-6)


def test_counts_of_every_type():
    for counts in (np.array([3, 1]), np.array([3, 1], np.uint8), [3, 1]):
        value = entropies.entropy_from_counts(counts)
        assert value.dtype == np.float32
        np.testing.assert_allclose(value, scipy.stats.entropy([3, 1]), rtol=1e-6)
    assert entropies.entropy_from_counts(jnp.array([3, 1], jnp.bfloat16)).dtype == jnp.bfloat16
    with jax.enable_x64(True):
        value = entropies.entropy_from_counts(np.array([3, 1]))
        assert value.dtype == np.float64
        np.testing.assert_allclose(value, scipy.stats.entropy([3, 1]), rtol=1e-15)

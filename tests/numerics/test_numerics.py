"""The building blocks at zero, at infinity, near their limits, and their derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from infojax import numerics


def _expm1_ratio(u):
    """Value and two derivatives in float64, by Taylor near 0 where the formulas cancel."""
    k = np.arange(30.0)
    with np.errstate(all="ignore"):
        e = np.exp(u)
        far = [np.expm1(u) / u, (u * e - np.expm1(u)) / u**2]
        far.append((u**2 * e - 2 * u * e + 2 * np.expm1(u)) / u**3)
    factorial = scipy.special.factorial
    near = [
        sum(u**i / (factorial(i) * (i + 1 + order)) for i in k) for order in range(3)
    ]  # integral of t^order exp(t u) over t in (0, 1)
    return [np.where(np.abs(u) < 1, a, b) for a, b in zip(near, far, strict=True)]


def _log1p_ratio(s):
    k = np.arange(60.0)
    with np.errstate(all="ignore"):
        value = np.log1p(s) / s
        first = (1 / (1 + s) - value) / s
        second = (-1 / (1 + s) ** 2 - 2 * first) / s
    near = [
        sum((-s) ** i / (i + 1) for i in k),
        sum(-((-s) ** i) * (i + 1) / (i + 2) for i in k),
        sum((-s) ** i * (i + 1) * (i + 2) / (i + 3) for i in k),
    ]
    small = np.abs(s) < 0.3
    return [np.where(small, a, b) for a, b in zip(near, (value, first, second), strict=True)]


_TINY = np.concatenate([[0.0], np.logspace(-38, -1, 60)])


@pytest.mark.parametrize(
    ("function", "exact", "points"),
    [
        (
            numerics.expm1_ratio,
            _expm1_ratio,
            np.concatenate([np.linspace(-30, 30, 2001), _TINY, -_TINY, [0.25, -0.25, 0.2499]]),
        ),
        (
            numerics.log1p_ratio,
            _log1p_ratio,
            np.concatenate([np.linspace(-0.999, 100, 2001), -0.99 * _TINY, _TINY, [0.05, -0.05]]),
        ),
    ],
)
def test_ratios_and_two_derivatives_in_float32(function, exact, points):
    x = points.astype(np.float32)
    first = jax.grad(function)
    expected = exact(x.astype(np.float64))
    for f, wanted, tolerance in zip(
        (function, first, jax.grad(first)), expected, (1e-6, 2e-5, 5e-4), strict=True
    ):
        got = np.asarray(jax.jit(jax.vmap(f))(x))
        np.testing.assert_allclose(got, wanted, rtol=tolerance, err_msg=str(tolerance))


def test_logarithms_at_zero():
    x = jnp.array([0.0, 1e-40, 0.5, 1.0])
    slope = lambda f: jax.vmap(jax.grad(f))(x)  # noqa: E731
    np.testing.assert_allclose(numerics.safe_log(x), [0, 0, np.log(0.5), 0], rtol=1e-6)
    np.testing.assert_allclose(slope(numerics.safe_log), [0, 0, 2, 1], rtol=1e-6)
    np.testing.assert_allclose(numerics.xlogx(x), [0, 0, 0.5 * np.log(0.5), 0], rtol=1e-6)
    np.testing.assert_allclose(slope(numerics.xlogx), [0, 0, 1 + np.log(0.5), 1], rtol=1e-6)
    assert np.isnan(numerics.xlogx(jnp.nan * x)).all()
    for y in (0.0, -1.0, np.nan, np.inf):
        value, slopes = jax.value_and_grad(numerics.xlogy, (0, 1))(jnp.float32(0), jnp.float32(y))
        assert value == 0 and slopes == (0, 0)
        value, slopes = jax.value_and_grad(numerics.weighted_log, (0, 1))(
            jnp.float32(0), jnp.float32(y)
        )
        assert value == 0 and slopes == (0, 0)
    assert numerics.xlogy(jnp.float32(0.5), jnp.float32(0)) == -np.inf
    assert numerics.weighted_log(jnp.float32(0.5), jnp.float32(-np.inf)) == -np.inf


def test_division_and_root_at_zero():
    value, slopes = jax.value_and_grad(numerics.safe_divide, (0, 1))(jnp.float32(1), jnp.float32(0))
    assert value == 0 and slopes == (0, 0)
    slopes = jax.grad(numerics.safe_divide, (0, 1))(jnp.float32(1e-25), jnp.float32(2e-25))
    np.testing.assert_allclose(slopes, (5e24, -2.5e24), rtol=1e-6)
    tangent = jax.jvp(
        numerics.safe_divide, (jnp.float32(3), jnp.float32(2)), (jnp.ones(()), jnp.ones(()))
    )[1]
    np.testing.assert_allclose(tangent, 0.5 - 0.75)
    assert (
        jax.grad(numerics.safe_sqrt)(jnp.zeros(())) == 0
        and numerics.safe_sqrt(jnp.float32(np.inf)) == np.inf
    )
    np.testing.assert_allclose(jax.grad(numerics.safe_sqrt)(jnp.float32(4)), 0.25)


def test_total_is_a_sum_of_any_axes_and_keeps_its_digits():
    x = np.random.default_rng(0).normal(size=(3, 40, 5, 60)).astype(np.float32)
    for axes in ((1,), (3,), (1, 3), (0, 1, 2, 3), (3, 1), (2,), ()):
        exact = x.astype(np.float64).sum(axes, keepdims=True)
        np.testing.assert_allclose(numerics.total(x, axes), exact, rtol=2e-4, atol=1e-4)
    equal = np.full((1, 1, 10**6), 1e-6, np.float32)
    for value in (numerics.total(equal, (2,)), jax.vmap(lambda x: numerics.total(x, (1,)))(equal)):
        np.testing.assert_allclose(
            value, equal.astype(np.float64).sum().reshape(1, 1, 1), rtol=2e-7
        )
    gradient = jax.grad(lambda x: numerics.total(x, (1, 3)).sum())(x)
    np.testing.assert_array_equal(gradient, np.ones_like(x))
    assert numerics.total(np.zeros((2, 0), np.float32), (1,)).tolist() == [[0], [0]]


def test_gamma_functions_in_both_precisions():
    x = np.concatenate([np.geomspace(1e-3, 15.9, 50), [16.0, 16.1], np.geomspace(17, 1e9, 40)])
    psi, gammaln = scipy.special.digamma, scipy.special.gammaln
    with jax.enable_x64(True):
        cases = (
            (numerics.log_minus_digamma, np.log(x) - psi(x)),
            (numerics.standard_gamma_entropy, x + gammaln(x) + (1 - x) * psi(x)),
            (numerics.digamma_half_step, psi(x + 0.5) - psi(x)),
            (numerics.gammaln_half_step, gammaln(x + 0.5) - gammaln(x) - np.log(x) / 2),
        )
        for function, naive in cases:
            near = x < 1e3  # the naive formula is good there only
            exact = np.asarray(function(x))
            np.testing.assert_allclose(exact[near], naive[near], rtol=2e-9, atol=1e-11)
            single = np.asarray(function(x.astype(np.float32)))
            np.testing.assert_allclose(single, exact, rtol=3e-5, atol=6e-6)
            large = x >= 16
            np.testing.assert_allclose(single[large], exact[large], rtol=1e-6)
            slope = jax.jit(jax.vmap(jax.grad(function)))(x)
            step = 1e-6 * x
            difference = (function(x + step) - function(x - step)) / (2 * step)
            np.testing.assert_allclose(slope[near], difference[near], rtol=1e-5, atol=1e-8)
    with jax.enable_x64(True):  # the limits
        np.testing.assert_allclose(x[-1] * numerics.log_minus_digamma(x[-1]), 0.5)
        np.testing.assert_allclose(x[-1] * numerics.digamma_half_step(x[-1]), 0.5)
        np.testing.assert_allclose(x[-1] * numerics.gammaln_half_step(x[-1]), -0.125)


def test_precision_at_the_edges():
    half, single = jnp.ones(2, jnp.bfloat16), jnp.ones(2)
    assert [a.dtype for a in numerics.widen(half, half)] == [jnp.float32] * 2
    assert numerics.narrow(single, half, half).dtype == jnp.bfloat16
    assert numerics.narrow(single, half, single).dtype == jnp.float32
    assert numerics.probability_tolerance(jnp.bfloat16) > numerics.probability_tolerance("float32")
    assert numerics.smallest_normal(jnp.float32) == pytest.approx(1.17549435e-38)


def test_units_and_batches():
    assert numerics.log_of_base(None) == 1.0
    bits = numerics.nats_to_base(jnp.log(8.0), 2)
    np.testing.assert_allclose(bits, 3, rtol=1e-6)
    np.testing.assert_allclose(numerics.rate_to_nats(bits, 2), np.log(8), rtol=1e-6)
    for function in (numerics.nats_to_base, numerics.rate_to_nats):
        for base in (0, 1, -1.0, np.nan, np.inf):
            with pytest.raises(ValueError, match="base must be positive, finite and not 1; got"):
                function(bits, base)
        for base in ("2", True, 1j, [2]):
            with pytest.raises(TypeError, match="base must be a real number"):
                function(bits, base)
    out = numerics.over_batch(
        lambda a, b: (a.sum() + b[0], a), np.ones((2, 3, 4)), np.ones((2, 3, 1))
    )
    assert out[0].shape == (2, 3) and out[1].shape == (2, 3, 4) and (out[0] == 5).all()
    assert numerics.over_batch(lambda a: a[0], np.ones((0, 3, 4))).shape == (0, 3)


def test_gate():
    valid = jnp.array([True, False])
    assert np.isnan(numerics.gated(jnp.ones(2), valid)).tolist() == [False, True]
    assert np.isnan(numerics.gated(jnp.ones(2), valid, ~valid)).all()

"""Expected improvement and its kin against golden numbers, quadrature, and their own laws."""

import json

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr, roots_laguerre
from scipy.stats import norm

from infojax.optimize import acquisition
from tests.optimize.problems import GOLDEN, golden


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


def _log_gain(u):
    """log h(u) and its derivative by quadrature in the tail, by the definition elsewhere."""
    u = np.asarray(u, float)
    t = np.maximum(-u, 4.0)
    nodes, weights = roots_laguerre(80)
    # h(-t) = phi(t) / t^2 times the mean of w exp(-w^2 / 2 t^2) over an exponential w.
    bend = np.exp(-0.5 * (nodes / t[..., None]) ** 2)
    first, zeroth = bend @ (weights * nodes), bend @ weights
    tail = norm.logpdf(t) + np.log(first) - 2 * np.log(t)
    near = np.maximum(u, -4.0)
    direct = norm.pdf(near) + near * ndtr(near)
    value = np.where(u < -4, tail, np.log(direct))
    return value, np.where(u < -4, t * zeroth / first, ndtr(near) / direct)


@pytest.mark.parametrize("number", [0, 1])
def test_golden(number):
    data, _ = golden(number)
    mean, std = data["mean_m52"], np.sqrt(np.diag(data["cov_m52"]))
    best = data["best"]
    close = {"rtol": 1e-7, "atol": 1e-12}
    found = acquisition.expected_improvement(mean, std, best)
    np.testing.assert_allclose(found, data["ei"], **close)
    found = acquisition.log_expected_improvement(mean, std, best)
    np.testing.assert_allclose(found, data["log_ei"], **close)
    found = acquisition.probability_of_improvement(mean, std, best)
    np.testing.assert_allclose(found, data["pi"], **close)
    found = acquisition.upper_confidence_bound(mean, std, beta=2.0)
    np.testing.assert_allclose(found, data["ucb"], **close)


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-10), (np.float32, 1e-5)])
def test_golden_tail(dtype, tolerance):
    table = json.loads((GOLDEN / "log_ei_tail.json").read_text())
    mean = np.array(table["u"], dtype)
    found = acquisition.log_expected_improvement(mean, np.ones_like(mean), 0.0)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, table["log_h"], rtol=tolerance)


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-10), (np.float32, 1e-5)])
def test_logarithm_to_minus_a_thousand(dtype, tolerance):
    u = np.concatenate([-np.geomspace(0.01, 1000, 1500), np.linspace(-6.5, 10, 500)]).astype(dtype)
    value, slope = _log_gain(u)
    derive = jax.jit(
        jax.vmap(jax.value_and_grad(acquisition.log_expected_improvement), (0, None, None))
    )
    found, gradient = derive(u, dtype(1), dtype(0))
    assert found.dtype == dtype
    # Where log h crosses 0 its relative error says nothing.
    np.testing.assert_array_less(np.abs(found - value) / np.maximum(np.abs(value), 0.1), tolerance)
    np.testing.assert_allclose(gradient, slope, rtol=tolerance)
    # By the deviation: d/ds [log s + log h(m / s)] = 1 / s - u slope / s.
    by_std = jax.jit(jax.vmap(jax.grad(acquisition.log_expected_improvement, 1), (0, None, None)))(
        u, dtype(1), dtype(0)
    )
    np.testing.assert_allclose(by_std, 1 - u * slope, rtol=tolerance, atol=tolerance)


def test_plain_form_keeps_its_digits_in_the_tail():
    u = -np.linspace(0.0, 35.0, 200)
    found = acquisition.expected_improvement(u, np.ones_like(u), 0.0)
    np.testing.assert_allclose(np.log(found), _log_gain(u)[0], rtol=1e-12)


@given(
    mean=st.floats(-3, 3), std=st.floats(1e-3, 3), best=st.floats(-3, 3), step=st.floats(1e-3, 1)
)
def test_laws_of_expected_improvement(mean, std, best, step):
    gain = _GAIN
    mean, std, best = map(np.float64, (mean, std, best))
    value = gain(mean, std, best)
    assert value >= max(0.0, mean - best) - 1e-15
    assert gain(mean + step, std, best) >= value and gain(mean, std + step, best) >= value
    by_mean, by_std, by_best = _DERIVATIVES(mean, std, best)
    u = (mean - best) / std
    np.testing.assert_allclose(by_mean, ndtr(u), atol=1e-14)
    np.testing.assert_allclose(by_best, -ndtr(u), atol=1e-14)
    np.testing.assert_allclose(by_std, norm.pdf(u), atol=1e-14)


_GAIN = jax.jit(acquisition.expected_improvement)
_DERIVATIVES = jax.jit(jax.grad(acquisition.expected_improvement, (0, 1, 2)))


def test_edges():
    mean, zero = np.array([-1.0, 0.0, 2.0]), np.zeros(3)
    np.testing.assert_array_equal(acquisition.expected_improvement(mean, zero, 0.0), [0, 0, 2])
    np.testing.assert_allclose(
        acquisition.log_expected_improvement(mean, zero, 0.0), [-np.inf, -np.inf, np.log(2)]
    )
    np.testing.assert_array_equal(
        acquisition.probability_of_improvement(mean, zero, 0.0), [0, 0, 1]
    )
    ones = np.ones(3)
    for function in (acquisition.expected_improvement, acquisition.log_expected_improvement):
        np.testing.assert_array_equal(function(mean, ones, -np.inf), np.full(3, np.inf))
    np.testing.assert_array_equal(acquisition.probability_of_improvement(mean, ones, -np.inf), ones)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: acquisition.expected_improvement(np.zeros(2), np.zeros(3), 0.0),
            ValueError,
            r"broadcast; got mean \(2,\), std \(3,\)",
        ),
        (
            lambda: acquisition.expected_improvement(np.zeros(1), np.array([-1.0]), 0.0),
            ValueError,
            r"std must be non-negative and finite; got std\[0\] = -1",
        ),
        (
            lambda: acquisition.log_expected_improvement(np.array([np.nan]), np.ones(1), 0.0),
            ValueError,
            r"mean must be finite; got mean\[0\] = nan",
        ),
        (
            lambda: acquisition.expected_improvement(np.zeros(1), np.ones(1), np.nan),
            ValueError,
            "best must be a number",
        ),
        (
            lambda: acquisition.upper_confidence_bound(np.zeros(1), np.ones(1), beta=-1.0),
            ValueError,
            "beta must be non-negative",
        ),
        (
            lambda: acquisition.probability_of_improvement(np.zeros(1, int), np.ones(1), 0.0),
            TypeError,
            "mean must have a floating type",
        ),
    ],
)
def test_faults(call, error, message):
    with pytest.raises(error, match=message):
        call()

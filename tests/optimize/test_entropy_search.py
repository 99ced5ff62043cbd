"""Entropy search in its forms against golden numbers, closed forms and simulation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import norm

from infojax.optimize import acquisition
from tests.optimize.problems import golden


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("number", [0, 1])
def test_golden(number):
    data, _ = golden(number)
    std = np.sqrt(np.diag(data["cov_m52"]))
    found = acquisition.max_value_entropy_search(data["mean_m52"], std, data["mes_ystar"])
    np.testing.assert_allclose(found, data["mes"], rtol=1e-7, atol=1e-12)


def test_information_falls_as_the_maximum_rises():
    maxima = np.linspace(-60.0, 60.0, 481)
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
        value = jax.vmap(
            lambda y, dtype=dtype: acquisition.max_value_entropy_search(
                jnp.zeros((), dtype), jnp.ones((), dtype), y[None]
            )
        )(jnp.asarray(maxima, dtype))
        assert np.all(np.isfinite(value)) and np.all(value >= 0)
        assert np.all(np.diff(value) <= tolerance)
        # Of one that is certain to be far below: log t, up to a constant and O(t^-2).
        np.testing.assert_allclose(value[0] - value[80], np.log(60.0 / 40.0), atol=2e-3)
    certain = acquisition.max_value_entropy_search(np.zeros(1), np.zeros(1), np.ones(1))
    np.testing.assert_array_equal(certain, 0)


def test_gumbel_has_the_quartiles_of_the_maximum():
    rng = np.random.default_rng(0)
    mean, std = rng.normal(size=40), rng.uniform(0.1, 1, 40)
    std[3] = 0
    samples = acquisition.gumbel_maxima(jax.random.key(0), mean, std, 40_000)

    def log_probability(q):
        keep = std > 0
        certain = 0.0 if q >= mean[3] else -np.inf
        return np.sum(norm.logcdf((q - mean[keep]) / std[keep])) + certain

    for level in (0.25, 0.75):
        # The fit has the distance of the outer quartiles and the median of the law itself.
        q = np.quantile(samples, level)
        np.testing.assert_allclose(np.exp(log_probability(q)), level, atol=0.03)
    median = np.quantile(samples, 0.5)
    np.testing.assert_allclose(np.exp(log_probability(median)), 0.5, atol=0.01)


def _two_point_information(own, other, noise):
    """The information of y = f1 + e about whether f1 > f2, centred and independent."""
    y = np.linspace(-12, 12, 20_001) * np.sqrt(own + noise)
    density = norm.pdf(y, scale=np.sqrt(own + noise))
    mean = own / (own + noise) * y
    p = ndtr(mean / np.sqrt(own - own**2 / (own + noise) + other))
    inner = np.clip(p, 1e-300, 1)
    outer = np.clip(1 - p, 1e-300, 1)
    entropy = -p * np.log(inner) - (1 - p) * np.log(outer)
    return np.log(2) - np.trapezoid(entropy * density, y)


def test_entropy_search_of_two_points_is_an_integral():
    covariance, noise = jnp.diag(jnp.array([1.0, 0.5])), 0.2
    exact = [_two_point_information(1.0, 0.5, noise), _two_point_information(0.5, 1.0, noise)]
    found = acquisition.entropy_search_discrete(
        jax.random.key(1), jnp.zeros(2), covariance, noise, samples=8192
    )
    np.testing.assert_allclose(found, exact, atol=0.015)
    # From the other side, with the entropy of a normal for that of the observation: a bound.
    bound = acquisition.predictive_entropy_search_discrete(
        jax.random.key(2), jnp.zeros(2), covariance, noise, samples=40_000
    )
    assert np.all(bound <= found + 0.015)
    np.testing.assert_allclose(bound, exact, atol=0.08)
    smooth = acquisition.entropy_search_discrete(
        jax.random.key(1), jnp.zeros(2), covariance, noise, samples=8192, temperature=0.01
    )
    np.testing.assert_allclose(smooth, found, atol=0.02)


def test_both_sides_agree_on_a_process():
    data, _ = golden(1)
    index = np.array([0, 3, 7, 11])
    mean, covariance = data["mean_m52"][index], data["cov_m52"][np.ix_(index, index)]
    entropy_side = acquisition.entropy_search_discrete(
        jax.random.key(0), mean, covariance, data["noise"], samples=8192
    )
    value_side = acquisition.predictive_entropy_search_discrete(
        jax.random.key(0), mean, covariance, data["noise"], samples=40_000
    )
    assert np.all(value_side <= entropy_side + 0.02)
    np.testing.assert_allclose(value_side, entropy_side, atol=0.1)
    assert np.argmax(value_side) == np.argmax(entropy_side)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: acquisition.max_value_entropy_search(np.zeros(1), np.ones(1), np.zeros(0)),
            ValueError,
            "maxima must hold at least one sample",
        ),
        (
            lambda: acquisition.max_value_entropy_search(
                np.zeros(1), np.ones(1), np.array([np.nan])
            ),
            ValueError,
            r"maxima must be finite; got maxima\[0\] = nan",
        ),
        (
            lambda: acquisition.gumbel_maxima(jax.random.key(0), np.zeros(2), np.ones(2), 0),
            ValueError,
            "n must be at least 1",
        ),
        (
            lambda: acquisition.gumbel_maxima(jax.random.key(0), np.zeros(0), np.ones(0), 1),
            ValueError,
            "mean and std must have shape",
        ),
        (
            lambda: acquisition.entropy_search_discrete(
                jax.random.key(0), np.zeros(2), np.eye(2), 0.0, temperature=0.0
            ),
            ValueError,
            "temperature must be positive",
        ),
    ],
)
def test_faults(call, error, message):
    with pytest.raises(error, match=message):
        call()

"""Jackknife, bootstrap and subsampling: closed forms, numpy loops, coverage, bad input."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax import information

_X = np.random.default_rng(0).normal(size=24).astype(np.float32)
_KEY = jax.random.key(0)


def _rng_rows(count):
    return np.random.default_rng(1).normal(size=count).astype(np.float32)


def test_jackknife_of_a_mean_and_of_a_variance():
    mean = information.jackknife(jnp.mean, _X)
    error = _X.std(ddof=1) / np.sqrt(24)
    np.testing.assert_allclose(mean.standard_error, error, 1e-4)
    np.testing.assert_allclose(mean.bias, 0, atol=1e-5)
    np.testing.assert_allclose((mean.high - mean.low) / 2, 1.959964 * error, 1e-4)
    variance = information.jackknife(jnp.var, _X, batch_size=5)
    np.testing.assert_allclose(variance.bias_corrected(), _X.var(ddof=1), 1e-4)


def test_jackknife_by_groups_against_a_loop():
    y = _rng_rows(24)

    def slope(x, y):
        return jnp.mean(x * y) / jnp.mean(x * x)

    result = information.jackknife(slope, _X, y, num_groups=6)
    keep = [np.arange(24) % 6 != group for group in range(6)]
    values = np.array([slope(_X[k], y[k]) for k in keep], np.float64)
    full = float(slope(_X, y))
    np.testing.assert_allclose(result.bias, 5 * (values.mean() - full), rtol=1e-3, atol=1e-5)
    error = np.sqrt(5 / 6 * np.sum((values - values.mean()) ** 2))
    np.testing.assert_allclose(result.standard_error, error, 1e-4)


def test_bootstrap_intervals_of_a_mean():
    error = _X.std() / np.sqrt(24)
    widths = {}
    for method in ("percentile", "basic", "normal"):
        result = information.bootstrap(
            jnp.mean, _X, key=_KEY, method=method, num_resamples=2000, batch_size=500
        )
        np.testing.assert_allclose(result.standard_error, error, rtol=0.1)
        assert abs(float(result.bias)) < 4 * error / np.sqrt(2000)
        np.testing.assert_allclose(result.high - result.low, 3.92 * error, rtol=0.1)
        widths[method] = result
    mirrored = widths["basic"].low + widths["percentile"].high
    np.testing.assert_allclose(mirrored, 2 * _X.mean(), atol=1e-5)
    again = information.bootstrap(jnp.mean, _X, key=_KEY, num_resamples=2000, batch_size=500)
    assert float(again.low) == float(widths["percentile"].low)


def test_rows_stay_together_or_move_apart():
    def distance(x, y):
        return jnp.mean(jnp.abs(x - y[: x.shape[0]]))

    together = information.bootstrap(distance, _X, _X, key=_KEY, num_resamples=10)
    assert float(together.standard_error) == 0
    apart = information.bootstrap(
        distance,
        _X,
        np.append(_X, np.float32(1)),
        key=_KEY,
        num_resamples=10,
        paired=False,
    )
    assert float(apart.standard_error) > 0


def test_subsampling_scales_the_spread_to_all_samples():
    x = _rng_rows(400)
    result = information.subsample_interval(
        jnp.mean, x, key=_KEY, num_resamples=1000, batch_size=250
    )
    np.testing.assert_allclose(result.standard_error, x.std() / 20, rtol=0.1)
    assert result.low < result.estimate < result.high
    # A bias that falls like 1 / N: the variance's, -var / N.
    result = information.subsample_interval(
        jnp.var, x, key=_KEY, size=40, num_resamples=2000, batch_size=500
    )
    np.testing.assert_allclose(result.bias, -x.var() / 400, atol=1.5e-3)


def test_no_sample_is_drawn_twice_by_subsampling():
    def least_gap(x):
        return jnp.min(jnp.diff(jnp.sort(x)))

    whole = np.arange(30, dtype=np.float32)
    gaps = information.subsample_interval(least_gap, whole, key=_KEY, num_resamples=50)
    assert float(gaps.estimate) == 1
    repeated = information.bootstrap(least_gap, whole, key=_KEY, num_resamples=50)
    assert float(repeated.high) == 0, "copies lie at distance zero"


def test_coverage_on_gaussians():
    """Of nominal 95 %, on 40 data sets side by side."""
    x = np.random.default_rng(5).normal(size=(40, 50, 1)).astype(np.float32)
    noise = np.random.default_rng(6).normal(size=x.shape).astype(np.float32)
    y = np.float32(0.6) * x + np.float32(0.8) * noise
    truth = -np.log(0.8)
    mutual = information.gaussian_copula_mutual_information
    for wrapper in (
        functools.partial(information.jackknife, mutual, num_groups=10),
        functools.partial(information.subsample_interval, mutual, key=_KEY, num_resamples=30),
    ):
        found = jax.jit(jax.vmap(wrapper))(x, y)
        covered = np.mean((found.low <= truth) & (truth <= found.high))
        assert 0.8 <= covered <= 1.0, covered


def test_the_result_is_a_pytree_and_dtype_is_kept():
    x = jnp.asarray(_X, jnp.bfloat16)
    result = information.jackknife(jnp.mean, x)
    assert all(leaf.dtype == jnp.bfloat16 for leaf in jax.tree.leaves(result))
    labels = np.arange(24) % 2
    found = information.jackknife(lambda x, c: jnp.mean(x * c), _X, labels)
    assert found.estimate.shape == ()


@pytest.mark.parametrize(
    ("function", "arguments", "options", "error", "pattern"),
    [
        ("jackknife", (jnp.mean, _X), {"num_groups": 7}, ValueError, "must divide N = 24"),
        ("jackknife", (jnp.mean, _X), {"num_groups": 1}, ValueError, "at least 2"),
        ("jackknife", (jnp.mean, _X[:1]), {}, ValueError, "at least 2 along"),
        ("jackknife", (jnp.mean,), {}, ValueError, "one array or more"),
        ("jackknife", (_X, _X), {}, TypeError, "estimator must be a function"),
        ("jackknife", (jnp.sort, _X), {}, ValueError, "must return a scalar"),
        ("jackknife", (jnp.mean, _X), {"level": 95}, ValueError, "level must be"),
        ("jackknife", (lambda x, y: jnp.mean(x), _X, _X[:3]), {}, ValueError, "must agree"),
        ("bootstrap", (jnp.mean, _X), {"num_resamples": 1}, ValueError, "at least 2"),
        ("bootstrap", (jnp.mean, _X), {"method": "bca"}, ValueError, "method must be one of"),
        ("subsample_interval", (jnp.mean, _X), {"size": 24}, ValueError, "below N = 24"),
        ("subsample_interval", (jnp.mean, _X), {"size": 0}, ValueError, "at least 1"),
    ],
)
def test_bad_input(function, arguments, options, error, pattern):
    if function != "jackknife":
        options = {"key": _KEY, **options}
    with pytest.raises(error, match=pattern):
        getattr(information, function)(*arguments, **options)


def test_errors_of_the_estimator_come_through():
    bad = np.full((10, 1), np.nan, np.float32)
    with pytest.raises(ValueError, match="finite samples"):
        information.jackknife(functools.partial(information.binned_entropy, bins=2), bad)

import doctest
import math

import numpy as np
import pytest

from experiments import runner
from experiments.runner import claims, intervals


def claim(value, threshold, **keywords):
    return runner.claim(
        name="n", statement="s", source="p", value=value, threshold=threshold, **keywords
    )


@pytest.mark.parametrize(
    ("value", "threshold", "holds"),
    [
        (0.3, ">= 0.3", True),
        (0.29, ">= 0.3", False),
        (0.3, "> 0.3", False),
        (0.3, "<=0.3", True),
        (-1, "< -1e-3", True),
        (2, "== 2", True),
        (2.1, "== 2", False),
        (0.1 + 0.2, "== .3", True),
        (0.5, "in [0, 1]", True),
        (1.5, "in [0, 1]", False),
        (math.nan, ">= 0", False),
        (math.nan, "in [0, 1]", False),
        (math.nan, "== 0", False),
        (np.float32(4), ">= 3", True),
    ],
)
def test_thresholds_on_the_value(value, threshold, holds):
    assert claim(value, threshold).holds is holds


@pytest.mark.parametrize(
    ("interval", "threshold", "holds"),
    [
        ((0.3, 0.9), ">= 0.3", True),
        ((0.2, 0.9), ">= 0.3", False),
        ((0.2, 0.9), "<= 0.9", True),
        ((0.2, 0.9), "== 0.5", True),
        ((0.2, 0.9), "== 1", False),
        ((0.2, 1.1), "in [0, 1]", False),
        ((math.nan, math.nan), ">= 0", False),
    ],
)
def test_thresholds_on_the_interval(interval, threshold, holds):
    assert claim(0.5, threshold, interval=interval, by="interval").holds is holds


def test_a_verdict_can_be_given():
    assert claim(1.0, "grows with n", holds=True).holds is True
    with pytest.raises(ValueError, match="'grows with n' is not"):
        claim(1.0, "grows with n")
    with pytest.raises(ValueError, match='"value" or "interval"'):
        claim(1.0, ">= 0", by="mean")
    with pytest.raises(ValueError, match="needs an interval"):
        claim(1.0, ">= 0", by="interval")


def test_the_example_in_the_documentation():
    assert doctest.testmod(claims).attempted > 0
    assert doctest.testmod(claims).failed == 0


def test_json_of_a_claim():
    made = claim(np.float64(0.5), ">= 0", interval=(np.float32(0.25), math.inf))
    assert made.to_json() == {
        "name": "n",
        "statement": "s",
        "source": "p",
        "value": 0.5,
        "interval": [0.25, None],
        "threshold": ">= 0",
        "holds": True,
    }
    assert isinstance(made, claims.Claim)


def test_mean_interval_is_students():
    samples = np.asarray([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
    estimate = runner.mean_interval(samples)
    np.testing.assert_allclose(estimate.value, [2, 5])
    # t quantile for 2 degrees of freedom and 95 %, from the tables
    np.testing.assert_allclose(estimate.high - estimate.value, [4.302653 / 3**0.5, 0], rtol=1e-6)
    scalar = runner.mean_interval(samples[:, 0])
    assert scalar.interval == (estimate.low[0], estimate.high[0])
    assert isinstance(scalar.low, float)
    alone = runner.mean_interval([2.0])
    assert alone.value == 2 and math.isnan(alone.low) and math.isnan(alone.high)
    np.testing.assert_array_equal(runner.mean_interval(samples, axis=1).value, [3, 3.5, 4])
    with pytest.raises(ValueError, match="no replicate"):
        runner.mean_interval(np.zeros((0, 2)))
    with pytest.raises(ValueError, match="level"):
        runner.mean_interval([1.0, 2.0], level=95)


def test_mean_interval_covers_as_often_as_it_says():
    generator = np.random.default_rng(0)
    estimate = runner.mean_interval(generator.normal(size=(5, 4000)))
    covered = np.mean((estimate.low <= 0) & (estimate.high >= 0))
    assert abs(covered - 0.95) < 0.015


def test_bootstrap_interval():
    samples = np.random.default_rng(1).normal(3, 1, size=400)
    estimate = runner.bootstrap_interval(samples, seed=0)
    student = runner.mean_interval(samples)
    np.testing.assert_allclose(estimate, student, atol=0.02)
    assert runner.bootstrap_interval(samples, seed=0) == estimate
    assert runner.bootstrap_interval(samples, seed=1) != estimate
    median = runner.bootstrap_interval(samples, np.median, seed=0, resamples=200)
    assert median.low < median.value < median.high
    with pytest.raises(ValueError, match="no replicate"):
        runner.bootstrap_interval([], seed=0)
    never = runner.bootstrap_interval([1.0, 2.0, 3.0, np.inf, np.inf], np.median, seed=0)
    assert never.value == 3 and never.low < 3 and never.high == np.inf


def test_wilson_interval():
    estimate = runner.wilson_interval(8, 10)
    # R: prop.test(8, 10, correct = FALSE)
    np.testing.assert_allclose(estimate, [0.8, 0.4901625, 0.9433178], atol=1e-6)
    many = runner.wilson_interval([0, 5, 10], 10)
    assert many.low[0] == 0 and many.high[2] == 1 and many.high[0] > 0.2
    for successes, n in [(1, 0), (3, 2), (-1, 2)]:
        with pytest.raises(ValueError, match="0 <= successes <= n"):
            runner.wilson_interval(successes, n)
    assert isinstance(intervals.wilson_interval(1, 2).value, float)

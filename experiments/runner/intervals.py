"""Confidence intervals over seeds and replicates."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Estimate(NamedTuple):
    """A value with its interval; floats, or arrays for the points of a curve."""

    value: float | np.ndarray
    low: float | np.ndarray
    high: float | np.ndarray

    @property
    def interval(self) -> tuple:
        """(low, high), as `claim` takes it."""
        return self.low, self.high


def mean_interval(samples, *, axis: int = 0, level: float = 0.95) -> Estimate:
    """Mean of independent replicates with Student's t interval.

    Args:
      samples: Replicates along `axis`; other axes are separate quantities.
      axis: The axis of the replicates.
      level: The probability that the interval covers the true mean.

    Returns:
      Mean, low and high. With one replicate the interval is unknown: (nan, nan).
    """
    from scipy.special import stdtrit  # scipy.stats would add a second to every start

    samples = _as_float(samples)
    n = samples.shape[axis]
    if n == 0:
        raise ValueError(f"samples has no replicate along axis {axis}: shape {samples.shape}")
    mean = samples.mean(axis=axis)
    if n == 1:
        return _estimate(mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan))
    error = samples.std(axis=axis, ddof=1) / np.sqrt(n)
    half = stdtrit(n - 1, (1 + _checked(level)) / 2) * error
    return _estimate(mean, mean - half, mean + half)


def bootstrap_interval(
    samples,
    statistic: Callable[..., np.ndarray] = np.mean,
    *,
    seed: int,
    level: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """A statistic of independent replicates with its bootstrap percentile interval.

    Args:
      samples: Replicates along the first axis.
      statistic: Called as `statistic(samples, axis=0)`.
      seed: Seed of the resampling: the same seed gives the same interval.
      level: The probability that the interval should cover the true value.
      resamples: How often to resample.

    Returns:
      The statistic of `samples`, low and high.
    """
    samples = _as_float(samples)
    n = samples.shape[0]
    if n == 0:
        raise ValueError(f"samples has no replicate along axis 0: shape {samples.shape}")
    generator = np.random.default_rng(seed)
    draws = np.stack(
        [statistic(samples[generator.integers(n, size=n)], axis=0) for _ in range(resamples)]
    )
    tail = (1 - _checked(level)) / 2
    # Between a finite value and an infinite one nothing can be interpolated.
    method = "linear" if np.isfinite(draws).all() else "inverted_cdf"
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0, method=method)
    return _estimate(statistic(samples, axis=0), low, high)


def wilson_interval(successes, n, *, level: float = 0.95) -> Estimate:
    """A success rate with Wilson's score interval (Wilson, 1927), fit for rates near 0 and 1.

    Args:
      successes: How many trials succeeded; a number or an array.
      n: How many trials there were.
      level: The probability that the interval covers the true rate.

    Returns:
      Rate, low and high.
    """
    from scipy.special import ndtri

    successes, n = np.broadcast_arrays(_as_float(successes), _as_float(n))
    if np.any(n <= 0) or np.any((successes < 0) | (successes > n)):
        raise ValueError(f"need 0 <= successes <= n and n > 0, got {successes} of {n}")
    z2 = ndtri((1 + _checked(level)) / 2) ** 2
    rate = successes / n
    centre = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (rate * (1 - rate) / n + z2 / (4 * n**2))) / (1 + z2 / n)
    low = np.where(successes == 0, 0.0, centre - half)
    high = np.where(successes == n, 1.0, centre + half)
    return _estimate(rate, low, high)


def _as_float(values) -> np.ndarray:
    return np.asarray(values, dtype=np.float64)


def _checked(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"level is a probability between 0 and 1, got {level}")
    return level


def _estimate(*parts) -> Estimate:
    return Estimate(*(float(part) if np.ndim(part) == 0 else np.asarray(part) for part in parts))

"""Uncertainty of any estimator by resampling: jackknife, bootstrap, and subsampling.

An estimator is a function of sample arrays, the samples along their first axis, that returns a
scalar. Every resample has a static size, so that all of them are one compiled map; `batch_size`
says how many run side by side.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtri
from jaxtyping import Array, Float, PRNGKeyArray, Shaped

from infojax import checks

Method = Literal["percentile", "basic", "normal"]
Estimator = Callable[..., jax.Array]


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("estimate", "low", "high", "standard_error", "bias"),
    meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class ResampledEstimate:
    """An estimate with its uncertainty.

    Attributes:
        estimate: the estimator's value on all samples.
        low: lower end of the interval.
        high: upper end of the interval.
        standard_error: the estimated standard deviation of the estimate.
        bias: the estimated bias of the estimate.
    """

    estimate: Float[Array, ""]
    low: Float[Array, ""]
    high: Float[Array, ""]
    standard_error: Float[Array, ""]
    bias: Float[Array, ""]

    def bias_corrected(self) -> Float[Array, ""]:
        """The estimate less its estimated bias.

        Returns:
            Scalar.
        """
        return self.estimate - self.bias


def _taken(estimator, samples, paired, least):
    """The samples as arrays, and the estimate; eager, so that the estimator's errors are told."""
    if not callable(estimator):
        raise TypeError(f"estimator must be a function; got {type(estimator).__name__}.")
    if not samples:
        raise ValueError("samples must be given: one array or more.")
    arrays = tuple(jnp.asarray(x) for x in samples)
    for number, x in enumerate(arrays):
        if x.ndim == 0 or x.shape[0] < least:
            raise ValueError(
                f"samples must have at least {least} along the first axis; "
                f"number {number} has shape {x.shape}."
            )
    if paired and len({x.shape[0] for x in arrays}) > 1:
        got = ", ".join(str(x.shape) for x in arrays)
        raise ValueError(f"paired samples must agree in their first axis; got shapes {got}.")
    estimate = jnp.asarray(estimator(*arrays))
    if estimate.shape != () or not jnp.issubdtype(estimate.dtype, jnp.floating):
        raise ValueError(
            f"estimator must return a scalar of floating type; got {estimate.dtype} of shape "
            f"{estimate.shape}."
        )
    return arrays, estimate


def _checked_level(level: float) -> float:
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < 1:
        raise ValueError(f"level must be a number between 0 and 1; got {level!r}.")
    return float(level)


def _result(estimate, low, high, error, bias):
    return ResampledEstimate(
        *(jnp.asarray(x).astype(estimate.dtype) for x in (estimate, low, high, error, bias))
    )


@functools.partial(jax.jit, static_argnames=("estimator", "groups", "batch_size"))
def _leave_out(samples, estimator, groups, batch_size):
    count = samples[0].shape[0]
    size = count // groups

    def one(group):
        # Groups are interleaved: those who stay are numbered past the gap in every stretch.
        kept = jnp.arange(groups - 1)
        kept += kept >= group
        rows = (jnp.arange(size)[:, None] * groups + kept).reshape(-1)
        return estimator(*(x[rows] for x in samples))

    return jax.lax.map(one, jnp.arange(groups), batch_size=batch_size)


def jackknife(
    estimator: Estimator,
    *samples: Shaped[Array, "N ..."],
    num_groups: int | None = None,
    level: float = 0.95,
    batch_size: int | None = None,
) -> ResampledEstimate:
    r"""Jackknife of any estimator: every sample, or group of samples, left out in turn.

    With g groups and $\bar\theta$ the mean of the values $\theta_{(i)}$ without group i: bias
    $(g - 1)(\bar\theta - \theta)$, squared standard error $\frac{g-1}{g} \sum_i (\theta_{(i)} -
    \bar\theta)^2$, and the normal interval around the estimate less its bias. The bias is right
    to the order of 1/N, so that plug-in entropies are well corrected. The standard error is
    inconsistent for what is not smooth in the samples, such as a median; and an estimate that
    jumps as samples go, as by nearest neighbours, has g - 1 times these jumps in its bias: the
    interval is wide and off centre, and `subsample_interval` the better choice.

    Args:
        estimator: from the samples to a scalar; a function that is kept compiles once.
        *samples: arrays of N samples along the first axis, left out together.
        num_groups: g, a divisor of N; N if None. Sample i is in group i mod g.
        level: coverage that the interval is made for.
        batch_size: how many values to compute side by side; one after the other if None.

    Returns:
        The estimate, its interval, standard error and bias.

    Raises:
        TypeError: `estimator` is no function, or `num_groups` no whole number.
        ValueError: fewer than 2 samples or groups; samples of different number; N is no multiple
            of `num_groups`; the estimator returns no scalar; `level` is not between 0 and 1.

    Reference:
        Quenouille 1956; Tukey 1958; Efron and Tibshirani, An Introduction to the Bootstrap,
        1993, chapter 11.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> result = information.jackknife(jnp.var, jnp.array([1.0, 2.0, 3.0, 6.0]))
        >>> print(result.estimate, result.bias_corrected())  # divided by N, and by N - 1
        3.5 4.6667
    """
    alpha = 1 - _checked_level(level)
    arrays, estimate = _taken(estimator, samples, True, 2)
    count = arrays[0].shape[0]
    groups = count if num_groups is None else checks.positive_integer("num_groups", num_groups)
    if groups < 2 or count % groups:
        raise ValueError(f"num_groups must divide N = {count} and be at least 2; got {groups}.")
    values = _leave_out(arrays, estimator, groups, batch_size).astype(_working(estimate))
    mean = jnp.mean(values)
    bias = (groups - 1) * (mean - estimate)
    error = jnp.sqrt((groups - 1) / groups * jnp.sum((values - mean) ** 2))
    reach = ndtri(1 - alpha / 2) * error
    centre = estimate - bias
    return _result(estimate, centre - reach, centre + reach, error, bias)


def _working(estimate):
    return jnp.promote_types(estimate.dtype, jnp.float32)


@functools.partial(
    jax.jit, static_argnames=("estimator", "num_resamples", "size", "paired", "batch_size")
)
def _resample(samples, key, estimator, num_resamples, size, paired, batch_size):
    """Values on random resamples: with replacement if `size` is None, else `size` without."""

    def rows(key, count):
        if size is None:
            return jax.random.randint(key, (count,), 0, count)
        return jax.random.permutation(key, count)[:size]

    def one(key):
        keys = [key] * len(samples) if paired else jax.random.split(key, len(samples))
        return estimator(*(x[rows(k, x.shape[0])] for k, x in zip(keys, samples, strict=True)))

    return jax.lax.map(one, jax.random.split(key, num_resamples), batch_size=batch_size)


def bootstrap(
    estimator: Estimator,
    *samples: Shaped[Array, "N ..."],
    key: PRNGKeyArray,
    num_resamples: int = 1000,
    level: float = 0.95,
    method: Method = "percentile",
    paired: bool = True,
    batch_size: int | None = None,
) -> ResampledEstimate:
    r"""Bootstrap of any estimator: samples drawn with replacement, as many as there are.

    With quantiles q of the resampled values, their standard deviation s and mean less estimate b:

    - `"percentile"`: $[q_{\alpha/2}, q_{1-\alpha/2}]$.
    - `"basic"`: $[2\theta - q_{1-\alpha/2}, 2\theta - q_{\alpha/2}]$.
    - `"normal"`: $\theta - b \pm z_{1-\alpha/2} s$.

    A resample repeats samples. Estimators by nearest neighbours take the copies for dependence,
    and are wrong by a large amount or NaN: use `subsample_interval` for them. Plug-in
    entropies lose as much again by resampling as they lost by sampling: `"basic"` and `"normal"`
    correct for that, `"percentile"` doubles it.

    Args:
        estimator: from the samples to a scalar; a function that is kept compiles once.
        *samples: arrays with samples along the first axis.
        key: a random key.
        num_resamples: how many resamples, at least 2.
        level: coverage that the interval is made for.
        method: how the interval is made.
        paired: whether all arrays are resampled together, row by row; if False each by itself,
            and they may differ in their number of samples (two-sample statistics).
        batch_size: how many values to compute side by side; one after the other if None.

    Returns:
        The estimate, its interval, standard error and bias.

    Raises:
        TypeError: `estimator` is no function, or `num_resamples` no whole number.
        ValueError: no sample; paired samples of different number; fewer than 2 resamples; the
            estimator returns no scalar; `level` is not between 0 and 1; unknown method.

    Reference:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 12 and 13; Davison
        and Hinkley, Bootstrap Methods and their Application, 1997, chapter 5.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from infojax import information
        >>> x = jax.random.normal(jax.random.key(0), (400,))
        >>> result = information.bootstrap(jnp.mean, x, key=jax.random.key(1))
        >>> print(f"{result.standard_error:.2f}")  # 1 / sqrt(400)
        0.05
    """
    alpha = 1 - _checked_level(level)
    checks.choice("method", method, get_args(Method))
    number = _number_of_resamples(num_resamples)
    arrays, estimate = _taken(estimator, samples, paired, 1)
    values = _resample(arrays, key, estimator, number, None, bool(paired), batch_size)
    values = values.astype(_working(estimate))
    bias, error = jnp.mean(values) - estimate, jnp.std(values, ddof=1)
    low, high = jnp.quantile(values, jnp.array([alpha / 2, 1 - alpha / 2], values.dtype))
    if method == "basic":
        low, high = 2 * estimate - high, 2 * estimate - low
    elif method == "normal":
        reach = ndtri(1 - alpha / 2) * error
        low, high = estimate - bias - reach, estimate - bias + reach
    return _result(estimate, low, high, error, bias)


def _number_of_resamples(value: int) -> int:
    number = checks.positive_integer("num_resamples", value)
    if number < 2:
        raise ValueError(f"num_resamples must be at least 2; got {number}.")
    return number


def subsample_interval(
    estimator: Estimator,
    *samples: Shaped[Array, "N ..."],
    key: PRNGKeyArray,
    size: int | None = None,
    num_resamples: int = 200,
    level: float = 0.95,
    batch_size: int | None = None,
) -> ResampledEstimate:
    r"""Interval of any estimator from its values on m of the N samples, drawn without replacement.

    The spread of the values is scaled to N samples by $\sqrt{m / (N - m)}$: the rate
    $\sqrt{m / N}$ of an estimator whose error falls like $N^{-1/2}$, and the share that drawing
    without replacement takes off. No sample is ever repeated, which estimators by nearest
    neighbours need: a copy is a neighbour at distance zero. The spread is taken around the mean
    of the values, because a bias that depends on the number of samples is not spread; it is not
    corrected either, so that the interval covers the estimator's expectation rather than the
    truth where that bias is large.

    Args:
        estimator: from the samples to a scalar; a function that is kept compiles once.
        *samples: arrays of N samples along the first axis, drawn together.
        key: a random key.
        size: m, from 1 to N - 1; half of N if None.
        num_resamples: how many subsamples, at least 2.
        level: coverage that the interval is made for.
        batch_size: how many values to compute side by side; one after the other if None.

    Returns:
        The estimate, its interval and standard error; as `bias` the bias at N to first order, if
        it falls like 1/N: $\frac{m}{N - m}$ times what the subsamples' mean lies above.

    Raises:
        TypeError: `estimator` is no function, or a size no whole number.
        ValueError: fewer than 2 samples; samples of different number; `size` is not between 1
            and N - 1; fewer than 2 resamples; the estimator returns no scalar; `level` is not
            between 0 and 1.

    Reference:
        Politis and Romano 1994, Annals of Statistics 22(4), theorem 2.1 (the centre and the
        factor of drawing without replacement are ours).

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from infojax import information
        >>> x = jax.random.normal(jax.random.key(0), (400,))
        >>> result = information.subsample_interval(jnp.mean, x, key=jax.random.key(1))
        >>> print(f"{result.standard_error:.2f}")  # 1 / sqrt(400)
        0.05
    """
    alpha = 1 - _checked_level(level)
    number = _number_of_resamples(num_resamples)
    arrays, estimate = _taken(estimator, samples, True, 2)
    count = arrays[0].shape[0]
    part = count // 2 if size is None else checks.positive_integer("size", size)
    if part >= count:
        raise ValueError(f"size must be below N = {count}; got {part}.")
    values = _resample(arrays, key, estimator, number, part, True, batch_size)
    values = values.astype(_working(estimate))
    mean = jnp.mean(values)
    deviations = math.sqrt(part / (count - part)) * (values - mean)
    ends = jnp.array([1 - alpha / 2, alpha / 2], values.dtype)
    low, high = estimate - jnp.quantile(deviations, ends)
    bias = part / (count - part) * (mean - estimate)
    return _result(estimate, low, high, jnp.std(deviations, ddof=1), bias)

r"""Rate-distortion functions of a discrete source by Blahut's algorithm (1972).

At slope s the Lagrangian $R + s D$ of the source p and the distortion d is the minimum over
output distributions q of $-\sum_x p(x) \log \sum_y q(y) e^{-s d(x, y)}$.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from infojax import checks
from infojax.numerics import gated, narrow, nats_to_base, rate_to_nats, safe_log, widen

_BISECTIONS = 40


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=(
        "rate",
        "distortion",
        "slope",
        "test_channel",
        "output_distribution",
        "gap",
        "iterations",
        "converged",
    ),
    meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class RateDistortion:
    """A point of a rate-distortion function.

    Attributes:
        rate: R(D) at `distortion`, in units of the base.
        distortion: the mean distortion D.
        slope: minus the derivative of R by D there, in units of the base per unit of distortion.
        test_channel: p(y | x), a row for each source symbol.
        output_distribution: probabilities of the reproduction symbols.
        gap: how far `rate` may lie above the least rate at this distortion.
        iterations: the number of iterations taken.
        converged: whether `gap` is within the tolerance.
    """

    rate: Float[Array, ""]
    distortion: Float[Array, ""]
    slope: Float[Array, ""]
    test_channel: Float[Array, "n m"]
    output_distribution: Float[Array, " m"]
    gap: Float[Array, ""]
    iterations: Int[Array, ""]
    converged: Bool[Array, ""]


def _log_partition(distortion, slope, output):
    """log sum_y q(y) exp(-s d(x, y)) for each x; q may hold zeros."""
    log_q = jnp.where(output > 0, safe_log(output), -jnp.inf)
    return jax.nn.logsumexp(log_q - slope * distortion, -1)


def _reach(source, distortion, slope, output):
    """c(y) = sum_x p(x) exp(-s d(x, y)) / Z(x), by which Blahut's step multiplies q(y)."""
    exponent = -slope * distortion - _log_partition(distortion, slope, output)[:, None]
    return jnp.sum(source[:, None] * jnp.exp(jnp.minimum(exponent, 80)), 0)


def _blahut(source, distortion, slope, start, tolerance, max_iterations):
    """The output distribution at a slope, the gap in nats and the number of iterations."""

    def unfinished(state):
        _, gap, step = state
        return (gap > tolerance) & (step < max_iterations)

    def improve(state):
        output, _, step = state
        output = output * _reach(source, distortion, slope, output)
        output = output / jnp.sum(output)
        reach = _reach(source, distortion, slope, output)
        gap = jnp.log(jnp.max(reach)) - jnp.sum(output * reach * safe_log(reach))
        return output, jnp.maximum(gap, 0), step + 1

    infinite = jnp.asarray(jnp.inf, source.dtype)
    return jax.lax.while_loop(unfinished, improve, (start, infinite, jnp.zeros((), jnp.int32)))


def _test_channel(distortion, slope, output):
    log_z = _log_partition(distortion, slope, output)[:, None]
    return jnp.where(output > 0, jnp.exp(safe_log(output) - slope * distortion - log_z), 0)


def _mean_distortion(source, distortion, channel):
    return jnp.sum(source[:, None] * channel * distortion)


def _dual_rate(source, distortion, slope, output, level):
    """-s D - sum p log Z: the rate, with the derivatives of R(D) by source and distortion."""
    return -slope * level - jnp.sum(source * _log_partition(distortion, slope, output))


def _checked_source(source, distortion):
    given_p = checks.floating("source", source, ndim=1)
    given_d = checks.floating("distortion", distortion, ndim=2)
    if given_d.shape[0] != given_p.shape[0] or 0 in given_d.shape:
        raise ValueError(
            f"distortion must have a row for each of {given_p.shape[0]} source symbols and at "
            f"least one column; got shape {given_d.shape}."
        )
    valid = checks.check_distribution("source", given_p, (0,))[0]
    finite = (given_d >= 0) & jnp.isfinite(given_d)
    valid &= jnp.all(checks.check_real("distortion", given_d, finite, "non-negative and finite"))
    p, d = widen(given_p, given_d)
    return (given_p, given_d), p, d, valid


def _checked_tolerance(tolerance, base, dtype):
    tolerance = checks.real_number("tolerance", tolerance).astype(dtype)
    valid = checks.check_real("tolerance", tolerance, tolerance > 0, "positive")
    return jax.lax.stop_gradient(rate_to_nats(tolerance, base)), valid


def _point(given, p, d, slope, output, level, gap, iterations, limit, base, valid):
    channel = jax.lax.stop_gradient(_test_channel(d, slope, output))
    rate = _dual_rate(p, d, slope, output, level)
    # Rounding, or a slope above every point of the curve, would make it negative.
    rate = rate - jax.lax.stop_gradient(jnp.minimum(rate, 0))

    def finish(value):
        return narrow(gated(value, valid), *given)

    return RateDistortion(
        rate=finish(nats_to_base(rate, base)),
        distortion=finish(level),
        slope=finish(nats_to_base(slope, base)),
        test_channel=finish(channel),
        output_distribution=finish(output),
        gap=finish(nats_to_base(gap, base)),
        iterations=iterations,
        converged=(gap <= limit) & valid,
    )


def rate_distortion(
    source: Float[Array, " n"],
    distortion: Float[Array, "n m"],
    slope: ArrayLike,
    *,
    base: float | None = None,
    tolerance: ArrayLike = 1e-6,
    max_iterations: int = 10_000,
) -> RateDistortion:
    r"""The point of the rate-distortion function at which its slope is -s.

    Blahut's iteration multiplies q(y) by $c(y) = \sum_x p(x) e^{-s d(x,y)} / Z(x)$ until
    $\max \log c - \sum q c \log c$, which bounds the excess of the rate over the least one at
    the same distortion, is within `tolerance`. Slope 0 gives rate 0; a large slope the least
    distortion. Batch by `jax.vmap`.

    The derivative of `rate` is that of R(D) at the point's own D: $-\log Z(x)$ by the source and
    $s p(x) p(y|x)$ by the distortion measure, by the envelope theorem, and 0 by the slope. The
    other parts have no derivative.

    Args:
        source: probabilities of the source symbols.
        distortion: d(x, y) >= 0, a row for each source symbol, a column for each reproduction.
        slope: s >= 0, in units of `base` per unit of distortion; may be traced.
        base: the logarithm's base (2 for bits); None for nats.
        tolerance: the gap at which to stop, in units of `base`.
        max_iterations: the most iterations.

    Returns:
        The point with its test channel and gap.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: `source` is not a distribution; `distortion` is negative, infinite or of
            another shape; `slope` is negative, infinite or NaN; `tolerance` not positive.

    Reference:
        Blahut, Computation of Channel Capacity and Rate-Distortion Functions, 1972, theorems 5
        and 6.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> hamming = 1 - jnp.eye(2)
        >>> point = information.rate_distortion(jnp.array([0.5, 0.5]), hamming, jnp.log(3.0))
        >>> print(point.distortion, point.rate)
        0.25 0.1308...
    """
    given, p, d, valid = _checked_source(source, distortion)
    max_iterations = checks.positive_integer("max_iterations", max_iterations)
    slope = checks.real_number("slope", slope).astype(p.dtype)
    usable = (slope >= 0) & jnp.isfinite(slope)
    valid &= checks.check_real("slope", slope, usable, "non-negative and finite")
    limit, limit_valid = _checked_tolerance(tolerance, base, p.dtype)
    slope = jax.lax.stop_gradient(rate_to_nats(jnp.where(usable, slope, 0), base))
    start = jnp.full((d.shape[1],), 1 / d.shape[1], p.dtype)
    fixed = jax.lax.stop_gradient((p, d))
    output, gap, iterations = jax.lax.stop_gradient(
        _blahut(*fixed, slope, start, limit, max_iterations)
    )
    level = jax.lax.stop_gradient(_mean_distortion(p, d, _test_channel(d, slope, output)))
    valid &= limit_valid
    return _point(given, p, d, slope, output, level, gap, iterations, limit, base, valid)


def rate_distortion_curve(
    source: Float[Array, " n"],
    distortion: Float[Array, "n m"],
    slopes: Float[Array, " k"],
    *,
    base: float | None = None,
    tolerance: ArrayLike = 1e-6,
    max_iterations: int = 10_000,
) -> RateDistortion:
    """Points of the rate-distortion function at several slopes, computed side by side.

    Args:
        source: probabilities of the source symbols.
        distortion: d(x, y) >= 0, a row for each source symbol.
        slopes: the slopes s >= 0.
        base: the logarithm's base (2 for bits); None for nats.
        tolerance: the gap at which to stop, in units of `base`.
        max_iterations: the most iterations.

    Returns:
        The points, each part with a leading axis of the length of `slopes`.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: as in `rate_distortion`.

    Reference:
        Blahut 1972.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> curve = information.rate_distortion_curve(
        ...     jnp.array([0.5, 0.5]), 1 - jnp.eye(2), jnp.array([0.0, 1.0, 2.0]), base=2)
        >>> print(curve.distortion)
        [0.5 0.333... 0.2]
    """
    slopes = checks.floating("slopes", slopes, ndim=1)
    checks.check_real(
        "slopes", slopes, (slopes >= 0) & jnp.isfinite(slopes), "non-negative and finite"
    )
    _checked_source(source, distortion)
    _checked_tolerance(tolerance, base, jnp.float32)

    def point(slope):
        return rate_distortion(
            source,
            distortion,
            slope,
            base=base,
            tolerance=tolerance,
            max_iterations=max_iterations,
        )

    return jax.vmap(point)(slopes)


@functools.partial(jax.jit, static_argnames="max_iterations")
def _slope_at(p, d, level, tolerance, max_iterations):
    """Bisection, on a logarithmic scale, for the slope whose distortion is `level`."""
    excess = d - jnp.min(d, 1, keepdims=True)
    smallest = jnp.min(jnp.where(excess > 0, excess, jnp.inf), initial=jnp.inf)
    largest = jnp.max(excess, initial=0)
    smallest = jnp.where(jnp.isfinite(smallest), smallest, 1)
    scale = -jnp.log(jnp.finfo(p.dtype).eps)
    low = jnp.log(1e-3 / jnp.where(largest > 0, largest, 1))
    high = jnp.log(2 * scale / smallest)
    uniform = jnp.full((d.shape[1],), 1 / d.shape[1], p.dtype)

    def halve(_, state):
        low, high, steps = state
        slope = jnp.exp((low + high) / 2)
        output, _, more = _blahut(p, d, slope, uniform, tolerance, max_iterations)
        too_far = _mean_distortion(p, d, _test_channel(d, slope, output)) > level
        middle = (low + high) / 2
        return jnp.where(too_far, middle, low), jnp.where(too_far, high, middle), steps + more

    start = (low, high, jnp.zeros((), jnp.int32))
    low, high, steps = jax.lax.fori_loop(0, _BISECTIONS, halve, start)
    slope = jnp.exp(high)
    output, gap, more = _blahut(p, d, slope, uniform, tolerance, max_iterations)
    return slope, output, gap, steps + more


def rate_distortion_function(
    source: Float[Array, " n"],
    distortion: Float[Array, "n m"],
    max_distortion: ArrayLike,
    *,
    base: float | None = None,
    tolerance: ArrayLike = 1e-6,
    max_iterations: int = 10_000,
) -> RateDistortion:
    r"""Rate-distortion function R(D) at a given distortion, by bisection on the slope.

    The rate is the dual value $-s D - \sum_x p(x) \log Z(x)$ at the slope found, which is exact
    on straight pieces of the curve too. Beyond the largest useful distortion, which one fixed
    reproduction reaches, it is 0. Its derivatives are those of R(D): -s by `max_distortion`,
    $-\log Z(x)$ by the source, $s p(x) p(y|x)$ by the distortion measure.

    Args:
        source: probabilities of the source symbols.
        distortion: d(x, y) >= 0, a row for each source symbol, a column for each reproduction.
        max_distortion: the allowed mean distortion D.
        base: the logarithm's base (2 for bits); None for nats.
        tolerance: the gap at which each Blahut iteration stops, in units of `base`.
        max_iterations: the most iterations at each slope.

    Returns:
        The point. `rate` is +inf below the least possible distortion.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: as in `rate_distortion`, or `max_distortion` is negative or NaN.

    Reference:
        Cover and Thomas, Elements of Information Theory, theorem 10.2.1 and section 10.8.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> coin, hamming = jnp.array([0.5, 0.5]), 1 - jnp.eye(2)
        >>> point = information.rate_distortion_function(coin, hamming, 0.25)
        >>> print(point.rate, point.slope)
        0.1308... 1.0986...
    """
    given, p, d, valid = _checked_source(source, distortion)
    max_iterations = checks.positive_integer("max_iterations", max_iterations)
    level = checks.real_number("max_distortion", max_distortion).astype(p.dtype)
    valid &= checks.check_real("max_distortion", level, level >= 0, "non-negative")
    limit, limit_valid = _checked_tolerance(tolerance, base, p.dtype)
    valid &= limit_valid
    fixed = jax.lax.stop_gradient((p, d, level, limit))
    slope, output, gap, iterations = jax.lax.stop_gradient(_slope_at(*fixed, max_iterations))
    means = jnp.sum(p[:, None] * d, 0)
    free = level >= jnp.min(means)
    best = jax.nn.one_hot(jnp.argmin(means), d.shape[1], dtype=p.dtype)
    slope = jnp.where(free, 0, slope)
    output = jnp.where(free, best, output)
    gap = jnp.where(free, 0, gap)
    reached = jnp.where(free, jnp.min(means), level)
    point = _point(given, p, d, slope, output, reached, gap, iterations, limit, base, valid)
    least = jnp.sum(p * jnp.min(d, 1))
    slack = 4 * jnp.finfo(p.dtype).eps * jnp.maximum(least, jnp.max(d))
    impossible = level < least - slack
    rate = jnp.where(impossible & valid, jnp.inf, point.rate).astype(point.rate.dtype)
    return dataclasses.replace(point, rate=rate)

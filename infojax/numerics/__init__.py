"""Floating-point building blocks: precision, logarithms that are safe at zero, units."""

from infojax.numerics.logarithms import (
    expm1_ratio,
    log1p_ratio,
    safe_log,
    weighted_log,
    xlogx,
    xlogy,
)
from infojax.numerics.precision import narrow, probability_tolerance, smallest_normal, widen
from infojax.numerics.quotients import safe_divide
from infojax.numerics.reductions import gated, normalize_axes, over_batch, reduce_axes
from infojax.numerics.roots import safe_sqrt
from infojax.numerics.units import nats_to_base, rate_to_nats

__all__ = [
    "expm1_ratio",
    "gated",
    "log1p_ratio",
    "narrow",
    "nats_to_base",
    "normalize_axes",
    "over_batch",
    "probability_tolerance",
    "rate_to_nats",
    "reduce_axes",
    "safe_divide",
    "safe_log",
    "safe_sqrt",
    "smallest_normal",
    "weighted_log",
    "widen",
    "xlogx",
    "xlogy",
]

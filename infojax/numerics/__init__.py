"""Floating-point building blocks: precision, logarithms that are safe at zero, units."""

from infojax.numerics.gamma_functions import (
    digamma_half_step,
    gammaln_half_step,
    log_minus_digamma,
    standard_gamma_entropy,
)
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
from infojax.numerics.reductions import gated, normalize_axes, over_batch, reduce_axes, total
from infojax.numerics.roots import safe_sqrt
from infojax.numerics.units import log_of_base, nats_to_base, rate_to_nats

__all__ = [
    "digamma_half_step",
    "expm1_ratio",
    "gammaln_half_step",
    "gated",
    "log1p_ratio",
    "log_minus_digamma",
    "log_of_base",
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
    "standard_gamma_entropy",
    "total",
    "weighted_log",
    "widen",
    "xlogx",
    "xlogy",
]

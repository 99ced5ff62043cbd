"""Checks of arguments: static faults at once, faults of values at once or under checkify."""

from infojax.checks.samples import finite_samples, paired_samples, samples
from infojax.checks.static import (
    broadcast_shapes,
    check_support,
    choice,
    floating,
    mask,
    positive_integer,
    real_array,
    real_number,
    square_matrix,
)
from infojax.checks.values import (
    check,
    check_distribution,
    check_logits,
    check_real,
    distributions_are_valid,
    first_entry,
    is_concrete,
)

__all__ = [
    "broadcast_shapes",
    "check",
    "check_distribution",
    "check_logits",
    "check_real",
    "check_support",
    "choice",
    "distributions_are_valid",
    "finite_samples",
    "first_entry",
    "floating",
    "is_concrete",
    "mask",
    "paired_samples",
    "positive_integer",
    "real_array",
    "real_number",
    "samples",
    "square_matrix",
]

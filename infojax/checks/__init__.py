"""Checks of arguments: static faults at once, faults of values at once or under checkify."""

from infojax.checks.static import (
    broadcast_shapes,
    check_support,
    choice,
    floating,
    positive_integer,
    real_number,
    square_matrix,
)
from infojax.checks.values import check, check_distribution, check_real, is_concrete

__all__ = [
    "broadcast_shapes",
    "check",
    "check_distribution",
    "check_real",
    "check_support",
    "choice",
    "floating",
    "is_concrete",
    "positive_integer",
    "real_number",
    "square_matrix",
]

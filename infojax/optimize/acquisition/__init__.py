"""Acquisition functions: what an evaluation at a point is worth. All are to be maximised."""

from infojax.optimize.acquisition.improvement import (
    expected_improvement,
    log_expected_improvement,
    probability_of_improvement,
    upper_confidence_bound,
)

__all__ = [
    "expected_improvement",
    "log_expected_improvement",
    "probability_of_improvement",
    "upper_confidence_bound",
]

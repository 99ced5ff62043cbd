"""Optimisation under uncertainty: offline optimisation with surrogates of bounded sharpness."""

from infojax.optimize.ignite import IgniteState, ignite, ignite_penalty
from infojax.optimize.sharpness import SharpnessTerms, ignite_gradient, surrogate_sharpness
from infojax.optimize.surrogate_fitting import SurrogateFit, fit_surrogate
from infojax.optimize.surrogates import (
    GaussianSurrogate,
    ensemble_prediction,
    gaussian_negative_log_likelihood,
)

__all__ = [
    "GaussianSurrogate",
    "IgniteState",
    "SharpnessTerms",
    "SurrogateFit",
    "ensemble_prediction",
    "fit_surrogate",
    "gaussian_negative_log_likelihood",
    "ignite",
    "ignite_gradient",
    "ignite_penalty",
    "surrogate_sharpness",
]

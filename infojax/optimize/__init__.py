"""Optimisation under uncertainty: Gaussian processes and acquisition functions, and surrogates.

Offline optimisation has surrogates of bounded sharpness.
"""

from infojax.optimize import acquisition, covariance, gaussian_process
from infojax.optimize.adaptive_sampling import (
    GaussianAutoencoder,
    conditioning_by_adaptive_sampling,
)
from infojax.optimize.conservative import ConservativeFit, conservative_loss, fit_conservative
from infojax.optimize.ignite import IgniteState, ignite, ignite_penalty
from infojax.optimize.offline_task import (
    OfflineTask,
    PercentileScores,
    offline_task,
    percentile_scores,
)
from infojax.optimize.reinforce import reinforce, reinforce_categorical
from infojax.optimize.searchers import SearchResult, cma_es, gradient_ascent
from infojax.optimize.sharpness import SharpnessTerms, ignite_gradient, surrogate_sharpness
from infojax.optimize.surrogate_fitting import SurrogateFit, fit_surrogate
from infojax.optimize.surrogates import (
    GaussianSurrogate,
    ensemble_prediction,
    gaussian_negative_log_likelihood,
)

__all__ = [
    "ConservativeFit",
    "GaussianAutoencoder",
    "GaussianSurrogate",
    "IgniteState",
    "OfflineTask",
    "PercentileScores",
    "SearchResult",
    "SharpnessTerms",
    "SurrogateFit",
    "acquisition",
    "cma_es",
    "conditioning_by_adaptive_sampling",
    "conservative_loss",
    "covariance",
    "ensemble_prediction",
    "fit_conservative",
    "fit_surrogate",
    "gaussian_negative_log_likelihood",
    "gaussian_process",
    "gradient_ascent",
    "ignite",
    "ignite_gradient",
    "ignite_penalty",
    "offline_task",
    "percentile_scores",
    "reinforce",
    "reinforce_categorical",
    "surrogate_sharpness",
]

"""Optimisation under uncertainty: Bayesian optimisation, and offline optimisation.

Gaussian processes, acquisition functions and the search itself; surrogates of bounded sharpness
and what climbs them.
"""

from infojax.optimize import acquisition, covariance, gaussian_process
from infojax.optimize.adaptive_sampling import (
    GaussianAutoencoder,
    conditioning_by_adaptive_sampling,
)
from infojax.optimize.ask_tell import Search, start_search
from infojax.optimize.box_search import maximize_acquisition
from infojax.optimize.compiled_search import bayesian_optimization
from infojax.optimize.conservative import ConservativeFit, conservative_loss, fit_conservative
from infojax.optimize.ignite import IgniteState, ignite, ignite_penalty
from infojax.optimize.offline_task import (
    OfflineTask,
    PercentileScores,
    offline_task,
    percentile_scores,
)
from infojax.optimize.reinforce import reinforce, reinforce_categorical
from infojax.optimize.search_files import load_search, save_search
from infojax.optimize.search_model import SearchModel
from infojax.optimize.search_trace import SearchTrace
from infojax.optimize.searchers import SearchResult, cma_es, gradient_ascent
from infojax.optimize.sharpness import SharpnessTerms, ignite_gradient, surrogate_sharpness
from infojax.optimize.sobol import sobol_points
from infojax.optimize.surrogate_fitting import fit_surrogate
from infojax.optimize.surrogate_search import surrogate_bayesian_optimization
from infojax.optimize.surrogate_training import SurrogateFit
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
    "Search",
    "SearchModel",
    "SearchResult",
    "SearchTrace",
    "SharpnessTerms",
    "SurrogateFit",
    "acquisition",
    "bayesian_optimization",
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
    "load_search",
    "maximize_acquisition",
    "offline_task",
    "percentile_scores",
    "reinforce",
    "reinforce_categorical",
    "save_search",
    "sobol_points",
    "start_search",
    "surrogate_bayesian_optimization",
    "surrogate_sharpness",
]

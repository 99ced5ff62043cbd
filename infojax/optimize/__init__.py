"""Optimisation under uncertainty: Gaussian processes, acquisition functions, the search itself."""

from infojax.optimize import acquisition, covariance, gaussian_process
from infojax.optimize.ask_tell import Search, start_search
from infojax.optimize.box_search import maximize_acquisition
from infojax.optimize.compiled_search import bayesian_optimization
from infojax.optimize.search_files import load_search, save_search
from infojax.optimize.search_model import SearchModel
from infojax.optimize.search_trace import SearchTrace
from infojax.optimize.sobol import sobol_points

__all__ = [
    "Search",
    "SearchModel",
    "SearchTrace",
    "acquisition",
    "bayesian_optimization",
    "covariance",
    "gaussian_process",
    "load_search",
    "maximize_acquisition",
    "save_search",
    "sobol_points",
    "start_search",
]

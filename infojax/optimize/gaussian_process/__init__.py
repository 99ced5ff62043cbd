"""Gaussian process regression on arrays of a fixed capacity."""

from infojax.optimize.gaussian_process.fantasies import fantasize
from infojax.optimize.gaussian_process.hyperparameters import fit
from infojax.optimize.gaussian_process.likelihoods import log_marginal_likelihood
from infojax.optimize.gaussian_process.parameters import Kernel, Parameters
from infojax.optimize.gaussian_process.paths import Paths, sample, sample_paths
from infojax.optimize.gaussian_process.regression import (
    GaussianProcess,
    condition,
    marginals,
    posterior,
)
from infojax.optimize.gaussian_process.slices import sample_parameters

__all__ = [
    "GaussianProcess",
    "Kernel",
    "Parameters",
    "Paths",
    "condition",
    "fantasize",
    "fit",
    "log_marginal_likelihood",
    "marginals",
    "posterior",
    "sample",
    "sample_parameters",
    "sample_paths",
]

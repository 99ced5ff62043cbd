"""Covariance functions of Gaussian processes."""

from infojax.optimize.covariance.stationary import Stationary, matern, squared_exponential

__all__ = ["Stationary", "matern", "squared_exponential"]

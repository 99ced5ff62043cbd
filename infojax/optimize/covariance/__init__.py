"""Covariance functions of Gaussian processes."""

from infojax.optimize.covariance.stationary import Stationary, matern, squared_exponential
from infojax.optimize.covariance.structures import (
    Derivatives,
    InformationSources,
    IntrinsicCoregionalization,
    LinearTruncated,
)
from infojax.optimize.covariance.trends import PolynomialTrend

__all__ = [
    "Derivatives",
    "InformationSources",
    "IntrinsicCoregionalization",
    "LinearTruncated",
    "PolynomialTrend",
    "Stationary",
    "matern",
    "squared_exponential",
]

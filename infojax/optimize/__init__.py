"""Optimisation under uncertainty: Gaussian processes and acquisition functions."""

from infojax.optimize import acquisition, covariance, gaussian_process

__all__ = ["acquisition", "covariance", "gaussian_process"]

"""Bayesian optimisation on test functions and a real objective (arXiv 1807.02811)."""

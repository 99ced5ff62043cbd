"""Diffusion spectral entropy by stochastic Lanczos quadrature: to come."""


def diffusion_spectral_entropy_estimate(*args, **kwargs):
    """To come."""
    raise NotImplementedError

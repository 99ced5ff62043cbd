"""Quantities of spectra: diffusion spectral entropy, entropies of matrices, effective ranks."""

from infojax.spectra.affinities import (
    diffusion_affinity,
    gaussian_affinity,
    neighbor_adjacency,
)
from infojax.spectra.bandwidths import (
    diffusion_bandwidth,
    median_bandwidth,
    neighbor_bandwidth,
)
from infojax.spectra.diffusion_entropy import (
    adjacency_spectral_entropy,
    diffusion_entry_entropy,
    diffusion_spectral_entropy,
)
from infojax.spectra.diffusion_information import diffusion_spectral_mutual_information
from infojax.spectra.diffusion_spectra import diffusion_spectrum
from infojax.spectra.lanczos import (
    SpectralEntropyEstimate,
    diffusion_spectral_entropy_estimate,
)

__all__ = [
    "SpectralEntropyEstimate",
    "adjacency_spectral_entropy",
    "diffusion_affinity",
    "diffusion_bandwidth",
    "diffusion_entry_entropy",
    "diffusion_spectral_entropy",
    "diffusion_spectral_entropy_estimate",
    "diffusion_spectral_mutual_information",
    "diffusion_spectrum",
    "gaussian_affinity",
    "median_bandwidth",
    "neighbor_adjacency",
    "neighbor_bandwidth",
]

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
from infojax.spectra.density_matrices import (
    quantum_jensen_shannon_divergence,
    relative_von_neumann_entropy,
    von_neumann_entropy,
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
from infojax.spectra.matrix_renyi import (
    matrix_renyi_conditional_entropy,
    matrix_renyi_entropy,
    matrix_renyi_joint_entropy,
    matrix_renyi_mutual_information,
)
from infojax.spectra.ranks import (
    effective_rank,
    nuclear_norm,
    participation_ratio,
    rank_me,
    spectral_decay_exponent,
    stable_rank,
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
    "effective_rank",
    "gaussian_affinity",
    "matrix_renyi_conditional_entropy",
    "matrix_renyi_entropy",
    "matrix_renyi_joint_entropy",
    "matrix_renyi_mutual_information",
    "median_bandwidth",
    "neighbor_adjacency",
    "neighbor_bandwidth",
    "nuclear_norm",
    "participation_ratio",
    "quantum_jensen_shannon_divergence",
    "rank_me",
    "relative_von_neumann_entropy",
    "spectral_decay_exponent",
    "stable_rank",
    "von_neumann_entropy",
]

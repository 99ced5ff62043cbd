"""Products with Gaussian Gram matrices that are never in memory, plain and normalised."""

from infojax.kernels.gaussian_gram_matvec.api import (
    gaussian_gram_matvec,
    gaussian_gram_row_sums,
)
from infojax.kernels.gaussian_gram_matvec.normalized import (
    GramDegrees,
    gaussian_gram_degrees,
    normalized_gaussian_gram_matvec,
)

__all__ = [
    "GramDegrees",
    "gaussian_gram_degrees",
    "gaussian_gram_matvec",
    "gaussian_gram_row_sums",
    "normalized_gaussian_gram_matvec",
]

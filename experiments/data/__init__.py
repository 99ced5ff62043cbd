"""Data sets of the experiments: each states shape, range and source; nothing is downloaded."""

from experiments.data.digits import Digits, load_digits, split
from experiments.data.manifolds import Manifold, noisy_manifold
from experiments.data.slides import Slide, load_slides
from experiments.data.tissue import Tissue, load_tissue

__all__ = [
    "Digits",
    "Manifold",
    "Slide",
    "Tissue",
    "load_digits",
    "load_slides",
    "load_tissue",
    "noisy_manifold",
    "split",
]

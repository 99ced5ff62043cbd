"""Data sets of the experiments: each states shape, range and source; nothing is downloaded."""

from experiments.data.digits import Digits, load_digits, split
from experiments.data.manifolds import Manifold, noisy_manifold

__all__ = ["Digits", "Manifold", "load_digits", "noisy_manifold", "split"]

"""Data sets of the experiments: each states shape, range and source; nothing is downloaded."""

from experiments.data.digits import Digits, load_digits, split

__all__ = ["Digits", "load_digits", "split"]

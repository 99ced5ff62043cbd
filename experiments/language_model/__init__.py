"""A byte-level language model: trained once, kept, and reused by every experiment on language."""

from experiments.language_model.trained import load, trained_model

__all__ = ["load", "trained_model"]

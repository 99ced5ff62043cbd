"""Dot-product attention that returns the entropy of its weights, in one pass over the keys."""

from infojax.kernels.attention_with_entropy.api import attention_with_entropy

__all__ = ["attention_with_entropy"]

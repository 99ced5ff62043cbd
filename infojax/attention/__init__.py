"""Attention with its entropy: dot-product attention, and entropies of attention weights."""

from infojax.attention.entropies import attention_entropy
from infojax.attention.self_attention import (
    attention_with_entropy,
    combine_attention,
    combine_attention_over_devices,
)

__all__ = [
    "attention_entropy",
    "attention_with_entropy",
    "combine_attention",
    "combine_attention_over_devices",
]

"""Attention with its entropy: dot-product attention, pooling of bags, entropies of weights."""

from infojax.attention.entropies import attention_entropy
from infojax.attention.pooling import (
    AttentionGates,
    AttentionPooling,
    gated_attention_pooling,
)
from infojax.attention.self_attention import (
    attention_with_entropy,
    combine_attention,
    combine_attention_over_devices,
)

__all__ = [
    "AttentionGates",
    "AttentionPooling",
    "attention_entropy",
    "attention_with_entropy",
    "combine_attention",
    "combine_attention_over_devices",
    "gated_attention_pooling",
]

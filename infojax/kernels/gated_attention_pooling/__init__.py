"""Pooling of bags of instances by gated attention, with the entropy of the attention."""

from infojax.kernels.gated_attention_pooling.api import gated_attention_pooling
from infojax.kernels.gated_attention_pooling.tiles import AttentionGates

__all__ = ["AttentionGates", "gated_attention_pooling"]

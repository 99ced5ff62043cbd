"""Training objectives and regularisers as functions of arrays: attention's entropy and its kin."""

from infojax.losses.attention_entropy import attention_entropy_penalty, attention_entropy_schedule
from infojax.losses.attention_regularizers import (
    attention_diversity_penalty,
    attention_dropout,
    attention_temperature,
    stochastic_top_k_masking,
)

__all__ = [
    "attention_diversity_penalty",
    "attention_dropout",
    "attention_entropy_penalty",
    "attention_entropy_schedule",
    "attention_temperature",
    "stochastic_top_k_masking",
]

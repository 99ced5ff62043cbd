"""A small language model: a decoder-only transformer over bytes, with a cache and a sampler."""

from infojax.nn.language.attending import attend, attend_plainly
from infojax.nn.language.cache import KeyValueCache
from infojax.nn.language.configuration import LanguageModelConfig
from infojax.nn.language.generation import Generation, generate
from infojax.nn.language.model import LanguageModel
from infojax.nn.language.normalization import LayerNorm, RMSNorm
from infojax.nn.language.positions import rotary_embedding
from infojax.nn.language.text import decode_text, encode_texts

__all__ = [
    "Generation",
    "KeyValueCache",
    "LanguageModel",
    "LanguageModelConfig",
    "LayerNorm",
    "RMSNorm",
    "attend",
    "attend_plainly",
    "decode_text",
    "encode_texts",
    "generate",
    "rotary_embedding",
]

"""What a language model is made of: sizes and the parts that can be exchanged, validated."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal, get_args

from infojax import checks
from infojax.nn.language.activations import resolve_activation
from infojax.nn.language.normalization import check_normalization

FloatType = Literal["float32", "bfloat16"]


@dataclasses.dataclass(frozen=True)
class LanguageModelConfig:
    r"""Sizes and parts of a `LanguageModel`; hashable, so that it can be static under jit.

    Byte-level by default: the model's law is over 256 bytes. One more token, `start_token`, can be
    fed (it opens a text that has no context yet) and is never predicted, so that logits are
    exactly the 256 bytes' and cross-entropies are those of the text.

    Attributes:
        vocabulary_size: V, the tokens that can be predicted, 0 to V - 1. Token V is the start.
        width: features D of the residual stream.
        num_layers: L.
        num_heads: N query heads.
        num_key_value_heads: K, a divisor of N; None for N. Query heads n N/K to (n + 1) N/K - 1
            share key and value head n (Ainslie et al. 2023, arXiv 2305.13245).
        head_features: H of a head, even; None for D / N.
        hidden_features: of the feed-forward layer; None for 4 D, and with a gate for 8 D / 3
            rounded up to a multiple of 16, which is as many weights.
        activation: "gelu", "relu", "relu_squared" or "silu"; "swiglu", "geglu" or "reglu", the
            same with a gate (Shazeer 2020, arXiv 2002.05202); or a function of an array, or an
            `nnx.Module` class that is made once a layer by `(features, rngs=rngs)`.
        gated: whether a function or class given as `activation` gates a second projection.
        normalization: "rms_norm" or "layer_norm", "none", or a factory: called by
            `(features, rngs=rngs)` once for each place, it returns a function of an array.
        attention: None for `infojax.attention.attention_with_entropy` (over a cache, for one query
            a row, the same in two products); or a function; or an `nnx.Module` class that is made
            once a layer by `(config, layer, rngs=rngs)`. It is called as `attention(query, key,
            value, mask=mask, is_causal=flag, with_entropy=flag)` with shapes (B, T, N, H),
            (B, S, K, H), (B, S, K, H) and a mask (B, 1, T, S) or None, and returns the output
            (B, T, N, H) and the entropies (B, T, N), which may be None if not asked for.
        normalize_queries_and_keys: whether queries and keys pass through an RMS norm per head
            before the positions are put in (Henry et al. 2020, arXiv 2010.04245).
        tied_embeddings: whether logits are products with the embeddings.
        rotary_base: the longest wave of the rotary positions, in units of 2 pi tokens.
        dtype: what is computed in; weights are float32, and so are norms, softmax and logits.
    """

    vocabulary_size: int = 256
    width: int = 128
    num_layers: int = 4
    num_heads: int = 4
    num_key_value_heads: int | None = None
    head_features: int | None = None
    hidden_features: int | None = None
    activation: str | Callable[..., Any] = "swiglu"
    gated: bool = False
    normalization: str | Callable[..., Any] = "rms_norm"
    attention: Callable[..., Any] | None = None
    normalize_queries_and_keys: bool = False
    tied_embeddings: bool = True
    rotary_base: float = 10_000.0
    dtype: FloatType = "float32"

    def __post_init__(self):
        """Refuses what cannot be built."""
        for name in ("vocabulary_size", "width", "num_layers", "num_heads"):
            checks.positive_integer(name, getattr(self, name))
        for name in ("num_key_value_heads", "head_features", "hidden_features"):
            if getattr(self, name) is not None:
                checks.positive_integer(name, getattr(self, name))
        if self.head_features is None and self.width % self.num_heads:
            raise ValueError(
                f"width must be a multiple of num_heads = {self.num_heads} where head_features is "
                f"None; got {self.width}."
            )
        if self.num_heads % self.key_value_heads:
            raise ValueError(
                f"num_key_value_heads must divide num_heads = {self.num_heads}; got "
                f"{self.key_value_heads}."
            )
        if self.features_per_head % 2:
            raise ValueError(
                "head_features must be even, for rotary positions turn pairs; got "
                f"{self.features_per_head}."
            )
        resolve_activation(self.activation, self.gated)
        check_normalization(self.normalization)
        if self.attention is not None and not callable(self.attention):
            raise TypeError(f"attention must be callable or None; got {self.attention!r}.")
        if not (math.isfinite(self.rotary_base) and self.rotary_base > 1):
            raise ValueError(f"rotary_base must be above 1 and finite; got {self.rotary_base!r}.")
        checks.choice("dtype", self.dtype, get_args(FloatType))

    @property
    def start_token(self) -> int:
        """The token V that opens a text; it is fed and never predicted."""
        return self.vocabulary_size

    @property
    def key_value_heads(self) -> int:
        """K, with the default filled in."""
        return self.num_heads if self.num_key_value_heads is None else self.num_key_value_heads

    @property
    def features_per_head(self) -> int:
        """H, with the default filled in."""
        return self.width // self.num_heads if self.head_features is None else self.head_features

    @property
    def feed_forward_features(self) -> int:
        """Hidden features of the feed-forward layer, with the default filled in."""
        if self.hidden_features is not None:
            return self.hidden_features
        if resolve_activation(self.activation, self.gated)[1]:
            return -(-8 * self.width // 48) * 16
        return 4 * self.width

"""A decoder-only transformer: the law of the next token, over whole texts or token by token."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Int

from infojax import checks
from infojax.nn.language.blocks import Block, linear
from infojax.nn.language.cache import KeyValueCache, place_prompt
from infojax.nn.language.configuration import LanguageModelConfig
from infojax.nn.language.normalization import make_normalization
from infojax.nn.language.prompts import Padding, check_tokens, take_prompts


class LanguageModel(nnx.Module):
    r"""A pre-norm decoder: blocks of attention and feed-forward layers on a residual stream.

    The law of token t + 1 is $\mathrm{softmax}(E\,\mathrm{norm}(x_t))$ with $x$ the stream after
    the last block and E the embeddings (or a projection of its own). Rows of a batch never mix. A
    token outside the vocabulary raises where values are known, and makes its row's logits NaN
    where they are traced. Causality makes padding behind a prompt harmless; `prefill` takes it on
    either side.

    Source: Vaswani et al. 2017, arXiv 1706.03762, in the form of Touvron et al. 2023,
    arXiv 2302.13971.

    Attributes:
        config: sizes and parts.
        embedding: (V + 1, D), the start token's last.
        blocks: the layers.
        final_norm: before the logits.
        unembedding: (D, V), or None where embeddings are tied.
    """

    def __init__(self, config: LanguageModelConfig, *, rngs: nnx.Rngs):
        """Makes the model.

        Args:
            config: sizes and parts.
            rngs: keys for the weights.
        """
        self.config = config
        shape = (config.vocabulary_size + 1, config.width)
        draw = nnx.initializers.normal(1 / math.sqrt(config.width))
        self.embedding = nnx.Param(draw(rngs.params(), shape, jnp.float32))
        self.blocks = nnx.List(
            [Block(config, layer, rngs=rngs) for layer in range(config.num_layers)]
        )
        self.final_norm = make_normalization(config.normalization, config.width, rngs)
        self.unembedding = (
            None
            if config.tied_embeddings
            else linear(config.width, config.vocabulary_size, config, rngs)
        )

    def _embed(self, tokens: jax.Array) -> jax.Array:
        """The stream before the first block, of entries of order one; NaN for foreign tokens."""
        rows = self.config.vocabulary_size + 1
        # A negative index would count from the end.
        places = jnp.where(tokens < 0, rows, tokens)
        table = self.embedding[...].astype(self.config.dtype)
        found = table.at[places].get(mode="fill", fill_value=jnp.nan)
        return found * jnp.asarray(math.sqrt(self.config.width), found.dtype)

    def _logits(self, x: jax.Array) -> jax.Array:
        normed = self.final_norm(x)
        if self.unembedding is not None:
            return self.unembedding(normed).astype(jnp.float32)
        table = self.embedding[: self.config.vocabulary_size].astype(normed.dtype)
        return jnp.matmul(normed, table.T, preferred_element_type=jnp.float32)

    def _stream(self, tokens, with_entropy: bool):
        """The stream after the last block, entropies (B, T, L, N), keys and values by layer."""
        x = self._embed(tokens)
        positions = jnp.arange(tokens.shape[1])[None]
        entropies, keys, values = [], [], []
        for block in self.blocks:
            x, entropy, key, value = block(x, positions, with_entropy)
            entropies.append(entropy)
            keys.append(key)
            values.append(value)
        return x, _stack(entropies), keys, values

    def __call__(
        self, tokens: Int[Array, "B T"], *, return_attention_entropies: bool = False
    ) -> Any:
        """The law of each next token.

        Args:
            tokens: 0 to V - 1, and V for the start.
            return_attention_entropies: whether to return them too, from the same pass.

        Returns:
            Logits (B, T, V) in float32, those at t of token t + 1; on request followed by the
            entropies (B, T, L, N), in nats, of the attention of each token, layer and head.

        Raises:
            TypeError: `tokens` are not whole numbers.
            ValueError: not of two axes, empty, or outside the vocabulary.
        """
        tokens = check_tokens("tokens", tokens, self.config)
        x, entropies, _, _ = self._stream(tokens, return_attention_entropies)
        logits = self._logits(x)
        return (logits, entropies) if return_attention_entropies else logits

    def prefill(
        self,
        tokens: Int[Array, "B T"],
        lengths: Int[Array, " B"] | None = None,
        *,
        capacity: int,
        padding: Padding = "right",
        return_attention_entropies: bool = False,
    ) -> tuple:
        """Reads prompts into a cache.

        Args:
            tokens: prompts, padded to one length; what stands in the padding does not matter.
            lengths: of each prompt, 1 to T; None for T.
            capacity: slots of the cache, at least T: T - 1 are used, and one for each new token.
            padding: the side on which it is.
            return_attention_entropies: whether to return them too.

        Returns:
            Logits (B, V) of the token behind each prompt, and the cache; on request followed by
            the attention entropies (B, L, N) of each prompt's last token.

        Raises:
            TypeError: `tokens` or `lengths` are not whole numbers.
            ValueError: an empty prompt, a prompt longer than the capacity, or a token outside the
                vocabulary.
        """
        tokens, lengths = take_prompts(tokens, lengths, self.config, padding)
        capacity = checks.positive_integer("capacity", capacity)
        if tokens.shape[1] > capacity:
            raise ValueError(
                f"capacity must be at least the {tokens.shape[1]} tokens of the prompts; got "
                f"{capacity}."
            )
        logits, cache, entropies = self.read_prompts(
            tokens, lengths, capacity, return_attention_entropies
        )
        return (logits, cache, entropies) if return_attention_entropies else (logits, cache)

    def read_prompts(self, tokens, lengths, capacity: int, with_entropy: bool):
        """`prefill` of prompts that were checked and padded on the right.

        Args:
            tokens: (B, T).
            lengths: (B,).
            capacity: slots of the cache.
            with_entropy: whether the entropies are wanted.

        Returns:
            Logits (B, V), the cache, entropies (B, L, N) or None.
        """
        x, entropies, keys, values = self._stream(tokens, with_entropy)
        shifts = tokens.shape[1] - lengths
        last = (lengths - 1)[:, None, None]
        logits = self._logits(jnp.take_along_axis(x, last, axis=1))[:, 0]
        if entropies is not None:
            entropies = jnp.take_along_axis(entropies, last[..., None], axis=1)[:, 0]
        placed = [
            place_prompt(key, value, shifts, capacity)
            for key, value in zip(keys, values, strict=True)
        ]
        cache = KeyValueCache(
            keys=tuple(slots for slots, _ in placed),
            values=tuple(slots for _, slots in placed),
            starts=shifts.astype(jnp.int32),
            next_slot=jnp.asarray(tokens.shape[1], jnp.int32),
        )
        return logits, cache, entropies

    def decode_step(
        self,
        token: Int[Array, " B"],
        cache: KeyValueCache,
        *,
        return_attention_entropies: bool = False,
    ) -> tuple:
        """Appends one token to each row.

        Args:
            token: the next token of each row.
            cache: from `prefill` or the last step; donate it where it is not needed any more.
            return_attention_entropies: whether to return them too.

        Returns:
            Logits (B, V) of the token behind it, and the cache with one more token; on request
            followed by the attention entropies (B, L, N).

        Raises:
            TypeError: `token` is not whole numbers.
            ValueError: `token` has not one entry a row or is outside the vocabulary, or the cache
                is full; full under tracing, the logits are NaN.
        """
        batch = cache.starts.shape[0]
        token = check_tokens("token", token, self.config, ndim=1)
        if token.shape[0] != batch:
            raise ValueError(f"token must have {batch} rows like the cache; got {token.shape[0]}.")
        has_room = cache.next_slot < cache.capacity
        checks.check(has_room, f"the cache must have a free slot; all {cache.capacity} are full.")
        logits, cache, entropies = self.append_token(token, cache, return_attention_entropies)
        logits = jnp.where(has_room, logits, jnp.nan)
        return (logits, cache, entropies) if return_attention_entropies else (logits, cache)

    def append_token(self, token, cache: KeyValueCache, with_entropy: bool):
        """`decode_step` of a token that was checked, into a cache with room.

        Args:
            token: (B,).
            cache: the cache.
            with_entropy: whether the entropies are wanted.

        Returns:
            Logits (B, V), the cache, entropies (B, L, N) or None.
        """
        x = self._embed(token[:, None])
        entropies, keys, values = [], [], []
        for block, *layer in zip(self.blocks, cache.keys, cache.values, strict=True):
            slots = (layer[0], layer[1])
            x, entropy, new_keys, new_values = block.decode(
                x, slots, cache.next_slot, cache.starts, with_entropy
            )
            entropies.append(entropy)
            keys.append(new_keys)
            values.append(new_values)
        stacked = _stack(entropies)
        cache = KeyValueCache(tuple(keys), tuple(values), cache.starts, cache.next_slot + 1)
        return self._logits(x)[:, 0], cache, None if stacked is None else stacked[:, 0]


def _stack(entropies: list) -> jax.Array | None:
    """Entropies (B, T, L, N) of layers (B, T, N), if there are any."""
    return None if entropies[0] is None else jnp.stack(entropies, axis=2)

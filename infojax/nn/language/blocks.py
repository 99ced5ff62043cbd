"""The blocks of a decoder: self-attention with a cache, the feed-forward layer, and their norms."""

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from infojax.nn.language.activations import make_activation, resolve_activation
from infojax.nn.language.attending import attend, attend_to_cache
from infojax.nn.language.cache import write_token
from infojax.nn.language.configuration import LanguageModelConfig
from infojax.nn.language.normalization import RMSNorm, make_normalization
from infojax.nn.language.positions import rotary_embedding


def linear(
    inputs: int, outputs: int, config: LanguageModelConfig, rngs: nnx.Rngs, gain: float = 1.0
) -> nnx.Linear:
    """A projection without bias, of variance gain^2 / inputs.

    Args:
        inputs: size of the input's last axis.
        outputs: size of the output's last axis.
        config: says what is computed in.
        rngs: keys for the weights.
        gain: factor of the initial weights.

    Returns:
        The module.
    """
    return nnx.Linear(
        inputs,
        outputs,
        use_bias=False,
        dtype=jnp.dtype(config.dtype),
        kernel_init=nnx.initializers.variance_scaling(gain**2, "fan_in", "normal"),
        rngs=rngs,
    )


def _into_stream(config: LanguageModelConfig) -> float:
    """The gain of what adds to the residual stream, so that 2 L of them add up to order one."""
    return 1 / math.sqrt(2 * config.num_layers)


class SelfAttention(nnx.Module):
    r"""Causal attention of N query heads over K heads of keys and values, with rotary positions.

    $y = W_o\, \mathrm{attend}(R q, R k, v)$ with $(q, k, v) = W x$, R the rotation by position.

    Attributes:
        query_key_value: W, (D, (N + 2 K) H): queries first, then keys, then values.
        output: W_o, (N H, D).
        query_norm: RMS norm of each query head, or None.
        key_norm: RMS norm of each key head, or None.
        attend: the configuration's attention, made for this layer; None for the model's own.
    """

    def __init__(self, config: LanguageModelConfig, layer: int, *, rngs: nnx.Rngs):
        """Makes the layer.

        Args:
            config: sizes and parts.
            layer: its number, from 0.
            rngs: keys for the weights.
        """
        heads, groups = config.num_heads, config.key_value_heads
        features = config.features_per_head
        self.config = config
        inner = (heads + 2 * groups) * features
        self.query_key_value = linear(config.width, inner, config, rngs)
        self.output = linear(heads * features, config.width, config, rngs, _into_stream(config))
        normed = config.normalize_queries_and_keys
        self.query_norm: Any = RMSNorm(features, rngs=rngs) if normed else None
        self.key_norm: Any = RMSNorm(features, rngs=rngs) if normed else None
        given = config.attention
        made: Any = functools.partial(given, config, layer) if inspect.isclass(given) else None
        self.attend: Callable[..., Any] | None = made(rngs=rngs) if made else given

    def _project(self, x: jax.Array, positions: jax.Array) -> tuple[jax.Array, ...]:
        """Queries, keys and values, with positions turned into the first two."""
        heads, groups = self.config.num_heads, self.config.key_value_heads
        joint = self.query_key_value(x).reshape(*x.shape[:2], heads + 2 * groups, -1)
        query, key, value = jnp.split(joint, (heads, heads + groups), axis=2)
        if self.query_norm is not None:
            query, key = self.query_norm(query), self.key_norm(key)
        base = self.config.rotary_base
        query, key = (rotary_embedding(y, positions, base=base) for y in (query, key))
        return query, key, value

    def __call__(
        self, x: Float[Array, "B T D"], positions: Int[Array, "B T"], with_entropy: bool
    ) -> tuple[jax.Array, jax.Array | None, jax.Array, jax.Array]:
        """Attends over a whole text.

        Args:
            x: (B, T, D), normalised.
            positions: of the tokens; broadcasts to (B, T).
            with_entropy: whether the entropies are wanted.

        Returns:
            The output (B, T, D), entropies (B, T, N) or None, keys and values (B, T, K, H).
        """
        query, key, value = self._project(x, positions)
        function = attend if self.attend is None else self.attend
        mixed, entropy = function(
            query, key, value, mask=None, is_causal=True, with_entropy=with_entropy
        )
        return self.output(mixed.reshape(*x.shape[:2], -1)), entropy, key, value

    def decode(
        self,
        x: Float[Array, "B 1 D"],
        slots: tuple[Float[Array, "B K H S"], Float[Array, "B K S H"]],
        slot: Int[Array, ""],
        starts: Int[Array, " B"],
        with_entropy: bool,
    ) -> tuple[jax.Array, jax.Array | None, jax.Array, jax.Array]:
        """Writes one token's key and value a row, and attends from it over the cache.

        Args:
            x: (B, 1, D), normalised.
            slots: keys and values of this layer.
            slot: where the token goes.
            starts: the first slot of each row.
            with_entropy: whether the entropies are wanted.

        Returns:
            The output (B, 1, D), entropies (B, 1, N) or None, keys (B, K, H, S) and values
            (B, K, S, H).
        """
        query, key, value = self._project(x, (slot - starts)[:, None])
        keys, values = write_token(slots, key, value, slot)
        places = jnp.arange(values.shape[2])
        seen: Bool[Array, "B S"] = (places >= starts[:, None]) & (places <= slot)
        if self.attend is None:
            mixed, entropy = attend_to_cache(query, keys, values, seen)
            entropy = entropy if with_entropy else None
        else:
            mixed, entropy = self.attend(
                query,
                jnp.transpose(keys, (0, 3, 1, 2)),
                jnp.transpose(values, (0, 2, 1, 3)),
                mask=seen[:, None, None],
                is_causal=False,
                with_entropy=with_entropy,
            )
        return self.output(mixed.reshape(*x.shape[:2], -1)), entropy, keys, values


class FeedForward(nnx.Module):
    r"""$W_2\, a(W_1 x)$, or with a gate $W_2\, (a(W_g x) \odot W_1 x)$.

    Source of the gate: Shazeer 2020, arXiv 2002.05202.

    Attributes:
        inner: W_1, (D, F); with a gate (D, 2 F), W_g first.
        outer: W_2, (F, D).
        activation: a.
        gated: whether there is a gate.
    """

    def __init__(self, config: LanguageModelConfig, *, rngs: nnx.Rngs):
        """Makes the layer.

        Args:
            config: sizes and parts.
            rngs: keys for the weights.
        """
        hidden = config.feed_forward_features
        _, self.gated = resolve_activation(config.activation, config.gated)
        self.inner = linear(config.width, (2 if self.gated else 1) * hidden, config, rngs)
        self.outer = linear(hidden, config.width, config, rngs, _into_stream(config))
        self.activation = make_activation(config.activation, config.gated, hidden, rngs)

    def __call__(self, x: Float[Array, "B T D"]) -> Float[Array, "B T D"]:
        """Applies the layer to each token.

        Args:
            x: (B, T, D), normalised.

        Returns:
            The same shape.
        """
        hidden = self.inner(x)
        if self.gated:
            gate, hidden = jnp.split(hidden, 2, axis=-1)
            return self.outer(self.activation(gate) * hidden)
        return self.outer(self.activation(hidden))


class Block(nnx.Module):
    r"""$y = x + \mathrm{attend}(\mathrm{norm}(x))$, then $y + \mathrm{forward}(\mathrm{norm}(y))$.

    Attributes:
        attention_norm: before the attention.
        attention: over earlier tokens.
        feed_forward_norm: before the feed-forward layer.
        feed_forward: of each token.
    """

    def __init__(self, config: LanguageModelConfig, layer: int, *, rngs: nnx.Rngs):
        """Makes the block.

        Args:
            config: sizes and parts.
            layer: its number, from 0.
            rngs: keys for the weights.
        """
        self.attention_norm = make_normalization(config.normalization, config.width, rngs)
        self.attention = SelfAttention(config, layer, rngs=rngs)
        self.feed_forward_norm = make_normalization(config.normalization, config.width, rngs)
        self.feed_forward = FeedForward(config, rngs=rngs)

    def __call__(
        self, x: Float[Array, "B T D"], positions: Int[Array, "B T"], with_entropy: bool
    ) -> tuple[jax.Array, jax.Array | None, jax.Array, jax.Array]:
        """Over a whole text; see `SelfAttention.__call__`.

        Args:
            x: (B, T, D).
            positions: of the tokens.
            with_entropy: whether the entropies are wanted.

        Returns:
            The stream (B, T, D), entropies or None, keys and values (B, T, K, H).
        """
        added, entropy, key, value = self.attention(self.attention_norm(x), positions, with_entropy)
        x = x + added
        return x + self.feed_forward(self.feed_forward_norm(x)), entropy, key, value

    def decode(
        self,
        x: Float[Array, "B 1 D"],
        slots: tuple[Float[Array, "B K H S"], Float[Array, "B K S H"]],
        slot: Int[Array, ""],
        starts: Int[Array, " B"],
        with_entropy: bool,
    ) -> tuple[jax.Array, jax.Array | None, jax.Array, jax.Array]:
        """Of one token a row; see `SelfAttention.decode`.

        Args:
            x: (B, 1, D).
            slots: keys and values of this layer.
            slot: where the token goes.
            starts: the first slot of each row.
            with_entropy: whether the entropies are wanted.

        Returns:
            The stream (B, 1, D), entropies or None, keys and values.
        """
        added, entropy, keys, values = self.attention.decode(
            self.attention_norm(x), slots, slot, starts, with_entropy
        )
        x = x + added
        return x + self.feed_forward(self.feed_forward_norm(x)), entropy, keys, values

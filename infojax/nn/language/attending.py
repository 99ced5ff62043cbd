"""The model's own attention: over a whole text, and of one query a row over a cache."""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from infojax.attention import attention_with_entropy


def attend(
    query: Float[Array, "B T N H"],
    key: Float[Array, "B S K H"],
    value: Float[Array, "B S K H"],
    *,
    mask: Bool[Array, "B 1 T S"] | None = None,
    is_causal: bool = False,
    with_entropy: bool = False,
) -> tuple[jax.Array, jax.Array | None]:
    """Attention by the kernel of the platform; the form that `LanguageModelConfig.attention` has.

    The kernel that returns the entropies too is taken in either case: on CPU, at 128 and 256
    tokens, it took half to all of the time of attention whose scores are in memory, forward and
    backward, with the entropies or without.

    Args:
        query: (B, T, N, H).
        key: (B, S, K, H).
        value: (B, S, K, H).
        mask: True where a key counts.
        is_causal: whether position i sees positions up to i alone.
        with_entropy: whether the entropies are wanted.

    Returns:
        The output (B, T, N, H), and the entropies (B, T, N) in nats or None.
    """
    output, entropy = attention_with_entropy(query, key, value, mask=mask, is_causal=is_causal)
    return output, entropy if with_entropy else None


def attend_plainly(
    query: Float[Array, "B T N H"],
    key: Float[Array, "B S K H"],
    value: Float[Array, "B S K H"],
    *,
    mask: Bool[Array, "B 1 T S"] | None = None,
    is_causal: bool = False,
    with_entropy: bool = False,
) -> tuple[jax.Array, jax.Array | None]:
    """The same with all scores in memory: every order and mode of derivative, for short texts.

    Args:
        query: (B, T, N, H).
        key: (B, S, K, H).
        value: (B, S, K, H).
        mask: True where a key counts.
        is_causal: whether position i sees positions up to i alone.
        with_entropy: whether the entropies are wanted.

    Returns:
        The output (B, T, N, H), and the entropies (B, T, N) in nats or None.
    """
    if with_entropy:
        output, entropy = attention_with_entropy(
            query, key, value, mask=mask, is_causal=is_causal, implementation="xla"
        )
        return output, entropy
    return jax.nn.dot_product_attention(query, key, value, mask=mask, is_causal=is_causal), None


def _products(query: jax.Array, keys: jax.Array, values: jax.Array) -> tuple:
    """The two sums of attention over a cache as matrix products."""
    wide = jnp.float32
    scores = jnp.einsum("bkgh,bkhs->bkgs", query, keys, preferred_element_type=wide)

    def mix(weights):
        narrow = weights.astype(values.dtype)
        return jnp.einsum("bkgs,bksh->bkgh", narrow, values, preferred_element_type=wide)

    return scores, mix


def _sums(query: jax.Array, keys: jax.Array, values: jax.Array) -> tuple:
    """The same as loops over the cache: on CPU a product of so few rows takes twice as long."""
    wide = jnp.float32
    scores = jnp.sum(query[..., None].astype(wide) * keys[:, :, None].astype(wide), -2)

    def mix(weights):
        return jnp.sum(weights[..., None] * values[:, :, None].astype(wide), -2)

    return scores, mix


def _attend_to_cache(by: Callable, query, keys, values, seen):
    """Weights relative to the greatest, their sum, their scores, and the mean of the values."""
    scores, mix = by(query, keys, values)
    scores = jnp.where(seen[:, None, None], scores / math.sqrt(query.shape[-1]), -jnp.inf)
    shifted = scores - jnp.max(scores, -1, keepdims=True)
    weights = jnp.exp(shifted)
    normalizer = jnp.sum(weights, -1, keepdims=True)
    # A slot that does not count has weight 0; its score of -inf must not meet it.
    mean = jnp.sum(weights * jnp.where(weights > 0, shifted, 0), -1, keepdims=True) / normalizer
    return mix(weights) / normalizer, (jnp.log(normalizer) - mean)[..., 0]


def attend_to_cache(
    query: Float[Array, "B 1 N H"],
    keys: Float[Array, "B K H S"],
    values: Float[Array, "B K S H"],
    seen: Bool[Array, "B S"],
) -> tuple[Float[Array, "B 1 N H"], Float[Array, "B 1 N"]]:
    """One query a row over the slots of a cache, each read once in the order of memory.

    Args:
        query: of the newest token.
        keys: the slots, features first, so that scores are sums of whole lines of slots.
        values: the slots.
        seen: True where a slot counts; one at least in every row.

    Returns:
        The output, and the entropies in nats.
    """
    grouped = query.reshape(*keys.shape[:2], -1, query.shape[-1])
    mixed, entropy = jax.lax.platform_dependent(
        grouped,
        keys,
        values,
        seen,
        cpu=functools.partial(_attend_to_cache, _sums),
        default=functools.partial(_attend_to_cache, _products),
    )
    return mixed.astype(query.dtype).reshape(query.shape), entropy.reshape(query.shape[:3])

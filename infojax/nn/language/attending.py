"""The model's own attention: over a whole text, and of one query a row over a cache."""

import math

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

    The kernel that returns the entropies too is taken in either case: on CPU, at 128 to 256
    tokens, it is about twice as fast as attention whose scores are in memory, forward and
    backward, and without use of them the entropies cost little.

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


def attend_to_cache(
    query: Float[Array, "B 1 N H"],
    keys: Float[Array, "B K S H"],
    values: Float[Array, "B K S H"],
    seen: Bool[Array, "B S"],
    with_entropy: bool,
) -> tuple[Float[Array, "B 1 N H"], Float[Array, "B 1 N"] | None]:
    """One query a row over the slots of a cache, as two products that read each slot once.

    Args:
        query: of the newest token.
        keys: the slots, in the order in which they are read.
        values: the slots.
        seen: True where a slot counts; one at least in every row.
        with_entropy: whether the entropies are wanted.

    Returns:
        The output, and the entropies in nats or None.
    """
    batch, heads, _, features = keys.shape
    wide = jnp.float32
    grouped = query.reshape(batch, heads, -1, features)
    scores = jnp.einsum("bkgh,bksh->bkgs", grouped, keys, preferred_element_type=wide)
    scores = jnp.where(seen[:, None, None], scores / math.sqrt(features), -jnp.inf)
    shifted = scores - jnp.max(scores, -1, keepdims=True)
    weights = jnp.exp(shifted)
    normalizer = jnp.sum(weights, -1, keepdims=True)
    mixed = jnp.einsum(
        "bkgs,bksh->bkgh", weights.astype(values.dtype), values, preferred_element_type=wide
    )
    output = (mixed / normalizer).astype(query.dtype).reshape(query.shape)
    if not with_entropy:
        return output, None
    # A slot that does not count has weight 0; its score of -inf must not meet it.
    mean = jnp.sum(weights * jnp.where(weights > 0, shifted, 0), -1) / normalizer[..., 0]
    entropy = jnp.log(normalizer[..., 0]) - mean
    return output, entropy.reshape(query.shape[:3])

"""Attention with entropy, all scores in memory: the specification of every other implementation.

Differentiable by jax itself, in every mode and to every order.
"""

import jax
import jax.numpy as jnp

from infojax.kernels.attention_with_entropy.pattern import Pattern, allowed


def scores(query, key, bias, mask, pattern: Pattern) -> jax.Array:
    """All scores, -inf where a query may not attend.

    Args:
        query: (B, T, N, H).
        key: (B, S, K, H), N a multiple of K.
        bias: (B, N, T, S) with axes that may be 1, or None.
        mask: likewise, of booleans.
        pattern: scale, window and cap.

    Returns:
        Scores (B, N, T, S) of at least float32.
    """
    batch, length, heads, size = query.shape
    key_length, key_heads = key.shape[1:3]
    wide = jnp.promote_types(query.dtype, jnp.float32)
    grouped = query.reshape(batch, length, key_heads, heads // key_heads, size)
    products = jnp.einsum(
        "btkgh,bskh->bkgts", grouped, key, preferred_element_type=wide, precision="highest"
    ).reshape(batch, heads, length, key_length)
    result = products * pattern.scale
    if pattern.soft_cap is not None:
        result = pattern.soft_cap * jnp.tanh(result / pattern.soft_cap)
    if bias is not None:
        result = result + bias.astype(wide)
    if mask is not None:
        result = jnp.where(mask, result, -jnp.inf)
    near = allowed(pattern, jnp.arange(length)[:, None], jnp.arange(key_length))
    return result if near is None else jnp.where(near, result, -jnp.inf)


def attention_with_entropy(
    query, key, value, bias, mask, pattern: Pattern
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Attends.

    Args:
        query: (B, T, N, H).
        key: (B, S, K, H), N a multiple of K.
        value: (B, S, K, V).
        bias: (B, N, T, S) with axes that may be 1, or None.
        mask: likewise, of booleans.
        pattern: scale, window and cap.

    Returns:
        Output (B, T, N, V), and entropy and log normaliser (B, T, N) of at least float32. A
        query without keys has output 0, entropy 0 and log normaliser -inf.
    """
    s = scores(query, key, bias, mask, pattern)
    peak = jax.lax.stop_gradient(jnp.max(s, -1, keepdims=True, initial=-jnp.inf))
    empty = peak == -jnp.inf
    # The inner select keeps infinities out of the derivative's products.
    below = jnp.where(s == -jnp.inf, 0, s) - jnp.where(empty, 0, peak)
    weights = jnp.where(s == -jnp.inf, 0, jnp.exp(below))
    total = jnp.where(empty, 1, jnp.sum(weights, -1, keepdims=True))
    probabilities = weights / total
    entropy = jnp.log(total) - jnp.sum(probabilities * below, -1, keepdims=True)
    batch, heads, length, key_length = s.shape
    grouped = probabilities.reshape(
        batch, value.shape[2], heads // value.shape[2], length, key_length
    )
    output = jnp.einsum("bkgts,bskv->btkgv", grouped, value.astype(s.dtype), precision="highest")
    log_normalizer = jnp.where(empty, -jnp.inf, peak + jnp.log(total))
    return (
        output.reshape(batch, length, heads, value.shape[-1]).astype(query.dtype),
        entropy[..., 0].swapaxes(1, 2),
        log_normalizer[..., 0].swapaxes(1, 2),
    )

"""Gated attention pooling, written out: the specification of every other implementation."""

import jax
import jax.numpy as jnp

from infojax.kernels.gated_attention_pooling.tiles import AttentionGates


def gated_attention_pooling(
    instances: jax.Array,
    logits: jax.Array | None,
    gates: AttentionGates | None,
    where: jax.Array | None,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Pools bags with all logits, hidden units and attention weights in memory.

    Args:
        instances: (B, N, D).
        logits: (B, K, N), or None.
        gates: the weights that give the logits, or None; biases (1, L), output kernel (K, L)
            and output bias (K, 1).
        where: (B, 1, N), positive for instances that count; all if None.

    Returns:
        The pooled bags (B, K, D), the entropies (B, K, 1) and the logits (B, K, N), which are
        -inf for instances that do not count.
    """
    dtype = jnp.promote_types(instances.dtype, jnp.float32)
    if where is not None:
        instances = jnp.where(jnp.swapaxes(where, 1, 2) > 0, instances, 0)
    if logits is None:
        assert gates is not None
        rows = instances.astype(jnp.promote_types(dtype, gates.value_kernel.dtype))
        value = jnp.tanh(rows @ gates.value_kernel.astype(rows.dtype) + gates.value_bias)
        gate = jax.nn.sigmoid(rows @ gates.gate_kernel.astype(rows.dtype) + gates.gate_bias)
        logits = jnp.swapaxes((value * gate) @ gates.output_kernel.T, 1, 2) + gates.output_bias
    if where is not None:
        logits = jnp.where(where > 0, logits, -jnp.inf)
    counts = logits != -jnp.inf
    some = jnp.any(counts, -1, keepdims=True)
    log_attention = jax.nn.log_softmax(jnp.where(some, logits, 0), -1)
    log_attention = jnp.where(counts, log_attention, 0)
    attention = jnp.where(counts, jnp.exp(log_attention), 0)
    entropy = -jnp.sum(attention * log_attention, -1, keepdims=True)
    return attention @ instances.astype(attention.dtype), entropy, logits

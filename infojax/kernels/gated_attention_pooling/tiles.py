"""The arithmetic of one tile of instances, shared by every implementation.

A tile has T instances of D features, (T, D), and K rows of attention logits, (K, T). Its weights
e^(A - m) are summed beside the peak: m = max A, the rest of l = sum e^(A - m) without the peak's
own 1, t = sum e^(A - m) (A - m) and o = sum e^(A - m) h. Then z = o / l and H = log l - t / l,
which keeps its digits however small it is, since log l = log1p(rest).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

# A logit this far below the peak has a weight of exactly 0 in every type: a finite stand-in for
# -inf, so that 0 * -inf does not occur.
_FLOOR = -1000.0


class AttentionGates(NamedTuple):
    """Weights of gated attention, A = (tanh(h Wv + bv) * sigmoid(h Wu + bu)) w + b.

    Attributes:
        value_kernel: Wv, shape (D, L).
        value_bias: bv, shape (L,).
        gate_kernel: Wu, shape (D, L).
        gate_bias: bu, shape (L,).
        output_kernel: w, shape (L,), or (L, K) for K rows of attention.
        output_bias: b, shape (), or (K,).
    """

    value_kernel: jax.Array
    value_bias: jax.Array
    gate_kernel: jax.Array
    gate_bias: jax.Array
    output_kernel: jax.Array
    output_bias: jax.Array


class Sums(NamedTuple):
    """What is summed over instances; every entry has leading axes (..., K).

    Attributes:
        peak: m, (..., K, 1); -inf before the first instance that counts.
        rest: l less the peak's own 1.
        tilt: t, which is never positive.
        output: o, (..., K, D).
    """

    peak: jax.Array
    rest: jax.Array
    tilt: jax.Array
    output: jax.Array


class Attended(NamedTuple):
    """What attention gives, and what its derivative needs; log Z = peak + log_weight.

    Attributes:
        pooled: z, (..., K, D).
        entropy: H in nats, (..., K, 1).
        peak: m, (..., K, 1).
        log_weight: log l, (..., K, 1); apart from the peak, which would round it away.
    """

    pooled: jax.Array
    entropy: jax.Array
    peak: jax.Array
    log_weight: jax.Array


def dot(x: jax.Array, y: jax.Array, contract: tuple[int, int]) -> jax.Array:
    """A product of matrices with at least float32 accumulation.

    Args:
        x: a matrix.
        y: a matrix; two of the same 16-bit type are multiplied as they are, others in float32.
        contract: the axis of each that is summed over.

    Returns:
        The product, in float32 (float64).
    """
    wide = jnp.promote_types(jnp.promote_types(x.dtype, y.dtype), jnp.float32)
    half = x.dtype == y.dtype and x.dtype.itemsize == 2
    return jax.lax.dot_general(
        x if half else x.astype(wide),
        y if half else y.astype(wide),
        (((contract[0],), (contract[1],)), ((), ())),
        precision=None if half else jax.lax.Precision.HIGHEST,
        preferred_element_type=wide,
    )


def hidden_units(instances: jax.Array, gates: AttentionGates) -> tuple[jax.Array, jax.Array]:
    """The two factors of gated attention.

    Args:
        instances: (T, D).
        gates: the weights, biases of shape (1, L).

    Returns:
        tanh(h Wv + bv) and sigmoid(h Wu + bu), (T, L).
    """
    rows = instances.astype(jnp.promote_types(instances.dtype, gates.value_kernel.dtype))
    value = jnp.tanh(dot(rows, gates.value_kernel, (1, 0)) + gates.value_bias)
    gate = jax.nn.sigmoid(dot(rows, gates.gate_kernel, (1, 0)) + gates.gate_bias)
    return value, gate


def gated_logits(value: jax.Array, gate: jax.Array, gates: AttentionGates) -> jax.Array:
    """Attention logits of the two factors.

    Args:
        value: (T, L).
        gate: (T, L).
        gates: the weights, `output_kernel` of shape (K, L) and `output_bias` (K, 1).

    Returns:
        The logits, (K, T).
    """
    return dot(gates.output_kernel, value * gate, (1, 1)) + gates.output_bias


def weigh(logits: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Weights of the instances of a tile.

    Args:
        logits: (K, T); -inf for instances that do not count.

    Returns:
        The weights e^(A - m), (K, T), and the peak, the rest and the tilt, (K, 1).
    """
    peak = jnp.max(logits, 1, keepdims=True)
    shifted = jnp.maximum(logits - _finite(peak), _FLOOR)
    weights = jnp.exp(shifted)
    # Wider integers would come with x64, and the kernels' targets have none.
    positions = jax.lax.broadcasted_iota(jnp.int32, logits.shape, 1)
    size = jnp.int32(logits.shape[1])
    first = jnp.min(jnp.where(logits == peak, positions, size), 1, keepdims=True)
    rest = jnp.sum(jnp.where(positions == first, 0.0, weights), 1, keepdims=True)
    tilt = jnp.sum(weights * shifted, 1, keepdims=True)
    return weights, peak, rest, tilt


def summarise(logits: jax.Array, instances: jax.Array) -> Sums:
    """The sums over a tile.

    Args:
        logits: (K, T); -inf for instances that do not count.
        instances: (T, D), finite everywhere.

    Returns:
        The sums.
    """
    weights, peak, rest, tilt = weigh(logits)
    return Sums(peak, rest, tilt, dot(weights, instances, (1, 0)))


def no_sums(shape: tuple[int, ...], dtype) -> Sums:
    """The sums over no instance.

    Args:
        shape: (..., K, D).
        dtype: the type of the sums.

    Returns:
        The neutral element of `merge`.
    """
    zeros = jnp.zeros((*shape[:-1], 1), dtype)
    return Sums(jnp.full_like(zeros, -jnp.inf), zeros, zeros, jnp.zeros(shape, dtype))


def merge(earlier: Sums, later: Sums) -> Sums:
    """The sums over the instances of both.

    Args:
        earlier: sums over some instances.
        later: sums over others.

    Returns:
        The sums over all.
    """
    peak = jnp.maximum(earlier.peak, later.peak)
    parts = [_rescaled(sums, peak) for sums in (earlier, later)]
    (weight, tilt, output), (other_weight, other_tilt, other_output) = parts
    first_has_it = earlier.peak >= later.peak
    rest = jnp.where(first_has_it, earlier.rest + other_weight, later.rest + weight)
    rest = jnp.where(peak == -jnp.inf, 0.0, rest)
    return Sums(peak, rest, tilt + other_tilt, output + other_output)


def _rescaled(sums: Sums, peak: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The weight, tilt and output of sums against a higher peak."""
    move = jnp.maximum(sums.peak - _finite(peak), _FLOOR)
    scale = jnp.exp(move)
    weight = jnp.where(sums.peak == -jnp.inf, 0.0, 1 + sums.rest)
    return scale * weight, scale * (sums.tilt + move * weight), scale * sums.output


def attended(sums: Sums) -> Attended:
    """Output and entropy of attention from the sums over all instances.

    Args:
        sums: the sums; without an instance the output and the entropy are 0.

    Returns:
        What attention gives.
    """
    weight = 1 + sums.rest
    log_weight = jnp.log1p(sums.rest)
    entropy = log_weight - sums.tilt / weight
    empty = sums.peak == -jnp.inf
    return Attended(
        sums.output / weight,
        jnp.where(empty, 0.0, entropy),
        sums.peak,
        log_weight,
    )


def logit_cotangents(
    logits: jax.Array,
    projected: jax.Array,
    pooled_projected: jax.Array,
    saved: Attended,
    entropy_cotangent: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """The derivative by the logits, dA_n = a_n (g . (h_n - z) - g_H (log a_n + H)).

    Args:
        logits: (K, T); -inf for instances that do not count.
        projected: g . h_n, the instances times the cotangent of the output, (K, T).
        pooled_projected: g . z, (K, 1).
        saved: entropy, peak and weight of the whole bag.
        entropy_cotangent: g_H, (K, 1).

    Returns:
        The attention a and the cotangents of the logits, (K, T).
    """
    log_attention = jnp.maximum((logits - _finite(saved.peak)) - saved.log_weight, _FLOOR)
    attention = jnp.exp(log_attention)
    surprise = entropy_cotangent * (log_attention + saved.entropy)
    return attention, attention * (projected - pooled_projected - surprise)


def hidden_cotangents(
    cotangents: jax.Array, value: jax.Array, gate: jax.Array, output_kernel: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The derivative by h Wv + bv and h Wu + bu.

    Args:
        cotangents: of the logits, (K, T).
        value: tanh(h Wv + bv), (T, L).
        gate: sigmoid(h Wu + bu), (T, L).
        output_kernel: (K, L).

    Returns:
        The two cotangents, (T, L).
    """
    product = dot(cotangents, output_kernel, (0, 0))
    return product * gate * (1 - value * value), product * value * gate * (1 - gate)


def number_of_rows(logits: jax.Array | None, gates: AttentionGates | None) -> int:
    """K of a call.

    Args:
        logits: (B, K, N), or None.
        gates: the weights, or None.

    Returns:
        The number of rows of attention.
    """
    if gates is not None:
        return gates.output_kernel.shape[0]
    assert logits is not None
    return logits.shape[1]


def by_name(
    instances: jax.Array,
    logits: jax.Array | None,
    gates: AttentionGates | None,
    where: jax.Array | None,
) -> dict[str, jax.Array]:
    """The arrays of a call that are there.

    Args:
        instances: (B, N, D).
        logits: (B, K, N), or None.
        gates: the weights, or None.
        where: (B, 1, N), or None.

    Returns:
        The arrays by name, each of the gates by its own.
    """
    found = {"instances": instances, "logits": logits, "where": where}
    found |= {} if gates is None else gates._asdict()
    return {name: x for name, x in found.items() if x is not None}


def backward_by_name(
    instances: jax.Array,
    logits: jax.Array,
    gates: AttentionGates | None,
    where: jax.Array | None,
    saved: Attended,
    cotangents: tuple[jax.Array, jax.Array, jax.Array | None],
) -> dict[str, jax.Array]:
    """The arrays of a derivative that are there.

    Args:
        instances: (B, N, D).
        logits: (B, K, N).
        gates: the weights, or None.
        where: (B, 1, N), or None.
        saved: what attention gave.
        cotangents: of the pooled bags, the entropies and, with gates, the logits.

    Returns:
        The arrays by name.
    """
    by_pooled, by_entropy, by_logits = cotangents
    found = by_name(instances, logits, gates, where) | {
        "entropy": saved.entropy,
        "peak": saved.peak,
        "log_weight": saved.log_weight,
        "by_pooled": by_pooled,
        "by_entropy": by_entropy,
        "pooled_projected": jnp.sum(by_pooled * saved.pooled, -1, keepdims=True),
    }
    return found if by_logits is None else found | {"by_logits": by_logits}


def _finite(peak: jax.Array) -> jax.Array:
    return jnp.where(peak == -jnp.inf, 0.0, peak)

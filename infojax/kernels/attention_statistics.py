"""Exact combination of attention over disjoint sets of keys: outputs, entropies, normalisers.

Each part attends over its own keys. With w_i = exp(log Z_i - log Z) the whole has the output
sum w_i o_i and, by the chain rule of entropy, the entropy sum w_i (H_i - log w_i): every term is
non-negative, so nothing cancels.
"""

from collections.abc import Callable, Hashable

import jax
import jax.numpy as jnp


def _combine(
    output: jax.Array,
    entropy: jax.Array,
    log_normalizer: jax.Array,
    peak: jax.Array,
    is_peak: jax.Array,
    add: Callable[[jax.Array], jax.Array],
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Combines the parts that `add` sums; `is_peak` marks one of those whose log Z is `peak`."""
    counts = log_normalizer != -jnp.inf
    peak = jnp.where(peak == -jnp.inf, 0, peak)
    shifted = jnp.where(counts, log_normalizer - peak, 0)
    # The peak's own 1 would round away what the others add to it: expm1 has its derivative and
    # the value 0, and log1p puts the 1 back.
    others = jnp.where(is_peak, jnp.expm1(shifted), jnp.exp(shifted))
    log_total = jnp.log1p(add(jnp.where(counts, others, 0)))
    log_weight = shifted - log_total
    weight = jnp.where(counts, jnp.exp(log_weight), 0)
    any_counts = add(counts.astype(weight.dtype)) > 0
    shares = jnp.where(counts[..., None], output, 0) * weight[..., None].astype(output.dtype)
    return (
        add(shares),
        add(jnp.where(counts, entropy - log_weight, 0) * weight),
        jnp.where(any_counts, peak + log_total, -jnp.inf),
    )


def combine(
    outputs: jax.Array, entropies: jax.Array, log_normalizers: jax.Array, axis: int = 0
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Combines stacked attention statistics of disjoint sets of keys.

    A part's weight is known to the rounding of its log normaliser: where that is large, subtract
    the same constant from all of them first.

    Args:
        outputs: the parts' outputs, of the shape of `log_normalizers` and one more trailing axis.
        entropies: the parts' entropies in nats.
        log_normalizers: log sum exp of the parts' logits; -inf for a part without keys, which
            then counts nothing.
        axis: the axis of `log_normalizers` along which the parts are stacked.

    Returns:
        The output, entropy and log normaliser of the whole, without `axis`; 0, 0 and -inf where
        no part has a key. Differentiable with finite gradients.
    """
    axis = axis % log_normalizers.ndim
    peak = jax.lax.stop_gradient(jnp.max(log_normalizers, axis, keepdims=True))
    numbers = jax.lax.broadcasted_iota(jnp.int32, log_normalizers.shape, axis)
    found = jnp.where(log_normalizers == peak, numbers, log_normalizers.shape[axis])
    first = jnp.min(found, axis, keepdims=True)
    output, entropy, log_normalizer = _combine(
        outputs,
        entropies,
        log_normalizers,
        peak,
        numbers == first,
        lambda parts: jnp.sum(parts, axis, keepdims=True),
    )
    return (
        jnp.squeeze(output, axis),
        jnp.squeeze(entropy, axis),
        jnp.squeeze(log_normalizer, axis),
    )


def combine_over_devices(
    output: jax.Array,
    entropy: jax.Array,
    log_normalizer: jax.Array,
    axis_name: Hashable | tuple[Hashable, ...],
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Combines attention statistics whose keys are spread over a mesh axis, inside `shard_map`.

    Args:
        output: this device's output, of the shape of `log_normalizer` and one more trailing axis.
        entropy: this device's entropy in nats.
        log_normalizer: log sum exp of this device's logits; -inf where it has no keys.
        axis_name: the mesh axis, or axes, over which the keys are spread.

    Returns:
        The output, entropy and log normaliser of the whole, the same on every device of the
        axis; 0, 0 and -inf where no device has a key. Differentiable with finite gradients.
    """
    peak = jax.lax.pmax(jax.lax.stop_gradient(log_normalizer), axis_name)
    number = jax.lax.axis_index(axis_name)
    count = jax.lax.axis_size(axis_name)
    found = jnp.where(jax.lax.stop_gradient(log_normalizer) == peak, number, count)
    is_peak = number == jax.lax.pmin(found, axis_name)
    return _combine(
        output,
        entropy,
        log_normalizer,
        peak,
        is_peak,
        lambda part: jax.lax.psum(part, axis_name),
    )

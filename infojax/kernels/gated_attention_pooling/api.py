"""Gated attention pooling's one entry: checks, chooses an implementation, gives a derivative."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp

from infojax.kernels import dispatch, varying
from infojax.kernels.gated_attention_pooling import (
    pallas_gpu,
    pallas_tpu,
    reference,
    tiles,
    xla,
)
from infojax.kernels.gated_attention_pooling.tiles import AttentionGates

_FORWARD = {
    "pallas_gpu": pallas_gpu.forward,
    "pallas_tpu": pallas_tpu.forward,
    "xla": xla.forward,
}
_BACKWARD = {
    "pallas_gpu": pallas_gpu.backward,
    "pallas_tpu": pallas_tpu.backward,
    "xla": xla.backward,
}
_KNOWN = {**_FORWARD, "reference": reference.gated_attention_pooling}


def _run(functions, implementation, interpret: bool, arguments):
    if interpret and implementation in dispatch.PLATFORMS:
        return functions[implementation](*arguments, interpret=True)
    instances, logits, gates = arguments[:3]
    rows = tiles.number_of_rows(logits, gates)
    refused = {
        "pallas_gpu": pallas_gpu.refusal(instances, rows, gates),
        "pallas_tpu": pallas_tpu.refusal(instances, rows, gates, functions is _BACKWARD),
    }
    return dispatch.call(implementation, functions, arguments, default="xla", refused=refused)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _pool(implementation: str | None, interpret: bool, instances, logits, gates, where) -> Any:
    return _pool_forward(implementation, interpret, instances, logits, gates, where)[0]


def _pool_forward(implementation, interpret, instances, logits, gates, where):
    found, computed = _run(_FORWARD, implementation, interpret, (instances, logits, gates, where))
    kept = logits if computed is None else computed
    outputs = found.pooled.astype(instances.dtype), found.entropy, computed
    return outputs, (instances, kept, gates, where, found)


def _pool_backward(implementation, interpret, residuals, cotangents):
    instances, logits, gates, where, saved = residuals
    by_pooled, by_entropy, by_computed = cotangents
    cotangents = by_pooled.astype(saved.pooled.dtype), by_entropy, by_computed
    arguments = instances, logits, gates, where, saved, cotangents
    by_instances, by_logits, by_gates = _run(_BACKWARD, implementation, interpret, arguments)
    if gates is not None:
        by_gates = jax.tree.map(lambda x, like: x.astype(like.dtype), by_gates, gates)
    return by_instances, by_logits, by_gates, None


_pool.defvjp(_pool_forward, _pool_backward)


def _check_floating(name: str, x: Any) -> jax.Array:
    array = jnp.asarray(x)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(f"{name} must have a floating type; got {array.dtype}.")
    return array


def _check_shape(name: str, x: jax.Array, *allowed: tuple[int, ...]) -> None:
    if x.shape not in allowed:
        expected = " or ".join(map(str, allowed))
        raise ValueError(f"{name} must have shape {expected}; got {x.shape}.")


def _check_instances(instances: Any) -> jax.Array:
    array = _check_floating("instances", instances)
    if array.ndim < 2 or 0 in array.shape[-2:]:
        raise ValueError(
            "instances must have shape (*B, N, D) with an instance and a feature; "
            f"got {array.shape}."
        )
    return array


def _check_logits(logits: Any, instances: jax.Array) -> tuple[jax.Array, bool]:
    """The logits as (*B, K, N), and whether they came with K."""
    array = _check_floating("logits", logits)
    *batch, count = instances.shape[:-1]
    with_rows = array.ndim == instances.ndim
    rows = array.shape[-2:-1] if with_rows else ()
    if array.shape != (*batch, *rows, count) or 0 in rows:
        batch_text = ", ".join(map(str, batch)) + (", " if batch else "")
        raise ValueError(
            f"logits must have shape ({batch_text}{count}) or ({batch_text}K, {count}) for "
            f"instances of shape {instances.shape}; got {array.shape}."
        )
    return (array if with_rows else array[..., None, :]), with_rows


def _check_gates(gates: Any, instances: jax.Array) -> tuple[AttentionGates, bool]:
    """The weights as the implementations take them, and whether they came with K."""
    if not isinstance(gates, AttentionGates):
        raise TypeError(f"gates must be AttentionGates; got {type(gates).__name__}.")
    gates = AttentionGates(
        *(_check_floating(f"gates.{name}", x) for name, x in zip(gates._fields, gates, strict=True))
    )
    features = instances.shape[-1]
    kernel, output = gates.value_kernel, gates.output_kernel
    if kernel.ndim != 2 or kernel.shape[0] != features or kernel.shape[1] == 0:
        raise ValueError(f"gates.value_kernel must be ({features}, L); got {kernel.shape}.")
    hidden = kernel.shape[1]
    _check_shape("gates.gate_kernel", gates.gate_kernel, (features, hidden))
    _check_shape("gates.value_bias", gates.value_bias, (hidden,))
    _check_shape("gates.gate_bias", gates.gate_bias, (hidden,))
    if output.ndim not in (1, 2) or output.shape[0] != hidden or 0 in output.shape:
        raise ValueError(
            f"gates.output_kernel must be ({hidden},) or ({hidden}, K); got {output.shape}."
        )
    rows = output.shape[1:]
    _check_shape("gates.output_bias", gates.output_bias, rows)
    wide = jnp.promote_types(jnp.result_type(instances, *gates), jnp.float32)
    kind = jnp.result_type(instances, gates.value_kernel, gates.gate_kernel)
    matrix = output.astype(wide).reshape(hidden, math.prod(rows)).T
    return AttentionGates(
        gates.value_kernel.astype(kind),
        gates.value_bias.astype(wide)[None],
        gates.gate_kernel.astype(kind),
        gates.gate_bias.astype(wide)[None],
        matrix,
        gates.output_bias.astype(wide).reshape(matrix.shape[0], 1),
    ), bool(rows)


def _check_where(where: Any, instances: jax.Array) -> jax.Array | None:
    """The mask as (*B, N)."""
    if where is None:
        return None
    array, shape = jnp.asarray(where), instances.shape[:-1]
    if array.dtype != bool:
        raise TypeError(f"where must be boolean; got {array.dtype}.")
    try:
        return jnp.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(f"where must broadcast to {shape}; got {array.shape}.") from None


def _without_bags(instances, logits, gates) -> tuple[jax.Array, jax.Array, jax.Array | None]:
    rows, (count, features) = tiles.number_of_rows(logits, gates), instances.shape[1:]
    computed = None if gates is None else jnp.zeros((0, rows, count), gates.output_kernel.dtype)
    wide = (logits if computed is None else computed).dtype
    return jnp.zeros((0, rows, features), instances.dtype), jnp.zeros((0, rows), wide), computed


def _pool_flat(implementation, interpret, instances, logits, gates, where) -> Any:
    """Calls an implementation with one batch axis, all arrays varying over the same mesh axes."""
    batch, (count, features) = instances.shape[:-2], instances.shape[-2:]
    size = math.prod(batch)
    wide = jnp.promote_types(instances.dtype, jnp.float32)
    if gates is None:
        wide = jnp.promote_types(wide, logits.dtype)
        logits = logits.reshape(size, logits.shape[-2], count).astype(wide)
    if where is not None:
        where = where.reshape(size, 1, count).astype(wide)
    arguments = instances.reshape(size, count, features), logits, gates, where
    # The derivative then meets one kind of array; weights shared by devices get their sum.
    arguments = varying.vary_like(arguments, arguments)
    if size == 0:
        found: Any = _without_bags(*arguments[:3])
    elif implementation == "reference":
        pooled, *others = reference.gated_attention_pooling(*arguments)
        found = pooled.astype(instances.dtype), *others
    else:
        found = _pool(implementation, interpret, *arguments)
    pooled, entropy, computed = found
    rows = pooled.shape[1]
    return (
        pooled.reshape(*batch, rows, features),
        entropy.reshape(*batch, rows),
        None if computed is None else computed.reshape(*batch, rows, count),
    )


def gated_attention_pooling(
    instances: jax.Array,
    *,
    logits: jax.Array | None = None,
    gates: AttentionGates | None = None,
    where: jax.Array | None = None,
    implementation: str | None = None,
    interpret: bool = False,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Pools bags of instances by attention, in one pass that also gives the entropy.

    The attention is a = softmax(A) over the instances of a bag, the pooled bag z = sum a_n h_n
    and the entropy H = -sum a_n log a_n in nats.

    Args:
        instances: h, shape (*B, N, D), N >= 1. Values are not checked here.
        logits: A, shape (*B, N), or (*B, K, N) for K rows of attention; -inf for instances
            that do not count.
        gates: the weights that give the logits instead, shared by all bags.
        where: instances that count, broadcast to (*B, N); all if None. The others may hold
            anything. A bag without an instance has pooled and entropy 0 and gradient 0.
        implementation: `"xla"` runs everywhere, by tiles; `"reference"` is the plain
            specification; `"pallas_tpu"` and `"pallas_gpu"` are the kernels; None takes what is
            best for the platform.
        interpret: runs the Pallas kernel in its interpreter: slow, for tests on any machine.

    Returns:
        The pooled bags (*B, K, D) in the type of the instances, the entropies (*B, K) and the
        logits (*B, K, N), -inf where masked; without the axis K if the logits, or
        `gates.output_kernel`, came without. The entropies, and logits that come from gates, have
        at least float32. Differentiable once, in reverse mode, with O(N) memory beyond the
        derivative itself.

    Raises:
        TypeError: an array that is not of floating type, or `where` not boolean.
        ValueError: not exactly one of `logits` and `gates`, shapes that do not fit, a bag
            without instances, or an unknown implementation.
        NotImplementedError: the named implementation cannot take these arguments, or cannot
            run on this platform.
    """
    dispatch.check_name(implementation, _KNOWN)
    instances = _check_instances(instances)
    if (logits is None) == (gates is None):
        raise ValueError("exactly one of logits and gates must be given.")
    where = _check_where(where, instances)
    if gates is not None:
        gates, with_rows = _check_gates(gates, instances)
        found = _pool_flat(implementation, interpret, instances, None, gates, where)
    else:
        logits, with_rows = _check_logits(logits, instances)
        pooled, entropy, _ = _pool_flat(implementation, interpret, instances, logits, None, where)
        if where is not None:
            logits = jnp.where(where[..., None, :], logits, -jnp.inf)
        found = pooled, entropy, logits
    pooled, entropy, attended = found
    if with_rows:
        return pooled, entropy, attended
    return pooled[..., 0, :], entropy[..., 0], attended[..., 0, :]

"""Attention with entropy: one entry, one derivative, four implementations."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from infojax.kernels import dispatch
from infojax.kernels.attention_with_entropy import (
    arguments,
    pallas_gpu,
    pallas_gpu_backward,
    pallas_tpu,
    pallas_tpu_backward,
    reference,
    xla_chunked,
)
from infojax.kernels.attention_with_entropy.backward import GradientInputs
from infojax.kernels.attention_with_entropy.pattern import Pattern
from infojax.kernels.varying import vary_like

_DEFAULT = "xla_chunked"
_FORWARD = {
    "xla_chunked": xla_chunked.attention_with_entropy,
    "pallas_tpu": pallas_tpu.attention_with_entropy,
    "pallas_gpu": pallas_gpu.attention_with_entropy,
}
_BACKWARD = {
    "xla_chunked": xla_chunked.attention_gradients,
    "pallas_tpu": pallas_tpu_backward.attention_gradients,
    "pallas_gpu": pallas_gpu_backward.attention_gradients,
}
_NAMES = dict.fromkeys((*_FORWARD, "xla"))


class _How(NamedTuple):
    """What is static in a call."""

    implementation: str | None
    interpret: bool
    pattern: Pattern


def _call(functions: dict[str, Callable], how: _How, inputs: tuple, query, value):
    """Runs one direction by the implementation that was named, or the platform's own."""
    functions = {
        name: functools.partial(function, pattern=how.pattern)
        for name, function in functions.items()
    }
    if how.interpret and how.implementation in dispatch.PLATFORMS:
        return functions[how.implementation](*inputs, interpret=True)
    refused = {
        "pallas_tpu": pallas_tpu.refuses(query, value),
        "pallas_gpu": pallas_gpu.refuses(query, value),
    }
    return dispatch.call(how.implementation, functions, inputs, default=_DEFAULT, refused=refused)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _attend(how: _How, query, key, value, bias, mask):
    return _call(_FORWARD, how, (query, key, value, bias, mask), query, value)


def _forward_rule(how, query, key, value, bias, mask):
    arrays = (query, key, value, bias, mask)
    results = _call(_FORWARD, how, arrays, query, value)
    return results, (arrays, results)


def _backward_rule(how, residuals, upstream):
    (query, key, value, bias, mask), (output, entropy, log_normalizer) = residuals
    d_output, d_entropy, d_log_normalizer = upstream
    # With p = e^(s - log Z): dO/ds = p (v - O), dH/ds = -p (log p + H), dlogZ/ds = p.
    inner = jnp.sum(d_output.astype(entropy.dtype) * output.astype(entropy.dtype), -1)
    offset = d_log_normalizer - inner - d_entropy * entropy
    # Where a query has no key its probabilities are 0 by the scores alone.
    finite = jnp.where(log_normalizer == -jnp.inf, 0, log_normalizer)
    inputs = GradientInputs(
        query, key, value, bias, mask, d_output, finite, offset, weight=d_entropy
    )
    gradients = _call(_BACKWARD, how, (inputs,), query, value)
    return (*gradients, None)


_attend.defvjp(_forward_rule, _backward_rule)


@functools.partial(jax.jit, static_argnums=0)
def _run(how: _How, query, key, value, bias, mask):
    batch = query.shape[:-3]
    q, k, v = (x.reshape(math.prod(batch), *x.shape[-3:]) for x in (query, key, value))
    results: Any
    if how.implementation == "xla" or 0 in (*query.shape, *key.shape):
        # Nothing to cut, and nothing to loop over, where an axis is empty.
        results = reference.attention_with_entropy(q, k, v, bias, mask, how.pattern)
    else:
        # Inside shard_map a derivative is of its array's type: all vary where one does.
        arrays = (q, k, v, bias, mask)
        results = _attend(how, *vary_like(arrays, *arrays))
    return tuple(x.reshape(*batch, *x.shape[1:]) for x in results)


def attention_with_entropy(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    *,
    bias: jax.Array | None = None,
    mask: jax.Array | None = None,
    is_causal: bool = False,
    local_window_size: int | tuple[int, int] | None = None,
    scale: float | None = None,
    logits_soft_cap: float | None = None,
    return_log_normalizer: bool = False,
    implementation: str | None = None,
    interpret: bool = False,
) -> tuple[jax.Array, ...]:
    """Dot-product attention and the entropy of its weights, in one pass over the keys.

    Scores are scale q.k, bounded to cap tanh(. / cap) if there is a cap, plus the bias; those of
    keys that do not count are -inf. With p their softmax, the output is sum p v, the entropy
    H = -sum p log p in nats.

    Args:
        query: (*B, T, N, H).
        key: (*B, S, K, H); N must be a multiple of K, whose heads are shared in turn.
        value: (*B, S, K, V).
        bias: added to the scores; broadcasts to (*B, N, T, S).
        mask: True where a key counts; broadcasts to (*B, N, T, S).
        is_causal: whether position i sees positions up to i alone.
        local_window_size: (left, right): position i sees those from i - left to i + right; one
            number stands for both.
        scale: a static number; 1 / sqrt(H) if None.
        logits_soft_cap: a static number; None for no cap.
        return_log_normalizer: whether to return log sum exp of the scores as well.
        implementation: `"xla"` holds all scores in memory, and is differentiable in every mode
            to every order; `"xla_chunked"` works by blocks anywhere; `"pallas_tpu"` and
            `"pallas_gpu"` are kernels. These three have a reverse-mode derivative that keeps
            O(T) numbers. None takes the platform's kernel, or `"xla_chunked"`.
        interpret: runs a Pallas kernel that is named in its interpreter: slow, for tests on
            any machine.

    Returns:
        The output (*B, T, N, V) of the inputs' common type; the entropy, (*B, T, N), and the
        log normaliser on request, of at least float32. A query without keys has output 0,
        entropy 0 and log normaliser -inf, with gradients 0.

    Raises:
        TypeError: an array or option of the wrong type.
        ValueError: shapes that do not fit; heads that do not divide; a bad window or cap; an
            implementation of that name does not exist.
        NotImplementedError: the named implementation cannot take the arrays, or cannot run on
            this platform.
    """
    dispatch.check_name(implementation, _NAMES)
    query, key, value = arguments.check_arrays(query, key, value)
    bias = arguments.check_table("bias", bias, query, key)
    mask = arguments.check_table("mask", mask, query, key)
    pattern = arguments.check_pattern(
        is_causal, local_window_size, scale, logits_soft_cap, query.shape[-1]
    )
    results = _run(_How(implementation, interpret, pattern), query, key, value, bias, mask)
    return results if return_log_normalizer else results[:2]

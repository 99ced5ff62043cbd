"""The one entry to statistics of logits: chooses an implementation, gives it a derivative."""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from infojax.kernels import dispatch
from infojax.kernels.entropy_from_logits import pallas_gpu, pallas_tpu, reference, xla

_NAMES = {"reference": reference, "xla": xla, "pallas_tpu": pallas_tpu, "pallas_gpu": pallas_gpu}


class LogitStatistics(NamedTuple):
    """What one pass over logits s finds; the reduced axes stay with size one.

    Attributes:
        entropy: of softmax(s), in nats.
        log_weight: log of the sum of exp(s - peak), so that log Z = peak + log_weight; the two
            stay apart because in their sum the larger rounds away the smaller.
        peak: the largest logit. It is not finite exactly where the row has no finite entry, or
            NaN or +inf among them; then the other two are NaN.
    """

    entropy: jax.Array
    log_weight: jax.Array
    peak: jax.Array


def _over_rows(function, axes: tuple[int, ...]):
    """Runs a kernel of rows over trailing axes."""

    def run(logits, where):
        kept = logits.shape[: logits.ndim - len(axes)]
        flat = (math.prod(kept), math.prod(logits.shape[len(kept) :]))
        mask = None if where is None else jnp.broadcast_to(where, logits.shape).reshape(flat)
        found = function(logits.reshape(flat), mask)
        return tuple(x.reshape(*kept, *[1] * len(axes)) for x in found)

    return run


def _refused(logits: jax.Array, axes: tuple[int, ...]) -> dict[str, str | None]:
    """Why a kernel cannot take these logits."""
    reason = None
    if sorted(axes) != list(range(logits.ndim - len(axes), logits.ndim)):
        reason = f"reduces trailing axes alone, got axes {axes} of {logits.ndim}"
    elif logits.size == 0:
        reason = f"takes no empty array, got shape {logits.shape}"
    elif logits.dtype.itemsize > 4:
        reason = f"takes at most 32 bits, got {logits.dtype}"
    half = "takes no float16" if logits.dtype == jnp.float16 else None
    return {"pallas_tpu": reason or half, "pallas_gpu": reason}


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3, 4))
def _statistics(logits, where, axes: tuple[int, ...], implementation: str | None, interpret: bool):
    functions = {
        "reference": functools.partial(reference.logit_statistics, axes=axes),
        "xla": functools.partial(xla.logit_statistics, axes=axes),
        "pallas_tpu": _over_rows(pallas_tpu.logit_statistics, axes),
        "pallas_gpu": _over_rows(pallas_gpu.logit_statistics, axes),
    }
    refused = _refused(logits, axes)
    if interpret and implementation is not None and not refused.get(implementation):
        kernel = functools.partial(_NAMES[implementation].logit_statistics, interpret=True)
        return _over_rows(kernel, axes)(logits, where)
    return dispatch.call(implementation, functions, (logits, where), default="xla", refused=refused)


@_statistics.defjvp
def _statistics_jvp(axes, implementation, interpret, primals, tangents):
    logits, where = primals
    value, log_weight, peak = _statistics(logits, where, axes, implementation, interpret)

    # Under reverse mode the checkpoint keeps (logits, log Z, H) alone, not the probabilities.
    @jax.checkpoint
    def tangent(logits, log_weight, peak, value, dot):
        wide = logits.astype(value.dtype)
        wide = wide if where is None else jnp.where(where, wide, -jnp.inf)
        log_p = (wide - peak) - log_weight
        p = jnp.exp(log_p)
        slope = -p * (jnp.where(log_p == -jnp.inf, 0, log_p) + value)
        dot = dot.astype(value.dtype)
        return tuple(xla.sum_along(x * dot, axes) for x in (slope, p))

    change, log_weight_change = tangent(logits, log_weight, peak, value, tangents[0])
    # Any constant may stand for the peak: the derivative of log Z is that of log_weight.
    return (value, log_weight, peak), (change, log_weight_change, jnp.zeros_like(peak))


_compiled = jax.jit(_statistics, static_argnums=(2, 3, 4))


def logit_statistics(
    logits: jax.Array,
    *,
    axes: Sequence[int] = (-1,),
    where: jax.Array | None = None,
    implementation: str | None = None,
    interpret: bool = False,
) -> LogitStatistics:
    """Entropy of softmax(logits), log normaliser and peak, nothing of the logits' size written.

    The derivative comes from (logits, log_weight, entropy): dH/ds = -p (log p + H) and
    d log Z/ds = p, credited to `log_weight`, the peak being a constant. Forward and reverse mode
    and higher derivatives work for every implementation.

    Args:
        logits: unnormalised log probabilities of floating type; -inf for impossible symbols.
        axes: the axes of one distribution.
        where: boolean mask of the entries that count, broadcasting to `logits`.
        implementation: `"pallas_tpu"` and `"pallas_gpu"` read the logits once, over trailing
            axes, up to 32 bits (no float16 on TPU); `"xla"` takes any axes and runs everywhere;
            `"reference"` is the plain specification; None takes what is best for the platform.
        interpret: runs the Pallas kernel in its interpreter: slow, for tests on any machine.

    Returns:
        The statistics, at least float32, with `axes` of size one.

    Raises:
        TypeError: `logits` is not of floating type, or `where` not boolean.
        ValueError: an axis is out of range or named twice, or there is none; `where` does not
            broadcast; an unknown implementation, or one to interpret that is no kernel.
        NotImplementedError: the named implementation cannot take the arguments or cannot run on
            the platform.
    """
    logits = jnp.asarray(logits)
    if not jnp.issubdtype(logits.dtype, jnp.floating):
        raise TypeError(f"logits must have a floating type; got {logits.dtype}.")
    axes = tuple(axes)
    ndim = logits.ndim
    if not axes or any(not -ndim <= axis < ndim for axis in axes):
        raise ValueError(f"axes must name axes of an array with {ndim} axes; got {axes}.")
    axes = tuple(axis % ndim for axis in axes)
    if len(set(axes)) < len(axes):
        raise ValueError(f"axes must name each axis once; got {axes}.")
    dispatch.check_name(implementation, _NAMES)
    if interpret and not str(implementation).startswith("pallas"):
        raise ValueError(f"interpret needs the name of a kernel; got {implementation!r}.")
    if where is not None:
        where = jnp.asarray(where)
        if where.dtype != bool:
            raise TypeError(f"where must be boolean; got {where.dtype}.")
        sizes = zip(reversed(where.shape), reversed(logits.shape), strict=False)
        if where.ndim > ndim or any(size not in (1, wanted) for size, wanted in sizes):
            raise ValueError(f"where must broadcast to {logits.shape}; got {where.shape}.")
    return LogitStatistics(*_compiled(logits, where, axes, implementation, bool(interpret)))

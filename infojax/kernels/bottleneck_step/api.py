"""The bottleneck step's one entry: chooses an implementation, gives it a derivative.

The cells' masses have the greedy coupling's derivative, with labels and pairing held fixed, and
the entropies follow from dH = -sum (1 + log p) dp.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from infojax.kernels import dispatch
from infojax.kernels.bottleneck_step import pallas_gpu, pallas_tpu, reference, xla
from infojax.kernels.bottleneck_step.terms import entropy_slopes
from infojax.kernels.greedy_coupling.api import couple_batch, with_derivative
from infojax.kernels.greedy_coupling.larger_batch import over_larger_batch

_IMPLEMENTATIONS = {
    "reference": reference.bottleneck_step,
    "xla": xla.bottleneck_step,
    "pallas_tpu": pallas_tpu.bottleneck_step,
    "pallas_gpu": pallas_gpu.bottleneck_step,
}
# What runs where there is no kernel: the coupling alone may still have one, for larger problems.
_composed = functools.partial(
    xla.bottleneck_step, couple=functools.partial(couple_batch, None, False)
)


class BottleneckStep(NamedTuple):
    """What a step found; entropies are in nats.

    Attributes:
        code_masses: the mass of each label, (*B, n).
        indices: label and output of each cell, int32 (*B, n + m - 1, 2).
        masses: the mass of each cell, (*B, n + m - 1).
        code_entropy: H(T), (*B,).
        joint_entropy: H(T, Y), (*B,).
        information: I(T; Y), (*B,).
    """

    code_masses: jax.Array
    indices: jax.Array
    masses: jax.Array
    code_entropy: jax.Array
    joint_entropy: jax.Array
    information: jax.Array


def _refusals(n: int, m: int, dtype) -> dict[str, str | None]:
    if dtype != jnp.float32:
        return dict.fromkeys(dispatch.PLATFORMS, f"takes float32 alone, not {dtype}")
    return {"pallas_tpu": pallas_tpu.refusal(n, m), "pallas_gpu": pallas_gpu.refusal(n, m)}


@functools.cache
def _stepper(implementation: str | None, interpret: bool):
    """One function for each choice, so that jit knows it again."""

    @over_larger_batch
    def step(p_x, labels, p_y):
        (batch, n), m = p_x.shape, p_y.shape[-1]
        if batch == 0:
            return _composed(p_x, labels, p_y)
        refused = _refusals(n, m, p_x.dtype)
        if interpret and implementation in dispatch.PLATFORMS and not refused[implementation]:
            return _IMPLEMENTATIONS[implementation](p_x, labels, p_y, interpret=True)
        functions = dict(_IMPLEMENTATIONS)
        if implementation is None:
            functions["xla"] = _composed
        return dispatch.call(
            implementation, functions, (p_x, labels, p_y), default="xla", refused=refused
        )

    return step


@jax.custom_jvp
def _code_with_derivative(code: jax.Array, p_x: jax.Array, labels: jax.Array):
    """Gives the code's masses, constants of an implementation's own bits, their derivative."""
    del p_x, labels
    return code


@_code_with_derivative.defjvp
def _code_jvp(primals, tangents):
    code, _, labels = primals
    return code, xla.sum_by_labels(tangents[1], labels)


@jax.custom_jvp
def _entropies_with_derivative(entropies, code: jax.Array, masses: jax.Array, p_y: jax.Array):
    """Gives H(T), H(T, Y) and I(T; Y), constants, their derivative by masses (batch, ...)."""
    del code, masses, p_y
    return entropies


@_entropies_with_derivative.defjvp
def _entropies_jvp(primals, tangents):
    entropies, *laws = primals
    code, joint, y = (
        jnp.sum(entropy_slopes(p) * dot, -1) for p, dot in zip(laws, tangents[1:], strict=True)
    )
    return entropies, (code, joint, code + y - joint)


@functools.partial(jax.jit, static_argnames=("implementation", "interpret"))
def _step(p_x, labels, p_y, implementation: str | None, interpret: bool) -> BottleneckStep:
    shape = jnp.broadcast_shapes(*(x.shape[:-1] for x in (p_x, labels, p_y)))
    p_x, labels, p_y = (
        jnp.broadcast_to(x, (*shape, x.shape[-1])).reshape(math.prod(shape), x.shape[-1])
        for x in (p_x, labels, p_y)
    )
    constants = jax.lax.stop_gradient((p_x, labels, p_y))
    code, indices, masses, *entropies = _stepper(implementation, interpret)(*constants)
    code = _code_with_derivative(code, p_x, labels)
    masses = with_derivative(masses, (code, p_y), indices)
    entropies = _entropies_with_derivative(tuple(entropies), code, masses, p_y)
    flat = BottleneckStep(code, indices, masses, *entropies)
    return jax.tree.map(lambda x: x.reshape(*shape, *x.shape[1:]), flat)


def _check(p_x: jax.Array, labels: jax.Array, p_y: jax.Array) -> None:
    for name, x in (("p_x", p_x), ("labels", labels), ("p_y", p_y)):
        if x.ndim == 0 or x.shape[-1] == 0:
            raise ValueError(f"{name} must have a symbol; got shape {x.shape}.")
    types = {str(p_x.dtype), str(p_y.dtype)}
    if len(types) > 1 or not types <= {"float32", "float64"}:
        raise TypeError(f"p_x and p_y must share float32 or float64; got {sorted(types)}.")
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(f"labels must be of an integer type; got {labels.dtype}.")
    if labels.shape[-1] != p_x.shape[-1]:
        raise ValueError(
            f"labels must hold one label for each of the {p_x.shape[-1]} symbols of p_x; "
            f"got shape {labels.shape}."
        )
    batches = [x.shape[:-1] for x in (p_x, labels, p_y)]
    try:
        jnp.broadcast_shapes(*batches)
    except ValueError:
        raise ValueError(
            f"p_x, labels and p_y must broadcast in their batch axes; got {batches}."
        ) from None


def bottleneck_step(
    p_x: jax.Array,
    labels: jax.Array,
    p_y: jax.Array,
    *,
    implementation: str | None = None,
    interpret: bool = False,
) -> BottleneckStep:
    """One step of the coupling with a bottleneck, X - T - Y, for a code T = g(X) that is given.

    Adds up the code's masses, couples them greedily with the output, and accumulates the
    entropies in the same pass.

    Args:
        p_x: masses of the input, float32 or float64 (*B, n). Values are not checked: with a NaN
            the results mean nothing, and the caller gates them.
        labels: the code of each input, integers from 0 to n - 1, (*B, n); not checked.
        p_y: masses of the output, of the type of `p_x`, (*B, m); the batch axes broadcast.
        implementation: `"xla"` runs everywhere; `"reference"` is the plain specification;
            `"pallas_tpu"` and `"pallas_gpu"` (Triton) take float32 and run on their platform;
            None takes what is best for the platform and the sizes.
        interpret: runs the named Pallas kernel in its interpreter: slow, for tests on any
            machine.

    Returns:
        The code's masses, the cells as in `greedy_coupling`, and H(T), H(T, Y) and
        I(T; Y) = H(T) + H(Y) - H(T, Y) in nats, of the masses as they are: they mean something
        where both laws sum to one. A difference of entropies, the information has the rounding
        error of the entropies however small it is; where that makes it negative it is 0, with
        the derivative of the difference. Differentiable in forward and reverse mode with labels
        and pairing held fixed, which is exact almost everywhere; a mass of 0 adds no derivative.

    Raises:
        TypeError: the laws are not both float32 or float64, or the labels not integers.
        ValueError: an array without symbols or without axes, labels of another length than
            `p_x`, batch axes that do not broadcast, an unknown implementation, or `interpret`
            without a kernel.
        NotImplementedError: a named kernel that cannot take the type or the sizes (now), or
            cannot run on the platform (when lowered).
    """
    p_x, labels, p_y = jnp.asarray(p_x), jnp.asarray(labels), jnp.asarray(p_y)
    _check(p_x, labels, p_y)
    dispatch.check_name(implementation, _IMPLEMENTATIONS)
    if interpret and implementation not in dispatch.PLATFORMS:
        raise ValueError(
            f"interpret needs one of {sorted(dispatch.PLATFORMS)} as implementation; "
            f"got {implementation!r}."
        )
    return _step(p_x, labels.astype(jnp.int32), p_y, implementation, interpret)

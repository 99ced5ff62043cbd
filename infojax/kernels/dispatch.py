"""Which implementation runs: chosen by the platform at lowering, or by name.

A traced program does not know its platform, so the choice is staged: one traced function lowers
to the kernel of each platform. A named implementation of another platform fails at lowering.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir

# The kernels' platforms, by the names that lowering gives them.
PLATFORMS = {"pallas_tpu": "tpu", "pallas_gpu": "cuda"}

_unavailable = Primitive("infojax_unavailable_implementation")
_unavailable.multiple_results = True


@_unavailable.def_abstract_eval
def _(*arguments, outputs, message):
    return list(outputs)


def _refuse(context, *arguments, outputs, message):
    raise NotImplementedError(message)


mlir.register_lowering(_unavailable, _refuse)


@_unavailable.def_impl
def _(*arguments, outputs, message):
    raise NotImplementedError(message)


def _batch(arguments, dimensions, *, outputs, message):
    sizes = {x.shape[d] for x, d in zip(arguments, dimensions, strict=True) if d is not None}
    batched = [output.update(shape=(*sizes, *output.shape)) for output in outputs]
    result = _unavailable.bind(*arguments, outputs=tuple(batched), message=message)
    return result, [0] * len(result)


batching.primitive_batchers[_unavailable] = _batch


def _refusal(function: Callable, message: str) -> Callable:
    """A function with the outputs of another one whose lowering fails."""

    def refuse(*arguments):
        traced, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
        flat = jax.tree.leaves(arguments)
        results = _unavailable.bind(*flat, outputs=tuple(traced.out_avals), message=message)
        return jax.tree.unflatten(jax.tree.structure(shapes), results)

    return refuse


def check_name(implementation: str | None, known: Mapping[str, Any]) -> None:
    """Raises ValueError for the name of no implementation.

    Args:
        implementation: None or a name.
        known: the implementations by name.

    Raises:
        ValueError: the name is not known.
    """
    if implementation is not None and implementation not in known:
        raise ValueError(
            f"implementation must be None or one of {sorted(known)}; got {implementation!r}."
        )


def call(
    implementation: str | None,
    functions: Mapping[str, Callable],
    arguments: tuple,
    *,
    default: str,
    refused: Mapping[str, str | None] | None = None,
) -> Any:
    """Calls an implementation by name, or the platform's own.

    Args:
        implementation: a key of `functions`, or None for the kernel of the platform that the
            program is lowered for, `default` where it has none.
        functions: the implementations by name; all take `arguments` and give the same shapes.
        arguments: arrays, or pytrees of them.
        default: the implementation that runs everywhere.
        refused: why an implementation cannot take these arguments (a static fact, such as a
            size or a dtype); missing or None where it can.

    Returns:
        The outputs.

    Raises:
        ValueError: `implementation` is not known.
        NotImplementedError: the named implementation cannot take the arguments (now), or
            cannot run on the platform (when lowered); the message says what can.
    """
    check_name(implementation, functions)
    reasons = {name: reason for name, reason in (refused or {}).items() if reason}
    portable = sorted(set(functions) - set(PLATFORMS))
    if implementation is None:
        kernels = {
            platform: functions[name]
            for name, platform in PLATFORMS.items()
            if name in functions and name not in reasons
        }
        return jax.lax.platform_dependent(*arguments, **kernels, default=functions[default])
    if implementation in reasons:
        raise NotImplementedError(
            f"implementation={implementation!r} {reasons[implementation]}; {portable} can."
        )
    chosen = functions[implementation]
    if implementation not in PLATFORMS:
        return chosen(*arguments)
    platform = PLATFORMS[implementation]
    message = f"implementation={implementation!r} runs on {platform} alone; {portable} run here."
    return jax.lax.platform_dependent(
        *arguments, **{platform: chosen}, default=_refusal(chosen, message)
    )

"""Activations of the feed-forward layer by name, with a gate or without."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
from flax import nnx


def relu_squared(x: jax.Array) -> jax.Array:
    """The square of the positive part (So et al. 2021, arXiv 2109.08668).

    Args:
        x: any array.

    Returns:
        An array of its shape.
    """
    return jax.numpy.square(jax.nn.relu(x))


# The function, and whether it is applied to one projection that then multiplies another.
_NAMED: dict[str, tuple[Callable[[jax.Array], jax.Array], bool]] = {
    "gelu": (jax.nn.gelu, False),
    "relu": (jax.nn.relu, False),
    "relu_squared": (relu_squared, False),
    "silu": (jax.nn.silu, False),
    "geglu": (jax.nn.gelu, True),
    "reglu": (jax.nn.relu, True),
    "swiglu": (jax.nn.silu, True),
}


def resolve_activation(
    activation: str | Callable[..., Any], gated: bool
) -> tuple[Callable[..., Any], bool]:
    """The function behind an activation's name.

    Args:
        activation: a name, a function of an array, or a class of modules.
        gated: whether a function or a class gates a second projection; a name says so itself.

    Returns:
        The function or class, and whether it gates.

    Raises:
        ValueError: an unknown name.
        TypeError: neither a name nor callable.
    """
    if isinstance(activation, str):
        if activation not in _NAMED:
            known = ", ".join(map(repr, _NAMED))
            raise ValueError(f"activation must be callable or one of {known}; got {activation!r}.")
        return _NAMED[activation]
    if not callable(activation):
        raise TypeError(f"activation must be a name or callable; got {activation!r}.")
    return activation, gated


def make_activation(
    activation: str | Callable[..., Any], gated: bool, features: int, rngs: nnx.Rngs
) -> Callable[[jax.Array], jax.Array]:
    """The activation of one layer.

    Args:
        activation: see `resolve_activation`; a class of modules is made here.
        gated: see there.
        features: size of the last axis that it will meet.
        rngs: keys for weights, if it has any.

    Returns:
        A function of an array.
    """
    function = resolve_activation(activation, gated)[0]
    if inspect.isclass(function):
        made: Any = functools.partial(function, features)
        return made(rngs=rngs)
    return function

"""Checks of sample sets: arrays of shape (*B, N, D), N samples of D features."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from infojax.checks.static import floating
from infojax.checks.values import check, first_entry, is_concrete


def samples(name: str, x: ArrayLike, *, least: int = 1) -> jax.Array:
    """Takes an argument as samples of floating type over leading batch axes.

    Args:
        name: what the caller's users call the argument.
        x: the samples, (*B, N, D).
        least: the least number of samples.

    Returns:
        The array.

    Raises:
        TypeError: it is not of floating type.
        ValueError: fewer than two axes, no feature, or too few samples.
    """
    array = floating(name, x)
    if array.ndim < 2:
        raise ValueError(f"{name} must have shape (*B, N, D); got shape {array.shape}.")
    count, features = array.shape[-2:]
    if features == 0:
        raise ValueError(f"{name} must have a feature; got shape {array.shape}.")
    if count < least:
        raise ValueError(f"{name} must have at least {least} samples; got shape {array.shape}.")
    return array


def paired_samples(*, least: int = 1, **arrays: ArrayLike) -> tuple[jax.Array, ...]:
    """Takes several arguments as samples of variables that were observed together.

    Args:
        least: the least number of samples.
        **arrays: the arguments by name, (*B, N, D) each with a D of its own.

    Returns:
        The arrays.

    Raises:
        TypeError: one is not of floating type.
        ValueError: one is not of that shape, has too few samples, or they differ in B or N.
    """
    taken = tuple(samples(name, x, least=least) for name, x in arrays.items())
    if len({x.shape[:-1] for x in taken}) > 1:
        got = ", ".join(f"{name} {x.shape}" for name, x in zip(arrays, taken, strict=True))
        raise ValueError(f"paired samples must agree in all axes but the last; got {got}.")
    return taken


def finite_samples(name: str, x: jax.Array, where: jax.Array | None = None) -> jax.Array:
    """Demands that all samples that count are finite.

    Args:
        name: what the caller's users call the argument.
        x: the samples, (*B, N, D).
        where: the samples that count, (*B, N) or what broadcasts to it; all if None.

    Returns:
        Boolean array (*B,): which sample sets are valid.

    Raises:
        ValueError: eagerly, naming the first entry that is not finite.
    """
    finite = jnp.isfinite(x)
    if where is not None:
        finite |= ~where[..., None]
    valid = jnp.all(finite, (-1, -2))

    def message() -> str:
        if not is_concrete(x, finite):
            return f"{name} must hold finite samples."
        values = np.asarray(x).astype(np.float64)
        first = first_entry(name, values, ~np.asarray(finite))
        return f"{name} must hold finite samples; got {first}."

    check(valid, message)
    return valid

"""Checks of values: raise at once on concrete arrays, stage a checkify check under tracing.

Every function of probabilities passes through `check_distribution`. Its test is one reduction,
which XLA fuses with the caller's own. What it returns makes the result of invalid input NaN.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import checkify

from infojax.numerics import probability_tolerance


def is_concrete(*arrays: jax.Array) -> bool:
    """Whether all arrays hold values, none being traced.

    Args:
        *arrays: arrays or tracers.

    Returns:
        True outside of jit, vmap, grad and scan.
    """
    return not any(isinstance(array, jax.core.Tracer) for array in arrays)


def check(valid: jax.Array, message: str | Callable[[], str]) -> None:
    """Demands that all of `valid` hold.

    Args:
        valid: boolean array.
        message: what is wrong otherwise, or a function that says it from concrete values.

    Raises:
        ValueError: eagerly, if one does not hold; under tracing a `checkify.debug_check` is
            staged instead, which costs nothing unless the caller uses `checkify.checkify`.
    """
    if is_concrete(valid):
        if not bool(np.all(np.asarray(valid))):
            raise ValueError(message() if callable(message) else message)
        return
    text = message() if callable(message) else message
    # The message is a format string there: braces in it would be taken for fields.
    checkify.debug_check(jnp.all(valid), text.replace("{", "{{").replace("}", "}}"))


def check_real(name: str, x: jax.Array, valid: jax.Array, expected: str) -> jax.Array:
    """Demands a property of each entry of a real argument.

    Args:
        name: what the caller's users call the argument.
        x: the argument.
        valid: boolean array of the shape of `x`; False where the property fails.
        expected: the property in words, such as "positive and finite".

    Returns:
        `valid`.

    Raises:
        ValueError: eagerly, naming the first entry that fails.
    """

    def message() -> str:
        if not is_concrete(x, valid):
            return f"{name} must be {expected}."
        where = np.argwhere(~np.asarray(valid))[0]
        place = f"{name}[{', '.join(map(str, where))}]" if where.size else name
        return f"{name} must be {expected}; got {place} = {np.asarray(x)[tuple(where)]}."

    check(valid, message)
    return valid


def _total(p: jax.Array, axes: tuple[int, ...], where: jax.Array | None) -> jax.Array:
    p = p.astype(jnp.promote_types(p.dtype, jnp.float32))
    return jnp.sum(jnp.where(p >= 0, p, jnp.nan), axes, where=where, keepdims=True)


def check_distribution(
    name: str, p: jax.Array, axes: tuple[int, ...], where: jax.Array | None = None
) -> jax.Array:
    """Demands non-negative finite masses that sum to one along `axes`.

    Args:
        name: what the caller's users call the argument.
        p: the masses, in the caller's own type (it sets the tolerance of the sum).
        axes: the axes of one distribution.
        where: the entries that count; all if None.

    Returns:
        Boolean array with `axes` of size one: which distributions are valid.

    Raises:
        ValueError: eagerly, saying whether a mass is negative or NaN, the support is empty or
            the sum is off.
    """
    tolerance = probability_tolerance(p.dtype)
    valid = jnp.abs(_total(p, axes, where) - 1) <= tolerance

    def message() -> str:
        expected = f"{name} must hold probabilities along axes {axes}"
        if not is_concrete(p, valid) or (where is not None and not is_concrete(where)):
            return f"{expected}: non-negative, finite, with sum 1 within {tolerance}."
        mask = np.ones(p.shape, bool) if where is None else np.broadcast_to(where, p.shape)
        values = np.asarray(p).astype(np.float64)
        if not mask.any(axes).all():
            return f"{expected}; got an empty support (shape {p.shape})."
        wrong = np.argwhere(mask & ~((values >= 0) & np.isfinite(values)))
        if wrong.size:
            place = ", ".join(map(str, wrong[0]))
            return f"{expected}; got {name}[{place}] = {values[tuple(wrong[0])]}."
        sums = np.where(mask, values, 0).sum(axes)
        worst = sums.flat[np.argmax(np.abs(sums - 1))]
        return f"{expected} with sum 1 within {tolerance}; got a sum of {worst:.6g}."

    check(valid, message)
    return valid

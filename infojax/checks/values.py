"""Checks of values: raise at once on concrete arrays, stage a checkify check under tracing.

Every function of probabilities passes through `check_distribution`. Its test is one reduction,
which XLA fuses with the caller's own. What it returns makes the result of invalid input NaN.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from infojax.checks.staging import stage_check
from infojax.checks.static import mask
from infojax.numerics import probability_tolerance


def is_concrete(*arrays: ArrayLike) -> bool:
    """Whether all arrays hold values, none being traced.

    Args:
        *arrays: arrays, numbers or tracers.

    Returns:
        True outside of jit, vmap, grad and scan.
    """
    return not any(isinstance(array, Tracer) for array in arrays)


def check(valid: jax.Array, message: str | Callable[[], str]) -> None:
    """Demands that all of `valid` hold.

    Args:
        valid: boolean array.
        message: what is wrong otherwise, or a function that says it from concrete values.

    Raises:
        ValueError: eagerly, if one does not hold; under tracing a check is staged instead,
            which costs nothing unless the caller uses `checkify.checkify`.
    """
    if is_concrete(valid):
        if not bool(np.all(np.asarray(valid))):
            raise ValueError(message() if callable(message) else message)
        return
    stage_check(valid, message() if callable(message) else message)


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
        first = first_entry(name, np.asarray(x), ~np.asarray(valid))
        return f"{name} must be {expected}; got {first}."

    check(valid, message)
    return valid


def distributions_are_valid(
    p: jax.Array, axes: tuple[int, ...], where: jax.Array | None = None
) -> jax.Array:
    """Which distributions have non-negative finite masses that sum to one.

    Pure, so that a compiled function can hold it; `check_distribution` reports what it finds.

    Args:
        p: the masses, in the caller's own type (it sets the tolerance of the sum).
        axes: the axes of one distribution.
        where: the entries that count; all if None.

    Returns:
        Boolean array with `axes` of size one.
    """
    wide = p.astype(jnp.promote_types(p.dtype, jnp.float32))
    masses = jnp.where(wide >= 0, wide, jnp.nan)
    sums = jnp.sum(masses, axes, where=where, keepdims=True)
    return jnp.abs(sums - 1) <= probability_tolerance(p.dtype)


_distributions_are_valid = jax.jit(distributions_are_valid, static_argnames="axes")


def first_entry(name: str, values: np.ndarray, wrong: np.ndarray) -> str:
    """Names the first of some entries.

    Args:
        name: what the caller's users call the array.
        values: the array.
        wrong: boolean array that marks the entries.

    Returns:
        Its place and value, such as "p[0, 2] = -0.5".
    """
    where = np.argwhere(wrong)[0]
    place = f"{name}[{', '.join(map(str, where))}]" if where.size else name
    return f"{place} = {values[tuple(where)]}"


def _counted(p: jax.Array, where: jax.Array | None) -> np.ndarray:
    return np.ones(p.shape, bool) if where is None else np.broadcast_to(where, p.shape)


def check_distribution(
    name: str,
    p: jax.Array,
    axes: tuple[int, ...],
    where: jax.Array | None = None,
    valid: jax.Array | None = None,
) -> jax.Array:
    """Demands non-negative finite masses that sum to one along `axes`.

    Args:
        name: what the caller's users call the argument.
        p: the masses, in the caller's own type (it sets the tolerance of the sum).
        axes: the axes of one distribution.
        where: the entries that count; all if None.
        valid: what `distributions_are_valid` gave, where the caller has it already.

    Returns:
        Boolean array with `axes` of size one: which distributions are valid.

    Raises:
        ValueError: eagerly, saying whether a mass is negative or NaN, the support is empty or
            the sum is off.
    """
    tolerance = probability_tolerance(p.dtype)
    found = valid
    if found is None:
        found = _distributions_are_valid(p, axes, mask("where", where, p.shape))

    def message() -> str:
        expected = f"{name} must hold probabilities along axes {axes}"
        if not is_concrete(p, found) or (where is not None and not is_concrete(where)):
            return f"{expected}: non-negative, finite, with sum 1 within {tolerance}."
        counted = _counted(p, where)
        values = np.asarray(p).astype(np.float64)
        if not counted.any(axes).all():
            return f"{expected}; got an empty support (shape {p.shape})."
        wrong = counted & ~((values >= 0) & np.isfinite(values))
        if wrong.any():
            return f"{expected}; got {first_entry(name, values, wrong)}."
        sums = np.where(counted, values, 0).sum(axes)
        worst = sums.flat[np.argmax(np.abs(sums - 1))]
        return f"{expected} with sum 1 within {tolerance}; got a sum of {worst:.6g}."

    check(found, message)
    return found


def check_logits(
    name: str, logits: jax.Array, where: jax.Array | None, valid: jax.Array
) -> jax.Array:
    """Demands logits of which none is NaN or +inf, with a finite one in each row.

    Args:
        name: what the caller's users call the argument.
        logits: the logits.
        where: the entries that count; all if None.
        valid: boolean array, which rows are valid.

    Returns:
        `valid`.

    Raises:
        ValueError: eagerly, naming the first entry that fails.
    """

    def message() -> str:
        expected = f"{name} must be finite or -inf, with a finite one in each row"
        if not is_concrete(logits, valid) or (where is not None and not is_concrete(where)):
            return f"{expected}."
        values = np.asarray(logits).astype(np.float64)
        wrong = _counted(logits, where) & (np.isnan(values) | (values == np.inf))
        if wrong.any():
            return f"{expected}; got {first_entry(name, values, wrong)}."
        return f"{expected}; got a row without (shape {logits.shape})."

    check(valid, message)
    return valid

"""What every sampler asks of its logits and of its parameters, and what it gives back."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from infojax import checks
from infojax.numerics import gated, total, widen


def take_logits(name: str, logits: ArrayLike) -> jax.Array:
    """Takes an argument as logits over the last axis.

    Args:
        name: what the caller's users call the argument.
        logits: (*B, V), V >= 1.

    Returns:
        The array, in its own type.

    Raises:
        TypeError: it is not of floating type.
        ValueError: it has no axis, or no token.
    """
    array = checks.floating(name, logits, min_ndim=1)
    if array.shape[-1] == 0:
        raise ValueError(f"{name} must have a token in the last axis; got shape {array.shape}.")
    return array


def per_row(
    name: str,
    value: ArrayLike,
    logits: jax.Array,
    holds: Callable[[jax.Array], jax.Array],
    expected: str,
) -> jax.Array:
    """Takes a parameter: one number, or one for each row of logits.

    Args:
        name: what the caller's users call the parameter.
        value: a number, or an array that broadcasts to the rows, *B.
        logits: (*B, V).
        holds: which values are allowed.
        expected: that in words.

    Returns:
        The parameter in at least float32, of shape *B; NaN where it is not allowed.

    Raises:
        TypeError: it is not real.
        ValueError: it does not broadcast, or is not allowed (at once where it is concrete).
    """
    array = checks.real_number(name, value)
    rows = logits.shape[:-1]
    sizes = zip(reversed(array.shape), reversed(rows), strict=False)
    if array.ndim > len(rows) or any(size not in (1, wanted) for size, wanted in sizes):
        raise ValueError(f"{name} must be a number or broadcast to {rows}; got {array.shape}.")
    valid = checks.check_real(name, array, holds(array), expected)
    wide, _ = widen(array, logits)
    return jnp.broadcast_to(gated(wide, valid), rows)


def wide(logits: jax.Array) -> jax.Array:
    """Logits in at least float32.

    Args:
        logits: of floating type.

    Returns:
        The array.
    """
    return widen(logits)[0]


def nan_of(s: jax.Array) -> jax.Array:
    """A number for each row that is NaN where a logit is NaN or +inf, and 0 elsewhere.

    XLA's maximum of a long row may pass over a NaN; a sum does not. Products, which XLA on CPU
    fuses into the sum, where it would write out what a select gives.

    Args:
        s: (*B, V).

    Returns:
        (*B).
    """
    return total(jnp.maximum(s, jnp.finfo(s.dtype).min) * 0, (-1,))[..., 0]


def rows_are_valid(peak: jax.Array, weight: jax.Array) -> jax.Array:
    """Whether rows have a finite logit and neither NaN nor +inf.

    Args:
        peak: the largest logit of each row.
        weight: a sum over the row into which NaN passes; XLA's maximum may pass over it.

    Returns:
        Boolean array.
    """
    return jnp.isfinite(peak) & jnp.isfinite(weight)


def check_rows(name: str, logits: jax.Array, valid: jax.Array) -> None:
    """Reports rows of logits that are not valid.

    Args:
        name: what the caller's users call the logits.
        logits: (*B, V).
        valid: boolean, (*B).

    Raises:
        ValueError: eagerly, naming the first entry that fails.
    """
    checks.check_logits(name, logits, None, valid)


def masked(logits: jax.Array, kept: jax.Array, *valid: jax.Array) -> jax.Array:
    """Logits of the tokens that are kept.

    Args:
        logits: (*B, V).
        kept: boolean, (*B, V).
        *valid: boolean, (*B) each.

    Returns:
        The logits, -inf where they are not kept, NaN in rows that are not valid.
    """
    fill = jnp.asarray(-jnp.inf, logits.dtype)
    ok = jnp.asarray(True)
    for one in valid:
        ok &= one
    # One pass: in a row that is not valid NaN stands for kept and unkept alike.
    fill = jnp.where(ok, fill, jnp.nan).astype(logits.dtype)[..., None]
    return jnp.where(kept & ok[..., None], logits, fill)

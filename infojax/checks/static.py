"""Static checks: rank, shape, type and options, known when a function is traced."""

import numbers
import operator
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike


def _array(name: str, x: ArrayLike) -> jax.Array:
    try:
        return jnp.asarray(x)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be an array; got {type(x).__name__} ({error}).") from None


def floating(name: str, x: ArrayLike, *, min_ndim: int = 0, ndim: int | None = None) -> jax.Array:
    """Takes an argument as an array of floating type.

    Args:
        name: what the caller's users call the argument.
        x: an array, or nested lists of numbers.
        min_ndim: the least number of axes.
        ndim: the exact number of axes, if it is fixed.

    Returns:
        The array, in its own type.

    Raises:
        TypeError: it is no array, or not of floating type.
        ValueError: it has too few or too many axes.
    """
    array = _array(name, x)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(f"{name} must have a floating type; got {array.dtype}.")
    check_rank(name, array, min_ndim=min_ndim, ndim=ndim)
    return array


def real_array(name: str, x: ArrayLike) -> jax.Array:
    """Takes an argument as an array of integers or of floating type.

    Args:
        name: what the caller's users call the argument.
        x: an array, or nested lists of numbers.

    Returns:
        The array, in its own type.

    Raises:
        TypeError: it is no array, or boolean or complex.
    """
    array = _array(name, x)
    if not (jnp.issubdtype(array.dtype, jnp.integer) or jnp.issubdtype(array.dtype, jnp.floating)):
        raise TypeError(f"{name} must have an integer or floating type; got {array.dtype}.")
    return array


def check_rank(name: str, x: jax.Array, *, min_ndim: int = 0, ndim: int | None = None) -> None:
    """Checks an argument's number of axes.

    Args:
        name: what the caller's users call the argument.
        x: the array.
        min_ndim: the least number of axes.
        ndim: the exact number of axes, if it is fixed.

    Raises:
        ValueError: it has too few or too many axes.
    """
    if ndim is not None and x.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} axes; got shape {x.shape}.")
    if x.ndim < min_ndim:
        raise ValueError(f"{name} must have at least {min_ndim} axes; got shape {x.shape}.")


def check_support(name: str, p: jax.Array) -> None:
    """Checks that a distribution over the last axis has a symbol.

    Args:
        name: what the caller's users call the argument.
        p: the masses.

    Raises:
        ValueError: the last axis has size 0.
    """
    if p.shape[-1] == 0:
        raise ValueError(f"{name} must have a symbol; got an empty support (shape {p.shape}).")


def mask(name: str, where: ArrayLike | None, shape: tuple[int, ...]) -> jax.Array | None:
    """Takes a mask of the entries that count.

    Args:
        name: what the caller's users call the argument.
        where: the mask, or None.
        shape: the shape of the array that it masks.

    Returns:
        The mask as an array, or None.

    Raises:
        TypeError: it is not boolean.
        ValueError: it does not broadcast to `shape`.
    """
    if where is None:
        return None
    try:
        array = jnp.asarray(where)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a boolean array; got {type(where).__name__}.") from None
    if array.dtype != bool:
        raise TypeError(f"{name} must be boolean; got {array.dtype}.")
    sizes = zip(reversed(array.shape), reversed(shape), strict=False)
    if array.ndim > len(shape) or any(size not in (1, wanted) for size, wanted in sizes):
        raise ValueError(f"{name} must broadcast to {shape}; got shape {array.shape}.")
    return array


def broadcast_shapes(*, core: int = 0, **arrays: jax.Array) -> tuple[int, ...]:
    """Checks that named arguments broadcast.

    Args:
        core: how many trailing axes of each argument are its own and stay out of it.
        **arrays: the arguments by name.

    Returns:
        The broadcast shape of the other axes.

    Raises:
        ValueError: they do not broadcast.
    """
    shapes = {name: np.shape(x) for name, x in arrays.items()}
    try:
        return np.broadcast_shapes(*(shape[: len(shape) - core] for shape in shapes.values()))
    except ValueError:
        got = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        what = "batch axes" if core else "shapes"
        raise ValueError(f"{what} must broadcast; got {got}.") from None


def square_matrix(name: str, x: ArrayLike) -> jax.Array:
    """Takes an argument as square matrices of floating type over leading batch axes.

    Args:
        name: what the caller's users call the argument.
        x: the matrices.

    Returns:
        The array.

    Raises:
        TypeError: it is not of floating type.
        ValueError: its last two axes differ or are missing.
    """
    array = floating(name, x, min_ndim=2)
    if array.shape[-1] != array.shape[-2]:
        raise ValueError(f"{name} must be square in its last two axes; got shape {array.shape}.")
    return array


def choice(name: str, value: str, options: Sequence[str]) -> str:
    """Checks that an option is one of the known ones.

    Args:
        name: what the caller's users call the argument.
        value: what came.
        options: what may come.

    Returns:
        `value`.

    Raises:
        ValueError: it is none of them.
    """
    if value not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}; got {value!r}.")
    return value


def positive_integer(name: str, value: int) -> int:
    """Checks a static size.

    Args:
        name: what the caller's users call the argument.
        value: what came.

    Returns:
        `value` as a Python int.

    Raises:
        TypeError: it is not a whole number.
        ValueError: it is below 1.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number; got {value!r}.") from None
    if isinstance(value, bool) or number < 1:
        raise ValueError(f"{name} must be at least 1; got {value!r}.")
    return number


def real_number(name: str, value: ArrayLike) -> jax.Array:
    """Takes a real parameter (a Python number, or an array that may be traced).

    Args:
        name: what the caller's users call the argument.
        value: what came.

    Returns:
        An array of floating type; whole numbers are converted.

    Raises:
        TypeError: it is not real.
    """
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        return jnp.asarray(float(value))
    try:
        array = jnp.asarray(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a real number; got {type(value).__name__}.") from None
    if jnp.issubdtype(array.dtype, jnp.integer):
        return array.astype(jnp.result_type(float))
    return floating(name, array)

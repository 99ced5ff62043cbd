"""Precision: at least float32 inside every function, the caller's own type at its edge."""

import jax
import jax.numpy as jnp
import numpy as np

# How far the sum of a probability vector may be from one. Rounding each entry to bfloat16 or
# float16 moves the sum by up to half a unit in the last place of the entries.
_SUM_TOLERANCE = 1e-4
_SUM_TOLERANCE_HALF = 1e-2


def widen(*arrays: jax.Array) -> tuple[jax.Array, ...]:
    """Promotes arrays to their common floating type, and to float32 at least.

    Args:
        *arrays: floating arrays of any shapes.

    Returns:
        The arrays in float32, or in float64 if one of them is float64.
    """
    dtype = jnp.promote_types(jnp.result_type(*arrays), jnp.float32)
    return tuple(array.astype(dtype) for array in arrays)


def narrow(value: jax.Array, *arguments: jax.Array) -> jax.Array:
    """Casts a result back to the common type of the arguments that it was computed from.

    Args:
        value: the result, in working precision.
        *arguments: the arrays as the caller gave them.

    Returns:
        `value` in the type that `arguments` promote to.
    """
    return value.astype(jnp.result_type(*arguments))


def smallest_normal(dtype) -> float:
    """The smallest normal number of a floating type.

    Accelerators and vectorised CPU code flush subnormal numbers to zero in some operations and
    not in others (`x > 0` may hold where `log(x)` is -inf), so smaller values count as zero.

    Args:
        dtype: a floating type.

    Returns:
        The number, as a Python float.
    """
    return float(jnp.finfo(dtype).tiny)


def probability_tolerance(dtype) -> float:
    """How far from one the sum of probabilities of this type may be.

    Args:
        dtype: the floating type in which the caller holds the probabilities.

    Returns:
        1e-4, or 1e-2 for types of 16 bits.
    """
    return _SUM_TOLERANCE_HALF if np.dtype(dtype).itemsize < 4 else _SUM_TOLERANCE

"""Units of information: nats inside, another base at the edge."""

import math
import numbers

import jax


def log_of_base(base: float | None) -> float:
    """The natural logarithm of the base in which information is measured: the unit in nats.

    Args:
        base: the base (2 for bits), or None for nats.

    Returns:
        log(base), 1 for None.

    Raises:
        TypeError: `base` is not a real number.
        ValueError: `base` is not positive, not finite, or 1.
    """
    if base is None:
        return 1.0
    if isinstance(base, bool) or not isinstance(base, numbers.Real):
        raise TypeError(
            f"base must be a real number (2 for bits) or None for nats; got {type(base).__name__}."
        )
    base = float(base)
    if not math.isfinite(base) or base <= 0 or base == 1:
        raise ValueError(f"base must be positive, finite and not 1; got {base}.")
    return math.log(base)


def nats_to_base(value: jax.Array, base: float | None) -> jax.Array:
    """Converts nats to the logarithm's base.

    Args:
        value: an amount of information in nats.
        base: the base (2 gives bits), or None for nats.

    Returns:
        `value / log(base)`.

    Raises:
        TypeError: `base` is not a real number.
        ValueError: `base` is not positive, not finite, or 1.
    """
    unit = log_of_base(base)
    return value if base is None else value / unit


def rate_to_nats(value: jax.Array, base: float | None) -> jax.Array:
    """Converts an amount of information in the logarithm's base to nats.

    Args:
        value: an amount of information in units of `base`.
        base: the base (2 for bits), or None for nats.

    Returns:
        `value * log(base)`.

    Raises:
        TypeError: `base` is not a real number.
        ValueError: `base` is not positive, not finite, or 1.
    """
    unit = log_of_base(base)
    return value if base is None else value * unit

"""Parameters of continuous families: taken as arguments, and turned into a result's type."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from infojax import checks
from infojax.numerics import gated, narrow, nats_to_base


def positive_parameter(name: str, value: ArrayLike) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Takes a positive parameter of a distribution.

    Args:
        name: what the caller's users call the argument.
        value: what came.

    Returns:
        The parameter in at least float32, where it is valid, and as it was given.

    Raises:
        TypeError: it is not real.
        ValueError: eagerly, if it is not positive and finite.
    """
    given = checks.real_number(name, value)
    x = given.astype(jnp.promote_types(given.dtype, jnp.float32))
    valid = checks.check_real(name, x, (x > 0) & jnp.isfinite(x), "positive and finite")
    return x, valid, given


def finish(
    nats: jax.Array, base: float | None, valid: Sequence[jax.Array], *given: jax.Array
) -> jax.Array:
    """Gates a differential entropy and gives it its unit and type.

    Args:
        nats: the entropy in nats.
        base: the logarithm's base, or None for nats.
        valid: where each parameter is valid.
        *given: the parameters as they were given; they set the type.

    Returns:
        The entropy.
    """
    return narrow(nats_to_base(gated(nats, *valid), base), *given)

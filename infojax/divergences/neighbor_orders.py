"""Which nearest neighbours an estimator looks at: one, or several and then the median estimate."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from infojax import checks

Orders = int | Sequence[int]


def neighbor_orders(k: Orders) -> tuple[int, ...]:
    """Takes the argument `k` of an estimator.

    Args:
        k: a whole number, or several of them.

    Returns:
        The numbers as a tuple.

    Raises:
        TypeError: one is not a whole number.
        ValueError: one is below 1, or there is none.
    """
    if isinstance(k, str):
        raise TypeError(f"k must be a whole number, or several; got {k!r}.")
    several = k if isinstance(k, Sequence) else (k,)
    orders = tuple(checks.positive_integer("k", one) for one in several)
    if not orders:
        raise ValueError("k must name a neighbour; got ().")
    return orders


def median_over_orders(estimates: jax.Array) -> jax.Array:
    """The median of estimates along the last axis, one for each k.

    Args:
        estimates: (*B, K).

    Returns:
        *B.
    """
    return estimates[..., 0] if estimates.shape[-1] == 1 else jnp.median(estimates, -1)


def at_orders(values: jax.Array, orders: tuple[int, ...]) -> jax.Array:
    """What belongs to the k-th neighbour, for each k.

    Args:
        values: (..., K), of the first to the K-th neighbour.
        orders: the k.

    Returns:
        (..., number of orders).
    """
    return jnp.stack([values[..., k - 1] for k in orders], -1)


def check_untied(distances: jax.Array, where: jax.Array | None, names: str) -> jax.Array:
    """Demands that no point has as many copies of itself as neighbours are asked for.

    Args:
        distances: to the k-th neighbour, (*B, N, K).
        where: the samples that count, (*B, N), or None.
        names: what the caller's users call the samples.

    Returns:
        Which problems are valid, *B.

    Raises:
        ValueError: eagerly, there are such copies.
    """
    apart = jnp.all(distances > 0, -1)
    valid = jnp.all(apart if where is None else apart | ~where, -1)
    checks.check(
        valid,
        f"{names} must have no more than k equal samples: such values are not continuous; add "
        "noise (information.jitter) or use an estimator for mixed variables.",
    )
    return valid

"""Terms of an entropy and their sums, as all implementations of the bottleneck's step form them."""

import jax
import jax.numpy as jnp


def entropy_terms(p: jax.Array) -> jax.Array:
    """-p log p, elementwise, with 0 log 0 = 0.

    Args:
        p: masses; below the smallest normal number they count as 0 (true of no NaN).

    Returns:
        Array of the shape of `p`.
    """
    zero, one = jnp.zeros_like(p), jnp.ones_like(p)
    nothing = p < jnp.asarray(jnp.finfo(p.dtype).tiny, p.dtype)
    return -jnp.where(nothing, zero, p) * jnp.log(jnp.where(nothing, one, p))


def entropy_slopes(p: jax.Array) -> jax.Array:
    """The derivative of `entropy_terms`, with 0 at masses of 0.

    Args:
        p: masses.

    Returns:
        Array of the shape of `p`.
    """
    nothing = p < jnp.asarray(jnp.finfo(p.dtype).tiny, p.dtype)
    return jnp.where(nothing, jnp.zeros_like(p), -1 - jnp.log(jnp.where(nothing, 1, p)))


def add_compensated(
    carry: tuple[jax.Array, jax.Array], term: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Adds a term to a running sum and keeps what rounding takes from it (Kahan).

    Args:
        carry: the sum and its compensation.
        term: what to add.

    Returns:
        The new sum and compensation.
    """
    total, lost = carry
    term = term - lost
    following = total + term
    return following, (following - total) - term


def mutual_information(
    code_entropy: jax.Array, output_entropy: jax.Array, joint_entropy: jax.Array
) -> jax.Array:
    """I = H(T) + H(Y) - H(T, Y), not below 0 for rounding.

    Args:
        code_entropy: H(T).
        output_entropy: H(Y).
        joint_entropy: H(T, Y).

    Returns:
        The information.
    """
    information = code_entropy + output_entropy - joint_entropy
    return jnp.maximum(information, jnp.zeros_like(information))

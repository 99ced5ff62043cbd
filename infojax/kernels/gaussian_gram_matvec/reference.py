"""The product with the Gram matrix written out, from differences: the specification."""

import jax
import jax.numpy as jnp


def product(a: jax.Array, b: jax.Array, vectors: jax.Array, *, same: bool) -> jax.Array:
    """Applies exp(-|a_i - b_j|^2) to vectors.

    Args:
        a: points of the rows, (B, N, D).
        b: points of the columns, (B, M, D).
        vectors: (B, M, R).
        same: whether a and b are the same points; here it changes nothing.

    Returns:
        (B, N, R).
    """
    del same
    squares = jnp.sum((a[:, :, None, :] - b[:, None, :, :]) ** 2, -1)
    return jnp.einsum("bnm,bmr->bnr", jnp.exp(-squares), vectors, precision="highest")

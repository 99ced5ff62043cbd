"""What the backward pass of attention with entropy works from, in every implementation.

With p = exp(s - log Z), the gradient by a score is p (dO . v + offset - weight (s - log Z)).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class GradientInputs(NamedTuple):
    """The arrays of the forward pass, and what follows from the gradients by its results.

    Attributes:
        query: (B, T, N, H).
        key: (B, S, K, H).
        value: (B, S, K, V).
        bias: (B, N, T, S) with axes that may be 1, or None.
        mask: likewise, of booleans.
        output_gradient: dO, (B, T, N, V).
        log_normalizer: (B, T, N), finite: any number where a query has no key.
        offset: dlogZ - dO . O - dH H, (B, T, N).
        weight: dH, (B, T, N).
    """

    query: jax.Array
    key: jax.Array
    value: jax.Array
    bias: jax.Array | None
    mask: jax.Array | None
    output_gradient: jax.Array
    log_normalizer: jax.Array
    offset: jax.Array
    weight: jax.Array

    def per_query(self, *more: jax.Array) -> jax.Array:
        """The numbers of a query.

        Args:
            *more: further ones, (B, T, N).

        Returns:
            Log normaliser, offset, weight and those, (B, N, number, T).
        """
        numbers = [self.log_normalizer, self.offset, self.weight, *more]
        return jnp.stack(numbers, 1).transpose(0, 3, 1, 2)

"""Mapping over a batched function makes its batch larger.

Without this rule `vmap` gives a Pallas kernel a grid of batches, each of which may hold a single
problem, where the kernel takes 128 in the time of one.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp


def over_larger_batch(function: Callable) -> Callable:
    """Gives a function of batches its own rule for `vmap`.

    Args:
        function: of arrays, or pytrees of them, to a pytree of arrays; all of them have one
            leading batch axis of the same size, and members of the batch do not see each other.

    Returns:
        The function, which, mapped, runs once over all batches.
    """
    mapped = jax.custom_batching.custom_vmap(function)

    @mapped.def_vmap
    def _(axis_size, in_batched, *arguments):
        def widen(batched, x):
            return x if batched else jnp.broadcast_to(x, (axis_size, *x.shape))

        wide = jax.tree.map(widen, list(in_batched), list(arguments))
        batches = jax.tree.leaves(wide)[0].shape[:2]
        flat = jax.tree.map(lambda x: x.reshape(math.prod(batches), *x.shape[2:]), wide)
        results = mapped(*flat)
        unfolded = jax.tree.map(lambda x: x.reshape(*batches, *x.shape[1:]), results)
        return unfolded, jax.tree.map(lambda _: True, results)

    return mapped

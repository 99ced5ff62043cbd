"""The greedy coupling, one plain scan: the specification of every other implementation."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp


def greedy_coupling_one(marginals: Sequence[jax.Array]) -> tuple[jax.Array, jax.Array]:
    """Couples one problem: at each step the largest entries of all marginals.

    Args:
        marginals: non-negative arrays of shapes (n_1,), ..., (n_N,).

    Returns:
        Indices (steps, N) and masses (steps,), with steps = sum n_i - N + 1; once a marginal
        is used up the masses are 0. Ties go to the lowest index.
    """
    steps = sum(p.size for p in marginals) - len(marginals) + 1

    def step(residuals, _):
        indices = [jnp.argmax(p) for p in residuals]
        mass = jnp.min(jnp.stack([p[i] for p, i in zip(residuals, indices, strict=True)]))
        residuals = tuple(p.at[i].add(-mass) for p, i in zip(residuals, indices, strict=True))
        return residuals, (jnp.stack(indices).astype(jnp.int32), mass)

    return jax.lax.scan(step, tuple(marginals), length=steps)[1]


def greedy_coupling(marginals: Sequence[jax.Array]) -> tuple[jax.Array, jax.Array]:
    """Couples a batch of problems.

    Args:
        marginals: non-negative arrays of shapes (batch, n_i).

    Returns:
        Indices (batch, steps, N) and masses (batch, steps).
    """
    return jax.vmap(greedy_coupling_one)(tuple(marginals))

"""The bottleneck's step in plain words: the specification of every other implementation."""

import jax
import jax.numpy as jnp

from infojax.kernels.greedy_coupling.reference import greedy_coupling_one


def _entropy(p: jax.Array) -> jax.Array:
    positive = p >= jnp.finfo(p.dtype).tiny
    return -jnp.sum(jnp.where(positive, p * jnp.log(jnp.where(positive, p, 1)), 0))


def bottleneck_step_one(p_x: jax.Array, labels: jax.Array, p_y: jax.Array):
    """Takes one step.

    Args:
        p_x: masses of the input, (n,).
        labels: the code of each input, (n,), from 0 to n - 1.
        p_y: masses of the output, (m,).

    Returns:
        The code's masses, (n,); the cells' indices, (n + m - 1, 2), and masses; the entropies
        H(T), H(T, Y) and I(T; Y) in nats.
    """
    code = jnp.zeros_like(p_x).at[labels].add(p_x)
    indices, masses = greedy_coupling_one((code, p_y))
    code_entropy, joint_entropy = _entropy(code), _entropy(masses)
    information = jnp.maximum(code_entropy + _entropy(p_y) - joint_entropy, 0)
    return code, indices, masses, code_entropy, joint_entropy, information


def bottleneck_step(p_x: jax.Array, labels: jax.Array, p_y: jax.Array):
    """Takes a step of each problem of a batch.

    Args:
        p_x: masses of the input, (batch, n).
        labels: the code of each input, (batch, n).
        p_y: masses of the output, (batch, m).

    Returns:
        As of one problem, with the batch axis in front.
    """
    return jax.vmap(bottleneck_step_one)(p_x, labels, p_y)

"""The bottleneck's step in plain XLA: a sum by labels, the coupling, and sums of terms."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from infojax.kernels.bottleneck_step.terms import entropy_terms, mutual_information
from infojax.kernels.greedy_coupling import xla

# Terms that are added one after the other; the sums of so many are then added in turn.
_STRETCH = 32


def sum_by_labels(p_x: jax.Array, labels: jax.Array) -> jax.Array:
    """Adds up the masses of each label; linear in them.

    Args:
        p_x: masses of the input, (batch, n).
        labels: the code of each input, (batch, n), from 0 to n - 1.

    Returns:
        The code's masses, (batch, n).
    """
    return jax.vmap(lambda p, label: jnp.zeros_like(p).at[label].add(p))(p_x, labels)


def entropy(p: jax.Array) -> jax.Array:
    """Entropies of masses (batch, n), summed in two levels, which keeps rounding small."""
    terms = entropy_terms(p)
    batch, n = terms.shape
    stretches = -(-n // _STRETCH)
    terms = jnp.pad(terms, ((0, 0), (0, stretches * _STRETCH - n)))
    return jnp.sum(jnp.sum(terms.reshape(batch, stretches, _STRETCH), -1), -1)


def bottleneck_step(
    p_x: jax.Array,
    labels: jax.Array,
    p_y: jax.Array,
    *,
    couple: Callable[[Sequence[jax.Array]], tuple[jax.Array, jax.Array]] = xla.greedy_coupling,
):
    """Takes a step of each problem of a batch.

    Args:
        p_x: masses of the input, (batch, n).
        labels: the code of each input, (batch, n).
        p_y: masses of the output, (batch, m).
        couple: the greedy coupling of a batch.

    Returns:
        The code's masses, (batch, n); the cells' indices, (batch, n + m - 1, 2), and masses; the
        entropies H(T), H(T, Y) and I(T; Y) in nats, (batch,).
    """
    code = sum_by_labels(p_x, labels)
    indices, masses = couple((code, p_y))
    code_entropy, joint_entropy = entropy(code), entropy(masses)
    information = mutual_information(code_entropy, entropy(p_y), joint_entropy)
    return code, indices, masses, code_entropy, joint_entropy, information

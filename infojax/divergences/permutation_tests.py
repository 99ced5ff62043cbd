"""The result of a permutation test, and its p-value (Davison and Hinkley 1997, section 4.3)."""

import dataclasses

import jax
import jax.numpy as jnp

# Two orders of the same sum differ by some roundings: data with few values ties all the time.
_TIE = 64


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class PermutationTest:
    """What a permutation test found.

    Attributes:
        statistic: the statistic of the data, *B.
        p_value: (1 + number of null values at least as large) / (1 + P), *B. Under the null
            hypothesis it is at most a with a probability of at most a, for every sample size.
        null: the statistics of the P permutations, (*B, P), in no order.
    """

    statistic: jax.Array
    p_value: jax.Array
    null: jax.Array


def permutation_test(statistic: jax.Array, null: jax.Array) -> PermutationTest:
    """Ranks a statistic among those of permutations.

    Args:
        statistic: *B, NaN where the data is invalid.
        null: (*B, P).

    Returns:
        The test; null values that miss the statistic by rounding alone count as ties.
    """
    tolerance = _TIE * jnp.finfo(statistic.dtype).eps * jnp.abs(statistic)
    reached = jnp.sum(null >= (statistic - tolerance)[..., None], -1, dtype=statistic.dtype)
    p_value = (1 + reached) / (1 + null.shape[-1])
    return PermutationTest(statistic, jnp.where(jnp.isnan(statistic), jnp.nan, p_value), null)

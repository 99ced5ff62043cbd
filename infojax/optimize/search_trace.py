"""What a search leaves: every evaluation in order, and what one would take after each."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("points", "values", "constraint_values", "incumbents", "recommended"),
    meta_fields=("maximize",),
)
@dataclasses.dataclass(frozen=True)
class SearchTrace:
    """A search that came to its end.

    Attributes:
        points: what was evaluated, in order, (N, D).
        values: what came out, (N,); NaN where an evaluation failed.
        constraint_values: of each constraint, (N, K).
        incumbents: after each evaluation the evaluated point that one would take, (N, D): the best
            feasible one; of noisy values the one with the best posterior mean.
        recommended: the point to take at the end, (D,): the last incumbent; of noisy values the
            place with the best posterior mean of all.
        maximize: whether great values are good.
    """

    points: Float[Array, "N D"]
    values: Float[Array, " N"]
    constraint_values: Float[Array, "N K"]
    incumbents: Float[Array, "N D"]
    recommended: Float[Array, " D"]
    maximize: bool

    def best_values(self) -> Float[Array, " N"]:
        """The best feasible value up to each evaluation, (*B, N); before the first one infinite.

        Returns:
            The running maximum, or minimum.
        """
        worst = -jnp.inf if self.maximize else jnp.inf
        good = jnp.all(self.constraint_values <= 0, -1) & jnp.isfinite(self.values)
        values = jnp.where(good, self.values, worst)
        running = jax.lax.cummax if self.maximize else jax.lax.cummin
        return running(values, axis=values.ndim - 1)

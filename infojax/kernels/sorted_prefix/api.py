"""The one entry to the end of a sorted prefix: chooses how it is found."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from infojax.kernels import dispatch
from infojax.kernels.sorted_prefix import bisection, reference, rules
from infojax.kernels.sorted_prefix import window as window_of_largest

IMPLEMENTATIONS = {
    "reference": reference,
    "xla_window": window_of_largest,
    "xla_bisection": bisection,
}


class PrefixCut(NamedTuple):
    """The last token of a prefix of a row that is sorted by falling score, lower places first.

    Attributes:
        score: the score of the last token that is kept.
        place: of the tokens with that score, those up to this place are kept; None for all.
        peak: the largest score of the row.
        first: the place of a token with it, which is kept in any case.
    """

    score: jax.Array
    place: jax.Array | None
    peak: jax.Array
    first: jax.Array

    def keeps(self, scores: jax.Array) -> jax.Array:
        """Which tokens the prefix holds.

        Args:
            scores: (*B, V), those that the cut was made for.

        Returns:
            Boolean array of their shape; a score of -inf is never kept.
        """
        score = self.score[..., None]
        places = jax.lax.broadcasted_iota(jnp.int32, scores.shape, scores.ndim - 1)
        kept = scores >= score
        if self.place is not None:
            kept &= (scores > score) | (places <= self.place[..., None])
        # XLA may compute scores anew for this comparison and round otherwise than in the search:
        # a token alone at the edge would be lost.
        return (kept | (places == self.first[..., None])) & (scores > -jnp.inf)


def sorted_prefix(
    scores: jax.Array,
    *,
    rule: rules.Rule,
    limit: jax.Array,
    log_mass: jax.Array | None = None,
    all_ties: bool = False,
    window: int | None = None,
    implementation: str | None = None,
) -> PrefixCut:
    """Where a prefix of each row, sorted by falling score, ends; nothing is sorted on the way.

    The cut has no derivative: gradients go through what is kept alone.

    Args:
        scores: (*B, V), V >= 1; -inf for tokens that never count.
        rule: "count": tokens are kept while fewer than `limit` stand before them; "mass": while
            those before them weigh less than `limit`; "entropy": while the renormalised entropy
            of the prefix is at most `limit` nats. The first token is always kept.
        limit: (*B); inf keeps the whole row.
        log_mass: (*B, V), the logarithm of a token's weight; None for the score relative to the
            largest of its row, so that the first token weighs 1 (the rule "entropy" demands it).
        all_ties: whether all tokens with the score of the last one are kept.
        window: how many of the largest scores "xla_window" looks at first.
        implementation: `"xla_window"` looks at the largest scores first, which is best on CPU
            and GPU; `"xla_bisection"` has nothing but fused sums over the row, best on TPU;
            `"reference"` sorts. None takes the platform's best.

    Returns:
        The cut; the same whatever the other rows are.

    Raises:
        ValueError: an unknown rule or implementation, shapes that do not fit, or `all_ties` with
            the rule "entropy".
    """
    if rule not in rules.RULES:
        raise ValueError(f"rule must be one of {rules.RULES}; got {rule!r}.")
    dispatch.check_name(implementation, IMPLEMENTATIONS)
    batch = scores.shape[:-1]
    if limit.shape != batch:
        raise ValueError(f"limit must have shape {batch}; got {limit.shape}.")
    if log_mass is not None and (rule == "entropy" or log_mass.shape != scores.shape):
        raise ValueError(
            f"log_mass must have shape {scores.shape}, and not come with the rule 'entropy'; "
            f"got {log_mass.shape} with {rule!r}."
        )
    if all_ties and rule == "entropy":
        raise ValueError("all_ties must be False with the rule 'entropy', which may split ties.")
    given = jax.lax.stop_gradient((scores, log_mass, limit))
    if scores.size == 0:
        nothing = jnp.zeros(batch, scores.dtype)
        nowhere = jnp.zeros(batch, jnp.int32)
        return PrefixCut(nothing, nowhere, nothing, nowhere)
    rows = jax.tree.map(lambda x: x.reshape(-1, *x.shape[len(batch) :]), given)

    def by_window(scores, log_mass, limit):
        return window_of_largest.sorted_prefix(scores, log_mass, limit, rule, all_ties, window)

    def by_bisection(scores, log_mass, limit):
        return bisection.sorted_prefix(scores, log_mass, limit, rule, all_ties)

    if implementation == "reference":
        scores_, mass, bound = rows
        found = reference.sorted_prefix(scores_, mass, bound, rule)
    elif implementation == "xla_window":
        found = by_window(*rows)
    elif implementation == "xla_bisection":
        found = by_bisection(*rows)
    else:
        found = jax.lax.platform_dependent(*rows, tpu=by_bisection, default=by_window)
    score, place, peak, first = (x.reshape(batch) for x in found)
    return PrefixCut(score, None if all_ties else place, peak, first)

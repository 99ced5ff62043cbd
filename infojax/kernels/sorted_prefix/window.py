"""The end of a sorted prefix from a window of the largest scores, widened where it is too short.

Nearly always the prefix ends among the first n of a row, and these are cheap to find. Where it does
not, a window several times as wide is tried, and what that does not end is narrowed by bisection
until the rest fits into a window.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from infojax.kernels.sorted_prefix import bisection, rules
from infojax.kernels.sorted_prefix.bisection import Bracket, Row
from infojax.kernels.sorted_prefix.largest import largest

_WINDOW = 128
_DOUBLINGS = 3
_WIDER = 2**_DOUBLINGS  # bisection's passes cost about as much as a window so much wider


class _Search(NamedTuple):
    """The state of the search, one entry a row.

    Attributes:
        done: whether the end is known.
        value: the last kept score, where it is.
        place: its place.
        bracket: where it lies, where it is not.
        octaves: of the first sum, the parts of the window's second quarter and second half.
    """

    done: jax.Array
    value: jax.Array
    place: jax.Array
    bracket: Bracket
    octaves: tuple[jax.Array, jax.Array]


def _look(
    rule: rules.Rule,
    scores: jax.Array,
    log_mass: jax.Array | None,
    peak: jax.Array | None,
    limit: jax.Array,
    bracket: Bracket,
    width: int,
) -> tuple[_Search, jax.Array, jax.Array]:
    """Looks for the end among the first scores that are not above the bracket.

    Returns the state, the peak, which is found where it is not given, and the first place.
    """
    first = peak is None
    inside = scores
    if not first:
        inside = jnp.where(scores <= bracket.top[:, None], scores, -jnp.inf)
    values, places = largest(inside, width)
    peak = values[:, :1] if peak is None else peak
    mass = values - peak if log_mass is None else jnp.take_along_axis(log_mass, places, 1)
    own = rules.terms(rule, mass)
    if rule == "entropy":
        # The 1 of the first token of the row stays out of the sum.
        leading = jnp.where(bracket.top >= peak[:, 0], 0, own[0][:, 0])
        own = (own[0].at[:, 0].set(leading), own[1])
    before = tuple(
        a[:, None] + jnp.cumsum(x, 1) - x for a, x in zip(bracket.above, own, strict=True)
    )
    kept = rules.keeps(rule, before, own, limit[:, None])
    if first:
        kept = kept.at[:, 0].set(True)
    kept &= values > -jnp.inf
    count = jnp.sum(jnp.cumprod(kept.astype(jnp.int32), 1), 1)
    at = jnp.maximum(count - 1, 0)[:, None]
    top = values[:, -1]
    above = tuple(
        a + jnp.sum(jnp.where(values > top[:, None], x, 0), 1)
        for a, x in zip(bracket.above, own, strict=True)
    )
    none = count == 0
    search = _Search(
        done=count < width,
        value=jnp.where(none, bracket.top, jnp.take_along_axis(values, at, 1)[:, 0]),
        place=jnp.where(none, -1, jnp.take_along_axis(places, at, 1)[:, 0]),
        bracket=Bracket(bracket.low, top, above),
        octaves=(
            jnp.sum(own[0][:, width // 4 : width // 2], 1),
            jnp.sum(own[0][:, width // 2 :], 1),
        ),
    )
    return search, peak[:, 0], places[:, 0]


def _may_end(rule: rules.Rule, search: _Search, limit: jax.Array) -> jax.Array:
    """Whether the prefix can be hoped to end in the wider window.

    As in a power law each doubling of the rank is taken to add as many times what the last one
    added as that one did. For a count this is exact.
    """
    if rule == "entropy":
        return jnp.ones_like(search.done)
    before, last = search.octaves
    growth = jnp.where(before > 0, last / before, 0)
    more = last * sum(growth**number for number in range(1, _DOUBLINGS + 1))
    return search.bracket.above[0] + more >= limit


def _choose(condition: jax.Array, new: _Search, old: _Search) -> _Search:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)


def _go_on(rule: rules.Rule, row: Row, search: _Search, width: int, all_ties: bool) -> _Search:
    """Narrows the brackets of the rows that are not done until a window ends them."""

    def advance(search: _Search) -> _Search:
        bracket = bisection.narrow(rule, row, search.bracket)
        found, _, _ = _look(rule, row.scores, row.log_mass, row.peak, row.limit, bracket, width)
        found = _choose(search.done, search, found._replace(bracket=bracket))
        # Mostly all rows are done now; else many scores are equal, or the bracket is still wide.
        snapped = jax.lax.cond(
            jnp.all(found.done), lambda b: b, lambda b: bisection.snap(row, b), found.bracket
        )
        return found._replace(bracket=snapped)

    def unfinished(search: _Search) -> jax.Array:
        return jnp.any(~search.done & (search.bracket.low < search.bracket.top))

    search = jax.lax.while_loop(unfinished, advance, search)

    def end(search: _Search) -> _Search:
        value, place = bisection.among_equals(rule, row, search.bracket, all_ties)
        return _choose(search.done, search, search._replace(value=value, place=place))

    return jax.lax.cond(jnp.all(search.done), lambda search: search, end, search)


def sorted_prefix(
    scores: jax.Array,
    log_mass: jax.Array | None,
    limit: jax.Array,
    rule: rules.Rule,
    all_ties: bool,
    window: int | None = None,
) -> tuple[jax.Array, ...]:
    """The last token that is kept, from a window of the largest scores.

    Args:
        scores: (B, V), at least float32.
        log_mass: (B, V), or None where it is the score relative to the row's peak.
        limit: (B,); inf where the whole row is kept.
        rule: the rule.
        all_ties: whether tokens with the score of the last one are all kept.
        window: how many scores to look at first.

    Returns:
        Its score, its place, the largest score, and its place, (B,) each.
    """
    length = scores.shape[-1]
    width = min(window or _WINDOW, length)
    whole = limit == jnp.inf
    start = Bracket(
        jnp.full_like(limit, -jnp.inf), jnp.full_like(limit, jnp.inf), rules.empty(rule, limit)
    )
    search, peak, first = _look(rule, scores, log_mass, None, limit, start, width)

    def bisect(search: _Search) -> _Search:
        row = bisection.rows_of(scores, log_mass, limit, rule)
        low = jnp.minimum(bisection.lowest(scores), search.bracket.top)
        search = search._replace(bracket=search.bracket._replace(low=low))
        return _go_on(rule, row, search, width, all_ties)

    def look_wider(search: _Search) -> _Search:
        found, _, _ = _look(rule, scores, log_mass, None, limit, start, _WIDER * width)
        return _choose(search.done, search, found)

    def go_on(search: _Search) -> _Search:
        if _WIDER * width < length and log_mass is None:
            hopeful = search.done | _may_end(rule, search, limit)
            search = jax.lax.cond(jnp.all(hopeful), look_wider, lambda search: search, search)
        return jax.lax.cond(jnp.all(search.done), lambda search: search, bisect, search)

    if width < length:
        search = search._replace(done=search.done | whole)
        search = jax.lax.cond(jnp.all(search.done), lambda search: search, go_on, search)
    value = jnp.where(whole, -jnp.inf, search.value)
    place = jnp.where(whole, length, search.place).astype(jnp.int32)
    return value, place, peak, first

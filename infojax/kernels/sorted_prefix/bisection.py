"""The end of a sorted prefix without sorting: bisection on the score, each step one fused sum.

A bracket [low, top] of scores holds the score of the last token that is kept: all above `top` are
kept, whose sums are known, and none below `low`. Three steps halve the bracket by value, the fourth
by the order of the floating numbers: the first is fast where scores are spread evenly, the second
where they differ by orders of magnitude, and it ends after as many steps as a number has bits.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from infojax.kernels.entropy_from_logits.xla import sum_along
from infojax.kernels.sorted_prefix import rules

_STEPS = 12  # of one round


class Row(NamedTuple):
    """What does not change while rows are searched.

    Attributes:
        scores: (B, V).
        log_mass: (B, V), relative to the peak.
        peak: the largest score, (B, 1).
        ties: under the rule "entropy" how many scores are equal to it, less one; else 0, (B,).
        own: what each token adds to the sums, (B, V) each; under the rule "entropy" those at the
            peak add nothing to the first sum, they are in `ties`.
        limit: (B,).
    """

    scores: jax.Array
    log_mass: jax.Array
    peak: jax.Array
    ties: jax.Array
    own: rules.Sums
    limit: jax.Array


class Bracket(NamedTuple):
    """Where the last kept score lies.

    Attributes:
        low: nothing below is kept, (B,).
        top: everything above is kept, (B,).
        above: the sums over the tokens above `top`, (B,) each.
    """

    low: jax.Array
    top: jax.Array
    above: rules.Sums


def _flip(bits: jax.Array) -> jax.Array:
    """Between the bits of floating numbers and integers of the same order; its own inverse."""
    size = 8 * bits.dtype.itemsize
    return bits ^ ((bits >> (size - 1)) & (2 ** (size - 1) - 1))


def _to_key(x: jax.Array) -> jax.Array:
    kind = jnp.int64 if x.dtype.itemsize == 8 else jnp.int32
    return _flip(jax.lax.bitcast_convert_type(x, kind))


def _from_key(key: jax.Array, dtype) -> jax.Array:
    return jax.lax.bitcast_convert_type(_flip(key), dtype)


def over_rows(x: jax.Array) -> jax.Array:
    """Sums each row.

    Args:
        x: (B, V).

    Returns:
        (B,).
    """
    return sum_along(x, (1,))[:, 0]


def rows_of(
    scores: jax.Array, log_mass: jax.Array | None, limit: jax.Array, rule: rules.Rule
) -> Row:
    """What the search needs to know of rows.

    Args:
        scores: (B, V).
        log_mass: (B, V), or None where it is the score relative to the row's peak.
        limit: (B,).
        rule: the rule.

    Returns:
        The rows.
    """
    peak = jnp.max(scores, -1, keepdims=True)
    log_mass = scores - peak if log_mass is None else log_mass
    own = rules.terms(rule, log_mass)
    ties = jnp.zeros_like(limit)
    if rule == "entropy":
        ties = over_rows((scores == peak).astype(scores.dtype)) - 1
        own = (jnp.where(scores < peak, own[0], 0), own[1])
    return Row(scores, log_mass, peak, ties, own, limit)


def _sums_above(rule: rules.Rule, row: Row, edge: jax.Array) -> rules.Sums:
    """The sums over tokens with a score above the edge, which is below the peak."""
    above = row.scores > edge[:, None]
    if rule == "count":
        return (over_rows(above.astype(edge.dtype)),)
    first, *others = (over_rows(jnp.where(above, x, 0)) for x in row.own)
    return first + row.ties, *others


def _step(rule: rules.Rule, row: Row, number: jax.Array, bracket: Bracket) -> Bracket:
    low, top = bracket.low, bracket.top
    low_key, top_key = _to_key(low), _to_key(top)
    middle_key = (low_key & top_key) + ((low_key ^ top_key) >> 1)  # the mean, without overflow
    key = jnp.where(number % 4 == 3, middle_key, _to_key(low / 2 + top / 2))
    key = jnp.clip(key, low_key, jnp.maximum(top_key - 1, low_key))
    edge = _from_key(key, low.dtype)
    above = _sums_above(rule, row, edge)
    open_ = low < top
    down = open_ & rules.admits(rule, above, row.limit)
    return Bracket(
        jnp.where(open_ & ~down, _from_key(key + 1, low.dtype), low),
        jnp.where(down, edge, top),
        tuple(jnp.where(down, new, old) for new, old in zip(above, bracket.above, strict=True)),
    )


def narrow(rule: rules.Rule, row: Row, bracket: Bracket) -> Bracket:
    """Some steps of the bisection.

    Args:
        rule: the rule.
        row: the rows.
        bracket: theirs.

    Returns:
        A smaller bracket; one whose ends are equal stays.
    """
    return jax.lax.fori_loop(
        0, _STEPS, lambda number, bracket: _step(rule, row, number, bracket), bracket
    )


def snap(row: Row, bracket: Bracket) -> Bracket:
    """Moves both ends to scores that occur: they are equal where the bracket holds one alone.

    Args:
        row: the rows.
        bracket: theirs.

    Returns:
        A bracket of the same tokens.
    """
    top = jnp.max(row.scores, -1, where=row.scores <= bracket.top[:, None], initial=-jnp.inf)
    low = jnp.min(row.scores, -1, where=row.scores >= bracket.low[:, None], initial=jnp.inf)
    return bracket._replace(top=top, low=jnp.minimum(low, top))


def lowest(scores: jax.Array) -> jax.Array:
    """The smallest score of each row that is not -inf.

    Args:
        scores: (B, V).

    Returns:
        (B,).
    """
    return jnp.min(scores, -1, where=scores > -jnp.inf, initial=jnp.inf)


def among_equals(
    rule: rules.Rule, row: Row, bracket: Bracket, all_ties: bool
) -> tuple[jax.Array, jax.Array]:
    """The end of the prefix where all scores of the bracket are equal.

    Args:
        rule: the rule.
        row: the rows.
        bracket: theirs, of equal ends.
        all_ties: whether tokens with the score of the last one are all kept.

    Returns:
        Score and place of the last token that is kept, (B,) each.
    """
    value, length = bracket.top, row.scores.shape[-1]
    everything = jnp.full(value.shape, length, jnp.int32)
    if all_ties:
        return value, everything
    equal = row.scores == value[:, None]
    own = rules.terms(rule, (value[:, None] - row.peak)[:, 0])
    at_peak = (value == row.peak[:, 0]).astype(value.dtype)

    def kept(number):
        """Whether so many of the equal ones are kept."""
        before = [a + (number - 1) * x for a, x in zip(bracket.above, own, strict=True)]
        if rule == "entropy":
            before[0] -= at_peak
        return rules.keeps(rule, tuple(before), own, row.limit)

    def halve(_, ends):
        least, most = ends
        middle = jnp.ceil((least + most) / 2)
        good = kept(middle)
        return jnp.where(good, middle, least), jnp.where(good, most, jnp.maximum(middle - 1, least))

    count = over_rows(equal.astype(value.dtype))
    number, _ = jax.lax.fori_loop(0, 32, halve, (at_peak, count))
    place = jnp.where(number == count, everything, -1)

    def find(_):
        """The place up to which so many of the equal ones stand."""
        places = jax.lax.broadcasted_iota(jnp.int32, row.scores.shape, 1)

        def halve(_, ends):
            least, most = ends
            middle = (least + most) // 2
            enough = over_rows((equal & (places <= middle[:, None])).astype(value.dtype)) >= number
            return jnp.where(enough, least, middle + 1), jnp.where(enough, middle, most)

        ends = jnp.zeros_like(everything), everything
        return jax.lax.fori_loop(0, length.bit_length() + 1, halve, ends)[1]

    partial = (number > 0) & (number < count)
    found = jax.lax.cond(jnp.any(partial), find, lambda place: place, place)
    return value, jnp.where(partial, found, place).astype(jnp.int32)


def sorted_prefix(
    scores: jax.Array,
    log_mass: jax.Array | None,
    limit: jax.Array,
    rule: rules.Rule,
    all_ties: bool,
) -> tuple[jax.Array, ...]:
    """The last token that is kept, by bisection from end to end.

    Args:
        scores: (B, V), at least float32.
        log_mass: (B, V), or None where it is the score relative to the row's peak.
        limit: (B,); inf where the whole row is kept.
        rule: the rule.
        all_ties: whether tokens with the score of the last one are all kept.

    Returns:
        Its score, its place, the largest score, and its place, (B,) each.
    """
    row = rows_of(scores, log_mass, limit, rule)
    low = lowest(scores)
    top = jnp.where(limit == jnp.inf, low, row.peak[:, 0])
    bracket = Bracket(jnp.minimum(low, top), top, rules.empty(rule, limit))
    bracket = jax.lax.while_loop(
        lambda bracket: jnp.any(bracket.low < bracket.top),
        lambda bracket: snap(row, narrow(rule, row, bracket)),
        bracket,
    )
    value, place = among_equals(rule, row, bracket, all_ties)
    place = jnp.where(limit == jnp.inf, scores.shape[-1], place).astype(jnp.int32)
    return value, place, row.peak[:, 0], jnp.argmax(scores, -1).astype(jnp.int32)

"""Entropy-bounded encoders between deterministic maps: the optimal curve near each of them.

At a rate R = H(g(X)) the map g is optimal. Close to it the best encoder moves a little mass of
one symbol: to a new code above R, to the largest code below R (arXiv 2410.21666, Theorem 3).
"""

import dataclasses
import functools
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from infojax import checks
from infojax.couplings.ebim import checked_source, code_of_labels
from infojax.couplings.majorization import descending
from infojax.numerics import gated, narrow, nats_to_base, widen, xlogx

_BISECTIONS = 60
_ALL_PARTITIONS_UP_TO = 8


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("labels", "symbol", "target", "moved", "rate", "information", "reached"),
    meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class PerturbedCode:
    """A deterministic map of which one symbol sends part of its mass elsewhere; a pytree.

    Attributes:
        labels: the deterministic map, (n,).
        symbol: the symbol whose mass is split, ().
        target: the code to which it moves; n for a new code, ().
        moved: how much of it moves, ().
        rate: H(T), in the units of the call that made it, ().
        information: I(X; T), in the same units, ().
        reached: whether H(T) is the rate that was asked for; a single move reaches only so far.
    """

    labels: Int[Array, " n"]
    symbol: Int[Array, ""]
    target: Int[Array, ""]
    moved: Float[Array, ""]
    rate: Float[Array, ""]
    information: Float[Array, ""]
    reached: Bool[Array, ""]


def _small_cell_above(p, labels, masses):
    """The symbol with the least share of its code, among codes of two or more symbols."""
    shared = jnp.zeros(p.size, jnp.int32).at[labels].add((p > 0).astype(jnp.int32))[labels] > 1
    share = p / jnp.where(masses[labels] > 0, masses[labels], 1)
    share = jnp.where(shared & (p > 0), share, jnp.inf)
    symbol = jnp.argmin(share)
    return symbol, jnp.int32(p.size), jnp.isfinite(share[symbol])


def _small_cell_below(p, labels, masses):
    """The smallest symbol of the least code; it moves to the largest code."""
    least = jnp.argmin(jnp.where(masses > 0, masses, jnp.inf))
    symbol = jnp.argmin(jnp.where((labels == least) & (p > 0), p, jnp.inf))
    target = jnp.argmax(masses).astype(jnp.int32)
    return symbol, target, jnp.sum(masses > 0) > 1


def _perturb(p, labels, rate, upward):
    labels, masses, entropy = code_of_labels(p, labels)
    above, below = _small_cell_above(p, labels, masses), _small_cell_below(p, labels, masses)
    symbol, target, exists = jax.tree.map(lambda a, b: jnp.where(upward, a, b), above, below)
    padded = jnp.append(masses, 0)
    source = labels[symbol]

    def code_entropy(moved):
        # Only two codes change: the rest of the entropy is a constant.
        rest = entropy + xlogx(masses[source]) + xlogx(padded[target])
        return rest - xlogx(masses[source] - moved) - xlogx(padded[target] + moved)

    def halve(bounds, _):
        low, high = bounds
        middle = (low + high) / 2
        # The entropy grows with the moved mass upward and falls with it downward.
        further = (code_entropy(middle) < rate) == upward
        return (jnp.where(further, middle, low), jnp.where(further, high, middle)), None

    whole = p[symbol]
    (low, high), _ = jax.lax.scan(halve, (jnp.zeros_like(whole), whole), length=_BISECTIONS)
    end = code_entropy(whole)
    between = exists & jnp.where(
        upward, (rate >= entropy) & (rate <= end), (rate <= entropy) & (rate >= end)
    )
    moved = jnp.where(between, (low + high) / 2, 0)
    value = jnp.where(between, code_entropy(moved), entropy)
    safe = jnp.where(whole > 0, whole, 1)
    hidden = -safe * (xlogx(moved / safe) + xlogx(1 - moved / safe))
    return symbol, target, moved, value, value - hidden, between


def perturb_mapping(
    p: Float[Array, " n"],
    labels: Int[Array, " n"],
    rate: ArrayLike,
    *,
    direction: Literal["above", "below"],
    base: float | None = None,
) -> PerturbedCode:
    r"""The best encoder near a deterministic map, at a rate above or below its own.

    Above: the symbol with the smallest share of a code that it does not have to itself moves
    mass to a new code. Below: the smallest symbol of the least code moves mass to the largest
    code. The moved mass is found by bisection so that H(T) = R.

    Args:
        p: the source's distribution, (n,).
        labels: the map, any numbers from 0 to n - 1 that are equal within a cell, (n,).
        rate: the rate R in units of `base`; may be traced.
        direction: whether R lies above or below the map's own entropy.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The encoder; where one move cannot reach the rate it is the map itself and `reached` is
        False.

    Raises:
        TypeError: `p` is not of floating type, `labels` not of integer type.
        ValueError: `p` is no distribution, a rate is negative, shapes differ, or an unknown
            direction.

    Reference:
        Ebrahimi, Chen and Khisti, NeurIPS 2024, arXiv 2410.21666, Theorem 3.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import couplings
        >>> p, labels = jnp.array([0.7, 0.2, 0.1]), jnp.array([0, 1, 1])
        >>> code = couplings.perturb_mapping(p, labels, 1.0, direction="above", base=2)
        >>> print(code.rate.round(3), code.information.round(3))
        1.0 0.921
    """
    checks.choice("direction", direction, ("above", "below"))
    given, source, nats, valid = checked_source("p", p, rate, base)
    labels = jnp.asarray(labels)
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(f"labels must have an integer type; got {labels.dtype}.")
    if labels.shape != given.shape or given.ndim != 1:
        raise ValueError(
            f"p and labels must have one axis of the same size; got {given.shape}, {labels.shape}."
        )
    symbol, target, moved, value, information, reached = _perturb(
        source, labels, nats, direction == "above"
    )
    value, information = (nats_to_base(gated(x, valid), base) for x in (value, information))
    return PerturbedCode(
        labels=labels,
        symbol=symbol,
        target=target,
        moved=narrow(gated(moved, valid), given),
        rate=narrow(value, given),
        information=narrow(information, given),
        reached=reached,
    )


def set_partitions(n: int) -> np.ndarray:
    """All partitions of n symbols into cells, as restricted growth strings.

    Args:
        n: the number of symbols, at least 1.

    Returns:
        Array (Bell(n), n) of cell numbers; each row starts with 0 and a new cell has the next
        number.
    """
    rows = np.zeros((1, 1), np.int32)
    for _ in range(1, n):
        tops = rows.max(1)
        rows = np.concatenate(
            [
                np.column_stack([rows[tops + 1 >= c], np.full((tops + 1 >= c).sum(), c)])
                for c in range(rows.shape[1] + 1)
            ]
        ).astype(np.int32)
    return rows


def _greedy_family(p: jax.Array) -> jax.Array:
    """The maps that the greedy search passes: piles of the k most probable, and small merges."""
    _, order = descending(p)
    n = p.size
    rank, k = np.arange(n), np.arange(n)[:, None]
    piles = np.where(rank[None] <= k, 0, rank[None])
    merged = np.where(rank[None] == n - 1, piles[:, n - 2 : n - 1], piles)
    cells = jnp.asarray(np.concatenate([piles, merged]), jnp.int32)
    return jnp.zeros_like(cells).at[:, order].set(cells)


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("rates", "information", "map_rates"),
    meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class EntropyBoundedCurve:
    """The best I(X; T) that was found at each rate; a pytree.

    Attributes:
        rates: the rates, (R,), in the units of the call.
        information: the best information at each rate, (R,).
        map_rates: H(g(X)) of each deterministic map that was considered, (maps,).
    """

    rates: Float[Array, " R"]
    information: Float[Array, " R"]
    map_rates: Float[Array, " maps"]


@jax.jit
def _curve(p, rates, maps):
    own = jax.vmap(lambda labels: code_of_labels(p, labels)[2])(maps)

    def at_rate(rate):
        slack = 8 * jnp.finfo(p.dtype).eps * jnp.maximum(rate, 1)
        best = jnp.max(jnp.where(own <= rate + slack, own, 0))
        for upward in (True, False):
            moves = jax.vmap(lambda labels, up=upward: _perturb(p, labels, rate, up))(maps)
            best = jnp.maximum(best, jnp.max(jnp.where(moves[5], moves[4], 0)))
        return jnp.minimum(best, rate)

    return jax.lax.map(at_rate, rates), own


def ebim_curve(
    p: Float[Array, " n"], rates: Float[Array, " R"], *, base: float | None = None
) -> EntropyBoundedCurve:
    r"""The best I(X; T) under H(T) <= R, for each rate R, over maps and their perturbations.

    Considers deterministic maps (all set partitions up to 8 symbols, the greedy search's family
    above) and their two perturbations. I(X; T) = R is possible only at the maps' own rates.

    Args:
        p: the source's distribution, (n,).
        rates: the rates in units of `base`, (R,).
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The curve and the maps' own rates.

    Raises:
        TypeError: `p` is not of floating type, or `rates` not real.
        ValueError: `p` is no distribution over one axis, `rates` has not one axis, or a rate is
            negative or NaN.

    Reference:
        Ebrahimi, Chen and Khisti, NeurIPS 2024, arXiv 2410.21666, Theorem 3 and figure 2.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import couplings
        >>> curve = couplings.ebim_curve(jnp.array([0.5, 0.25, 0.25]), jnp.array([1.0]), base=2)
        >>> print(curve.information)
        [1.]
    """
    rates = checks.real_number("rates", rates)
    if jnp.ndim(p) != 1 or rates.ndim != 1:
        raise ValueError(
            f"p and rates must have one axis each; got shapes {jnp.shape(p)}, {rates.shape}."
        )
    given = checks.floating("p", p)
    _, _, nats, valid = checked_source("p", given[None], rates, base)
    (source,) = widen(given)
    if given.size <= _ALL_PARTITIONS_UP_TO:
        maps = jnp.asarray(set_partitions(given.size))
    else:
        maps = _greedy_family(source)
    information, own = _curve(source, nats, maps)
    return EntropyBoundedCurve(
        rates=rates,
        information=narrow(nats_to_base(gated(information, valid), base), given),
        map_rates=narrow(nats_to_base(gated(own, jnp.all(valid)), base), given),
    )

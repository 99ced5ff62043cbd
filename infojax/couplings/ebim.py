"""Entropy-bounded codes: deterministic maps T = g(X) with H(T) at most a given rate.

The search that maximises I(X; T) = H(T) merges cells greedily (Ebrahimi et al., arXiv
2410.21666, Algorithm 1). Its large merges only ever grow one pile, so the whole search has a
closed form: sort once, take cumulative sums, and pick the first step that satisfies the rate.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from infojax import checks
from infojax.couplings.majorization import descending
from infojax.numerics import gated, narrow, nats_to_base, over_batch, rate_to_nats, widen, xlogx

# A rate that was computed as an entropy in another order of summation still counts as reached.
_RATE_SLACK = 8


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("labels", "masses", "entropy"),
    meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class EntropyBoundedCode:
    """A deterministic code T = g(X); a pytree.

    Attributes:
        labels: the code of each symbol, (*B, n): the lowest symbol that shares its cell.
        masses: the probability of each code, (*B, n); 0 for labels that are not used.
        entropy: H(T) = I(X; T), (*B,), in the units of the call that made it.
    """

    labels: Int[Array, "*B n"]
    masses: Float[Array, "*B n"]
    entropy: Float[Array, "*B"]

    @property
    def count(self) -> Int[Array, "*B"]:
        """The number of codes that are used."""
        return jnp.sum(self.masses > 0, -1)

    def encoder(self) -> Float[Array, "*B n n"]:
        """The conditional law p(t | x) as a table of zeros and ones, row = x."""
        return jax.nn.one_hot(self.labels, self.labels.shape[-1], dtype=self.masses.dtype)


def checked_source(
    name: str, p: jax.Array, rate: ArrayLike, base: float | None
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Takes a source and a rate as arguments.

    Args:
        name: what the caller's users call the source.
        p: the source's distribution over the last axis.
        rate: the rate in units of `base`, broadcasting with the batch axes.
        base: the logarithm's base.

    Returns:
        The source as given; the source widened and broadcast; the rate in nats, (*B,); which
        batch members are valid.

    Raises:
        TypeError: the source is not of floating type, or the rate not real.
        ValueError: the source is no distribution, a rate is negative or NaN, or the shapes do
            not broadcast.
    """
    given = checks.floating(name, p, min_ndim=1)
    checks.check_support(name, given)
    rate = checks.real_number("rate", rate)
    rate_valid = checks.check_real("rate", rate, rate >= 0, "a non-negative number")
    valid = checks.check_distribution(name, given, (given.ndim - 1,))[..., 0]
    shape = checks.broadcast_shapes(core=0, rate=rate, **{f"batch of {name}": valid})
    (wide,) = widen(given)
    source = jnp.broadcast_to(wide, (*shape, given.shape[-1]))
    rate = jnp.broadcast_to(rate_to_nats(rate.astype(wide.dtype), base), shape)
    return given, source, rate, jnp.broadcast_to(valid & rate_valid, shape)


def code_of_labels(p: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Names each cell by its lowest symbol and adds up its mass.

    Args:
        p: the source, (n,).
        labels: any numbers from 0 to n - 1 that are equal within a cell and differ between
            cells, (n,).

    Returns:
        Labels, masses, both (n,), and H(T) in nats.
    """
    symbols = jax.lax.iota(jnp.int32, p.size)
    lowest = jnp.full_like(symbols, p.size).at[labels].min(symbols)
    labels = lowest[labels]
    masses = jnp.zeros_like(p).at[labels].add(p)
    return labels, masses, jnp.sum(-xlogx(masses))


class _Steps(NamedTuple):
    """The states of the search after k large merges, k = 0 .. n - 1."""

    code: jax.Array
    after_small_merge: jax.Array
    count: jax.Array


def merge_loss(p: jax.Array, q: jax.Array) -> jax.Array:
    r"""How much merging two cells lowers the entropy, $p \log(1+q/p) + q \log(1+p/q)$.

    Args:
        p: mass of one cell.
        q: mass of the other.

    Returns:
        The loss in nats; 0 where one of them is 0.
    """
    both = (p > 0) & (q > 0)
    p, q = jnp.where(both, p, 1), jnp.where(both, q, 1)
    return jnp.where(both, p * jnp.log1p(q / p) + q * jnp.log1p(p / q), 0)


def _search_steps(sorted_p: jax.Array) -> _Steps:
    n = sorted_p.size
    step = jax.lax.iota(jnp.int32, n)
    count = jnp.sum(sorted_p > 0)
    pile = jnp.cumsum(sorted_p)
    terms = -xlogx(sorted_p)
    # Entropy of the symbols that are still apart; summed from the small end.
    apart = jnp.cumsum(terms[::-1])[::-1] - terms
    apart = jnp.where(step >= count - 1, 0, jnp.maximum(apart, 0))
    code = apart + jnp.where(step >= count - 1, 0, -xlogx(pile))
    smallest = sorted_p[jnp.maximum(count - 1, 0)]
    second = jnp.where(step == count - 2, pile, sorted_p[jnp.maximum(count - 2, 0)])
    after = jnp.where(step >= count - 2, 0, code - merge_loss(second, smallest))
    # Nothing is left to merge once one cell holds everything.
    return _Steps(code, jnp.where(step >= count - 1, jnp.inf, after), count)


def _greedy_labels(p: jax.Array, rate: jax.Array) -> jax.Array:
    sorted_p, order = descending(p)
    code, after_small, count = _search_steps(sorted_p)
    bound = rate + _RATE_SLACK * jnp.finfo(p.dtype).eps * jnp.maximum(rate, 1)
    rank = jax.lax.iota(jnp.int32, p.size)
    next_code = jnp.append(code[1:], 0)
    stops = (after_small <= bound) | (next_code <= bound) | (rank >= count - 1)
    k = jnp.argmax(stops)
    keeps_all = code[0] <= bound
    small = ~keeps_all & (after_small[k] <= bound)
    large = ~keeps_all & ~small
    pile_end = jnp.where(keeps_all, 0, jnp.minimum(k + large, jnp.maximum(count - 1, 0)))
    cell = jnp.where(rank <= pile_end, 0, rank)
    # The smallest cell joins the second smallest, which is the pile itself when k = count - 2.
    partner = cell[jnp.maximum(count - 2, 0)]
    cell = jnp.where(small & (rank == count - 1), partner, cell)
    return jnp.zeros_like(cell).at[order].set(cell)


@functools.partial(jax.jit, static_argnums=0)
def encode(rule, p: jax.Array, rate: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Applies a rule for labels to a batch of sources.

    Args:
        rule: from a source (n,) and a rate in nats to the cells' numbers (n,).
        p: sources, (*B, n).
        rate: rates in nats, (*B,).

    Returns:
        Labels and masses, (*B, n), and entropies in nats, (*B,).
    """
    both = jnp.concatenate([p, rate[..., None]], -1)
    return over_batch(lambda x: code_of_labels(x[:-1], rule(x[:-1], x[-1])), both)


def bounded_code(rule, p: jax.Array, rate: ArrayLike, base: float | None) -> EntropyBoundedCode:
    """Checks the arguments of an encoder, applies its rule and packs the result.

    Args:
        rule: from a source (n,) and a rate in nats to the cells' numbers (n,).
        p: sources, (*B, n).
        rate: rates in units of `base`.
        base: the logarithm's base.

    Returns:
        The code.

    Raises:
        TypeError: `p` is not of floating type, or `rate` not real.
        ValueError: as in `checked_source`.
    """
    given, source, nats, valid = checked_source("p", p, rate, base)
    labels, masses, entropy = encode(rule, source, nats)
    return EntropyBoundedCode(
        labels=labels,
        masses=narrow(gated(masses, valid[..., None]), given),
        entropy=narrow(nats_to_base(gated(entropy, valid), base), given),
    )


def greedy_ebim(
    p: Float[Array, "*B n"], rate: ArrayLike, *, base: float | None = None
) -> EntropyBoundedCode:
    r"""Entropy-bounded information maximisation by greedy search over deterministic maps.

    Seeks T = g(X) with $H(T) \le R$ and I(X; T) = H(T) as large as possible. As long as the
    rate is exceeded, it merges the two most probable cells; it stops as soon as merging the two
    least probable cells, or else the two most probable, meets the rate. The gap to the best map
    is at most $h(p_{(2)})$ bits, the binary entropy of the second largest probability. One sort
    and O(n): no loop; vmap over rates gives a whole curve from one compiled function.

    The labels are integers and have no derivative; the masses and the entropy have that of the
    map held fixed.

    Args:
        p: the source's distribution over the last axis; symbols of probability zero keep a cell
            of their own, of mass 0.
        rate: the bound R on H(T), in units of `base`; may be traced; broadcasts with the batch
            axes. 0 gives one cell, H(X) or more the identity.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The code: labels, masses, entropy. H(T) <= R up to rounding.

    Raises:
        TypeError: `p` is not of floating type, or `rate` not real.
        ValueError: `p` is not a distribution or a rate is negative or NaN (at once on concrete
            arrays, under `checkify.checkify` in traced code); shapes that do not broadcast.

    Reference:
        Ebrahimi, Chen and Khisti, NeurIPS 2024, arXiv 2410.21666, Algorithm 1.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import couplings
        >>> code = couplings.greedy_ebim(jnp.array([0.5, 0.25, 0.25]), 1.0, base=2)
        >>> print(code.labels, code.masses, code.entropy)
        [0 1 1] [0.5 0.5 0. ] 1.0
    """
    return bounded_code(_greedy_labels, p, rate, base)

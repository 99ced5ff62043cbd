"""Information that flows between two time series: transfer entropy and directed information.

Both are conditional mutual informations of the present of the target and the past of the
source, given the target's own past; directed information takes the source's present too. From
samples by nearest neighbours, or from symbols by counting words.
"""

import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from infojax import checks
from infojax.divergences.neighbor_orders import Orders, median_over_orders, neighbor_orders
from infojax.divergences.two_samples import observed
from infojax.entropies.from_counts import Correction, entropy_from_counts
from infojax.information.ksg import conditional_nats
from infojax.numerics import log_of_base, nats_to_base

# Cells of a table of counts; more have no use for a series that fits into memory.
_CELLS = 1 << 24


def _histories(history: int, source_history: int | None) -> tuple[int, int]:
    own = checks.positive_integer("history", history)
    if source_history is None:
        return own, own
    return own, checks.positive_integer("source_history", source_history)


def _lagged(series: jax.Array, lags: Sequence[int], first: int) -> list[jax.Array]:
    """The series at times t - lag, for t from `first` on; time is axis 1."""
    return [series[:, first - lag : series.shape[1] - lag] for lag in lags]


def _flow(source, target, history, source_history, k, base, now: int) -> jax.Array:
    orders = neighbor_orders(k)
    own, other = _histories(history, source_history)
    first = max(own, other)
    pair = observed(source=source, target=target, least=first + max(orders) + 1)
    source, target = pair.arrays
    batch = source.shape[:-2]
    source, target = (z.reshape(math.prod(batch), *z.shape[-2:]) for z in (source, target))
    present = _lagged(target, [0], first)[0]
    past = jnp.concatenate(_lagged(target, range(1, own + 1), first), -1)
    cause = jnp.concatenate(_lagged(source, range(1 - now, other + 1), first), -1)
    moments = observed(x=cause, y=present, z=past)
    nats, valid = conditional_nats(moments, orders)
    nats = nats_to_base(median_over_orders(nats), base)
    return pair.finish(nats.reshape(batch), valid.reshape(batch))


def transfer_entropy(
    source: Float[ArrayLike, "*B T D"],
    target: Float[ArrayLike, "*B T E"],
    *,
    history: int = 1,
    source_history: int | None = None,
    k: Orders = 3,
    base: float | None = None,
) -> Float[Array, "*B"]:
    r"""Transfer entropy $I(Y_t; X_{t-m}^{t-1} \mid Y_{t-l}^{t-1})$ of real series, X to Y.

    By `ksg_conditional_mutual_information` over all times, taken as samples of a stationary
    process. Biased towards 0, the more the longer the histories. May be negative. The
    derivative is 0.

    Args:
        source: the series X, (*B, T, D).
        target: the series Y, (*B, T, E).
        history: l, how many past values of the target are known.
        source_history: m, how many past values of the source are; `history` if None.
        k: which neighbour, static, or several: the median of their estimates.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The transfer entropy in units of `base` a step.

    Raises:
        TypeError: a series is not of floating type, a history no whole number.
        ValueError: shapes that do not fit, too short series, values that are not finite, more
            than k equal moments.

    Reference:
        Schreiber, arXiv nlin/0001042, equation (4); Frenzel and Pompe 2007 for the estimate.

    Example:
        >>> import jax, jax.numpy as jnp, infojax.information as information
        >>> x, noise = jax.random.normal(jax.random.key(0), (2, 2000, 1))
        >>> y = 0.8 * jnp.roll(x, 1, 0) + 0.6 * noise  # log(1 / 0.6) = 0.51 nats a step
        >>> print(bool(information.transfer_entropy(x, y) > 0.4),
        ...       bool(abs(information.transfer_entropy(y, x)) < 0.1))
        True True
    """
    return _flow(source, target, history, source_history, k, base, now=0)


def directed_information(
    source: Float[ArrayLike, "*B T D"],
    target: Float[ArrayLike, "*B T E"],
    *,
    history: int = 1,
    source_history: int | None = None,
    k: Orders = 3,
    base: float | None = None,
) -> Float[Array, "*B"]:
    r"""Directed information a step, $I(Y_t; X_{t-m}^{t} \mid Y_{t-l}^{t-1})$, of real series.

    The rate of $I(X^n \to Y^n) = \sum_t I(X^t; Y_t \mid Y^{t-1})$ for a stationary process
    whose dependence reaches back no further than the histories. Unlike `transfer_entropy` it
    has the source's present. Bias and derivative as there.

    Args:
        source: the series X, (*B, T, D).
        target: the series Y, (*B, T, E).
        history: l, how many past values of the target are known.
        source_history: m, how many past values of the source beside its present; `history` if
            None.
        k: which neighbour, static, or several: the median of their estimates.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The directed information in units of `base` a step.

    Raises:
        TypeError: as in `transfer_entropy`.
        ValueError: as in `transfer_entropy`.

    Reference:
        Massey, Causality, Feedback and Directed Information, 1990.

    Example:
        >>> import jax, infojax.information as information
        >>> x, noise = jax.random.normal(jax.random.key(0), (2, 2000, 1))
        >>> print(bool(information.directed_information(x, 0.8 * x + 0.6 * noise) > 0.4))
        True
    """
    return _flow(source, target, history, source_history, k, base, now=1)


def _symbols(name: str, series: ArrayLike, num_symbols: int) -> tuple[jax.Array, jax.Array]:
    array = jnp.asarray(series)
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise TypeError(f"{name} must have an integer type; got {array.dtype}.")
    if array.ndim < 1:
        raise ValueError(f"{name} must have shape (*B, T); got {array.shape}.")
    within = (array >= 0) & (array < num_symbols)
    checks.check_real(name, array, within, f"from 0 to {num_symbols - 1}")
    return jnp.clip(array, 0, num_symbols - 1).astype(jnp.int32), jnp.all(within, -1)


def _word(series: jax.Array, lags: Sequence[int], first: int, num_symbols: int) -> jax.Array:
    parts = _lagged(series, lags, first)
    return functools.reduce(lambda word, part: word * num_symbols + part, parts)


def _flow_of_symbols(
    source, target, history, source_history, num_symbols, correction, base, now: int
) -> jax.Array:
    num_symbols = checks.positive_integer("num_symbols", num_symbols)
    own, other = _histories(history, source_history)
    first = max(own, other)
    source, source_fine = _symbols("source", source, num_symbols)
    target, target_fine = _symbols("target", target, num_symbols)
    if source.shape != target.shape or source.shape[-1] <= first:
        raise ValueError(
            f"source and target must have one shape (*B, T) with T above {first}; got "
            f"{source.shape} and {target.shape}."
        )
    sizes = (num_symbols ** (other + now), num_symbols**own, num_symbols)
    if sizes[0] * sizes[1] * sizes[2] > _CELLS:
        raise ValueError(
            f"num_symbols={num_symbols} and histories {own}, {other} need a table of {sizes} "
            f"cells; at most {_CELLS} are kept."
        )
    batch = source.shape[:-1]
    source, target = (z.reshape(math.prod(batch), z.shape[-1]) for z in (source, target))
    cause = _word(source, range(1 - now, other + 1), first, num_symbols)
    past = _word(target, range(1, own + 1), first, num_symbols)
    cell = (cause * sizes[1] + past) * sizes[2] + _lagged(target, [0], first)[0]
    length = sizes[0] * sizes[1] * sizes[2]
    counts = jax.vmap(lambda c: jnp.zeros(length, jnp.int32).at[c].add(1))(cell)
    counts = counts.reshape(counts.shape[0], *sizes)

    def entropy(*summed):
        table = jnp.sum(counts, summed)
        return entropy_from_counts(table, axis=(1, 2, 3)[: table.ndim - 1], correction=correction)

    # H(Y, past) - H(past) less the same with the cause known.
    nats = entropy(1) - entropy(1, 3) - (entropy() - entropy(3))
    fine = source_fine & target_fine
    return jnp.where(fine, nats.reshape(batch) / log_of_base(base), jnp.nan)


def transfer_entropy_from_symbols(
    source: Int[ArrayLike, "*B T"],
    target: Int[ArrayLike, "*B T"],
    *,
    num_symbols: int,
    history: int = 1,
    source_history: int | None = None,
    correction: Correction = "none",
    base: float | None = None,
) -> Float[Array, "*B"]:
    r"""Transfer entropy $I(Y_t; X_{t-m}^{t-1} \mid Y_{t-l}^{t-1})$ of series of symbols, X to Y.

    From the counts of all words. The plain estimate is too large by about
    $(S^m - 1) S^l (S - 1) / (2 T)$ nats for S symbols; a correction of the four entropies takes
    most of that away.

    Args:
        source: the series X, whole numbers from 0 to `num_symbols` - 1, (*B, T).
        target: the series Y, likewise.
        num_symbols: S, static.
        history: l, how many past symbols of the target are known.
        source_history: m, how many past symbols of the source are; `history` if None.
        correction: of `entropies.entropy_from_counts`.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The transfer entropy in units of `base` a step.

    Raises:
        TypeError: a series is not of integer type, a history no whole number.
        ValueError: shapes that do not fit, too short series, symbols out of range, a table of
            more than 2^24 words.

    Reference:
        Schreiber, arXiv nlin/0001042, equation (4).

    Example:
        >>> import jax, jax.numpy as jnp, infojax.information as information
        >>> x = jax.random.bernoulli(jax.random.key(0), shape=(4000,)).astype(int)
        >>> copied = jnp.roll(x, 1)
        >>> print(information.transfer_entropy_from_symbols(x, copied, num_symbols=2, base=2))
        0.99...
    """
    return _flow_of_symbols(
        source, target, history, source_history, num_symbols, correction, base, now=0
    )


def directed_information_from_symbols(
    source: Int[ArrayLike, "*B T"],
    target: Int[ArrayLike, "*B T"],
    *,
    num_symbols: int,
    history: int = 1,
    source_history: int | None = None,
    correction: Correction = "none",
    base: float | None = None,
) -> Float[Array, "*B"]:
    r"""Directed information a step, $I(Y_t; X_{t-m}^{t} \mid Y_{t-l}^{t-1})$, of symbols.

    As `transfer_entropy_from_symbols`, with the source's present; the bias has m + 1 for m.

    Args:
        source: the series X, whole numbers from 0 to `num_symbols` - 1, (*B, T).
        target: the series Y, likewise.
        num_symbols: static.
        history: l, how many past symbols of the target are known.
        source_history: m, how many past symbols of the source beside its present; `history` if
            None.
        correction: of `entropies.entropy_from_counts`.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The directed information in units of `base` a step.

    Raises:
        TypeError: as in `transfer_entropy_from_symbols`.
        ValueError: as in `transfer_entropy_from_symbols`.

    Reference:
        Massey, Causality, Feedback and Directed Information, 1990.

    Example:
        >>> import jax, infojax.information as information
        >>> x = jax.random.bernoulli(jax.random.key(0), shape=(4000,)).astype(int)
        >>> print(information.directed_information_from_symbols(x, x, num_symbols=2, base=2))
        0.99...
    """
    return _flow_of_symbols(
        source, target, history, source_history, num_symbols, correction, base, now=1
    )

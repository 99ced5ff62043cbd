"""What is kept of a part of a row, how parts become one, and what a row's statistics mean.

Of the logits s of a part four numbers are kept: the peak m, the number of entries at the peak,
and over the others, the rest, the sum of e^(s - m), and t = sum e^(s - m) (s - m). When the peak
moves, those that stood at it join the rest. So nothing is ever subtracted: log Z - m =
log1p(rest + ties - 1) keeps its digits where one symbol all but decides.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Part(NamedTuple):
    """Statistics of a part of a row.

    Attributes:
        peak: the largest logit; -inf where none is possible.
        ties: how many logits are equal to it.
        rest: the sum of e^(s - peak) over those below it.
        tilt: the sum of e^(s - peak) (s - peak) over those below it; NaN where a logit is NaN
            or +inf.
    """

    peak: jax.Array
    ties: jax.Array
    rest: jax.Array
    tilt: jax.Array


def finite_peak(peak: jax.Array) -> jax.Array:
    """A number to measure from: the peak, or 0 for a part without a possible symbol."""
    return jnp.where(peak == -jnp.inf, jnp.float32(0), peak)


def move(part: Part, peak: jax.Array) -> Part:
    """Measures a part from a peak that is at least as high.

    Args:
        part: the part.
        peak: the new peak.

    Returns:
        The part, with its old peak in the rest where the new one lies above it.
    """
    empty = part.peak == -jnp.inf
    shift = jnp.where(empty | (part.peak == peak), jnp.float32(0), part.peak - peak)
    factor = jnp.exp(shift)
    moved = shift != 0
    below = part.rest + jnp.where(moved, part.ties, jnp.float32(0))
    return Part(
        peak,
        jnp.where(moved, jnp.float32(0), part.ties),
        factor * below,
        factor * (part.tilt + shift * below),
    )


def merge(part: Part, axis: int) -> Part:
    """Makes one part of many.

    Args:
        part: parts along an axis.
        axis: that axis, which stays with size one.

    Returns:
        The statistics of all of them together.
    """
    moved = move(part, jnp.max(part.peak, axis, keepdims=True))
    sums = (jnp.sum(x, axis, keepdims=True) for x in moved[1:])
    return Part(jnp.max(part.peak, axis, keepdims=True), *sums)


def finish(part: Part) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The entropy, the log of the weight and the peak of whole rows.

    Args:
        part: the statistics of whole rows.

    Returns:
        Entropy and log weight in nats, NaN where the row is not valid, and the peak, which is
        then not finite.
    """
    peak = jnp.where(jnp.isnan(part.tilt), jnp.float32(jnp.nan), part.peak)
    excess = part.rest + (part.ties - 1)
    log_weight = jnp.where(jnp.isfinite(peak), jnp.log1p(excess), jnp.float32(jnp.nan))
    return log_weight - part.tilt / (part.rest + part.ties), log_weight, peak

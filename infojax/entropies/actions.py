"""What policy gradients want of a categorical policy's logits: -log p of an action, and entropy."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from infojax import checks
from infojax.kernels.entropy_from_logits import logit_statistics
from infojax.numerics import gated, log_of_base, narrow, normalize_axes


class CrossEntropyAndEntropy(NamedTuple):
    """Two measures of the same logits, of their shape without the reduced axis.

    Attributes:
        cross_entropy: -log of the probability of the label.
        entropy: of softmax(logits).
    """

    cross_entropy: Float[Array, "..."]
    entropy: Float[Array, "..."]


@functools.partial(jax.jit, static_argnames="axis")
def _both(logits, labels, where, unit, axis: int):
    statistics = logit_statistics(logits, axes=(axis,), where=where)
    in_range = (labels >= 0) & (labels < logits.shape[axis])
    place = jnp.expand_dims(jnp.where(in_range, labels, 0), axis)
    chosen = jnp.take_along_axis(logits, place, axis).astype(statistics.peak.dtype)
    if where is not None:
        counts = jnp.take_along_axis(jnp.broadcast_to(where, logits.shape), place, axis)
        chosen = jnp.where(counts, chosen, -jnp.inf)
    valid = jnp.isfinite(statistics.peak)
    # The gap before the sum: log Z = peak + log_weight would round the small part away.
    surprise = statistics.log_weight + (statistics.peak - chosen)
    cross_entropy = gated(surprise / unit, valid, jnp.expand_dims(in_range, axis))
    entropy = gated(statistics.entropy / unit, valid)
    found = (narrow(jnp.squeeze(x, axis), logits) for x in (cross_entropy, entropy))
    return CrossEntropyAndEntropy(*found), valid, in_range


def _integer_labels(labels: ArrayLike, logits: jax.Array, axis: int) -> jax.Array:
    array = jnp.asarray(labels)
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise TypeError(f"labels must have an integer type; got {array.dtype}.")
    expected = logits.shape[:axis] + logits.shape[axis + 1 :]
    if array.shape != expected:
        raise ValueError(
            f"labels must have shape {expected}, that of logits without axis {axis}; "
            f"got {array.shape}."
        )
    return array


def cross_entropy_and_entropy_from_logits(
    logits: Float[Array, "..."],
    labels: Int[Array, "..."],
    *,
    axis: int = -1,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
) -> CrossEntropyAndEntropy:
    r"""$-\log p_y$ of labels y and the entropy $H(p)$ of $p = \mathrm{softmax}(s)$, in one pass.

    With $Z = \sum_k e^{s_k}$, $-\log p_y = \log Z - s_y$ and $H = \log Z - \sum_k p_k s_k$: the
    loss of a policy gradient and its entropy bonus share everything but one entry of the logits.
    Both keep their digits where one symbol all but decides. The derivatives are
    $p_k - [k = y]$ and $-p_k (\log p_k + H)$; no probabilities are kept for the backward pass.

    Args:
        logits: unnormalised log probabilities; -inf for impossible symbols.
        labels: whole numbers from 0 to the size of `axis` less 1, of the shape of `logits`
            without `axis`.
        axis: the axis of one distribution.
        base: the logarithm's base (2 for bits); None for nats.
        where: entries that count; the others are taken as impossible.

    Returns:
        The cross entropy, +inf for an impossible label, and the entropy, in units of `base`;
        NaN where no logit is finite or one is NaN or +inf, the cross entropy also where the
        label is out of range.

    Raises:
        TypeError: `logits` is not of floating type, or `labels` not of an integer type.
        ValueError: a logit is NaN or +inf, or all of a row are -inf, or a label is out of range
            (at once on concrete arrays, under `checkify.checkify` in traced code); `labels` has
            another shape; a bad `axis` or `base`.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import entropies
        >>> logits, actions = jnp.zeros((1, 4)), jnp.array([2])
        >>> found = entropies.cross_entropy_and_entropy_from_logits(logits, actions, base=2)
        >>> print(found.cross_entropy, found.entropy)
        [2.] [2.]
    """
    logits = checks.floating("logits", logits)
    axes = normalize_axes(axis, logits.ndim)
    if len(axes) != 1:
        raise ValueError(f"axis must be one axis, which the labels index; got {axis!r}.")
    labels = _integer_labels(labels, logits, axes[0])
    where = checks.mask("where", where, logits.shape)
    found, valid, in_range = _both(logits, labels, where, log_of_base(base), axes[0])
    checks.check_logits("logits", logits, where, valid)
    size = logits.shape[axes[0]]

    def message() -> str:
        expected = f"labels must be between 0 and {size - 1}"
        if not checks.is_concrete(labels, in_range):
            return f"{expected}."
        wrong = ~np.asarray(in_range)
        return f"{expected}; got {checks.first_entry('labels', np.asarray(labels), wrong)}."

    checks.check(in_range, message)
    return found

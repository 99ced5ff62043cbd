"""Shannon entropy of logits in one fused pass, with its own derivative.

With m = max s, l = sum exp(s - m) and t = sum exp(s - m)(s - m), the log normaliser is m + log l
and the entropy log l - t / l: both terms are non-negative, so nothing cancels.
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from infojax import checks
from infojax.numerics import gated, log_of_base, narrow, normalize_axes, reduce_axes, total, widen
from infojax.numerics.reductions import Axis


def _exponentials(
    logits: jax.Array, axes: tuple[int, ...]
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The logits less their peak, the sum of their exponentials, and the peak.

    Peak and sum stay apart: in log Z = peak + log(sum) the larger rounds away the smaller.
    """
    peak = jax.lax.stop_gradient(jnp.max(logits, axes, keepdims=True, initial=-jnp.inf))
    shifted = logits - peak
    return shifted, total(jnp.exp(shifted), axes), peak


def _log_weight(
    logits: jax.Array, weight: jax.Array, peak: jax.Array, axes: tuple[int, ...]
) -> jax.Array:
    """The log of the sum of exponentials, to its own relative accuracy also where it is near 0.

    Below 2 the peak is one symbol, whose 1 rounds away what the others add: a third pass, run
    only if a row needs it, sums these alone.
    """
    near = weight < 2

    def without_peak(logits, peak):
        # A product with 0 or 1, where a select would keep XLA from fusing it into the sum.
        below = jnp.minimum((peak - logits) * jnp.asarray(1e38, logits.dtype), 1)
        return jnp.log1p(total(jnp.exp(logits - peak) * below, axes))

    small = jax.lax.cond(
        jnp.any(near), without_peak, lambda logits, peak: jnp.log(weight), logits, peak
    )
    return jnp.where(near, small, jnp.log(weight))


def log_softmax(logits: jax.Array, axes: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    """Log probabilities of logits.

    Args:
        logits: array of at least float32; -inf where a symbol is impossible.
        axes: the axes of one distribution.

    Returns:
        The log probabilities, and which rows are valid (`axes` of size one): none NaN or +inf,
        and one finite.
    """
    shifted, weight, peak = _exponentials(logits, axes)
    return shifted - jnp.log(weight), jnp.isfinite(peak)


def _masked(logits: jax.Array, where: jax.Array | None) -> jax.Array:
    (wide,) = widen(logits)
    return wide if where is None else jnp.where(where, wide, -jnp.inf)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _entropy_nats(
    logits: jax.Array, axes: tuple[int, ...], where: jax.Array | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The entropy, and the log normaliser in its two parts."""
    logits = _masked(logits, where)
    _, weight, peak = _exponentials(logits, axes)
    # Behind the barrier the compiler takes these for other exponentials than those of the sum,
    # and computes them again in a second fused pass, which is faster than writing them out.
    shifted = logits - jax.lax.optimization_barrier(peak)
    # A finite floor mends 0 * -inf, the term of an impossible symbol; a maximum vectorises.
    terms = jnp.exp(shifted) * jnp.maximum(shifted, jnp.finfo(shifted.dtype).min)
    log_weight = _log_weight(logits, weight, peak, axes)
    return log_weight - total(terms, axes) / weight, log_weight, peak


@_entropy_nats.defjvp
def _entropy_nats_jvp(axes, primals, tangents):
    logits, where = primals
    value, log_weight, peak = _entropy_nats(logits, axes, where)

    # Under reverse mode the checkpoint keeps (logits, log Z, H) alone, not the probabilities.
    @jax.checkpoint
    def tangent(logits, log_weight, peak, value, dot):
        log_p = (_masked(logits, where) - peak) - log_weight
        p = jnp.exp(log_p)
        slope = -p * (jnp.where(log_p == -jnp.inf, 0, log_p) + value)
        return total(slope * dot, axes), total(p * dot, axes)

    change, log_weight_change = tangent(logits, log_weight, peak, value, tangents[0])
    # Any constant may stand for the peak: the derivative of log Z is that of log_weight.
    return (value, log_weight, peak), (change, log_weight_change, jnp.zeros_like(peak))


# The unit is an argument, so that another base compiles nothing anew.
@functools.partial(jax.jit, static_argnames=("axes", "keepdims"))
def _entropy(logits, where, unit, axes: tuple[int, ...], keepdims: bool):
    nats, _, peak = _entropy_nats(logits, axes, where)
    valid = jnp.isfinite(peak)
    value = gated(nats / unit, valid)
    return narrow(reduce_axes(value, axes, keepdims), logits), valid


def entropy_from_logits(
    logits: Float[Array, "..."],
    *,
    axis: Axis = -1,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Shannon entropy of softmax(logits), $H = \log Z - \sum_k p_k s_k$.

    The logits are read for the maximum and for each of the two sums; nothing of their size is
    written. Where one of them all but decides, a further sum keeps the small entropy's digits. The
    derivative,
    $\partial H / \partial s_k = -p_k (\log p_k + H)$, is computed from (logits, log Z, H): the
    backward pass keeps no array of probabilities. Forward mode and higher derivatives work.

    Args:
        logits: unnormalised log probabilities; -inf for impossible symbols.
        axis: the axis or axes of one distribution; None for all.
        base: the logarithm's base (2 for bits); None for nats.
        where: entries that count; the others are taken as impossible.
        keepdims: whether the reduced axes stay with size one.

    Returns:
        The entropy in units of `base`, of the shape of `logits` without `axis`; NaN where no
        logit is finite or one is NaN or +inf.

    Raises:
        TypeError: `logits` is not of floating type.
        ValueError: a logit is NaN or +inf, or all of a row are -inf (at once on concrete
            arrays, under `checkify.checkify` in traced code); a bad `axis` or `base`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from infojax import entropies
        >>> print(entropies.entropy_from_logits(jnp.array([1.0, 1.0, -jnp.inf]), base=2))
        1.0
    """
    logits = checks.floating("logits", logits)
    axes = normalize_axes(axis, logits.ndim)
    where = checks.mask("where", where, logits.shape)
    value, valid = _entropy(logits, where, log_of_base(base), axes, bool(keepdims))
    checks.check_logits("logits", logits, where, valid)
    return value

"""Shannon entropy of logits in one fused pass, with its own derivative.

With m = max s, l = sum exp(s - m) and t = sum exp(s - m)(s - m), the log normaliser is m + log l
and the entropy log l - t / l: both terms are non-negative, so nothing cancels.
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from infojax import checks
from infojax.numerics import narrow, nats_to_base, normalize_axes, reduce_axes, widen
from infojax.numerics.reductions import Axis


def log_normalizer(
    logits: jax.Array, axes: tuple[int, ...], where: jax.Array | None = None
) -> jax.Array:
    """log sum exp over `axes`, which stay with size one.

    Args:
        logits: array of at least float32.
        axes: the axes of one distribution.
        where: entries that count.

    Returns:
        The log normaliser; -inf where nothing counts.
    """
    return jax.nn.logsumexp(logits, axes, where=where, keepdims=True)


def _shifted(
    logits: jax.Array, axes: tuple[int, ...], where: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    if where is not None:
        logits = jnp.where(where, logits, -jnp.inf)
    peak = jnp.max(logits, axes, keepdims=True, initial=-jnp.inf)
    return logits - peak, peak


def _value(
    logits: jax.Array, axes: tuple[int, ...], where: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    shifted, peak = _shifted(logits, axes, where)
    weight = jnp.exp(shifted)
    total = jnp.sum(weight, axes, keepdims=True)
    # -inf * 0 is the only product that must be mended: a symbol of probability zero.
    moment = jnp.sum(weight * jnp.where(shifted == -jnp.inf, 0, shifted), axes, keepdims=True)
    return jnp.log(total) - moment / total, peak + jnp.log(total)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _entropy_nats(
    logits: jax.Array, axes: tuple[int, ...], where: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    return _value(logits, axes, where)


@_entropy_nats.defjvp
def _entropy_nats_jvp(axes, primals, tangents):
    logits, where = primals
    value, log_z = _value(logits, axes, where)

    # Under reverse mode the checkpoint keeps (logits, log Z, H) alone, not the probabilities.
    @jax.checkpoint
    def tangent(logits, log_z, value, dot):
        log_p = logits - log_z
        if where is not None:
            log_p = jnp.where(where, log_p, -jnp.inf)
        p = jnp.exp(log_p)
        slope = -p * (jnp.where(log_p == -jnp.inf, 0, log_p) + value)
        return (
            jnp.sum(slope * dot, axes, keepdims=True),
            jnp.sum(p * dot, axes, keepdims=True),
        )

    return (value, log_z), tangent(logits, log_z, value, tangents[0])


@functools.partial(jax.jit, static_argnames="axes")
def _entropy_and_log_normalizer(logits, where, axes):
    (logits,) = widen(logits)
    if where is not None:
        where = jnp.broadcast_to(where, logits.shape)
    return _entropy_nats(logits, axes, where)


def entropy_from_logits(
    logits: Float[Array, "..."],
    *,
    axis: Axis = -1,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Shannon entropy of softmax(logits), $H = \log Z - \sum_k p_k s_k$.

    The logits are read once for the maximum and once for the sums. The derivative,
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
    given = checks.floating("logits", logits)
    axes = normalize_axes(axis, given.ndim)
    nats, log_z = _entropy_and_log_normalizer(given, where, axes)
    valid = checks.check_real(
        "log sum exp(logits)", log_z, jnp.isfinite(log_z), "finite along each row"
    )
    nats = jnp.where(valid, nats, jnp.nan)
    return narrow(reduce_axes(nats_to_base(nats, base), axes, keepdims), given)

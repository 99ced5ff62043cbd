"""Kullback-Leibler divergence of probabilities, logits and log probabilities; Jeffreys'.

Each is a sum of terms p log(p/q) - p + q, which are non-negative and lose nothing where p is
close to q (Kullback and Leibler 1951; Csiszar 1991 for the form off the simplex).
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from infojax import checks
from infojax.divergences.pairs import checked_pair
from infojax.divergences.terms import log_probability_terms, log_ratio, relative_entropy_terms
from infojax.numerics import (
    gated,
    narrow,
    nats_to_base,
    normalize_axes,
    reduce_axes,
    smallest_normal,
    widen,
)
from infojax.numerics.reductions import Axis


@functools.partial(jax.jit, static_argnames="axes")
def _kl_nats(p: jax.Array, q: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    return jnp.sum(relative_entropy_terms(p, q), axes, keepdims=True)


def kl_divergence(
    p: Float[Array, "..."],
    q: Float[Array, "..."],
    *,
    axis: Axis = -1,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Kullback-Leibler divergence $D(p \| q) = \sum_k p_k \log (p_k / q_k)$.

    Computed as $\sum_k (p_k \log(p_k/q_k) - p_k + q_k)$, which is the same for distributions
    and the generalised I-divergence off the simplex. Every term is non-negative, so the result
    is never negative and keeps its relative accuracy where p is close to q.

    The derivatives are log(p/q) by p and 1 - p/q by q. At p = 0 the derivative by p is 0 (it
    would be -inf); where q = 0 < p the value is +inf and both derivatives are 0, so that a
    masked value leaves the gradient finite.

    Args:
        p: probabilities, summing to one along `axis`.
        q: probabilities, broadcasting with `p`.
        axis: the axis or axes of one distribution; None for all.
        base: the logarithm's base (2 for bits); None for nats.
        where: entries that count; the others are taken as absent.
        keepdims: whether the reduced axes stay with size one.

    Returns:
        The divergence in units of `base`; +inf where q = 0 < p.

    Raises:
        TypeError: `p` or `q` is not of floating type.
        ValueError: `p` or `q` is not a distribution (at once on concrete arrays, under
            `checkify.checkify` in traced code, where the result is otherwise NaN); they do not
            broadcast; a bad `axis` or `base`.

    Reference:
        Kullback and Leibler, On Information and Sufficiency, 1951, equation (2.4).

    Example:
        >>> import infojax, jax.numpy as jnp
        >>> p, q = jnp.array([0.5, 0.5, 0.0]), jnp.array([0.25, 0.25, 0.5])
        >>> print(infojax.kl_divergence(p, q, base=2))
        1.0
    """
    pair = checked_pair(p, q, axis, where)
    return pair.finish_nats(_kl_nats(pair.p, pair.q, pair.axes), base, keepdims)


def _split_normalizer(logits, axes, where):
    """The largest logit and log sum exp of the rest above it; axes stay with size one."""
    if where is not None:
        logits = jnp.where(where, logits, -jnp.inf)
    peak = jax.lax.stop_gradient(jnp.max(logits, axes, keepdims=True, initial=-jnp.inf))
    return logits, peak, jnp.log(jnp.sum(jnp.exp(logits - peak), axes, keepdims=True))


@functools.partial(jax.jit, static_argnames="axes")
def _kl_nats_from_logits(p_logits, q_logits, where, axes):
    p_logits, q_logits = widen(p_logits, q_logits)
    p_logits, peak_p, rest_p = _split_normalizer(p_logits, axes, where)
    q_logits, peak_q, rest_q = _split_normalizer(q_logits, axes, where)
    # Differences of like with like: exact where the two rows are close.
    difference = ((p_logits - q_logits) - (peak_p - peak_q)) - (rest_p - rest_q)
    terms = log_probability_terms(
        p_logits - peak_p - rest_p, q_logits - peak_q - rest_q, difference
    )
    return jnp.sum(terms, axes, keepdims=True), peak_p + rest_p, peak_q + rest_q


def kl_divergence_from_logits(
    p_logits: Float[Array, "..."],
    q_logits: Float[Array, "..."],
    *,
    axis: Axis = -1,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Kullback-Leibler divergence of softmax(p_logits) from softmax(q_logits).

    Never negative, and accurate where the two are close, whatever constants are added to the
    rows. A symbol whose logit in p is -inf contributes nothing even where q's is -inf too, as
    masks make them. The derivatives are $p_k (\log(p_k/q_k) - D)$ and $q_k - p_k$.

    Args:
        p_logits: unnormalised log probabilities; -inf for impossible symbols.
        q_logits: unnormalised log probabilities, broadcasting with `p_logits`.
        axis: the axis or axes of one distribution; None for all.
        base: the logarithm's base (2 for bits); None for nats.
        where: entries that count; the others are taken as impossible.
        keepdims: whether the reduced axes stay with size one.

    Returns:
        The divergence in units of `base`; +inf where a symbol is impossible in q alone, with
        the derivative 0 by that symbol's logit in q.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: a logit is NaN or +inf, or all of a row are -inf; the shapes do not
            broadcast; a bad `axis` or `base`.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> p, q = jnp.array([0.0, 0.0, -jnp.inf]), jnp.array([5.0, 5.0, -jnp.inf])
        >>> print(divergences.kl_divergence_from_logits(p, q))
        0.0
    """
    p_logits = checks.floating("p_logits", p_logits)
    q_logits = checks.floating("q_logits", q_logits)
    shape = checks.broadcast_shapes(p_logits=p_logits, q_logits=q_logits)
    axes = normalize_axes(axis, len(shape))
    wide_p, wide_q = jnp.broadcast_to(p_logits, shape), jnp.broadcast_to(q_logits, shape)
    nats, log_z_p, log_z_q = _kl_nats_from_logits(wide_p, wide_q, where, axes)
    expected = "finite along each row"
    for name, log_z in (("p_logits", log_z_p), ("q_logits", log_z_q)):
        valid = checks.check_real(f"log sum exp({name})", log_z, jnp.isfinite(log_z), expected)
        nats = gated(nats, valid)
    return narrow(reduce_axes(nats_to_base(nats, base), axes, keepdims), p_logits, q_logits)


@functools.partial(jax.jit, static_argnames="axes")
def _kl_nats_from_logs(log_p: jax.Array, log_q: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    return jnp.sum(log_probability_terms(log_p, log_q), axes, keepdims=True)


def kl_divergence_from_log_probabilities(
    log_p: Float[Array, "..."],
    log_q: Float[Array, "..."],
    *,
    axis: Axis = -1,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Kullback-Leibler divergence of normalised log probabilities, either of them -inf at zeros.

    The derivatives are those of $\sum_k (p_k \log(p_k/q_k) - p_k + q_k)$: $p_k \log(p_k/q_k)$
    by log p and $q_k - p_k$ by log q, 0 at log p = -inf.

    Args:
        log_p: log probabilities; their exponentials sum to one along `axis`.
        log_q: log probabilities, broadcasting with `log_p`.
        axis: the axis or axes of one distribution; None for all.
        base: the logarithm's base (2 for bits); None for nats.
        where: entries that count.
        keepdims: whether the reduced axes stay with size one.

    Returns:
        The divergence in units of `base`; +inf where log q = -inf < log p, with derivatives 0
        by both there.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: exp(log_p) or exp(log_q) is not a distribution; the shapes do not broadcast;
            a bad `axis` or `base`.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> log_p = jnp.log(jnp.array([0.5, 0.5, 0.0]))
        >>> log_q = jnp.log(jnp.array([0.5, 0.25, 0.25]))
        >>> print(divergences.kl_divergence_from_log_probabilities(log_p, log_q, base=2))
        0.5
    """
    log_p, log_q = checks.floating("log_p", log_p), checks.floating("log_q", log_q)
    shape = checks.broadcast_shapes(log_p=log_p, log_q=log_q)
    axes = normalize_axes(axis, len(shape))
    wide = [jnp.broadcast_to(x, shape) for x in (log_p, log_q)]
    valid_p = checks.check_distribution("exp(log_p)", jnp.exp(wide[0]), axes, where)
    valid_q = checks.check_distribution("exp(log_q)", jnp.exp(wide[1]), axes, where)
    wide_p, wide_q = widen(*wide)
    if where is not None:
        wide_p, wide_q = jnp.where(where, wide_p, -jnp.inf), jnp.where(where, wide_q, -jnp.inf)
    nats = gated(_kl_nats_from_logs(wide_p, wide_q, axes), valid_p, valid_q)
    return narrow(reduce_axes(nats_to_base(nats, base), axes, keepdims), log_p, log_q)


@functools.partial(jax.jit, static_argnames="axes")
def _jeffreys_nats(p: jax.Array, q: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    tiny = smallest_normal(p.dtype)
    has_p, has_q = p >= tiny, q >= tiny
    ratio = log_ratio(jnp.where(has_p & has_q, p, 1), jnp.where(has_p & has_q, q, 1))
    terms = jnp.where(has_p == has_q, (p - q) * ratio, jnp.inf)
    return jnp.sum(terms, axes, keepdims=True)


def jeffreys_divergence(
    p: Float[Array, "..."],
    q: Float[Array, "..."],
    *,
    axis: Axis = -1,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Jeffreys' divergence $D(p \| q) + D(q \| p) = \sum_k (p_k - q_k) \log (p_k / q_k)$.

    Args:
        p: probabilities, summing to one along `axis`.
        q: probabilities, broadcasting with `p`.
        axis: the axis or axes of one distribution; None for all.
        base: the logarithm's base (2 for bits); None for nats.
        where: entries that count.
        keepdims: whether the reduced axes stay with size one.

    Returns:
        The divergence in units of `base`; +inf, with derivatives 0 by that symbol, where one of
        p and q is 0 and the other not.

    Raises:
        TypeError: `p` or `q` is not of floating type.
        ValueError: as in `kl_divergence`.

    Reference:
        Jeffreys, An Invariant Form for the Prior Probability, 1946, equation (1).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> p, q = jnp.array([0.25, 0.75]), jnp.array([0.75, 0.25])
        >>> print(divergences.jeffreys_divergence(p, q))
        1.0986...
    """
    pair = checked_pair(p, q, axis, where)
    return pair.finish_nats(_jeffreys_nats(pair.p, pair.q, pair.axes), base, keepdims)

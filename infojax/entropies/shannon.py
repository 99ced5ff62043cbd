"""Shannon entropy of probabilities, cross entropy, perplexity, binary entropy (Shannon 1948)."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from infojax import checks
from infojax.entropies.from_logits import log_softmax
from infojax.numerics import (
    gated,
    log_of_base,
    narrow,
    normalize_axes,
    reduce_axes,
    safe_log,
    total,
    weighted_log,
    widen,
    xlogx,
    xlogy,
)
from infojax.numerics.reductions import Axis


def _absent(x: jax.Array, where: jax.Array | None, fill: float) -> jax.Array:
    """Replaces the entries that do not count, whose derivative could be NaN otherwise."""
    return x if where is None else jnp.where(where, x, fill)


# The unit and the power are arguments, so that another base compiles nothing anew.
@functools.partial(jax.jit, static_argnames=("axes", "keepdims", "exponential"))
def _shannon(p, where, unit, axes: tuple[int, ...], keepdims: bool, exponential: bool = False):
    valid = checks.distributions_are_valid(p, axes, where)
    (masses,) = widen(_absent(p, where, 0))
    value = (0 - total(xlogx(masses), axes)) / unit  # 0 -: a point mass has +0
    value = gated(jnp.exp(value) if exponential else value, valid)
    return narrow(reduce_axes(value, axes, keepdims), p), valid


def entropy(
    p: Float[Array, "..."],
    *,
    axis: Axis = -1,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Shannon entropy of probabilities, $H(p) = -\sum_k p_k \log p_k$ with $0 \log 0 = 0$.

    The derivative is $-\log p_k - 1$ for p_k > 0; at p_k = 0, where it would be infinite, it
    is 0. `p` is not normalised: see `entropy_from_logits` for unnormalised log probabilities.

    Args:
        p: probabilities, summing to one along `axis`.
        axis: the axis or axes of one distribution; None for all.
        base: the logarithm's base (2 for bits); None for nats.
        where: entries that count; the others are taken as absent.
        keepdims: whether the reduced axes stay with size one.

    Returns:
        The entropy in units of `base`, of the shape of `p` without `axis`.

    Raises:
        TypeError: `p` is not of floating type, or `base` not a number.
        ValueError: `p` is not a distribution (at once on concrete arrays, under
            `checkify.checkify` in traced code, where the result is otherwise NaN); a bad `axis`
            or `base`.

    Reference:
        Shannon, A Mathematical Theory of Communication, 1948, section 6.

    Example:
        >>> import infojax, jax.numpy as jnp
        >>> print(infojax.entropy(jnp.array([0.5, 0.25, 0.25, 0.0]), base=2))
        1.5
    """
    p = checks.floating("p", p)
    axes = normalize_axes(axis, p.ndim)
    where = checks.mask("where", where, p.shape)
    value, valid = _shannon(p, where, log_of_base(base), axes, bool(keepdims))
    checks.check_distribution("p", p, axes, where, valid)
    return value


def perplexity(
    p: Float[Array, "..."],
    *,
    axis: Axis = -1,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Perplexity $\exp H(p)$: the number of equally likely symbols of the same entropy.

    Args:
        p: probabilities, summing to one along `axis`.
        axis: the axis or axes of one distribution; None for all.
        where: entries that count.
        keepdims: whether the reduced axes stay with size one.

    Returns:
        The perplexity, between 1 and the number of symbols.

    Raises:
        TypeError: `p` is not of floating type.
        ValueError: as in `entropy`.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import entropies
        >>> print(entropies.perplexity(jnp.full(8, 1 / 8)))
        8.0
    """
    p = checks.floating("p", p)
    axes = normalize_axes(axis, p.ndim)
    where = checks.mask("where", where, p.shape)
    value, valid = _shannon(p, where, 1.0, axes, bool(keepdims), exponential=True)
    checks.check_distribution("p", p, axes, where, valid)
    return value


@functools.partial(jax.jit, static_argnames=("axes", "keepdims"))
def _cross(p, q, where, unit, axes: tuple[int, ...], keepdims: bool):
    valid_p = checks.distributions_are_valid(p, axes, where)
    valid_q = checks.distributions_are_valid(q, axes, where)
    masses, code = widen(_absent(p, where, 0), _absent(q, where, 1))
    value = gated(total(-xlogy(masses, code), axes) / unit, valid_p, valid_q)
    return narrow(reduce_axes(value, axes, keepdims), p, q), valid_p, valid_q


def cross_entropy(
    p: Float[Array, "..."],
    q: Float[Array, "..."],
    *,
    axis: Axis = -1,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Cross entropy $H(p, q) = -\sum_k p_k \log q_k$; terms with $p_k = 0$ are zero.

    Args:
        p: probabilities of the symbols, summing to one along `axis`.
        q: probabilities of the code, broadcasting with `p`.
        axis: the axis or axes of one distribution; None for all.
        base: the logarithm's base (2 for bits); None for nats.
        where: entries that count.
        keepdims: whether the reduced axes stay with size one.

    Returns:
        The cross entropy; +inf where q = 0 < p.

    Raises:
        TypeError: `p` or `q` is not of floating type.
        ValueError: `p` or `q` is not a distribution, or they do not broadcast.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import entropies
        >>> p, q = jnp.array([0.5, 0.5, 0.0]), jnp.array([0.25, 0.75, 0.0])
        >>> print(entropies.cross_entropy(p, q, base=2))
        1.2075...
    """
    p, q = checks.floating("p", p), checks.floating("q", q)
    shape = checks.broadcast_shapes(p=p, q=q)
    p, q = jnp.broadcast_to(p, shape), jnp.broadcast_to(q, shape)
    axes = normalize_axes(axis, len(shape))
    where = checks.mask("where", where, shape)
    value, valid_p, valid_q = _cross(p, q, where, log_of_base(base), axes, bool(keepdims))
    checks.check_distribution("p", p, axes, where, valid_p)
    checks.check_distribution("q", q, axes, where, valid_q)
    return value


@functools.partial(jax.jit, static_argnames=("axes", "keepdims"))
def _cross_from_logits(p, logits, where, unit, axes: tuple[int, ...], keepdims: bool):
    valid_p = checks.distributions_are_valid(p, axes, where)
    masses, wide = widen(_absent(p, where, 0), _absent(logits, where, -jnp.inf))
    log_q, valid_logits = log_softmax(wide, axes)
    value = gated(total(-weighted_log(masses, log_q), axes) / unit, valid_p, valid_logits)
    return narrow(reduce_axes(value, axes, keepdims), p, logits), valid_p, valid_logits


def cross_entropy_from_logits(
    p: Float[Array, "..."],
    logits: Float[Array, "..."],
    *,
    axis: Axis = -1,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Cross entropy $-\sum_k p_k \log \mathrm{softmax}(s)_k$ of logits.

    A symbol with p = 0 contributes nothing even where its logit is -inf, as masks make it.

    Args:
        p: probabilities of the symbols, summing to one along `axis`.
        logits: unnormalised log probabilities of the code, broadcasting with `p`.
        axis: the axis or axes of one distribution; None for all.
        base: the logarithm's base (2 for bits); None for nats.
        where: entries that count.
        keepdims: whether the reduced axes stay with size one.

    Returns:
        The cross entropy; +inf where a logit is -inf and p > 0.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: `p` is not a distribution; a logit is NaN or +inf, or all of a row are -inf
            (at once on concrete arrays, under `checkify.checkify` in traced code, where the
            result is otherwise NaN); the shapes do not broadcast; a bad `axis` or `base`.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import entropies
        >>> p, logits = jnp.array([1.0, 0.0]), jnp.array([3.0, -jnp.inf])
        >>> print(entropies.cross_entropy_from_logits(p, logits))
        0.0
    """
    p, logits = checks.floating("p", p), checks.floating("logits", logits)
    shape = checks.broadcast_shapes(p=p, logits=logits)
    p, logits = jnp.broadcast_to(p, shape), jnp.broadcast_to(logits, shape)
    axes = normalize_axes(axis, len(shape))
    where = checks.mask("where", where, shape)
    value, valid_p, valid_logits = _cross_from_logits(
        p, logits, where, log_of_base(base), axes, bool(keepdims)
    )
    checks.check_distribution("p", p, axes, where, valid_p)
    checks.check_logits("logits", logits, where, valid_logits)
    return value


@jax.jit
def _binary(p, unit):
    (x,) = widen(p)
    valid = (x >= 0) & (x <= 1)
    inside = (x > 0) & (x < 1)
    inner = jnp.where(inside, x, 0.5)
    nats = jnp.where(inside, -inner * safe_log(inner) - (1 - inner) * jnp.log1p(-inner), 0)
    return narrow(gated(nats / unit, valid), p), valid


def binary_entropy(p: Float[Array, "..."], *, base: float | None = None) -> Float[Array, "..."]:
    r"""Entropy of a Bernoulli variable, $h(p) = -p \log p - (1-p) \log(1-p)$, elementwise.

    The derivative is $\log((1-p)/p)$; at p = 0 and p = 1, where it would be infinite, it is 0.

    Args:
        p: probabilities of one of the two outcomes.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        Array of the shape of `p`.

    Raises:
        TypeError: `p` is not of floating type.
        ValueError: an entry lies outside [0, 1].

    Reference:
        Cover and Thomas, Elements of Information Theory, equation (2.5).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import entropies
        >>> print(entropies.binary_entropy(jnp.array([0.0, 0.5, 1.0]), base=2))
        [0. 1. 0.]
    """
    p = checks.floating("p", p)
    value, valid = _binary(p, log_of_base(base))
    checks.check_real("p", p, valid, "between 0 and 1")
    return value

"""Other ways to keep attention from resting on few instances; each acts on attention logits."""

import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from infojax import checks
from infojax.losses.attention_entropy import rows_with_a_key
from infojax.numerics import gated, narrow, safe_divide, safe_sqrt, widen


def _logits(attention_logits: ArrayLike, where: ArrayLike | None, min_ndim: int = 1):
    """The logits, -inf where they do not count, and which rows can be used."""
    logits = checks.floating("attention_logits", attention_logits, min_ndim=min_ndim)
    where = checks.mask("where", where, logits.shape)
    if where is not None:
        logits = jnp.where(where, logits, -jnp.inf)
    wrong = jnp.isnan(logits) | (logits == jnp.inf)
    valid = ~jnp.any(wrong, -1)
    checks.check_logits("attention_logits", logits, where, valid)
    return logits, valid & rows_with_a_key(logits, None)


def _rate(rate: float) -> float:
    number = float(rate)
    if not 0 <= number < 1:
        raise ValueError(f"rate must be at least 0 and below 1; got {rate!r}.")
    return number


def attention_temperature(
    attention_logits: Float[Array, "*rows N"], temperature: ArrayLike
) -> Float[Array, "*rows N"]:
    r"""Attention logits divided by a temperature: above 1 the attention is flatter.

    With $a = \mathrm{softmax}(A / T)$ the entropy grows with the temperature,
    $\partial H / \partial T = \mathrm{Var}_a(A) / T^3 \ge 0$.

    Args:
        attention_logits: A; -inf for instances that do not count, which stays.
        temperature: T > 0; broadcasts with the logits.

    Returns:
        A / T in the type of the logits; NaN where a logit is NaN or +inf, or the temperature is
        not positive.

    Raises:
        TypeError: `attention_logits` or `temperature` is not of floating type.
        ValueError: shapes that do not broadcast; a logit is NaN or +inf, a row without an instance
            that counts, or a temperature that is not positive and finite (at once on concrete
            arrays, under `checkify.checkify` in traced code).

    Reference:
        Guo et al., ICML 2017, arXiv 1706.04599, for logits of classes.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import losses
        >>> print(losses.attention_temperature(jnp.array([2.0, 0.0, -jnp.inf]), 4.0))
        [ 0.5  0.  -inf]
    """
    logits, valid = _logits(attention_logits, None)
    number = checks.real_number("temperature", temperature)
    shape = checks.broadcast_shapes(attention_logits=logits, temperature=number)
    if shape != logits.shape:
        raise ValueError(f"temperature must broadcast to {logits.shape}; got shape {number.shape}.")
    positive = jnp.isfinite(number) & (number > 0)
    checks.check_real("temperature", number, positive, "positive and finite")
    (wide,) = widen(logits)
    cooled = wide / jnp.where(positive, number, jnp.nan)
    return narrow(gated(cooled, valid[..., None]), logits)


def attention_dropout(
    attention_logits: Float[Array, "*rows N"],
    rate: float,
    *,
    key: PRNGKeyArray,
    where: Bool[Array, "..."] | None = None,
) -> Float[Array, "*rows N"]:
    r"""Takes instances out of the attention at random: their logits become -inf.

    Each instance of each row is dropped with probability `rate`, independently. The softmax of
    what is left sums to one by itself, so that nothing is scaled; a row that would lose all of
    its instances keeps them.

    Args:
        attention_logits: A; -inf for instances that do not count.
        rate: the probability, at least 0 and below 1.
        key: a random key.
        where: instances that count, broadcast to `attention_logits`.

    Returns:
        The logits, -inf where dropped or not counted; NaN in rows with a logit that is NaN or
        +inf or without an instance that counts.

    Raises:
        TypeError: `attention_logits` is not of floating type, or `where` not boolean.
        ValueError: a rate outside [0, 1); `where` does not broadcast; a logit is NaN or +inf, or
            a row is without an instance that counts (at once on concrete arrays, under
            `checkify.checkify` in traced code).

    Reference:
        Srivastava et al., JMLR 15, 2014: dropout; here of attention logits before the softmax.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from infojax import losses
        >>> kept = losses.attention_dropout(jnp.zeros(1000), 0.5, key=jax.random.key(0))
        >>> print(bool(400 < (kept == 0).sum() < 600))
        True
    """
    rate = _rate(rate)
    logits, valid = _logits(attention_logits, where)
    # Drawn in float32 whatever the logits' type: the same key drops the same instances.
    kept = jax.random.uniform(key, logits.shape, jnp.float32) >= rate
    kept |= ~jnp.any(kept & (logits != -jnp.inf), -1, keepdims=True)
    return gated(jnp.where(kept, logits, -jnp.inf), valid[..., None])


def stochastic_top_k_masking(
    attention_logits: Float[Array, "*rows N"],
    *,
    key: PRNGKeyArray,
    k: int = 10,
    rate: float = 0.6,
    where: Bool[Array, "..."] | None = None,
) -> Float[Array, "*rows N"]:
    r"""Takes a random part of the most attended instances out: their logits become -inf.

    Of the $\min(k, N)$ largest logits of each row, $\lfloor \rho \min(k, N) \rfloor$ chosen at
    random are masked, N counting the instances that count. So the classifier cannot learn from
    the few instances that the attention found first. What is drawn does not depend on padding.

    Args:
        attention_logits: A; -inf for instances that do not count.
        key: a random key.
        k: how many of the largest logits may be masked.
        rate: $\rho$, the share of them that is masked; at least 0 and below 1.
        where: instances that count, broadcast to `attention_logits`.

    Returns:
        The logits, -inf where masked or not counted; NaN in rows with a logit that is NaN or +inf
        or without an instance that counts.

    Raises:
        TypeError: `attention_logits` is not of floating type, `where` not boolean, or `k` no
            whole number.
        ValueError: k below 1 or a rate outside [0, 1); `where` does not broadcast; a logit is NaN
            or +inf, or a row is without an instance that counts (at once on concrete arrays,
            under `checkify.checkify` in traced code).

    Reference:
        Zhang et al., ECCV 2024, arXiv 2311.07125: stochastic top-k instance masking, k = 10 and
        rate 0.6.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from infojax import losses
        >>> logits = jnp.array([3.0, 2.0, 1.0, 0.0])
        >>> masked = losses.stochastic_top_k_masking(logits, key=jax.random.key(0), k=2, rate=0.5)
        >>> print(int((masked[:2] == -jnp.inf).sum()), masked[2:])
        1 [1. 0.]
    """
    most, rate = checks.positive_integer("k", k), _rate(rate)
    logits, valid = _logits(attention_logits, where)
    count = min(most, logits.shape[-1])
    largest, places = jax.lax.top_k(jax.lax.stop_gradient(logits), count)
    attended = largest != -jnp.inf
    # All k numbers are drawn however few instances there are, so that padding changes nothing.
    draws = jax.random.uniform(key, (*logits.shape[:-1], most), jnp.float32)[..., :count]
    draws = jnp.where(attended, draws, jnp.inf)
    one, other = draws[..., :, None], draws[..., None, :]
    earlier = jnp.arange(count) < jnp.arange(count)[:, None]
    ranks = jnp.sum((other < one) | ((other == one) & earlier), -1)
    # The product in float64, by hand: floor(0.6 * 5) is 3.
    sizes = jnp.asarray([math.floor(rate * n + 1e-9) for n in range(count + 1)], jnp.int32)
    chosen = ranks < sizes[jnp.sum(attended, -1, keepdims=True)]
    masked = jnp.any(jax.nn.one_hot(places, logits.shape[-1], dtype=bool) & chosen[..., None], -2)
    return gated(jnp.where(masked, -jnp.inf, logits), valid[..., None])


def attention_diversity_penalty(
    attention_logits: Float[Array, "*B K N"],
    *,
    weight: ArrayLike = 1.0,
    where: Bool[Array, "..."] | None = None,
) -> Float[Array, ""]:
    r"""Mean cosine similarity of the rows of attention of a bag: it drives branches apart.

    $\lambda \frac{2}{K (K - 1)} \sum_{i < j} \frac{a_i \cdot a_j}{|a_i| |a_j|}$ with
    $a = \mathrm{softmax}(A)$ over the instances, averaged over bags; 0 for a single row. By
    $|\sum_i u_i|^2$ of the unit rows u, so that no K x K table is made.

    Args:
        attention_logits: A, (*B, K, N); -inf for instances that do not count.
        weight: $\lambda$, a scalar.
        where: instances that count, broadcast to `attention_logits`.

    Returns:
        The penalty, a scalar in the type of the logits, 0 to `weight`.

    Raises:
        TypeError: `attention_logits` or `weight` is not of floating type, or `where` not boolean.
        ValueError: fewer than two axes, no row, or `weight` no scalar; `where` does not broadcast;
            a logit is NaN or +inf, a row is without an instance that counts, or the weight is
            not finite (at once on concrete arrays, under `checkify.checkify` in traced code,
            else the penalty is NaN).

    Reference:
        Zhang et al., ECCV 2024, arXiv 2311.07125.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import losses
        >>> print(losses.attention_diversity_penalty(jnp.array([[0.0, -jnp.inf], [0.0, 0.0]])))
        0.707107
    """
    logits, valid = _logits(attention_logits, where, min_ndim=2)
    if 0 in logits.shape:
        raise ValueError(
            f"attention_logits must hold a row with an instance; got shape {logits.shape}."
        )
    number = checks.real_number("weight", weight)
    if number.ndim:
        raise ValueError(f"weight must be a scalar; got shape {number.shape}.")
    finite = checks.check_real("weight", number, jnp.isfinite(number), "finite")
    rows = logits.shape[-2]
    (wide,) = widen(logits)
    attention = jax.nn.softmax(jnp.where(valid[..., None], wide, 0), -1)
    units = safe_divide(attention, safe_sqrt(jnp.sum(attention**2, -1, keepdims=True)))
    pairs = (jnp.sum(jnp.sum(units, -2) ** 2, -1) - rows) / max(rows * (rows - 1), 1)
    value = number * jnp.mean(pairs if rows > 1 else 0 * pairs)
    return narrow(gated(value, finite & jnp.all(valid)), logits)

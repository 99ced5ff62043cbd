"""Maximisation of attention's entropy: a penalty, and how its weight falls (arXiv 2406.15303)."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from infojax import checks
from infojax.attention import attention_entropy
from infojax.numerics import gated, narrow, widen


def rows_with_a_key(logits: jax.Array, where: jax.Array | None) -> jax.Array:
    """Demands an instance that counts in each row of attention.

    Args:
        logits: attention logits, (..., N); -inf where an instance does not count.
        where: instances that count, broadcast to `logits`; all if None.

    Returns:
        Boolean array (...): which rows have one.

    Raises:
        ValueError: eagerly, if a row has none.
    """
    counts = logits != -jnp.inf
    if where is not None:
        counts &= where
    valid = jnp.any(counts, -1)
    checks.check(
        valid,
        f"attention_logits must have an instance that counts in each row; got a row without "
        f"(shape {logits.shape}).",
    )
    return valid


def attention_entropy_penalty(
    attention_logits: Float[Array, "*rows N"],
    *,
    weight: ArrayLike,
    where: Bool[Array, "..."] | None = None,
    allow_minimise: bool = False,
) -> Float[Array, ""]:
    r"""Negative entropy of attention times a weight: added to a loss, it spreads the attention.

    $\lambda \cdot (-\bar H)$ with $H = -\sum_n a_n \log a_n$, $a = \mathrm{softmax}(A)$, in nats,
    averaged over the rows of attention of a bag (heads, branches or classes) and then over bags.
    As every bag has equally many rows, that is the mean over all leading axes. With weight 0
    value and gradient are exactly 0.

    Args:
        attention_logits: A, (*B, K, N) or (*B, N); -inf for instances that do not count.
        weight: $\lambda \ge 0$, in units of the loss per nat.
        where: instances that count, broadcast to `attention_logits`.
        allow_minimise: whether a negative weight, which sharpens the attention, is taken.

    Returns:
        The penalty, a scalar in the type of the logits.

    Raises:
        TypeError: `attention_logits` or `weight` is not of floating type, or `where` not boolean.
        ValueError: `where` does not broadcast; no row, or `weight` no scalar; a logit is NaN or
            +inf, a row is without an instance that counts, or the weight is negative or not
            finite (at once on concrete arrays, under `checkify.checkify` in traced code, else
            the penalty is NaN).

    Reference:
        Zhang et al., MICCAI 2025, arXiv 2406.15303.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import losses
        >>> rows = jnp.array([[0.0, 0.0, -jnp.inf], [0.0, 0.0, 0.0]])
        >>> print(losses.attention_entropy_penalty(rows, weight=0.1))  # -.1 (log 2 + log 3) / 2
        -0.089588
    """
    logits = checks.floating("attention_logits", attention_logits, min_ndim=1)
    where = checks.mask("where", where, logits.shape)
    if 0 in logits.shape:
        raise ValueError(
            f"attention_logits must hold a row with an instance; got shape {logits.shape}."
        )
    number = checks.real_number("weight", weight)
    if number.ndim:
        raise ValueError(f"weight must be a scalar; got shape {number.shape}.")
    expected = "finite" if allow_minimise else "at least 0 and finite"
    valid = jnp.isfinite(number) & ((number >= 0) | bool(allow_minimise))
    checks.check_real("weight", number, valid, expected)
    valid &= jnp.all(rows_with_a_key(logits, where))
    (wide,) = widen(logits)
    entropy = jnp.mean(attention_entropy(wide, where=where))
    return narrow(gated(-number * entropy, valid), logits)


def attention_entropy_schedule(
    initial_weight: float, total_steps: int, final_weight: float = 0.0
) -> Callable[[ArrayLike], jax.Array]:
    r"""Half a cosine from the initial weight of the entropy penalty to the final one.

    $\lambda_t = \lambda_T + (\lambda_0 - \lambda_T) \tfrac12 (1 + \cos(\pi \min(t, T) / T))$: full
    strength while the attention forms, none at the end, so that the loss that is left is the
    classification's own. The result is a schedule as optax has them. The published code keeps
    the weight constant; that the cosine ends at 0 is this library's reading of the paper.

    Args:
        initial_weight: $\lambda_0$.
        total_steps: T, in the steps that the count counts: updates, or epochs.
        final_weight: $\lambda_T$, kept from step T on.

    Returns:
        A function from a step count (from 0; a number or an array, which may be traced) to the
        weight, of at least float32.

    Raises:
        TypeError: `total_steps` is no whole number, or a weight no real number.
        ValueError: `total_steps` is below 1, or a weight is not finite.

    Reference:
        Zhang et al., MICCAI 2025, arXiv 2406.15303 (version 3). The cosine: Loshchilov and
        Hutter, ICLR 2017, arXiv 1608.03983.

    Example:
        >>> from infojax import losses
        >>> weight = losses.attention_entropy_schedule(0.5, total_steps=10)
        >>> print(weight(0), weight(5), weight(10))
        0.5 0.25 0.0
    """
    steps = checks.positive_integer("total_steps", total_steps)
    ends = []
    for name, value in (("initial_weight", initial_weight), ("final_weight", final_weight)):
        try:
            number = float(value)
        except TypeError:
            raise TypeError(f"{name} must be a real number; got {value!r}.") from None
        if not math.isfinite(number):
            raise ValueError(f"{name} must be finite; got {value!r}.")
        ends.append(number)
    first, last = ends

    def schedule(count: ArrayLike) -> jax.Array:
        done = jnp.minimum(checks.real_array("count", count), steps) / steps
        (done,) = widen(done)
        return last + (first - last) * 0.5 * (1 + jnp.cos(jnp.pi * done))

    return schedule

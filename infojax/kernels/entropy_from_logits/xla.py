"""Statistics of logits in plain XLA: fused passes over any axes, nothing of their size written.

With m = max s, l = sum exp(s - m) and t = sum exp(s - m)(s - m), the log normaliser is m + log l
and the entropy log l - t / l: both terms are non-negative, so nothing cancels.
"""

import jax
import jax.numpy as jnp


def sum_along(x: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """Sums along axes, which stay, with the other axes of size one out of XLA's sight.

    Beside an axis of size one XLA on CPU adds a long row term by term instead of in parts, and
    loses digits.

    Args:
        x: floating array.
        axes: the axes to sum along, from 0.

    Returns:
        The sums, with `axes` of size one.
    """
    seen = [n for n, size in enumerate(x.shape) if n in axes or size != 1]
    sums = jnp.sum(x.reshape([x.shape[n] for n in seen]), tuple(seen.index(n) for n in axes))
    return sums.reshape([1 if n in axes else size for n, size in enumerate(x.shape)])


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
        return jnp.log1p(sum_along(jnp.exp(logits - peak) * below, axes))

    small = jax.lax.cond(
        jnp.any(near), without_peak, lambda logits, peak: jnp.log(weight), logits, peak
    )
    return jnp.where(near, small, jnp.log(weight))


def logit_statistics(
    logits: jax.Array, where: jax.Array | None, axes: tuple[int, ...]
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Entropy, log weight and peak.

    Args:
        logits: array of floating type; half precision is widened.
        where: entries that count, or None.
        axes: the axes of one distribution.

    Returns:
        Three arrays with `axes` of size one.
    """
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    logits = logits if where is None else jnp.where(where, logits, -jnp.inf)
    peak = jnp.max(logits, axes, keepdims=True, initial=-jnp.inf)
    weight = sum_along(jnp.exp(logits - peak), axes)
    # XLA's maximum of a long row on CPU passes over a NaN, its sum does not.
    invalid = jnp.isnan(weight) & (peak > -jnp.inf)
    # Behind the barrier the compiler takes these for other exponentials than those of the sum,
    # and computes them again in a second fused pass, which is faster than writing them out.
    shifted = logits - jax.lax.optimization_barrier(peak)
    # A finite floor mends 0 * -inf, the term of an impossible symbol; a maximum vectorises.
    terms = jnp.exp(shifted) * jnp.maximum(shifted, jnp.finfo(shifted.dtype).min)
    log_weight = _log_weight(logits, weight, peak, axes)
    peak = jnp.where(invalid, jnp.nan, peak)
    return log_weight - sum_along(terms, axes) / weight, log_weight, peak

"""Statistics of logits by the definition, in the precision of the input: the specification."""

import jax
import jax.numpy as jnp


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
    wide = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    wide = wide if where is None else jnp.where(where, wide, -jnp.inf)
    peak = jnp.max(wide, axes, keepdims=True, initial=-jnp.inf)
    # XLA's maximum of a long row on CPU passes over a NaN.
    peak = jnp.where(jnp.any(jnp.isnan(wide), axes, keepdims=True), jnp.nan, peak)
    valid = jnp.isfinite(peak)
    shifted = wide - jnp.where(valid, peak, 0)
    at_peak = shifted == 0
    ties = jnp.sum(at_peak, axes, keepdims=True)
    rest = jnp.sum(jnp.where(at_peak, 0, jnp.exp(shifted)), axes, keepdims=True)
    log_weight = jnp.where(valid, jnp.log1p(rest + (ties - 1)), jnp.nan)
    log_p = jnp.where(wide == -jnp.inf, 0, shifted - log_weight)
    p = jnp.where(wide == -jnp.inf, 0, jnp.exp(log_p))
    # Each term is non-negative, so that nothing cancels.
    entropy = -jnp.sum(p * log_p, axes, keepdims=True)
    return jnp.where(valid, entropy, jnp.nan), log_weight, peak

"""Contrastive decoding: what a strong model finds more likely than a weak one."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from infojax.decoding.arguments import check_rows, masked, per_row, take_logits, wide
from infojax.decoding.temperatures import positive_finite
from infojax.kernels.entropy_from_logits import logit_statistics
from infojax.numerics import narrow


def _log_softmax(s: jax.Array) -> tuple[jax.Array, jax.Array]:
    _, log_weight, peak = logit_statistics(s)
    return (s - peak) - log_weight, jnp.isfinite(peak)[..., 0]


@jax.jit
def _contrastive(logits, amateur, alpha, t):
    expert, valid = _log_softmax(wide(logits))
    weak, weak_is_valid = _log_softmax(wide(amateur) / t[..., None])
    plausible = expert >= jnp.max(expert, -1, keepdims=True) + jnp.log(alpha)[..., None]
    # What the amateur thinks impossible would be infinitely good; the least number bounds it.
    score = expert - jnp.maximum(weak, jnp.finfo(weak.dtype).min / 4)
    kept = plausible & (expert > -jnp.inf)
    score = masked(score, kept, valid & weak_is_valid, ~jnp.isnan(alpha + t))
    return narrow(score, logits, amateur), valid, weak_is_valid


def contrastive(
    logits: Float[Array, "*B V"],
    amateur_logits: Float[Array, "*B V"],
    *,
    alpha: ArrayLike = 0.1,
    amateur_temperature: ArrayLike = 1.0,
) -> Float[Array, "*B V"]:
    r"""Log-ratio of a strong and a weak model among the tokens that the strong one finds plausible.

    $s_i = \log p_i - \log q_i$ where $p_i \ge \alpha \max_j p_j$, -inf elsewhere, with p the
    strong model's (the expert's) law and q the weak one's (the amateur's) at its temperature.

    Args:
        logits: the expert's; -inf for impossible tokens.
        amateur_logits: the amateur's, over the same tokens.
        alpha: in [0, 1]; one number, or one for each row, *B.
        amateur_temperature: positive; one number, or one for each row, *B.

    Returns:
        The scores, to be used as logits.

    Raises:
        TypeError: logits are not of floating type, or a parameter not real.
        ValueError: shapes that differ; a parameter out of range; no token; a logit is NaN or
            +inf, or all of a row are -inf (at once on concrete arrays, under
            `checkify.checkify` in traced code, where the row becomes NaN).

    Reference:
        Li et al. 2022, arXiv 2210.15097.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import decoding
        >>> expert, amateur = jnp.array([0.5, 0.45, 0.05]), jnp.array([0.8, 0.15, 0.05])
        >>> print(jnp.exp(decoding.contrastive(jnp.log(expert), jnp.log(amateur), alpha=0.2)))
        [0.625 3.    0.   ]
    """
    logits = take_logits("logits", logits)
    amateur = take_logits("amateur_logits", amateur_logits)
    if amateur.shape != logits.shape:
        raise ValueError(f"amateur_logits must have shape {logits.shape}; got {amateur.shape}.")
    alpha = per_row("alpha", alpha, logits, lambda x: (x >= 0) & (x <= 1), "between 0 and 1")
    t = per_row(
        "amateur_temperature", amateur_temperature, logits, positive_finite, "positive and finite"
    )
    value, valid, weak_is_valid = _contrastive(logits, amateur, alpha, t)
    check_rows("logits", logits, valid)
    check_rows("amateur_logits", amateur, weak_is_valid)
    return value

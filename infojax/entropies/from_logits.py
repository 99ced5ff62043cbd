"""Shannon entropy of logits, from the statistics that one kernel finds, and their logarithms."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from infojax import checks
from infojax.kernels.entropy_from_logits import logit_statistics
from infojax.numerics import gated, log_of_base, narrow, normalize_axes, reduce_axes, total
from infojax.numerics.reductions import Axis


def log_softmax(logits: jax.Array, axes: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    """Log probabilities of logits.

    Args:
        logits: array of at least float32; -inf where a symbol is impossible.
        axes: the axes of one distribution.

    Returns:
        The log probabilities, and which rows are valid (`axes` of size one): none NaN or +inf,
        and one finite.
    """
    peak = jax.lax.stop_gradient(jnp.max(logits, axes, keepdims=True, initial=-jnp.inf))
    shifted = logits - peak
    weight = total(jnp.exp(shifted), axes)
    # XLA's maximum of a long row on CPU passes over a NaN, its sum does not.
    return shifted - jnp.log(weight), jnp.isfinite(peak) & jnp.isfinite(weight)


# The unit is an argument, so that another base compiles nothing anew.
@functools.partial(jax.jit, static_argnames=("axes", "keepdims"))
def _entropy(logits, where, unit, axes: tuple[int, ...], keepdims: bool):
    statistics = logit_statistics(logits, axes=axes, where=where)
    valid = jnp.isfinite(statistics.peak)
    value = gated(statistics.entropy / unit, valid)
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

    Nothing of the logits' size is written, and where one of them all but decides, the small
    entropy keeps its digits. Over trailing axes a kernel reads the logits once on TPU and GPU;
    otherwise XLA reads them for the maximum and for each sum. The derivative,
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

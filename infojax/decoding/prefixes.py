"""Samplers that keep a prefix of the tokens, sorted by probability or by another score."""

import functools
import operator

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from infojax.checks import is_concrete
from infojax.decoding.arguments import (
    check_rows,
    masked,
    nan_of,
    per_row,
    rows_are_valid,
    take_logits,
    wide,
)
from infojax.kernels.entropy_from_logits import logit_statistics
from infojax.kernels.sorted_prefix import sorted_prefix
from infojax.numerics import total

# Up to here the k-th largest is read off a window of k and some more scores.
_LARGEST_WINDOW = 1024


def _positive(x: jax.Array) -> jax.Array:
    return (x > 0) & (x <= 1)


@functools.partial(jax.jit, static_argnames=("window", "implementation"))
def _top_k(logits, k, window, implementation):
    s = wide(logits)
    limit = jnp.where(k >= s.shape[-1], jnp.inf, k)
    cut = sorted_prefix(
        s, rule="count", limit=limit, all_ties=True, window=window, implementation=implementation
    )
    valid = rows_are_valid(cut.peak, nan_of(s))
    return masked(logits, cut.keeps(s), valid, ~jnp.isnan(k)), valid


def _window_for(k: ArrayLike) -> int | None:
    """A window that holds one token more than k; None if k varies."""
    # A number of Python stays one where JAX traces; as an array it would not.
    if np.ndim(k) or not is_concrete(k):
        return None
    number = operator.index(np.asarray(k).item())
    return number + 1 if 0 < number < _LARGEST_WINDOW else None


def top_k(
    logits: Float[Array, "*B V"],
    k: int | Int[Array, "..."],
    *,
    implementation: str | None = None,
) -> Float[Array, "*B V"]:
    """Keeps the k most probable tokens.

    Tokens tied with the k-th are kept too, as in the serving engines, so there may be more.

    Args:
        logits: unnormalised log probabilities; -inf for impossible tokens.
        k: at least 1; a whole number, or one for each row, *B. Above V all are kept.
        implementation: `"xla_window"`, `"xla_bisection"` or `"reference"`, as in
            `kernels.sorted_prefix`; None takes the platform's best.

    Returns:
        The logits, -inf where a token is not kept.

    Raises:
        TypeError: `logits` is not of floating type, or `k` not whole.
        ValueError: `k` is below 1 or does not broadcast; an unknown implementation; no token; a
            logit is NaN or +inf, or all of a row are -inf (at once on concrete arrays, under
            `checkify.checkify` in traced code, where the row becomes NaN).

    Reference:
        Fan, Lewis and Dauphin 2018, arXiv 1805.04833.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import decoding
        >>> print(decoding.top_k(jnp.array([3.0, 0.0, 2.0, 1.0]), 2))
        [  3. -inf   2. -inf]
    """
    logits = take_logits("logits", logits)
    if not jnp.issubdtype(jnp.result_type(k), jnp.integer):
        raise TypeError(f"k must be a whole number; got {k!r}.")
    window = _window_for(k)
    k = per_row("k", k, logits, lambda x: x >= 1, "at least 1")
    value, valid = _top_k(logits, k, window, implementation)
    check_rows("logits", logits, valid)
    return value


@functools.partial(jax.jit, static_argnames="implementation")
def _top_p(logits, p, implementation):
    s = wide(logits)
    peak = jnp.max(s, -1, keepdims=True)
    weight = total(jnp.exp(s - peak), (-1,))[..., 0]
    valid = rows_are_valid(peak[..., 0], weight)
    limit = jnp.where(p >= 1, jnp.inf, p * weight)
    cut = sorted_prefix(s, rule="mass", limit=limit, implementation=implementation)
    return masked(logits, cut.keeps(s), valid, ~jnp.isnan(p)), valid


def top_p(
    logits: Float[Array, "*B V"], p: ArrayLike, *, implementation: str | None = None
) -> Float[Array, "*B V"]:
    r"""Keeps the nucleus: the fewest most probable tokens whose mass is at least p.

    With probabilities sorted downwards, token k is kept while $\sum_{j<k} p_j < p$. Of equal
    tokens the lower ones come first.

    Args:
        logits: unnormalised log probabilities; -inf for impossible tokens.
        p: the mass, in (0, 1]; one number, or one for each row, *B. 1 keeps all.
        implementation: `"xla_window"`, `"xla_bisection"` or `"reference"`, as in
            `kernels.sorted_prefix`; None takes the platform's best.

    Returns:
        The logits, -inf where a token is not kept.

    Raises:
        TypeError: `logits` is not of floating type, or `p` not real.
        ValueError: `p` is outside of (0, 1] or does not broadcast; an unknown implementation; no
            token; a logit is NaN or +inf, or all of a row are -inf (at once on concrete arrays,
            under `checkify.checkify` in traced code, where the row becomes NaN).

    Reference:
        Holtzman et al. 2019, arXiv 1904.09751.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import decoding
        >>> print(decoding.top_p(jnp.log(jnp.array([0.5, 0.1, 0.4])), 0.8) > -jnp.inf)
        [ True False  True]
    """
    logits = take_logits("logits", logits)
    p = per_row("p", p, logits, _positive, "above 0 and at most 1")
    value, valid = _top_p(logits, p, implementation)
    check_rows("logits", logits, valid)
    return value


@functools.partial(jax.jit, static_argnames="implementation")
def _typical(logits, mass, implementation):
    s = wide(logits)
    entropy, log_weight, peak = logit_statistics(s)
    valid = jnp.isfinite(peak)[..., 0]
    log_p = (s - peak) - log_weight
    closeness = -jnp.abs(log_p + entropy)
    cut = sorted_prefix(
        closeness,
        rule="mass",
        limit=jnp.where(mass >= 1, jnp.inf, mass),
        log_mass=log_p,
        all_ties=True,
        implementation=implementation,
    )
    # As bounds on the logits: computed anew, the closeness of a token might round otherwise.
    terms = peak[..., 0], log_weight[..., 0], -entropy[..., 0]
    middle = terms[0] + terms[1] + terms[2]
    size = sum(jnp.abs(term) for term in terms) - cut.score
    slack = 2 * jnp.finfo(s.dtype).eps * size
    low, high = middle + cut.score - slack, middle - cut.score + slack
    kept = (s >= low[..., None]) & (s <= high[..., None]) & (s > -jnp.inf)
    return masked(logits, kept, valid, ~jnp.isnan(mass)), valid


def typical(
    logits: Float[Array, "*B V"], mass: ArrayLike, *, implementation: str | None = None
) -> Float[Array, "*B V"]:
    r"""Keeps the tokens whose surprise is closest to the entropy H, up to a mass.

    Tokens are sorted by $|-\log p_i - H|$ upwards, and kept until their mass reaches `mass`; those
    tied with the last, up to rounding, are kept too.

    Args:
        logits: unnormalised log probabilities; -inf for impossible tokens.
        mass: in (0, 1]; one number, or one for each row, *B. 1 keeps all.
        implementation: `"xla_window"`, `"xla_bisection"` or `"reference"`, as in
            `kernels.sorted_prefix`; None takes the platform's best.

    Returns:
        The logits, -inf where a token is not kept.

    Raises:
        TypeError: `logits` is not of floating type, or `mass` not real.
        ValueError: `mass` is outside of (0, 1] or does not broadcast; an unknown implementation;
            no token; a logit is NaN or +inf, or all of a row are -inf (at once on concrete
            arrays, under `checkify.checkify` in traced code, where the row becomes NaN).

    Reference:
        Meister, Pimentel, Wiher and Cotterell 2022, arXiv 2202.00666.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import decoding
        >>> print(decoding.typical(jnp.log(jnp.array([0.5, 0.3, 0.2])), 0.25) > -jnp.inf)
        [False  True False]
    """
    logits = take_logits("logits", logits)
    mass = per_row("mass", mass, logits, _positive, "above 0 and at most 1")
    value, valid = _typical(logits, mass, implementation)
    check_rows("logits", logits, valid)
    return value

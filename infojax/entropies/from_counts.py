"""Entropy of a distribution from counts of its samples, with corrections of the bias.

The plug-in estimate is too small by about (K - 1) / (2 n); the corrections differ in how they
account for rare and unseen symbols.
"""

import functools
from typing import Literal

import jax
import jax.numpy as jnp
from jax.scipy.special import digamma
from jaxtyping import Array, Bool, Num

from infojax import checks
from infojax.numerics import gated, nats_to_base, normalize_axes, reduce_axes, xlogx
from infojax.numerics.reductions import Axis

Correction = Literal["none", "miller_madow", "grassberger", "chao_shen", "shrinkage"]


def _plug_in(counts: jax.Array, total: jax.Array, axes: tuple[int, ...], where) -> jax.Array:
    return jnp.sum(-xlogx(counts / total), axes, where=where, keepdims=True)


def _miller_madow(counts: jax.Array, total: jax.Array, axes: tuple[int, ...], where) -> jax.Array:
    seen = jnp.sum((counts > 0).astype(counts.dtype), axes, where=where, keepdims=True)
    return _plug_in(counts, total, axes, where) + (seen - 1) / (2 * total)


def _grassberger(counts: jax.Array, total: jax.Array, axes: tuple[int, ...], where) -> jax.Array:
    c = jnp.maximum(counts, 1)
    sign = jnp.where(counts % 2 == 0, 1.0, -1.0)
    g = digamma(c) + 0.5 * sign * (digamma((c + 1) / 2) - digamma(c / 2))
    return jnp.log(total) - jnp.sum(counts * g, axes, where=where, keepdims=True) / total


def _chao_shen(counts: jax.Array, total: jax.Array, axes: tuple[int, ...], where) -> jax.Array:
    single = jnp.sum((counts == 1).astype(counts.dtype), axes, where=where, keepdims=True)
    # With singletons alone the coverage estimate would be 0; one fewer is the usual repair.
    coverage = 1 - jnp.where(single == total, total - 1, single) / total
    p = coverage * counts / total
    seen = counts > 0
    p_seen = jnp.where(seen, p, 0.5)
    # A symbol that holds all the mass has inclusion probability one; log1p(-1) is kept away.
    unseen = total * jnp.log1p(-jnp.minimum(p_seen, 1 - jnp.finfo(p.dtype).epsneg))
    terms = -xlogx(p_seen) / -jnp.expm1(unseen)
    return jnp.sum(jnp.where(seen, terms, 0), axes, where=where, keepdims=True)


def _shrinkage(counts: jax.Array, total: jax.Array, axes: tuple[int, ...], where) -> jax.Array:
    target = 1 / jnp.sum(jnp.ones_like(counts), axes, where=where, keepdims=True)
    p = counts / total
    spread = jnp.sum((target - p) ** 2, axes, where=where, keepdims=True)
    variance = 1 - jnp.sum(p**2, axes, where=where, keepdims=True)
    scale = (total - 1) * spread
    intensity = jnp.where(scale > 0, variance / jnp.where(scale > 0, scale, 1), 1)
    intensity = jnp.clip(intensity, 0, 1)
    return jnp.sum(
        -xlogx(intensity * target + (1 - intensity) * p), axes, where=where, keepdims=True
    )


_ESTIMATORS = {
    "none": _plug_in,
    "miller_madow": _miller_madow,
    "grassberger": _grassberger,
    "chao_shen": _chao_shen,
    "shrinkage": _shrinkage,
}


@functools.partial(jax.jit, static_argnames=("axes", "correction"))
def _estimate(counts, where, axes: tuple[int, ...], correction: str):
    whole = jnp.where(counts == jnp.round(counts), counts, jnp.nan)
    whole = jnp.where(whole >= 0, whole, jnp.nan)
    total = jnp.sum(whole, axes, where=where, keepdims=True)
    valid = (total > 0) & jnp.isfinite(total)
    safe = jnp.where(valid, total, 1)
    return _ESTIMATORS[correction](counts, safe, axes, where), valid


def entropy_from_counts(
    counts: Num[Array, "..."],
    *,
    axis: Axis = -1,
    base: float | None = None,
    correction: Correction = "none",
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
):
    r"""Shannon entropy estimated from counts of n samples.

    With p = counts / n:

    - `"none"`: the plug-in estimate $-\sum p_k \log p_k$.
    - `"miller_madow"`: plus (seen symbols - 1) / (2 n).
    - `"grassberger"`: $\log n - \frac1n \sum_k c_k G(c_k)$, $G(c) = \psi(c) + \frac{(-1)^c}{2}
      [\psi(\frac{c+1}{2}) - \psi(\frac c2)]$.
    - `"chao_shen"`: Horvitz-Thompson sum with estimated coverage $C = 1 - f_1 / n$:
      $-\sum_k C p_k \log(C p_k) / (1 - (1 - C p_k)^n)$, $f_1$ the number of symbols seen once.
    - `"shrinkage"`: plug-in of the James-Stein mixture of p and the uniform distribution over
      the entries that count, with its estimated intensity.

    Args:
        counts: whole non-negative numbers, of integer or floating type.
        axis: the axis or axes of one sample; None for all.
        base: the logarithm's base (2 for bits); None for nats.
        correction: the correction of the bias.
        where: entries that count.
        keepdims: whether the reduced axes stay with size one.

    Returns:
        The estimate in units of `base`, of the shape of `counts` without `axis`.

    Raises:
        TypeError: `counts` is complex, boolean or not an array.
        ValueError: a count is negative, not whole or not finite; no sample; unknown correction.

    Reference:
        Miller 1955; Grassberger, arXiv physics/0307138, equations (28) to (30); Chao and Shen
        2003, equation (5); Hausser and Strimmer, arXiv 0811.3579, equations (4) to (6).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import entropies
        >>> print(entropies.entropy_from_counts(jnp.array([4, 2, 2]), base=2))
        1.5
    """
    checks.choice("correction", correction, tuple(_ESTIMATORS))
    counts = jnp.asarray(counts)
    real = jnp.issubdtype(counts.dtype, jnp.floating) or jnp.issubdtype(counts.dtype, jnp.integer)
    if not real:
        raise TypeError(f"counts must have an integer or floating type; got {counts.dtype}.")
    dtype = jnp.promote_types(counts.dtype, jnp.float32)
    out = counts.dtype if jnp.issubdtype(counts.dtype, jnp.floating) else dtype
    axes = normalize_axes(axis, counts.ndim)
    nats, valid = _estimate(counts.astype(dtype), where, axes, correction)
    checks.check(valid, "counts must be whole, non-negative and finite, with at least one sample.")
    return reduce_axes(nats_to_base(gated(nats, valid), base), axes, keepdims).astype(out)

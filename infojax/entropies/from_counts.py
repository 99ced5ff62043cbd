"""Entropy of a distribution from counts of its samples, with corrections of the bias.

The plug-in estimate is too small by about (K - 1) / (2 n); the corrections differ in how they
account for rare and unseen symbols.
"""

import functools
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Num

from infojax import checks
from infojax.numerics import (
    digamma_half_step,
    gated,
    log_minus_digamma,
    log_of_base,
    narrow,
    normalize_axes,
    reduce_axes,
    total,
    xlogx,
)
from infojax.numerics.reductions import Axis

Correction = Literal["none", "miller_madow", "grassberger", "chao_shen", "shrinkage"]


def _plug_in(counts: jax.Array, n: jax.Array, axes: tuple[int, ...], where) -> jax.Array:
    return 0 - total(xlogx(counts / n), axes)


def _miller_madow(counts: jax.Array, n: jax.Array, axes: tuple[int, ...], where) -> jax.Array:
    seen = total((counts > 0).astype(counts.dtype), axes)
    return _plug_in(counts, n, axes, where) + (seen - 1) / (2 * n)


def _grassberger(counts: jax.Array, n: jax.Array, axes: tuple[int, ...], where) -> jax.Array:
    # log n - sum c G(c) / n as plug-in plus sum c (log c - G(c)) / n: small terms, that do not
    # cancel where one symbol has nearly all of the samples.
    c = jnp.maximum(counts, 1)
    sign = jnp.where(counts % 2 == 0, 0.5, -0.5)
    gap = log_minus_digamma(c) - sign * digamma_half_step(c / 2)
    return _plug_in(counts, n, axes, where) + total(counts / n * gap, axes)


def _chao_shen(counts: jax.Array, n: jax.Array, axes: tuple[int, ...], where) -> jax.Array:
    single = total((counts == 1).astype(counts.dtype), axes)
    # With singletons alone the coverage estimate would be 0; one fewer is the usual repair.
    coverage = 1 - jnp.where(single == n, n - 1, single) / n
    p = coverage * counts / n
    seen = counts > 0
    p_seen = jnp.where(seen, p, 0.5)
    # A symbol that holds all the mass has inclusion probability one; log1p(-1) is kept away.
    unseen = n * jnp.log1p(-jnp.minimum(p_seen, 1 - jnp.finfo(p.dtype).epsneg))
    terms = -xlogx(p_seen) / -jnp.expm1(unseen)
    return total(jnp.where(seen, terms, 0), axes)


def _shrinkage(counts: jax.Array, n: jax.Array, axes: tuple[int, ...], where) -> jax.Array:
    ones = jnp.ones_like(counts)
    counted = ones if where is None else jnp.where(where, ones, 0)
    target = counted / total(counted, axes)
    p = counts / n
    spread = total((target - p) ** 2, axes)
    variance = 1 - total(p**2, axes)
    scale = (n - 1) * spread
    intensity = jnp.where(scale > 0, variance / jnp.where(scale > 0, scale, 1), 1)
    intensity = jnp.clip(intensity, 0, 1)
    return total(-xlogx(intensity * target + (1 - intensity) * p), axes)


_ESTIMATORS = {
    "none": _plug_in,
    "miller_madow": _miller_madow,
    "grassberger": _grassberger,
    "chao_shen": _chao_shen,
    "shrinkage": _shrinkage,
}


def _are_counts(counts):
    return (counts >= 0) & (counts == counts.round()) & (counts < np.inf)


@functools.partial(jax.jit, static_argnames=("axes", "correction", "keepdims"))
def _estimate(counts, where, unit, axes: tuple[int, ...], correction: str, keepdims: bool):
    if where is not None:
        counts = jnp.where(where, counts, 0)
    n = total(jnp.where(_are_counts(counts), counts, jnp.nan), axes)
    valid = n > 0
    safe = jnp.where(valid, n, 1)
    nats = gated(_ESTIMATORS[correction](counts, safe, axes, where), valid)
    return reduce_axes(nats / unit, axes, keepdims), valid


def entropy_from_counts(
    counts: Num[Array, "..."],
    *,
    axis: Axis = -1,
    base: float | None = None,
    correction: Correction = "none",
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
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
        The estimate in units of `base`, of the shape of `counts` without `axis`; of JAX's
        default floating type if the counts are integers.

    Raises:
        TypeError: `counts` is complex, boolean or not an array.
        ValueError: a count is negative, not whole or not finite; no sample; unknown correction.

    Reference:
        Miller 1955; Grassberger, arXiv physics/0307138; Chao and Shen 2003; Hausser and
        Strimmer, arXiv 0811.3579.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import entropies
        >>> print(entropies.entropy_from_counts(jnp.array([4, 2, 2]), base=2))
        1.5
    """
    checks.choice("correction", correction, tuple(_ESTIMATORS))
    given = checks.real_array("counts", counts)
    axes = normalize_axes(axis, given.ndim)
    where = checks.mask("where", where, given.shape)
    whole = jnp.issubdtype(given.dtype, jnp.integer)
    wide = given.astype(
        jnp.result_type(float) if whole else jnp.promote_types(given.dtype, jnp.float32)
    )
    unit = log_of_base(base)
    value, valid = _estimate(wide, where, unit, axes, correction, bool(keepdims))

    def message() -> str:
        expected = "counts must be whole, non-negative and finite, with at least one sample"
        if not checks.is_concrete(wide, valid) or (
            where is not None and not checks.is_concrete(where)
        ):
            return f"{expected}."
        values = np.asarray(wide)
        wrong = ~_are_counts(values) & (True if where is None else np.asarray(where))
        if wrong.any():
            return f"{expected}; got {checks.first_entry('counts', values, wrong)}."
        return f"{expected}; got none along axes {axes} (shape {given.shape})."

    checks.check(valid, message)
    return value if whole else narrow(value, given)

"""Score matrices: a critic's values on all pairs of N samples, joint pairs on the diagonal.

Entry (i, j) scores x_i with y_j. Its diagonal is a sample of the joint distribution, the rest a
sample of the product of the marginals: what every variational bound is made of.
"""

import dataclasses

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from infojax import checks
from infojax.numerics import gated, narrow, nats_to_base, widen


@dataclasses.dataclass(frozen=True)
class ScoreMatrix:
    """Checked scores.

    Attributes:
        scores: of at least float32, with 0 where a sample does not count.
        where: the samples that count, (*B, N), or None for all.
        valid: which matrices are valid, (*B,).
        given: the scores as the caller gave them.
    """

    scores: jax.Array
    where: jax.Array | None
    valid: jax.Array
    given: jax.Array

    def finish(self, nats: jax.Array, base: float | None) -> jax.Array:
        """Gates a result, and gives it its unit and type.

        Args:
            nats: a bound in nats, (*B,).
            base: the logarithm's base, or None.

        Returns:
            The bound in units of `base` and in the caller's type.
        """
        return narrow(nats_to_base(gated(nats, self.valid), base), self.given)


def checked_scores(name: str, scores: ArrayLike, where: ArrayLike | None) -> ScoreMatrix:
    """Takes an argument as score matrices of at least two samples.

    Args:
        name: what the caller's users call the argument.
        scores: the matrices, (*B, N, N).
        where: the samples that count, or None.

    Returns:
        The checked scores.

    Raises:
        TypeError: `scores` is not of floating type, or `where` not boolean.
        ValueError: not square, fewer than two samples, or a score that is not finite.
    """
    given = checks.square_matrix(name, scores)
    if given.shape[-1] < 2:
        raise ValueError(
            f"{name} must pair at least 2 samples, to have pairs off the diagonal; "
            f"got shape {given.shape}."
        )
    counted = checks.mask("where", where, given.shape[:-1])
    (wide,) = widen(given)
    finite = jnp.isfinite(wide)
    if counted is None:
        checks.check_real(name, wide, finite, "finite")
        return ScoreMatrix(wide, None, jnp.all(finite, (-1, -2)), given)
    counted = jnp.broadcast_to(counted, given.shape[:-1])
    pairs = counted[..., :, None] & counted[..., None, :]
    finite |= ~pairs
    checks.check_real(name, wide, finite, "finite")
    enough = jnp.sum(counted, -1) >= 2
    checks.check(enough, f"where must leave at least 2 samples of {name}.")
    valid = jnp.all(finite, (-1, -2)) & enough
    return ScoreMatrix(jnp.where(pairs, wide, 0), counted, valid, given)


def off_diagonal(scores: jax.Array, where: jax.Array | None) -> jax.Array:
    """Marks the pairs of two different samples.

    Args:
        scores: the matrices, (*B, N, N).
        where: the samples that count, (*B, N), or None.

    Returns:
        Boolean array that broadcasts with `scores`.
    """
    mask = ~jnp.eye(scores.shape[-1], dtype=bool)
    return mask if where is None else mask & where[..., :, None] & where[..., None, :]


def diagonal(scores: jax.Array) -> jax.Array:
    """The scores of the joint pairs.

    Args:
        scores: the matrices, (*B, N, N).

    Returns:
        Array (*B, N).
    """
    return jnp.diagonal(scores, axis1=-2, axis2=-1)


def mean_over_samples(values: jax.Array, where: jax.Array | None) -> jax.Array:
    """Averages over the samples that count.

    Args:
        values: one value a sample, (*B, N).
        where: the samples that count, (*B, N), or None.

    Returns:
        Array (*B,).
    """
    if where is None:
        return jnp.mean(values, -1)
    return jnp.sum(jnp.where(where, values, 0), -1) / jnp.maximum(jnp.sum(where, -1), 1)


def mean_off_diagonal(values: jax.Array, where: jax.Array | None) -> jax.Array:
    """Averages over the pairs of two different samples.

    Args:
        values: one value a pair, (*B, N, N).
        where: the samples that count, (*B, N), or None.

    Returns:
        Array (*B,).
    """
    pairs = off_diagonal(values, where)
    count = jnp.maximum(jnp.sum(pairs, (-1, -2)), 1)
    return jnp.sum(jnp.where(pairs, values, 0), (-1, -2)) / count


def log_mean_exp(
    scores: jax.Array, pairs: jax.Array, axes: tuple[int, ...] = (-1, -2)
) -> jax.Array:
    """The logarithm of the mean of exp(scores) over some pairs, without overflow.

    Args:
        scores: the matrices, (*B, N, N).
        pairs: boolean array that marks them; broadcasts with `scores`.
        axes: the axes of one mean.

    Returns:
        Array without `axes`; 0 where no pair is marked.
    """
    pairs = jnp.broadcast_to(pairs, scores.shape)
    count = jnp.sum(pairs, axes)
    # A row of a sample that does not count has no pair: it is summed whole and then dropped, so
    # that no derivative meets the logarithm of zero.
    kept = pairs | ~jnp.any(pairs, axes, keepdims=True)
    value = jax.nn.logsumexp(jnp.where(kept, scores, -jnp.inf), axes)
    return jnp.where(count > 0, value - jnp.log(jnp.maximum(count, 1)), 0)


def log_mean_exp_but_one(scores: jax.Array, pairs: jax.Array) -> jax.Array:
    """For each entry (i, k), log of the mean of exp(scores) over the pairs of row i other than k.

    The sum without k is the whole less one term, which cancels only if that term dominates: the
    largest of each row, whose sum is taken by itself.

    Args:
        scores: the matrices, (*B, N, N).
        pairs: boolean array that marks the pairs, two in each row that matters; broadcasts.

    Returns:
        Array (*B, N, N); meaningful at marked (i, k).
    """
    pairs = jnp.broadcast_to(pairs, scores.shape)
    masked = jnp.where(pairs, scores, -jnp.inf)
    largest = jnp.argmax(masked, -1, keepdims=True)
    is_largest = jnp.arange(scores.shape[-1]) == largest
    top = jax.lax.stop_gradient(jnp.take_along_axis(scores, largest, -1))
    terms = jnp.where(pairs, jnp.exp(jnp.where(pairs, scores - top, 0)), 0)
    rest = jnp.sum(terms, -1, keepdims=True) - jnp.where(is_largest, 0, terms)
    without_largest = log_mean_exp(scores, pairs & ~is_largest, (-1,))[..., None]
    # `rest` holds the largest term, which is one, unless a row has no pair.
    rest = jnp.where(rest > 0, rest, 1)
    count = jnp.maximum(jnp.sum(pairs, -1, keepdims=True) - 1, 1)
    others = jnp.log(rest) + top - jnp.log(count)
    return jnp.where(is_largest, without_largest, others)

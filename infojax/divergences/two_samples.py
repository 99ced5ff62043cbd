"""Sample sets as arguments, two to compare or several observed together: shapes, masks, values."""

import dataclasses

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from infojax import checks
from infojax.numerics import gated, narrow, widen


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TwoSamples:
    """Two checked sample sets with the same features and batch axes.

    Attributes:
        x: (*B, N, D), at least float32; 0 where a sample does not count.
        y: (*B, M, D), likewise.
        x_weights: 1/N' for each of the N' samples that count and 0 for the others, (*B, N).
        y_weights: (*B, M).
        x_where: the mask (*B, N), or None.
        y_where: the mask (*B, M), or None.
        valid: which problems are valid, *B.
        given: the arguments as they came.
    """

    x: jax.Array
    y: jax.Array
    x_weights: jax.Array
    y_weights: jax.Array
    x_where: jax.Array | None
    y_where: jax.Array | None
    valid: jax.Array
    given: tuple[jax.Array, ...]

    def joined(self) -> tuple[jax.Array, jax.Array]:
        """Both sets one after the other, and their weights, those of y negative."""
        points = jnp.concatenate([self.x, self.y], -2)
        return points, jnp.concatenate([self.x_weights, -self.y_weights], -1)

    def joined_where(self) -> jax.Array | None:
        """The mask of both sets one after the other."""
        if self.x_where is None and self.y_where is None:
            return None
        sides = ((self.x, self.x_where), (self.y, self.y_where))
        masks = [jnp.ones(x.shape[:-1], bool) if where is None else where for x, where in sides]
        return jnp.concatenate(masks, -1)

    def finish(self, value: jax.Array, *valid: jax.Array) -> jax.Array:
        """NaN for invalid problems, in the type of the caller."""
        return narrow(gated(value, self.valid, *valid), *self.given)


def counted(
    name: str, x: jax.Array, where: ArrayLike | None, least: int = 1, *, mask: str = "where"
) -> tuple[jax.Array, jax.Array, jax.Array | None, jax.Array]:
    """One sample set with its mask: zeros where none counts, weights, and where it is valid.

    Args:
        name: what the caller's users call the argument.
        x: samples, (*B, N, D), in working precision.
        where: those that count, or None.
        least: the least number that must count.
        mask: what the caller's users call the mask.

    Returns:
        x, weights (*B, N) that sum to one, the mask (*B, N) or None, and *B.

    Raises:
        ValueError: eagerly, a value is not finite or too few count; a mask that does not fit.
    """
    which = checks.mask(mask, where, x.shape[:-1])
    if which is None:
        weights = jnp.full(x.shape[:-1], 1 / x.shape[-2], x.dtype)
        return x, weights, None, checks.finite_samples(name, x)
    which = jnp.broadcast_to(which, x.shape[:-1])
    valid = checks.finite_samples(name, x, which)
    number = jnp.sum(which, -1, dtype=x.dtype)
    enough = number >= least
    checks.check(enough, f"at least {least} samples of {name} must count.")
    weights = which / jnp.maximum(number, 1)[..., None]
    return jnp.where(which[..., None], x, 0), weights, which, valid & enough


def two_samples(
    x: ArrayLike,
    y: ArrayLike,
    x_where: ArrayLike | None = None,
    y_where: ArrayLike | None = None,
    *,
    least: int = 1,
    names: tuple[str, str] = ("x", "y"),
) -> TwoSamples:
    """Checks two sample sets of the same features.

    Args:
        x: (*B, N, D).
        y: (*B, M, D).
        x_where: the samples of x that count; all if None.
        y_where: the samples of y that count; all if None.
        least: the least number of samples that must count in each.
        names: what the caller's users call the two.

    Returns:
        The checked pair.

    Raises:
        TypeError: an argument is not of floating type, a mask not boolean.
        ValueError: shapes do not fit together, or, eagerly, a value is not finite.
    """
    given = tuple(checks.samples(n, z, least=least) for n, z in zip(names, (x, y), strict=True))
    if (given[0].shape[:-2], given[0].shape[-1]) != (given[1].shape[:-2], given[1].shape[-1]):
        raise ValueError(
            f"{names[0]} and {names[1]} must agree in all axes but the number of samples; got "
            f"{names[0]} {given[0].shape}, {names[1]} {given[1].shape}."
        )
    a, b = widen(*given)
    masks = [f"{name}_where" for name in names]
    a, a_weights, a_where, a_valid = counted(names[0], a, x_where, least, mask=masks[0])
    b, b_weights, b_where, b_valid = counted(names[1], b, y_where, least, mask=masks[1])
    return TwoSamples(a, b, a_weights, b_weights, a_where, b_where, a_valid & b_valid, given)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Observed:
    """Checked samples of variables that were observed together.

    Attributes:
        arrays: (*B, N, D) each with a D of its own, at least float32; 0 where none counts.
        weights: 1/N' for each of the N' samples that count and 0 for the others, (*B, N).
        where: the mask (*B, N), or None.
        valid: which problems are valid, *B.
        given: the arguments as they came.
    """

    arrays: tuple[jax.Array, ...]
    weights: jax.Array
    where: jax.Array | None
    valid: jax.Array
    given: tuple[jax.Array, ...]

    def finish(self, value: jax.Array, *valid: jax.Array) -> jax.Array:
        """NaN for invalid problems, in the type of the caller."""
        return narrow(gated(value, self.valid, *valid), *self.given)


def observed(*, least: int = 1, where: ArrayLike | None = None, **arrays: ArrayLike) -> Observed:
    """Checks samples of variables that were observed together.

    Args:
        least: the least number of samples that must count.
        where: the samples that count; all if None.
        **arrays: the arguments by name, (*B, N, D).

    Returns:
        The checked samples, all in the same type.

    Raises:
        TypeError: an argument is not of floating type, the mask not boolean.
        ValueError: shapes do not fit together, or, eagerly, a value is not finite.
    """
    given = checks.paired_samples(least=least, **arrays)
    parts = [counted(name, x, where, least) for name, x in zip(arrays, widen(*given), strict=True)]
    valid = jnp.all(jnp.stack([part[3] for part in parts]), 0)
    return Observed(tuple(part[0] for part in parts), parts[0][1], parts[0][2], valid, given)

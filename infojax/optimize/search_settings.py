"""What a search by asking and telling is told once, and how it takes points."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from infojax.optimize.proposals import Effort

SAME = 1e-6  # of the box: a point told this near to one asked for is that one


class Settings(NamedTuple):
    """What a search is told once.

    Attributes:
        maximize: whether great values are good.
        acquisition: the name of the rule.
        initial: how many points before the first model.
        constraints: how many constraints there are, K.
        noisy: whether values are noisy.
        drop_failed: whether values that are not finite may be told.
        kernel: the name of the kernel.
        effort: how hard a step tries.
    """

    maximize: bool
    acquisition: str
    initial: int
    constraints: int
    noisy: bool
    drop_failed: bool
    kernel: str
    effort: Effort


def reals(name: str, values: ArrayLike) -> np.ndarray:
    """Takes an argument as real numbers on the host.

    Args:
        name: what the caller's users call it.
        values: what came.

    Returns:
        Float64 of its shape.

    Raises:
        TypeError: it holds something else.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "iuf" and array.dtype != jnp.bfloat16:
        raise TypeError(f"{name} must be real numbers; got {array.dtype}.")
    return array.astype(np.float64)


def checked_places(name: str, points: ArrayLike, bounds: np.ndarray) -> np.ndarray:
    """Takes an argument as points of a box.

    Args:
        name: what the caller's users call it.
        points: what came, (N, D) or (D,).
        bounds: the box, (D, 2).

    Returns:
        The points, (N, D); what is outside by rounding is put at the bound.

    Raises:
        TypeError: they are not real.
        ValueError: a wrong shape, or a point outside.
    """
    array = np.atleast_2d(reals(name, points))
    if array.ndim != 2 or array.shape[1] != len(bounds):
        raise ValueError(f"{name} must have shape (N, {len(bounds)}); got {np.shape(points)}.")
    low, high = bounds.T
    slack = SAME * (high - low)
    inside = (array >= low - slack) & (array <= high + slack)
    if not inside.all():
        where = tuple(np.argwhere(~inside)[0])
        raise ValueError(
            f"{name} must lie inside the bounds; got {name}[{where[0]}, {where[1]}] = "
            f"{array[where]:g}, outside {low[where[1]]:g} to {high[where[1]]:g}."
        )
    return np.clip(array, low, high)

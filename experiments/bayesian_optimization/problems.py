"""Test functions of global optimisation, written for JAX; all are to be minimised.

Branin: Dixon and Szego 1978; Hartmann in six dimensions: the same; Ackley 1987; the disk that
constrains Branin: Gelbart, Snoek and Adams 2014, arXiv 1403.5607, section 4; Branin with
a fidelity: Wu et al. 2019, arXiv 1903.04703.
"""

import dataclasses
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Point = Float[Array, " D"]
Value = Float[Array, ""]


@dataclasses.dataclass(frozen=True)
class Problem:
    """A function with known minimum.

    Attributes:
        title: what figures call it.
        function: of a point (D,), to be minimised.
        bounds: pairs of least and greatest coordinate.
        minimum: the least value in the bounds.
    """

    title: str
    function: Callable[[Point], Value]
    bounds: tuple[tuple[float, float], ...]
    minimum: float


def branin(x: Point) -> Value:
    """Branin's function on [-5, 10] x [0, 15]; three global minima of .397887.

    Args:
        x: the point, (2,).

    Returns:
        The value.
    """
    valley = x[1] - 5.1 / (4 * jnp.pi**2) * x[0] ** 2 + 5 / jnp.pi * x[0] - 6
    return valley**2 + 10 * (1 - 1 / (8 * jnp.pi)) * jnp.cos(x[0]) + 10


def outside_disk(x: Point) -> Value:
    """The constraint on Branin: at most 0 in a disk that holds one of its three minima.

    Args:
        x: the point, (2,).

    Returns:
        The squared distance from (2.5, 7.5) less 50.
    """
    return (x[0] - 2.5) ** 2 + (x[1] - 7.5) ** 2 - 50


def augmented_branin(x: Point, fidelity: Float[Array, ""]) -> Value:
    """Branin's function with a bend that is off by up to .1 at lower fidelities.

    Args:
        x: the point, (2,).
        fidelity: from 0 to 1, where it is Branin's.

    Returns:
        The value (Wu, Toscano-Palmerin, Frazier and Wilson 2019, arXiv 1903.04703).
    """
    bend = 5.1 / (4 * jnp.pi**2) - 0.1 * (1 - fidelity)
    valley = x[1] - bend * x[0] ** 2 + 5 / jnp.pi * x[0] - 6
    return valley**2 + 10 * (1 - 1 / (8 * jnp.pi)) * jnp.cos(x[0]) + 10


_HARTMANN_WEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
_HARTMANN_SCALES = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
_HARTMANN_CENTRES = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann6(x: Point) -> Value:
    """Hartmann's function on the unit cube of six dimensions, with minimum -3.32237.

    Args:
        x: the point, (6,).

    Returns:
        The value.
    """
    distances = jnp.sum(_HARTMANN_SCALES * (x - _HARTMANN_CENTRES) ** 2, 1)
    return -jnp.sum(_HARTMANN_WEIGHTS * jnp.exp(-distances))


def ackley(x: Point) -> Value:
    """Ackley's function: many shallow minima around one deep one, 0 at the origin.

    Args:
        x: the point, (D,).

    Returns:
        The value.
    """
    # The square root has no derivative at the origin.
    radius = jnp.sqrt(jnp.mean(x**2) + 1e-20)
    waves = jnp.exp(jnp.mean(jnp.cos(2 * jnp.pi * x)))
    return -20 * jnp.exp(-0.2 * radius) - waves + 20 + jnp.e


_BRANIN_BOUNDS = ((-5.0, 10.0), (0.0, 15.0))


def ackley_problem(dimensions: int) -> Problem:
    """Ackley's function on a box that its minimum is not the middle of.

    Args:
        dimensions: of the box.

    Returns:
        The problem.
    """
    bounds = ((-5.0, 10.0),) * dimensions
    return Problem(f"Ackley, {dimensions} dimensions", ackley, bounds, 0.0)


BRANIN = Problem("Branin", branin, _BRANIN_BOUNDS, 0.39788735772973816)
HARTMANN6 = Problem("Hartmann, 6 dimensions", hartmann6, ((0.0, 1.0),) * 6, -3.3223680114155)

"""Maximisation of a cheap function over a box: many starts at once, of static shape.

An acquisition function is smooth, cheap and has many local maxima, most of them flat. So it is
evaluated at an even set of points and around points known to be good, and the best of these climb
side by side by quasi-Newton steps within it (Frazier 2018, section 4).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Key

from infojax import checks
from infojax.optimize.quasi_newton import minimize_bfgs
from infojax.optimize.sobol import sobol_points

_PERTURBED = 4  # candidates around each incumbent
_SPREAD = 0.1  # how far from it at most, as a share of the box
_LONGEST = 0.1  # step of a coordinate, as a share of the box: other hills are others' business


def box(bounds: ArrayLike) -> Float[Array, "D 2"]:
    r"""Takes an argument `bounds` as a box.

    Args:
        bounds: a pair of least and greatest coordinate for each dimension, (D, 2).

    Returns:
        The bounds as an array of at least float32.

    Raises:
        TypeError: they are not real numbers.
        ValueError: another shape, a NaN or an infinity, or a lower bound not below its upper one.

    Example:
        >>> box([(-5.0, 10.0), (0.0, 15.0)]).shape
        (2, 2)
    """
    array = checks.real_array("bounds", bounds)
    array = array.astype(jnp.promote_types(array.dtype, jnp.float32))
    if array.ndim != 2 or array.shape[1] != 2 or not array.shape[0]:
        raise ValueError(
            f"bounds must have shape (D, 2), a (lower, upper) pair a dimension; "
            f"got shape {array.shape}."
        )
    checks.check_real("bounds", array, jnp.isfinite(array), "finite")

    def message() -> str:
        if not checks.is_concrete(array):
            return "bounds must have each lower bound below its upper bound."
        low, high = np.asarray(array).T
        first = int(np.argmax(~(low < high)))
        return (
            f"bounds must have each lower bound below its upper bound; "
            f"got {low[first]:g}, {high[first]:g} in dimension {first}."
        )

    checks.check(array[:, 0] < array[:, 1], message)
    return array


def _around(incumbents: Float[Array, "I D"], offsets: Float[Array, "J D"]) -> Float[Array, "L D"]:
    """The incumbents and, in turn, points near them, in the unit cube; offsets are in [0, 1)."""
    near = jnp.resize(incumbents, offsets.shape) + _SPREAD * (2 * offsets - 1)
    return jnp.concatenate([incumbents, jnp.clip(near, 0, 1)])


def _climb(
    value: Callable[[Array], Array], points: Float[Array, "S D"], steps: int
) -> tuple[Float[Array, "S D"], Float[Array, " S"]]:
    """Quasi-Newton steps from every start, and how high they came."""
    ends, depths = jax.vmap(
        lambda start: minimize_bfgs(
            lambda x: -value(x * _LONGEST),
            start / _LONGEST,
            steps=steps,
            low=0.0,
            high=1 / _LONGEST,
        )
    )(points)
    return jnp.clip(ends * _LONGEST, 0, 1), -depths


def maximize_acquisition(
    key: Key[Array, ""],
    acquisition: Callable[[Float[Array, " D"]], Float[Array, ""]],
    bounds: ArrayLike,
    *,
    raw: int = 1024,
    starts: int = 8,
    steps: int = 30,
    incumbents: ArrayLike | None = None,
) -> tuple[Float[Array, " D"], Float[Array, ""]]:
    r"""Finds $\arg\max_{x \in A} \alpha(x)$ over a box A, up to what local search can do.

    `raw` scrambled Sobol points, the incumbents and four points around each of these are
    evaluated; the best `starts` of them climb by BFGS, no coordinate by more than a tenth of the
    box at once and none out of it; the highest is returned. All shapes are static: it compiles
    once and runs under jit and vmap.

    Args:
        key: a random key.
        acquisition: the function, of one point (D,) to a number (), differentiable by JAX. A NaN
            counts as the least value.
        bounds: pairs of least and greatest coordinate, (D, 2).
        raw: how many points are evaluated at first.
        starts: how many of them climb.
        steps: how many evaluations each climbs with.
        incumbents: points that are known to be good, (I, D), inside the bounds.

    Returns:
        The point, (D,), and its value, ().

    Raises:
        TypeError: `bounds` or `incumbents` are no real arrays.
        ValueError: bounds that are not finite or not ordered, incumbents of another dimension or
            outside the bounds, or a count that is not a positive whole number.

    Reference:
        Frazier, "A Tutorial on Bayesian Optimization", 2018, arXiv 1807.02811, section 4; the
        choice of starts: Balandat et al. 2020, arXiv 1910.06403, appendix F.

    Example:
        >>> import jax
        >>> far = lambda x: -((x[0] - 1.0) ** 2) - (x[1] + 2.0) ** 2
        >>> point, value = maximize_acquisition(jax.random.key(0), far, [(-5.0, 5.0), (-1.0, 5.0)])
        >>> abs(float(point[0]) - 1.0) < 1e-3, float(point[1])
        (True, -1.0)
    """
    limits = box(bounds)
    for name, number in (("raw", raw), ("starts", starts), ("steps", steps)):
        checks.positive_integer(name, number)
    low, width = limits[:, 0], limits[:, 1] - limits[:, 0]
    dimensions = limits.shape[0]
    candidates = sobol_points(key, raw, dimensions).astype(limits.dtype)
    if incumbents is not None:
        known = checks.real_array("incumbents", incumbents).astype(limits.dtype)
        if known.ndim != 2 or known.shape[1] != dimensions:
            raise ValueError(f"incumbents must have shape (I, {dimensions}); got {known.shape}.")
        scaled = (known - low) / width
        inside = (scaled >= -1e-5) & (scaled <= 1 + 1e-5)
        checks.check_real("incumbents", known, inside, "inside the bounds")
        near = _around(jnp.clip(scaled, 0, 1), candidates[: _PERTURBED * len(scaled)])
        candidates = jnp.concatenate([candidates, near])

    def value(unit: Float[Array, " D"]) -> Float[Array, ""]:
        found = acquisition(low + width * unit)
        return jnp.where(jnp.isnan(found), -jnp.inf, found).astype(limits.dtype)

    _, best = jax.lax.top_k(jax.vmap(value)(candidates), min(starts, len(candidates)))
    ends, heights = _climb(value, candidates[best], steps)
    highest = jnp.argmax(heights)
    return low + width * ends[highest], heights[highest]

"""The static part of a search in one program, and how it evaluates the user's functions."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from infojax import checks
from infojax.optimize.gaussian_process.parameters import Kernel, checked_kernel
from infojax.optimize.proposals import Effort, checked_effort
from infojax.optimize.search_rules import BLIND, Rule, rule_entry
from infojax.optimize.search_settings import SAME


class Plan(NamedTuple):
    """What is static of a search; see `bayesian_optimization`.

    Attributes:
        objective: the function.
        constraints: the constraints, or None.
        maximize: whether great values are good.
        evaluations: how many in all.
        initial: how many of them before the first model.
        batch_size: how many at once after that.
        acquisition: the rule.
        noisy: whether values are noisy.
        drop_failed: whether failed evaluations may occur.
        kernel: the kernel.
        effort: how hard a step tries.
    """

    objective: Callable[[PRNGKeyArray, jax.Array], jax.Array]
    constraints: Callable[[PRNGKeyArray, jax.Array], jax.Array] | None
    maximize: bool
    evaluations: int
    initial: int
    batch_size: int
    acquisition: str | Rule
    noisy: bool
    drop_failed: bool
    kernel: Any
    effort: Effort


def checked_plan(
    dimensions: int,
    objective,
    *,
    maximize: bool,
    evaluations: int,
    initial: int | None,
    batch_size: int,
    acquisition: str | Rule,
    constraints,
    noisy: bool,
    drop_failed: bool,
    kernel: str | Kernel,
    effort: Effort,
) -> Plan:
    """Checks everything that is static of a search.

    Args:
        dimensions: of the box.
        objective: see `bayesian_optimization`, as all that follows.
        maximize: see there.
        evaluations: see there.
        initial: see there.
        batch_size: see there.
        acquisition: see there.
        constraints: see there.
        noisy: see there.
        drop_failed: see there.
        kernel: see there.
        effort: how hard a step tries.

    Returns:
        The plan.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: a number or a name that cannot be, or numbers that do not fit.
    """
    for name, function in (("objective", objective), ("constraints", constraints)):
        if not callable(function) and (name == "objective" or function is not None):
            raise TypeError(f"{name} must be a function; got {type(function).__name__}.")
    if not isinstance(maximize, bool | np.bool_):
        raise TypeError(f"maximize must be True or False; got {maximize!r}.")
    evaluations = checks.positive_integer("evaluations", evaluations)
    batch_size = checks.positive_integer("batch_size", batch_size)
    if initial is None:
        wanted = min(2 * (dimensions + 1), evaluations)
        initial = wanted + (evaluations - wanted) % batch_size
    initial = checks.positive_integer("initial", initial)
    if initial > evaluations or (evaluations - initial) % batch_size:
        raise ValueError(
            f"evaluations must be initial plus a multiple of batch_size; got evaluations "
            f"{evaluations}, initial {initial}, batch_size {batch_size}."
        )
    checked_kernel(kernel)
    if acquisition not in BLIND:
        rule_entry(acquisition)
    if acquisition == "constrained_expected_improvement" and constraints is None:
        raise ValueError(
            'acquisition "constrained_expected_improvement" needs constraints; got none.'
        )
    return Plan(
        objective,
        constraints,
        bool(maximize),
        evaluations,
        initial,
        batch_size,
        acquisition,
        bool(noisy),
        bool(drop_failed),
        kernel,
        checked_effort(effort),
    )


def checked_initial_points(
    points: ArrayLike, initial: int | None, limits: Float[Array, "D 2"]
) -> tuple[Float[Array, "I D"], Bool[Array, ""]]:
    """Takes an argument `initial_points`.

    Args:
        points: what came, (I, D) in the user's coordinates.
        initial: how many evaluations are to be made before the first model, None for I.
        limits: the bounds, (D, 2).

    Returns:
        The points in the unit cube, and whether all are valid.

    Raises:
        TypeError: they are not real.
        ValueError: a wrong shape, another number than `initial`, or, where concrete, a point that
            is not finite or outside.
    """
    array = checks.real_array("initial_points", points)
    if array.ndim != 2 or array.shape[1] != len(limits) or not len(array):
        raise ValueError(
            f"initial_points must have shape (I, {len(limits)}), a point a row; "
            f"got shape {array.shape}."
        )
    if initial is not None and initial != len(array):
        raise ValueError(
            f"initial must be the number of initial_points, {len(array)}, or None; got {initial!r}."
        )
    array = array.astype(limits.dtype)
    finite = checks.check_real("initial_points", array, jnp.isfinite(array), "finite")
    low, width = limits[:, 0], limits[:, 1] - limits[:, 0]
    unit = (array - low) / width
    inside = (unit >= -SAME) & (unit <= 1 + SAME)
    checks.check_real("initial_points", array, inside, "inside the bounds")
    return jnp.clip(unit, 0, 1), jnp.all(finite & inside)


class Bench(NamedTuple):
    """Evaluates the user's functions at points of the unit cube.

    Attributes:
        plan: with the functions.
        limits: the bounds.
    """

    plan: Plan
    limits: Float[Array, "D 2"]

    def place(self, unit: jax.Array) -> jax.Array:
        """Points in the user's coordinates; rounding does not leave the box."""
        low, high = self.limits[:, 0], self.limits[:, 1]
        return jnp.clip(low + (high - low) * unit, low, high)

    def evaluate(self, key: jax.Array, unit: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Values to be maximised (Q,) and constraints (Q, K) of points (Q, D)."""
        plan, dtype = self.plan, self.limits.dtype

        def one(key, point):
            key_value = key_limits = key
            if plan.constraints is not None:
                key_value, key_limits = jax.random.split(key)
            value = jnp.asarray(plan.objective(key_value, point))
            if value.shape:
                raise ValueError(f"objective must return one number; got shape {value.shape}.")
            if plan.constraints is None:
                return value.astype(dtype), jnp.zeros(0, dtype)
            limits = jnp.asarray(plan.constraints(key_limits, point))
            if limits.ndim > 1:
                raise ValueError(f"constraints must return (K,); got shape {limits.shape}.")
            return value.astype(dtype), jnp.atleast_1d(limits).astype(dtype)

        keys = key[None] if len(unit) == 1 else jax.random.split(key, len(unit))
        values, limits = jax.vmap(one)(keys, self.place(unit))
        return values if plan.maximize else -values, limits

"""Bayesian optimisation of a function that JAX can trace: the whole search is one program.

Frazier, "A Tutorial on Bayesian Optimization", 2018, arXiv 1807.02811, algorithm 1. For functions
in Python see `ask_tell`.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Key

from infojax import checks
from infojax.numerics import gated
from infojax.optimize import acquisition as acquisition_functions
from infojax.optimize import gaussian_process
from infojax.optimize.box_search import box, maximize_acquisition
from infojax.optimize.gaussian_process.parameters import Kernel
from infojax.optimize.proposals import Effort, best_mean, propose
from infojax.optimize.search_model import (
    Evaluations,
    SearchModel,
    best_points,
    empty,
    fit_model,
    write,
)
from infojax.optimize.search_plan import Bench, Plan, checked_initial_points, checked_plan
from infojax.optimize.search_rules import BLIND, Rule, limits_at, rule_entry
from infojax.optimize.search_trace import SearchTrace
from infojax.optimize.sobol import sobol_points

AXIS = "replicate"
_SURE = 0.95  # that a recommended point is feasible, where values are noisy


def _best_so_far(data: Evaluations) -> Float[Array, "N D"]:
    """The best feasible point after each evaluation; before the first one the best of the others.

    Infeasible ones count as far below all feasible ones, failed ones as lowest of all.
    """
    observed = jnp.where(data.observed, data.values, 0)
    span = jnp.max(observed) - jnp.min(observed) + 1
    heights = jnp.where(data.feasible(), data.values, data.values - span)
    heights = jnp.where(data.observed, heights, -jnp.inf)
    top = jax.lax.cummax(heights)
    # The row where the running maximum last rose.
    rose = heights > jnp.concatenate([jnp.array([-jnp.inf], top.dtype), top[:-1]])
    return data.points[jax.lax.cummax(jnp.where(rose, jnp.arange(len(rose)), 0))]


def _recommend(key: jax.Array, model: SearchModel, effort: Effort) -> Float[Array, " D"]:
    """The place with the best posterior mean that is likely feasible."""

    def height(point):
        mean, _ = gaussian_process.marginals(model.gp, point[None])
        if model.constraints is None:
            return mean[0]
        limits = limits_at(model.constraints, point)
        short = acquisition_functions.log_probability_of_feasibility(*limits) - np.log(_SURE)
        return mean[0] + 10 * jnp.minimum(short, 0)

    dimensions = model.gp.inputs.shape[1]
    cube = jnp.tile(jnp.array([0.0, 1.0], model.gp.inputs.dtype), (dimensions, 1))
    top, _ = maximize_acquisition(
        key,
        height,
        cube,
        raw=effort.raw,
        starts=effort.starts,
        steps=effort.steps,
        incumbents=best_points(model.evaluations, 5),
    )
    return top


def _blind_search(
    key: jax.Array, bench: Bench, first: jax.Array | None
) -> tuple[Evaluations, jax.Array, jax.Array]:
    """All points at once, by a rule that looks at nothing."""
    plan, shape = bench.plan, (bench.plan.evaluations, bench.limits.shape[0])
    dtype = bench.limits.dtype
    key_points, key_values = jax.random.split(key)
    if plan.acquisition == "sobol":
        unit = sobol_points(key_points, *shape).astype(dtype)
    else:
        unit = jax.random.uniform(key_points, shape, dtype)
    if first is not None:
        unit = jnp.concatenate([first, unit[: len(unit) - len(first)]])
    values, limits = bench.evaluate(key_values, unit)
    data = write(empty(*shape, limits.shape[1], dtype), 0, unit, values, limits)
    incumbents = _best_so_far(data)
    return data, incumbents, incumbents[-1]


def _model_search(
    key: jax.Array, bench: Bench, first: jax.Array | None
) -> tuple[Evaluations, jax.Array, jax.Array]:
    """Fit, maximise, evaluate, append; every step is the same compiled code."""
    plan, dimensions, dtype = bench.plan, bench.limits.shape[0], bench.limits.dtype
    entry, capacity = rule_entry(plan.acquisition), plan.evaluations
    key_first, key_values, key_steps, key_last = jax.random.split(key, 4)
    unit = first
    if unit is None:
        unit = sobol_points(key_first, plan.initial, dimensions).astype(dtype)
    values, limits = bench.evaluate(key_values, unit)
    data = write(empty(capacity, dimensions, limits.shape[1], dtype), 0, unit, values, limits)

    def step(data, item):
        index, keys = item
        unit, model = propose(
            keys[0],
            data,
            entry=entry,
            batch_size=plan.batch_size,
            kernel=plan.kernel,
            noisy=plan.noisy,
            believes=plan.drop_failed,
            effort=plan.effort,
        )
        values, limits = bench.evaluate(keys[1], unit)
        row = plan.initial + index * plan.batch_size
        incumbent = model.evaluations.points[best_mean(model)[0]] if plan.noisy else None
        return write(data, row, unit, values, limits), incumbent

    rounds = (capacity - plan.initial) // plan.batch_size
    items = jnp.arange(rounds), jax.random.split(key_steps, (rounds, 2))
    data, by_mean = jax.lax.scan(step, data, items)
    incumbents = _best_so_far(data)
    if not plan.noisy:
        return data, incumbents, incumbents[-1]
    key_fit, key_box = jax.random.split(key_last)
    model = fit_model(
        key_fit,
        data,
        kernel=plan.kernel,
        noisy=True,
        believes=plan.drop_failed,
        starts=plan.effort.fit_starts,
        steps=plan.effort.fit_steps,
    )
    by_mean = jnp.concatenate([jnp.asarray(by_mean), data.points[best_mean(model)[0]][None]])
    # A model is fitted once a batch; before the first one the best value is all there is.
    count = np.arange(1, capacity + 1)
    rows = np.maximum(count - plan.initial, 0) // plan.batch_size
    incumbents = jnp.where((count < plan.initial)[:, None], incumbents, by_mean[rows])
    return data, incumbents, _recommend(key_box, model, plan.effort)


def traced_search(
    key: jax.Array, limits: jax.Array, first: jax.Array | None, plan: Plan
) -> SearchTrace:
    """A search in the program that calls it.

    Args:
        key: a random key.
        limits: the bounds, (D, 2).
        first: points of the unit cube that are evaluated first, as many as the plan says; Sobol
            points if None.
        plan: of `checked_plan`.

    Returns:
        The search.
    """
    bench = Bench(plan, limits)
    blind = isinstance(plan.acquisition, str) and plan.acquisition in BLIND
    data, incumbents, recommended = (_blind_search if blind else _model_search)(key, bench, first)
    values = data.values if plan.maximize else -data.values
    return SearchTrace(
        points=bench.place(data.points),
        values=jnp.where(data.observed, values, jnp.nan),
        constraint_values=data.constraints,
        incumbents=bench.place(incumbents),
        recommended=bench.place(recommended),
        maximize=plan.maximize,
    )


@functools.partial(jax.jit, static_argnames="plan")
def _one(key, limits, first, plan) -> SearchTrace:
    return traced_search(key, limits, first, plan)


@functools.partial(jax.jit, static_argnames=("plan", "mesh"))
def _many(keys, limits, first, plan, mesh: Mesh | None) -> SearchTrace:
    run = jax.vmap(functools.partial(traced_search, plan=plan), (0, None, None))
    if mesh is not None:
        spread, same = PartitionSpec(AXIS), PartitionSpec()
        run = jax.shard_map(
            run, mesh=mesh, in_specs=(spread, same, same), out_specs=spread, check_vma=False
        )
    return run(keys, limits, first)


def _demand_values(trace: SearchTrace, drop_failed: bool) -> None:
    """Tells of evaluations that failed, unless they may be dropped, and of none that succeeded."""
    finite = jnp.isfinite(trace.values)
    if drop_failed:
        some = jnp.any(finite, -1)
        checks.check(some, "objective must return a finite value somewhere; got none.")
        return

    def message() -> str:
        hint = "set drop_failed=True to go on without them"
        if not checks.is_concrete(trace.values):
            return f"objective and constraints must return finite values ({hint})."
        wrong = np.argwhere(~np.asarray(finite))
        point = np.asarray(trace.points)[tuple(wrong[0])]
        return (
            f"objective and constraints must return finite values; {len(wrong)} of {finite.size} "
            f"evaluations did not, the first at {np.array2string(point, precision=6)} ({hint})."
        )

    checks.check(finite, message)


def bayesian_optimization(
    key: Key[Array, ""] | Key[Array, " R"],
    objective: Callable[[Array, Float[Array, " D"]], Array],
    bounds: ArrayLike,
    *,
    maximize: bool,
    evaluations: int,
    initial: int | None = None,
    initial_points: ArrayLike | None = None,
    batch_size: int = 1,
    acquisition: str | Rule = "log_expected_improvement",
    constraints: Callable[[Array, Float[Array, " D"]], Array] | None = None,
    noisy: bool = False,
    drop_failed: bool = False,
    kernel: str | Kernel = "matern52",
    raw: int = 1024,
    starts: int = 8,
    steps: int = 30,
    fit_starts: int = 2,
    fit_steps: int = 40,
    mesh: Mesh | None = None,
) -> SearchTrace:
    r"""Searches a box for the optimum of an expensive function, as one compiled program.

    After `initial` scrambled Sobol points, or points of your own, each round fits a Gaussian
    process to all values (inputs on the unit cube, values standardised), takes the point
    $\arg\max_x \alpha(x)$ of the acquisition function and evaluates it. All arrays have room for
    all evaluations, so that every round is the same code; a vector of keys runs replicates side by
    side.

    Args:
        key: a random key, or one for each of R replicates.
        objective: of a random key and a point (D,) to a number; JAX must be able to trace it. The
            program is compiled anew for each function object: pass the same one again.
        bounds: pairs of least and greatest coordinate, (D, 2).
        maximize: whether great values of the objective are good, or small ones. There is no
            default, and it is said nowhere else.
        evaluations: how many in all.
        initial: how many before the first model; 2 (D + 1) by default, and what is left over by
            batches.
        initial_points: points to evaluate first in place of the Sobol points, (I, D) inside the
            bounds; `initial` is then I, and may be left out. They may be traced, and are the same
            for all replicates; what is evaluated is equal to them up to rounding.
        batch_size: how many points a round chooses, Q.
        acquisition: a name, or a rule: a function of a random key and a `SearchModel` that returns
            a function of a point of the unit cube, to be maximised. Names: expected_improvement,
            log_expected_improvement, probability_of_improvement, upper_confidence_bound (beta 2),
            knowledge_gradient, noisy_expected_improvement, max_value_entropy_search,
            predictive_entropy_search, thompson_sampling, constrained_expected_improvement,
            q_expected_improvement (the whole batch at once; the others choose a batch one by one,
            believing their posterior mean); random and sobol, which use no model.
        constraints: of a random key and a point to (K,) numbers, at most 0 where feasible; each
            is modelled as well.
        noisy: whether values are noisy: then the noise is estimated, and the incumbent is judged
            by its posterior mean.
        drop_failed: whether to go on where a value is not finite. Such a point is then taken to
            be as its neighbours say, so that it is not chosen again.
        kernel: of the Gaussian process, see `gaussian_process.condition`.
        raw: points at which the acquisition is evaluated.
        starts: how many of them climb.
        steps: how many steps they climb.
        fit_starts: starts of each fit of the hyper-parameters.
        fit_steps: steps of the fit.
        mesh: devices with an axis "replicate", over which the replicates are spread.

    Returns:
        The search; with a vector of keys a leading axis R in every array.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: bounds that are not finite or not ordered, numbers that do not fit, an unknown
            acquisition or kernel, a value that is not finite, initial points of another shape or
            outside the bounds (in traced code told under `checkify.checkify`; everything is NaN
            where unchecked).

    Reference:
        Frazier, "A Tutorial on Bayesian Optimization", 2018, arXiv 1807.02811, algorithm 1.

    Example:
        >>> import jax
        >>> from infojax import optimize
        >>> bowl = lambda key, x: (x[0] - 0.3) ** 2
        >>> found = optimize.bayesian_optimization(
        ...     jax.random.key(0), bowl, [(-1.0, 1.0)], maximize=False, evaluations=8
        ... )
        >>> bool(abs(found.recommended[0] - 0.3) < 0.01)
        True
    """
    limits = box(bounds)
    first, valid = None, None
    if initial_points is not None:
        first, valid = checked_initial_points(initial_points, initial, limits)
        initial = len(first)
    plan = checked_plan(
        limits.shape[0],
        objective,
        maximize=maximize,
        evaluations=evaluations,
        initial=initial,
        batch_size=batch_size,
        acquisition=acquisition,
        constraints=constraints,
        noisy=noisy,
        drop_failed=drop_failed,
        kernel=kernel,
        effort=Effort(raw, starts, steps, fit_starts, fit_steps),
    )
    keys = jnp.asarray(key)
    if not jnp.issubdtype(keys.dtype, jax.dtypes.prng_key) or keys.ndim > 1:
        raise TypeError("key must be a key of jax.random.key, or a vector of them.")
    if mesh is not None:
        _check_mesh(mesh, keys)
    if keys.ndim:
        trace = _many(keys, limits, first, plan, mesh)
    else:
        # Within a larger program a rule may depend on what is traced there.
        alone = checks.is_concrete(keys, *([] if first is None else [first]))
        trace = (_one if alone else traced_search)(keys, limits, first, plan)
    if valid is not None:
        trace = jax.tree.map(lambda leaf: gated(leaf, valid), trace)
    _demand_values(trace, drop_failed)
    return trace


def _check_mesh(mesh: Any, keys: jax.Array) -> None:
    if not isinstance(mesh, Mesh) or AXIS not in mesh.axis_names:
        raise ValueError(f'mesh must be a Mesh with an axis "{AXIS}"; got {mesh!r}.')
    if not keys.ndim or keys.shape[0] % mesh.shape[AXIS]:
        raise ValueError(
            f"key must hold a multiple of {mesh.shape[AXIS]} keys, one a replicate, to be spread "
            f"over mesh; got shape {keys.shape}."
        )

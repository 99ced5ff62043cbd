"""What a search knows: its evaluations on the unit cube, and Gaussian processes of them.

All arrays have a fixed number of rows, so that one more evaluation is a matter of values.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from infojax.optimize import gaussian_process
from infojax.optimize.gaussian_process import GaussianProcess
from infojax.optimize.gaussian_process.parameters import Kernel

_NO_NOISE = 1e-6  # of the variance of the values: keeps factors healthy, changes no decision


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("points", "values", "constraints", "observed", "pending"),
    meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class Evaluations:
    """The evaluations of a search, C rows of which some count.

    Attributes:
        points: in the unit cube, (C, D).
        values: to be maximised, (C,).
        constraints: at most 0 where a point is feasible, (C, K); K may be 0.
        observed: the rows with a value, (C,).
        pending: rows whose value is not there: asked for and not told, or failed, (C,).
    """

    points: Float[Array, "C D"]
    values: Float[Array, " C"]
    constraints: Float[Array, "C K"]
    observed: Bool[Array, " C"]
    pending: Bool[Array, " C"]

    def feasible(self) -> Bool[Array, " C"]:
        """The observed rows that meet all constraints."""
        return self.observed & jnp.all(self.constraints <= 0, -1)


def empty(capacity: int, dimensions: int, limits: int, dtype) -> Evaluations:
    """Evaluations of which none has been made.

    Args:
        capacity: how many there will be at most, C.
        dimensions: D.
        limits: how many constraints, K.
        dtype: the floating type.

    Returns:
        Arrays of zeros.
    """
    return Evaluations(
        points=jnp.zeros((capacity, dimensions), dtype),
        values=jnp.zeros(capacity, dtype),
        constraints=jnp.zeros((capacity, limits), dtype),
        observed=jnp.zeros(capacity, bool),
        pending=jnp.zeros(capacity, bool),
    )


def write(data: Evaluations, first, unit, values, limits) -> Evaluations:
    """The evaluations with new rows; one that is not finite has failed.

    Args:
        data: the evaluations.
        first: the row of the first new one.
        unit: the points, in the unit cube, (Q, D).
        values: to be maximised, (Q,).
        limits: the constraints, (Q, K).

    Returns:
        The evaluations.
    """

    def put(rows, new):
        return jax.lax.dynamic_update_slice_in_dim(rows, new.astype(rows.dtype), first, 0)

    good = jnp.isfinite(values) & jnp.all(jnp.isfinite(limits), -1)
    return Evaluations(
        points=put(data.points, unit),
        values=put(data.values, values),
        constraints=put(data.constraints, limits),
        observed=put(data.observed, good),
        pending=put(data.pending, ~good),
    )


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("gp", "constraints", "best", "evaluations"),
    meta_fields=("noisy",),
)
@dataclasses.dataclass(frozen=True)
class SearchModel:
    """What an acquisition rule may look at; values are standardised.

    Attributes:
        gp: posterior of the objective, on the unit cube. Points that are pending count as if they
            had come out at their posterior mean.
        constraints: posteriors of the constraints, a leading axis K in every leaf; None if there
            are none.
        best: the greatest observed value that is feasible; -inf if there is none.
        evaluations: what was observed, in units of the objective.
        noisy: whether the noise was estimated, rather than taken for none.
    """

    gp: GaussianProcess
    constraints: GaussianProcess | None
    best: Float[Array, ""]
    evaluations: Evaluations
    noisy: bool = False


def _standardised(data: Evaluations) -> tuple[Float[Array, "O C"], Float[Array, ""]]:
    """Objective and constraints by row with spread 1, and the best feasible objective.

    Constraints are scaled but not shifted: what is feasible stays at most 0.
    """
    where, count = data.observed, jnp.sum(data.observed)
    values = jnp.where(where, data.values, 0)
    mean = jnp.sum(values) / count
    centred = jnp.where(where, values - mean, 0)

    def unit(rows):
        spread = jnp.sqrt(jnp.sum(rows**2, -1, keepdims=True) / count)
        return rows / jnp.where(spread > 0, spread, 1)

    objective = unit(centred)
    limits = jnp.where(where, data.constraints.T, 0)
    best = jnp.max(jnp.where(data.feasible(), objective, -jnp.inf))
    return jnp.concatenate([objective[None], unit(limits)]), best


def fit_model(
    key: PRNGKeyArray,
    data: Evaluations,
    *,
    kernel: str | Kernel,
    noisy: bool,
    believes: bool,
    starts: int,
    steps: int,
) -> SearchModel:
    """Fits a Gaussian process to the objective and to each constraint.

    Args:
        key: a random key.
        data: the evaluations, of which one at least is observed.
        kernel: the kernel.
        noisy: whether the noise is estimated, rather than none.
        believes: whether pending points count, at their posterior mean.
        starts: how many starts the fit has.
        steps: how many steps each start takes.

    Returns:
        The model.
    """
    rows, best = _standardised(data)
    noise = None if noisy else _NO_NOISE

    def one(key, values):
        fitted = gaussian_process.fit(
            key,
            data.points,
            values,
            where=data.observed,
            kernel=kernel,
            noise_variance=noise,
            starts=starts,
            steps=steps,
        )
        if not believes:
            return fitted
        believed, _ = gaussian_process.marginals(fitted, data.points)
        return gaussian_process.condition(
            data.points,
            jnp.where(data.pending, believed, values),
            fitted.parameters,
            where=data.observed | data.pending,
            kernel=fitted.kernel,
        )

    # Programs are smaller where no key is split in vain.
    keys = key[None] if len(rows) == 1 else jax.random.split(key, len(rows))
    gps = jax.vmap(one)(keys, rows)
    constraints = jax.tree.map(lambda leaf: leaf[1:], gps) if len(rows) > 1 else None
    objective = jax.tree.map(lambda leaf: leaf[0], gps)
    return SearchModel(objective, constraints, best, data, noisy)


def believe(model: SearchModel, point: Float[Array, " D"]) -> SearchModel:
    """The model as if a point had been evaluated and had come out at its posterior mean.

    Args:
        model: the model, with a free row.
        point: the point, in the unit cube.

    Returns:
        The model with that point (the Kriging believer of Ginsbourger et al. 2010).
    """

    def with_mean(gp: GaussianProcess) -> GaussianProcess:
        mean, _ = gaussian_process.marginals(gp, point[None])
        return gaussian_process.fantasize(gp, point, mean[0])

    constraints = None if model.constraints is None else jax.vmap(with_mean)(model.constraints)
    return dataclasses.replace(model, gp=with_mean(model.gp), constraints=constraints)


def best_points(data: Evaluations, count: int) -> Float[Array, "I D"]:
    """The observed points of greatest value, feasible ones first; the best again if too few.

    Args:
        data: the evaluations.
        count: how many.

    Returns:
        The points.
    """
    lowest = jnp.min(jnp.where(data.observed, data.values, jnp.inf))
    span = jnp.max(jnp.where(data.observed, data.values, -jnp.inf)) - lowest
    # Infeasible ones come after all feasible ones.
    heights = data.values - jnp.where(data.feasible(), 0, span + 1)
    heights = jnp.where(data.observed, heights, -jnp.inf)
    count = min(count, len(heights))
    values, rows = jax.lax.top_k(heights, count)
    return data.points[jnp.where(values > -jnp.inf, rows, rows[0])]

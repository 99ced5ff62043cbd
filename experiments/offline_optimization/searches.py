"""Searches on trained surrogates, for all seeds in one program."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from experiments import runner
from experiments.offline_optimization.names import (
    BAYESIAN_OPTIMIZATION,
    CBAS,
    CMA_ES,
    ENSEMBLE_MINIMUM,
    REINFORCE,
)
from experiments.offline_optimization.training import Plan
from infojax import optimize
from infojax.optimize import OfflineTask


@functools.cache
def _structure(hidden: tuple[int, ...], features: int, slope: float) -> nnx.GraphDef:
    def make():
        return optimize.GaussianSurrogate(features, hidden=hidden, slope=slope, rngs=nnx.Rngs(0))

    return nnx.graphdef(nnx.eval_shape(make))


def _path(plan: Plan, score: Callable, task: OfflineTask) -> jax.Array:
    """Gradient ascent with records: (records, N, F), the starts first."""
    lower, upper = task.bounds()
    start = task.best(plan.proposals)

    def climb(points, _):
        reached = optimize.gradient_ascent(
            score,
            points,
            steps=plan.record_every,
            learning_rate=plan.step_size * points.shape[1] ** 0.5,
            lower=lower,
            upper=upper,
        ).points
        return reached, reached

    _, path = jax.lax.scan(climb, start, length=plan.steps // plan.record_every)
    return jnp.concatenate([start[None], path])


def _finite(bounds: dict[str, jax.Array], task: OfflineTask) -> dict[str, jax.Array]:
    """The range of the data where there are no bounds; 1 for a feature that is constant."""
    x = task.normalize(task.x)
    low, high = bounds["lower"], bounds["upper"]
    low = jnp.where(jnp.isfinite(low), low, jnp.min(x, 0))
    high = jnp.where(jnp.isfinite(high), high, jnp.max(x, 0))
    return {"lower": low, "upper": jnp.where(high > low, high, low + 1)}


def _propose(plan: Plan, optimizer: str, score: Callable, predict: Callable, task, key):
    """The designs that a search looks at last, (records, N, F)."""
    lower, upper = task.bounds()
    start, bounds = task.best(plan.proposals), {"lower": lower, "upper": upper}
    if optimizer == REINFORCE and task.vocabulary is not None:
        found = optimize.reinforce_categorical(
            key,
            lambda design: score(task.normalize(design)),
            task.x[jnp.argsort(-task.y)[: plan.proposals]],
            task.vocabulary,
            proposals=plan.proposals,
            steps=plan.steps,
        )
        return task.normalize(found.points)[None]
    if optimizer == REINFORCE:
        return optimize.reinforce(
            key, score, start, proposals=plan.proposals, steps=plan.steps, **bounds
        ).points[None]
    if optimizer == CMA_ES:
        sizes = {"generations": plan.generations, "population": plan.population}
        return optimize.cma_es(key, score, start, **sizes, **bounds).points[None]
    if optimizer == BAYESIAN_OPTIMIZATION:
        return optimize.surrogate_bayesian_optimization(
            key,
            score,
            task.best(plan.observed),
            proposals=plan.proposals,
            evaluations=plan.evaluations,
            batch_size=plan.at_once,
            **_finite(bounds, task),
        ).points[None]
    if optimizer == CBAS:
        x, y = task.normalize(task.x), task.normalize_y(task.y)
        return optimize.conditioning_by_adaptive_sampling(
            key, predict, x, y, proposals=plan.proposals, rounds=plan.rounds, **bounds
        ).points[None]
    return _path(plan, score, task)


@functools.partial(runner.quick_jit, static_argnames=("optimizer", "plan"))
def search(parameters: Any, tasks: OfflineTask, keys, optimizer: str, plan: Plan):
    """Searches on the surrogates of all seeds.

    Args:
        parameters: of `training.train`, axes (seeds, members).
        tasks: of `training.stack`.
        keys: (seeds,).
        optimizer: one of `names.OPTIMIZERS`.
        plan: sizes.

    Returns:
        `path`, standardised designs (S, records, N, F), the last record the proposals;
        `predicted`, values in the task's units (S, records, N); `sharpness` at the proposals with
        a radius of 1 (S,), averaged over members.
    """

    def one(parameters, task, key):
        structure = _structure(plan.hidden, task.x_mean.shape[0], plan.slope)
        reduction = "minimum" if optimizer == ENSEMBLE_MINIMUM else "mean"

        def predict(x):
            return jax.vmap(lambda member: nnx.merge(structure, member)(x))(parameters)

        def score(x):
            return optimize.ensemble_prediction(predict(x)[0], reduction)

        def first(x):
            return jax.tree.map(lambda leaf: leaf[0], predict(x))

        path = _propose(plan, optimizer, score, first, task, key)

        def sharpness_of(member):
            def mean(member, x):
                return nnx.merge(structure, member)(x)[0]

            return optimize.surrogate_sharpness(mean, member, path[-1], 1.0)

        return {
            "path": path,
            "predicted": task.denormalize_y(score(path)),
            "sharpness": jnp.mean(jax.vmap(sharpness_of)(parameters)),
        }

    return jax.vmap(one)(parameters, tasks, keys)

"""Runs the replicates of one search, and reads regrets off them."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from experiments import runner
from experiments.bayesian_optimization import problems
from infojax import optimize

EFFORT = ("raw", "starts", "steps", "fit_starts", "fit_steps")
TITLES = {
    "random": "random",
    "sobol": "Sobol",
    "probability_of_improvement": "probability of improvement",
    "upper_confidence_bound": "upper confidence bound",
    "thompson_sampling": "Thompson sampling",
    "expected_improvement": "expected improvement",
    "log_expected_improvement": "log expected improvement",
    "noisy_expected_improvement": "noisy expected improvement",
    "knowledge_gradient": "knowledge gradient",
    "max_value_entropy_search": "max-value entropy search",
    "q_expected_improvement": "expected improvement of 4",
    "constrained_expected_improvement": "constrained expected improvement",
}


def replicate_keys(run: runner.Run) -> jax.Array:
    """The keys of the replicates, the same for every search: they begin at the same points.

    Args:
        run: the run.

    Returns:
        A vector of keys.
    """
    return jax.random.split(run.key("replicates"), run.config.replicates)


def effort(run: runner.Run) -> dict[str, int]:
    """How hard each step tries.

    Args:
        run: the run.

    Returns:
        Keyword arguments of `optimize.bayesian_optimization`.
    """
    return {name: run.config[name] for name in EFFORT}


@functools.cache
def _keyed(function: Callable[[jax.Array], jax.Array]) -> Callable:
    """The function with a key that it does not need; the same object each time."""
    return lambda key, point: function(point)


@functools.cache
def with_noise(function: Callable[[jax.Array], jax.Array], deviation: float) -> Callable:
    """A function of a key and a point: values with normal noise.

    Args:
        function: without noise.
        deviation: standard deviation of the noise.

    Returns:
        The noisy function, the same object each time.
    """
    return lambda key, point: function(point) + deviation * jax.random.normal(key, (), point.dtype)


def _mesh(run: runner.Run) -> Mesh | None:
    devices = run.mesh.devices
    return Mesh(devices.reshape(-1), ("replicate",)) if devices.size > 1 else None


def search(
    run: runner.Run,
    problem: problems.Problem,
    settings: Any,
    acquisition: str,
    *,
    deviation: float = 0.0,
    constraints: Callable | None = None,
) -> dict[str, np.ndarray]:
    """Runs all replicates of one acquisition on one problem.

    Args:
        run: the run.
        problem: the function.
        settings: with `evaluations` and `batch`.
        acquisition: the rule's name.
        deviation: of the noise.
        constraints: of a point, at most 0 where feasible.

    Returns:
        `points` (R, N, D), `values` (R, N) as observed, `true` (R, N) without noise,
        `incumbents` (R, N) the true value at the incumbent after each evaluation, `recommended`
        (R,) the true value at the point that is recommended, `constraint_values` (R, N, K).
    """
    objective = with_noise(problem.function, deviation) if deviation else _keyed(problem.function)
    keys, where = runner.pad_to_multiple(replicate_keys(run), run.mesh.size)
    trace = optimize.bayesian_optimization(
        keys,
        objective,
        problem.bounds,
        maximize=False,
        evaluations=settings.evaluations,
        batch_size=settings.batch,
        acquisition=acquisition,
        constraints=None if constraints is None else _keyed(constraints),
        noisy=deviation > 0,
        mesh=_mesh(run),
        **effort(run),
    )
    truth = jax.vmap(jax.vmap(problem.function))
    found = {
        "points": trace.points,
        "values": trace.values,
        "true": truth(trace.points),
        "incumbents": truth(trace.incumbents),
        "recommended": jax.vmap(problem.function)(trace.recommended),
        "constraint_values": trace.constraint_values,
    }
    count = int(jnp.sum(where))
    return {name: array[:count] for name, array in found.items()}


def regrets(found: dict[str, np.ndarray], problem: problems.Problem) -> np.ndarray:
    """How far the best feasible value so far is above the minimum.

    Args:
        found: from `search`.
        problem: the problem.

    Returns:
        Simple regret after each evaluation, (R, N); inf before the first feasible point.
    """
    good = np.all(found["constraint_values"] <= 0, -1)
    values = np.where(good, found["true"], np.inf)
    return np.minimum.accumulate(values, 1) - problem.minimum


def check_names(config: Any) -> None:
    """Demands known acquisitions.

    Args:
        config: the run's configuration.

    Raises:
        UserError: one is unknown.
    """
    for arm in ("branin", "hartmann6", "ackley", "noisy", "batch", "constrained", "svm"):
        for name in config[arm].acquisitions:
            if name not in TITLES:
                raise runner.UserError(
                    f"config.{arm}.acquisitions must name acquisitions out of "
                    f"{', '.join(TITLES)}; got {name}"
                )

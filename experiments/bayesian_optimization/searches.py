"""Runs the replicates of one search, and reads regrets off them."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from experiments import runner
from experiments.bayesian_optimization import problems
from infojax import optimize
from infojax.optimize.search_rules import RULES

EFFORT = ("raw", "starts", "steps", "fit_starts", "fit_steps")
_OF_MARGINALS = (
    "probability_of_improvement",
    "upper_confidence_bound",
    "expected_improvement",
    "log_expected_improvement",
)
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
    "predictive_entropy_search": "predictive entropy search",
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
def keyed(function: Callable[[jax.Array], jax.Array]) -> Callable:
    """A function of a key, which it does not need, and a point.

    Args:
        function: of a point.

    Returns:
        The function, the same object each time.
    """
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


def _one_of(names: tuple[str, ...], which: jax.Array) -> Any:
    """A rule that is one of several, which one being an array: one program holds them all."""

    def build(key, model):
        functions = [RULES[name].build(key, model) for name in names]
        return lambda point: jax.lax.switch(which, functions, point)

    return build if len(names) > 1 else names[0]


class Arm(NamedTuple):
    """A problem, and how it is observed; its entry of the configuration says by what.

    Attributes:
        name: of its entry, with `acquisitions`, `evaluations` and `batch`.
        problem: the function.
        deviation: of the noise.
        constraints: of a point, at most 0 where feasible.
    """

    name: str
    problem: problems.Problem
    deviation: float = 0.0
    constraints: Callable | None = None


def _groups(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Rules that share a program: those that prepare nothing, which the others would wait for."""
    shared = tuple(name for name in names if name in _OF_MARGINALS)
    alone = [(name,) for name in names if name not in shared]
    return [*alone, *([shared] if shared else [])]


def stages(run: runner.Run, arm: Arm) -> dict[str, Callable[[], Any]]:
    """The searches of an arm: a function without arguments for each program.

    Args:
        run: the run.
        arm: the arm.

    Returns:
        By the stage's name, functions that return by acquisition what `search` says.
    """
    return {
        f"{arm.name}_{names[0]}": functools.partial(search, run, arm, names)
        for names in _groups(run.config[arm.name].acquisitions)
    }


def results(run: runner.Run, arm: Arm, found: Mapping[str, Any]) -> dict[str, Any]:
    """What the searches of an arm found.

    Args:
        run: the run.
        arm: the arm.
        found: by the stage's name, what the functions of `stages` returned.

    Returns:
        By acquisition, in the configuration's order, what `search` says.
    """
    by_name = {}
    for names in _groups(run.config[arm.name].acquisitions):
        by_name |= found[f"{arm.name}_{names[0]}"]
    return {name: by_name[name] for name in run.config[arm.name].acquisitions}


def search(run: runner.Run, arm: Arm, names: tuple[str, ...]) -> dict[str, dict[str, np.ndarray]]:
    """Runs all replicates of some acquisitions as one program.

    The acquisitions come one after the other, so that a step evaluates the one that it needs; to
    compile a program for each would take longer than they run.

    Args:
        run: the run.
        arm: the arm.
        names: the rules.

    Returns:
        By acquisition: `points` (R, N, D), `values` (R, N) as observed, `true` (R, N) without
        noise, `incumbents` (R, N) the true value at the incumbent after each evaluation,
        `recommended` (R,) the true value at the point that is recommended, `constraint_values`
        (R, N, K).
    """
    settings, problem, noisy = run.config[arm.name], arm.problem, arm.deviation > 0
    objective = with_noise(problem.function, arm.deviation) if noisy else keyed(problem.function)

    def by(key, which):
        trace = optimize.bayesian_optimization(
            key,
            objective,
            problem.bounds,
            maximize=False,
            evaluations=settings.evaluations,
            batch_size=settings.batch,
            acquisition=_one_of(names, which),
            constraints=None if arm.constraints is None else keyed(arm.constraints),
            noisy=noisy,
            **effort(run),
        )
        truth = jax.vmap(problem.function)
        return {
            "points": trace.points,
            "values": trace.values,
            "true": truth(trace.points),
            "incumbents": truth(trace.incumbents),
            "recommended": problem.function(trace.recommended),
            "constraint_values": trace.constraint_values,
        }

    def one(key):
        return jax.lax.map(functools.partial(by, key), jnp.arange(len(names)))

    found = run_replicates(run, one, (replicate_keys(run),))
    return {
        name: {key: array[:, place] for key, array in found.items()}
        for place, name in enumerate(names)
    }


def run_replicates(run: runner.Run, one: Callable, arguments: Any) -> dict[str, jax.Array]:
    """Runs a function of a key for all replicates, spread over the devices.

    Args:
        run: the run.
        one: of the arguments of one replicate to a dict of arrays.
        arguments: arrays or keys with a leading axis of the replicates.

    Returns:
        Arrays with that axis.
    """
    padded, where = runner.pad_to_multiple(arguments, run.mesh.size)
    many = jax.vmap(one)
    if run.mesh.size > 1:
        mesh = Mesh(run.mesh.devices.reshape(-1), ("replicate",))
        along = PartitionSpec("replicate")
        many = jax.shard_map(
            many, mesh=mesh, in_specs=(along,) * len(padded), out_specs=along, check_vma=False
        )
        padded = jax.device_put(padded, NamedSharding(mesh, along))
    program = jax.jit(many).lower(*padded).compile(compiler_options=runner.quick_options())
    with run.exclusive:
        found = jax.block_until_ready(program(*padded))
    count = int(jnp.sum(where))
    return {name: array[:count] for name, array in runner.gather_to_host(found).items()}


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

"""Training of surrogates for all seeds in one program; what is trained never sees the oracle."""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from experiments import runner
from experiments.offline_optimization.names import CONSERVATIVE, ENSEMBLES
from infojax import optimize
from infojax.optimize import OfflineTask, SurrogateFit


class Plan(NamedTuple):
    """What is static in training and search; hashable, so that equal plans compile once.

    Attributes:
        hidden: widths of the network's layers.
        epochs: of training.
        batch: size of a minibatch.
        learning_rate: of Adam.
        loss: "gaussian", "squared_error" or "conservative".
        exact: whether IGNITE's gradient is exact.
        held_out: how many designs are held out at most, to tell the error on them.
        members: of an ensemble.
        proposals: of a search.
        steps: of a search.
        step_size: of gradient ascent, times the root of the number of features.
        record_every: steps between records of the ascent.
        generations: of CMA-ES.
        population: of CMA-ES.
        observed: designs of the data that Bayesian optimisation knows.
        evaluations: of the surrogate by Bayesian optimisation.
        at_once: how many of them it chooses at once.
        rounds: of CbAS.
        slope: of the network's leaky ReLU.
    """

    hidden: tuple[int, ...]
    epochs: int
    batch: int
    learning_rate: float
    loss: str
    exact: bool
    held_out: int
    members: int
    proposals: int
    steps: int
    step_size: float
    record_every: int
    generations: int
    population: int
    observed: int
    evaluations: int
    at_once: int
    rounds: int
    slope: float


def plan_of(config, optimizer: str) -> Plan:
    """Reads a plan from the configuration.

    Args:
        config: of the run.
        optimizer: that the surrogate is for.

    Returns:
        The plan.

    Raises:
        UserError: the records do not divide the steps.
    """
    surrogate, search = config.surrogate, config.search
    conservative = optimizer == CONSERVATIVE
    climb = config.conservative if conservative else search
    if climb.steps % search.record_every:
        raise runner.UserError(
            f"{climb.steps} steps of a search are no multiple of "
            f"config.search.record_every={search.record_every}"
        )
    return Plan(
        hidden=tuple(surrogate.hidden),
        epochs=surrogate.epochs,
        batch=surrogate.batch,
        learning_rate=surrogate.learning_rate,
        loss="conservative" if conservative else surrogate.loss,
        exact=config.exact,
        held_out=surrogate.held_out,
        members=search.ensemble if optimizer in ENSEMBLES else 1,
        proposals=search.proposals,
        steps=climb.steps,
        step_size=climb.step_size,
        record_every=search.record_every,
        generations=search.generations,
        population=search.population,
        observed=search.observed,
        evaluations=search.evaluations,
        at_once=search.at_once,
        rounds=search.rounds,
        slope=0.0 if conservative else surrogate.slope,
    )


def check_evaluations(config) -> None:
    """Checks the sizes of Bayesian optimisation, before anything is trained.

    Args:
        config: of the run.

    Raises:
        UserError: they do not fit.
    """
    search = config.search
    if search.evaluations % search.at_once:
        raise runner.UserError(
            f"config.search.evaluations={search.evaluations} is no multiple of "
            f"config.search.at_once={search.at_once}"
        )
    if search.proposals > search.observed + search.evaluations:
        raise runner.UserError(
            f"config.search.proposals={search.proposals} is more than observed and evaluations, "
            f"{search.observed} + {search.evaluations}"
        )


def hidden(oracle: Any) -> Any:
    """Stands where an oracle would: what learns offline may not ask it.

    Args:
        oracle: anything.

    Raises:
        AssertionError: always.
    """
    raise AssertionError("an offline method asked the oracle")


def stack(tasks: list[OfflineTask]) -> OfflineTask:
    """Tasks of one black box as one, with an axis of seeds in front and no oracle.

    Args:
        tasks: a task for each seed.

    Returns:
        What the methods may see.
    """
    # The same function for all black boxes: programs are compiled once for a shape.
    tasks = [dataclasses.replace(task, oracle=hidden) for task in tasks]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *tasks)


def _fit(plan: Plan, x, y, key, numbers) -> SurrogateFit:
    multiplier, rate, threshold, rho = numbers
    regularize = functools.partial(
        optimize.ignite,
        multiplier=multiplier,
        multiplier_rate=rate,
        threshold=threshold,
        rho=rho,
        r=rho,
        exact=plan.exact,
    )
    sizes = {
        "hidden": plan.hidden,
        "slope": plan.slope,
        "epochs": plan.epochs,
        # Of few data small batches: at least eight steps a pass.
        "batch_size": max(min(plan.batch, len(y) // 8), 1),
    }
    if plan.loss == "conservative":
        return optimize.fit_conservative(
            x,
            y,
            key=key,
            particle_steps=plan.steps,
            particle_rate=plan.step_size * x.shape[1] ** 0.5,
            regularize=regularize,
            **sizes,
        ).surrogate
    return optimize.fit_surrogate(
        x,
        y,
        key=key,
        learning_rate=plan.learning_rate,
        loss=plan.loss,  # type: ignore[arg-type]
        regularize=regularize,
        **sizes,
    )


def _train_one(plan: Plan, task: OfflineTask, keys, numbers):
    """The members of one seed."""
    x, y = task.normalize(task.x), task.normalize_y(task.y)
    aside = min(plan.held_out, len(y) // 10)
    order = jax.random.permutation(keys[0], len(y))
    held_out, kept = order[:aside], order[aside:]

    def member(key):
        fit = _fit(plan, x[kept], y[kept], jax.random.fold_in(key, 1), numbers)
        return fit.parameters, {
            "training_error": jnp.mean(jnp.square(fit.mean(x[kept]) - y[kept])),
            "held_out_error": jnp.mean(jnp.square(fit.mean(x[held_out]) - y[held_out])),
            "training_sharpness": fit.sharpness_at(x[kept], 1.0),
            "multiplier": fit.multipliers,
            "loss": fit.losses,
        }

    parameters, found = jax.vmap(member)(keys)
    return parameters, jax.tree.map(lambda leaf: jnp.mean(leaf, 0), found)


@functools.partial(runner.quick_jit, static_argnames="plan")
def train(tasks: OfflineTask, keys, numbers, plan: Plan) -> tuple[Any, dict[str, jax.Array]]:
    """Trains for all seeds.

    Args:
        tasks: of `stack`.
        keys: (seeds, members).
        numbers: multiplier, rate, threshold and rho of IGNITE.
        plan: sizes.

    Returns:
        Parameters with axes (seeds, members), and numbers of each seed, averaged over members.
    """
    return jax.vmap(lambda task, keys: _train_one(plan, task, keys, numbers))(tasks, keys)

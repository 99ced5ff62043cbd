"""Branin where each evaluation gives the gradient as well: fewer of them are needed."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments import runner
from experiments.bayesian_optimization import ledger, problems, searches
from infojax.optimize import acquisition, covariance, gaussian_process, maximize_acquisition
from infojax.optimize.sobol import sobol_points

_KERNEL = covariance.Derivatives("matern52")
_STAGE = "gradients"
_NOISE = 1e-6  # of the variance of the values, as in the searches without gradients


def _rows(unit: jax.Array, gradient: bool) -> jax.Array:
    """Inputs of one point's value, and of its partial derivatives, (1 + D, D + 1)."""
    kinds = jnp.arange(1 + unit.size * gradient, dtype=unit.dtype)
    return jnp.concatenate([jnp.tile(unit, (len(kinds), 1)), kinds[:, None]], 1)


def _search(run: runner.Run, key: jax.Array) -> dict[str, jax.Array]:
    """One replicate: by log expected improvement, from the points that the others begin with."""
    problem, config = problems.BRANIN, run.config
    low, high = jnp.asarray(problem.bounds).T
    dimensions, total = len(problem.bounds), config.gradients.evaluations
    initial = min(2 * (dimensions + 1), total)
    cube = jnp.tile(jnp.array([0.0, 1.0]), (dimensions, 1))

    def evaluate(unit):
        # Of the unit cube's coordinates, and to be maximised.
        value, slope = jax.value_and_grad(
            lambda unit: -problem.function(low + (high - low) * unit)
        )(unit)
        return jnp.concatenate([value[None], slope])

    def step(index, carry):
        units, values = carry
        where = jnp.arange(total) < index
        heights = jnp.where(where, values[:, 0], 0)
        mean = jnp.sum(heights) / index
        spread = jnp.sqrt(jnp.sum(jnp.where(where, (heights - mean) ** 2, 0)) / index)
        scaled = (values - jnp.eye(1, 1 + dimensions) * mean) / spread
        fit_key, box_key = jax.random.split(jax.random.fold_in(key, index))
        gp = gaussian_process.fit(
            fit_key,
            jax.vmap(lambda unit: _rows(unit, True))(units).reshape(-1, dimensions + 1),
            scaled.ravel(),
            where=jnp.repeat(where, 1 + dimensions),
            kernel=_KERNEL,
            noise_variance=_NOISE,
            starts=config.fit_starts,
            steps=config.fit_steps,
        )
        best = jnp.argmax(jnp.where(where, scaled[:, 0], -jnp.inf))

        def gain(unit):
            mean, std = gaussian_process.marginals(gp, _rows(unit, False))
            return acquisition.log_expected_improvement(mean[0], std[0], scaled[best, 0])

        unit, _ = maximize_acquisition(
            box_key,
            gain,
            cube,
            raw=config.raw,
            starts=config.starts,
            steps=config.steps,
            incumbents=units[best][None],
        )
        return units.at[index].set(unit), values.at[index].set(evaluate(unit))

    # The key of the first points is that of `bayesian_optimization`.
    first = sobol_points(jax.random.split(key, 4)[0], initial, dimensions)
    units = jnp.zeros((total, dimensions)).at[:initial].set(first)
    values = jnp.zeros((total, 1 + dimensions)).at[:initial].set(jax.vmap(evaluate)(first))
    units, values = jax.lax.fori_loop(initial, total, step, (units, values))
    return {"points": low + (high - low) * units, "true": -values[:, 0]}


def stages(run: runner.Run) -> dict[str, Callable[[], Any]]:
    """The searches with gradients, none if the configuration has none.

    Args:
        run: the run.

    Returns:
        By the stage's name, a function without arguments.
    """
    if not run.config.gradients.evaluations:
        return {}
    search, keys = functools.partial(_search, run), (searches.replicate_keys(run),)
    return {_STAGE: functools.partial(searches.run_replicates, run, search, keys)}


def measure(
    results: Mapping[str, Any], panels: list, regrets: dict[str, dict[str, np.ndarray]], seed: int
) -> list[runner.Claim]:
    """Compares with the searches without.

    Args:
        results: of the stages.
        panels: of the figure; one is added.
        regrets: by problem and acquisition, those of the plain searches.
        seed: of the bootstrap.

    Returns:
        The claim, if both were run.
    """
    if _STAGE not in results:
        return []
    found, plain = results[_STAGE], regrets.get("branin", {})
    mine = np.minimum.accumulate(found["true"], 1) - problems.BRANIN.minimum
    count = np.arange(1, mine.shape[1] + 1)
    curves = {"with gradients": (count, mine)}
    claims, other = [], plain.get("log_expected_improvement")
    if other is not None:
        curves["without"] = (np.arange(1, other.shape[1] + 1), other)
        claims.append(
            ledger.saving_claim(
                "gradients_save_evaluations",
                "Branin: evaluations until the regret is .05, median, with gradients over without "
                "(log expected improvement)",
                ledger.spent_until(mine, count),
                ledger.spent_until(other, np.arange(1, other.shape[1] + 1)),
                "<= 0.7",
                seed,
            )
        )
    panels.append(("Branin with gradients", "evaluations", curves))
    return claims

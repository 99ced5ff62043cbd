"""Branin at two fidelities: the knowledge gradient of the dear one per cost, against doing without.

Expected improvement has no meaning at a fidelity that is not the target: it is the comparison, at
the target alone.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments import runner
from experiments.bayesian_optimization import ledger, problems, searches
from infojax.optimize import covariance, gaussian_process, maximize_acquisition
from infojax.optimize.search_rules import change_of_maximum
from infojax.optimize.sobol import sobol_points

_STAGE = "fidelity"
_NOISE = 1e-6
_CHEAP, _DEAR = 8, 3  # points to begin with
_TARGETS, _NEAR = 64, 16  # among which the maximum is expected


def _with(points: jax.Array, fidelity) -> jax.Array:
    """Points with a column of fidelities, (M, D + 1)."""
    column = jnp.broadcast_to(jnp.asarray(fidelity, points.dtype), points.shape[:1])
    return jnp.concatenate([points, column[:, None]], 1)


class _Search:
    """One replicate."""

    def __init__(self, run: runner.Run):
        self.config, self.settings = run.config, run.config.fidelity
        self.low, self.high = jnp.asarray(problems.BRANIN.bounds).T
        self.costs = jnp.array([self.settings.cheap_cost, 1.0])
        self.cube = jnp.tile(jnp.array([0.0, 1.0]), (2, 1))

    def evaluate(self, unit: jax.Array, fidelity: jax.Array) -> jax.Array:
        """To be maximised."""
        return -problems.augmented_branin(self.low + (self.high - self.low) * unit, fidelity)

    def highest(self, key: jax.Array, function, raw: int, incumbents) -> tuple:
        config = self.config
        return maximize_acquisition(
            key,
            function,
            self.cube,
            raw=raw,
            starts=config.starts,
            steps=config.steps,
            incumbents=incumbents,
        )

    def fitted(self, key: jax.Array, inputs, values, where):
        count = jnp.sum(where)
        mean = jnp.sum(jnp.where(where, values, 0)) / count
        centred = jnp.where(where, values - mean, 0)
        return gaussian_process.fit(
            key,
            inputs,
            centred / jnp.sqrt(jnp.sum(centred**2) / count),
            where=where,
            kernel=covariance.LinearTruncated(jnp.full(2, 0.5)),
            noise_variance=_NOISE,
            starts=self.config.fit_starts,
            steps=self.config.fit_steps,
        )

    def best_mean(self, key: jax.Array, gp, inputs, where) -> jax.Array:
        """The point with the best posterior mean at the target."""
        at_target = jnp.where(where[:, None], _with(inputs[:, :2], 1.0), _with(inputs[:1, :2], 1.0))
        means, _ = gaussian_process.marginals(gp, at_target)
        top = inputs[jax.lax.top_k(means, 3)[1], :2]

        def mean(unit):
            return gaussian_process.marginals(gp, _with(unit[None], 1.0))[0][0]

        return self.highest(key, mean, 256, top)[0]

    def step(self, key: jax.Array, carry, index):
        inputs, values, spent = carry
        where = jnp.arange(len(values)) < index
        fit_key, mean_key, set_key, near_key, box_key = jax.random.split(
            jax.random.fold_in(key, index), 5
        )
        gp = self.fitted(fit_key, inputs, values, where)
        top = self.best_mean(mean_key, gp, inputs, where)
        near = top + 0.03 * jax.random.normal(near_key, (_NEAR, 2))
        targets = jnp.concatenate(
            [sobol_points(set_key, _TARGETS, 2), jnp.clip(near, 0, 1), top[None]]
        )
        gain = change_of_maximum(gp, _with(targets, 1.0), evaluated=False)

        def at(fidelity, cost):
            return self.highest(
                box_key,
                lambda unit: gain(jnp.append(unit, fidelity)) / cost,
                self.config.raw,
                top[None],
            )

        fidelities = jnp.array([0.0, 1.0])
        units, heights = jax.vmap(at)(fidelities, self.costs)
        which = jnp.argmax(heights)
        row = jnp.append(units[which], fidelities[which])
        value = self.evaluate(units[which], fidelities[which])
        now = {"regret": -self.evaluate(top, jnp.ones(())) - problems.BRANIN.minimum}
        now["spent"] = spent
        return (
            inputs.at[index].set(row),
            values.at[index].set(value),
            spent + self.costs[which],
        ), now

    def __call__(self, key: jax.Array) -> dict[str, jax.Array]:
        total, begin = self.settings.evaluations, _CHEAP + _DEAR
        set_key, loop_key = jax.random.split(key)
        first = sobol_points(set_key, _CHEAP, 2)
        first = jnp.concatenate([_with(first, 0.0), _with(first[:_DEAR], 1.0)])
        inputs = jnp.zeros((total, 3)).at[:begin].set(first)
        values = jax.vmap(self.evaluate)(first[:, :2], first[:, 2])
        values = jnp.zeros(total).at[:begin].set(values)
        spent = _CHEAP * self.costs[0] + _DEAR * self.costs[1]
        (inputs, values, _), history = jax.lax.scan(
            lambda carry, index: self.step(loop_key, carry, index),
            (inputs, values, spent),
            jnp.arange(begin, total),
        )
        return history | {"inputs": inputs}


def stages(run: runner.Run) -> dict[str, Callable[[], Any]]:
    """The searches at both fidelities, none if the configuration has none.

    Args:
        run: the run.

    Returns:
        By the stage's name, a function without arguments.
    """
    if not run.config.fidelity.evaluations:
        return {}
    search, keys = _Search(run), (searches.replicate_keys(run),)
    return {_STAGE: functools.partial(searches.run_replicates, run, search, keys)}


def measure(
    results: Mapping[str, Any], panels: list, regrets: dict[str, dict[str, np.ndarray]], seed: int
) -> list[runner.Claim]:
    """Compares with expected improvement at the target.

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
    found = results[_STAGE]
    claims, curves = [], {}
    grid = np.linspace(found["spent"].min(), np.median(found["spent"][:, -1]), 60)
    rows = [np.searchsorted(spent, grid, "right") - 1 for spent in found["spent"]]
    steps = np.stack(
        [regret[np.maximum(row, 0)] for regret, row in zip(found["regret"], rows, strict=True)]
    )
    curves["knowledge gradient per cost, two fidelities"] = (grid, steps)
    plain = regrets.get("branin", {}).get("expected_improvement")
    if plain is not None:
        cost = np.arange(1.0, plain.shape[1] + 1)
        curves["expected improvement at the target"] = (cost, plain)
        claims.append(
            ledger.saving_claim(
                "fidelity_saves_cost",
                "Branin at two fidelities: cost until the regret is .05, median, of the knowledge "
                "gradient per cost over expected improvement at the target alone",
                ledger.spent_until(found["regret"], found["spent"]),
                ledger.spent_until(plain, cost),
                "<= 0.6",
                seed,
            )
        )
    panels.append(("Branin at two fidelities", "cost", curves))
    return claims

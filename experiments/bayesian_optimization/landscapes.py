"""Maps of the model and of acquisition functions over the plane, in the middle of a search."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments import runner
from experiments.bayesian_optimization import problems, searches
from infojax.optimize import gaussian_process, maximize_acquisition
from infojax.optimize.search_model import SearchModel, empty, fit_model, write
from infojax.optimize.search_rules import RULES

_SHOWN = (
    "log_expected_improvement",
    "upper_confidence_bound",
    "knowledge_gradient",
    "max_value_entropy_search",
)
_GRID = 50
_DEPTH = 12.0  # of a logarithm's map: it falls to -1000 around points that are known


@functools.partial(jax.jit, static_argnames=("fit_starts", "fit_steps", "starts", "steps", "raw"))
def _maps(key, unit, values, grid, *, fit_starts, fit_steps, raw, starts, steps) -> dict[str, Any]:
    data = empty(len(values), 2, 0, unit.dtype)
    data = write(data, 0, unit, -values, jnp.zeros((len(values), 0), unit.dtype))
    model: SearchModel = fit_model(
        key,
        data,
        kernel="matern52",
        noisy=False,
        believes=False,
        starts=fit_starts,
        steps=fit_steps,
    )
    mean, std = gaussian_process.marginals(model.gp, grid)
    maps = {"posterior mean": -(mean * jnp.std(values)) + jnp.mean(values)}
    maps["posterior deviation"] = std * jnp.std(values)
    cube = jnp.tile(jnp.array([0.0, 1.0], unit.dtype), (2, 1))
    for number, name in enumerate(_SHOWN):
        rule = RULES[name].build(jax.random.fold_in(key, number), model)
        title = searches.TITLES[name]
        height = jax.vmap(rule)(grid)
        deep = jnp.max(height) - _DEPTH if name.startswith("log_") else -jnp.inf
        maps[title] = jnp.maximum(height, deep)
        point, _ = maximize_acquisition(key, rule, cube, raw=raw, starts=starts, steps=steps)
        maps[f"next:{title}"] = point
    return maps


def branin_maps(run: runner.Run, points: np.ndarray, values: np.ndarray) -> dict[str, np.ndarray]:
    """Maps over Branin's plane given some of its values.

    Args:
        run: the run.
        points: what was evaluated, (N, 2).
        values: theirs, (N,).

    Returns:
        By title, maps (G, G) with rows along the second coordinate; as `next:TITLE` the point (2,)
        at which an acquisition is greatest.
    """
    low, high = np.asarray(problems.BRANIN.bounds).T
    axis = (np.arange(_GRID) + 0.5) / _GRID
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    dtype = jnp.zeros(()).dtype
    found = _maps(
        run.key("landscapes"),
        jnp.asarray((points - low) / (high - low), dtype),
        jnp.asarray(values, dtype),
        jnp.asarray(grid, dtype),
        **searches.effort(run),
    )
    truth = jax.vmap(problems.branin)(jnp.asarray(low + (high - low) * grid))
    maps = {"Branin": np.asarray(truth).reshape(_GRID, _GRID)}
    for name, values in found.items():
        array = np.asarray(values)
        chosen = name.startswith("next:")
        maps[name] = low + (high - low) * array if chosen else array.reshape(_GRID, _GRID)
    return maps

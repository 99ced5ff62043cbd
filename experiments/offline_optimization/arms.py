"""The arms: surrogates of every method and seed, trained side by side, and searches on them."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments import runner
from experiments.offline_optimization import searches, training
from experiments.offline_optimization.names import GRADIENT_ASCENT
from infojax.optimize import OfflineTask


class Method(NamedTuple):
    """How a surrogate is trained.

    Attributes:
        name: of the arm.
        multiplier: lambda at the start; 0 for the plain loss.
        rate: of the dual variable; 0 for a constant lambda.
        threshold: of the sharpness.
        rho: the sharpness's radius, and the length of the finite difference.
    """

    name: str
    multiplier: float
    rate: float
    threshold: float
    rho: float


BASE, IGNITE = "base", "ignite"


def ignite2(multiplier: float) -> str:
    """The name of a constant multiplier's arm.

    Args:
        multiplier: lambda.

    Returns:
        Such as "ignite2_0.3".
    """
    return f"ignite2_{multiplier:g}"


def methods(config) -> list[Method]:
    """All arms: the plain loss, constant multipliers, and the dual variable.

    Args:
        config: of the run.

    Returns:
        The methods.
    """
    constant, dual = config.ignite2, config.ignite
    weights = [0.0, *constant.multipliers]
    return [
        *(
            Method(ignite2(weight) if weight else BASE, weight, 0.0, 0.0, constant.rho)
            for weight in weights
        ),
        Method(IGNITE, dual.multiplier, dual.multiplier_rate, dual.threshold, dual.rho),
    ]


def of_task(
    run: runner.Run,
    name: str,
    tasks: list[OfflineTask],
    method: Method,
    optimizers: tuple[str, ...] = (GRADIENT_ASCENT,),
) -> dict[str, Any]:
    """Trains a surrogate, or an ensemble, for each seed by one method, and searches on it.

    Args:
        run: the run.
        name: of the task.
        tasks: one for each seed.
        method: of training.
        optimizers: searches, all on the same surrogates.

    Returns:
        Arrays with an axis of seeds in front: `training_error`, `held_out_error`,
        `training_sharpness`, `multiplier` and `loss` (epochs); and for each optimiser a dict of
        `values` (S, records, N), true values along the search, the last those of the proposals,
        `predicted` of the same shape, `scores` (S, 3), the normalised percentile scores, and
        `sharpness` at the proposals. Sharpness is that of rho = config.ignite2.rho.
    """
    label = f"{name}_{method.name}".replace(".", "p")
    if optimizers != (GRADIENT_ASCENT,):
        label = "_".join([label, *optimizers])
    return run.stage(label, lambda: _work(run, name, tasks, method, optimizers))


def _work(run, name, tasks, method, optimizers) -> dict[str, Any]:
    plan = training.plan_of(run.config, optimizers[0])
    keys = jax.random.split(run.key(f"surrogates of {name}"), (len(tasks), plan.members))
    search_keys = jax.random.split(run.key(f"searches of {name}"), len(tasks))
    seen, _ = runner.pad_to_multiple((training.stack(tasks), keys, search_keys), run.mesh.size)
    if run.mesh.size > 1:
        seen = runner.shard_leading(seen, run.mesh)
    numbers = jnp.asarray(method[1:], jnp.float32)
    parameters, found = training.train(*seen[:2], numbers, plan)
    result = _first(found, len(tasks))
    for optimizer in optimizers:
        search = searches.search(parameters, seen[0], seen[2], optimizer, plan)
        result[optimizer] = _judge(tasks, _first(search, len(tasks)), run.config.ignite2.rho)
    result["training_sharpness"] = run.config.ignite2.rho * result["training_sharpness"]
    return result


def _first(tree: dict[str, jax.Array], count: int) -> dict[str, Any]:
    """The seeds that are no padding, on the host."""
    return jax.tree.map(lambda leaf: leaf[:count], runner.gather_to_host(tree))


def _judge(tasks: list[OfflineTask], found: dict[str, Any], rho: float) -> dict[str, Any]:
    path = found.pop("path")
    values = np.stack([along_path(task, row) for task, row in zip(tasks, path, strict=True)])
    scores = [np.stack(task.scores(row[-1])) for task, row in zip(tasks, values, strict=True)]
    return {
        "values": values,
        "predicted": found["predicted"],
        "scores": np.stack(scores),
        "sharpness": rho * found["sharpness"],
    }


def along_path(task: OfflineTask, path: np.ndarray) -> np.ndarray:
    """True values along an ascent.

    Args:
        task: with its oracle.
        path: standardised designs (records, N, F).

    Returns:
        (records, N).
    """
    flat = jnp.asarray(path).reshape(-1, path.shape[-1])
    return np.asarray(task.evaluate(flat)).reshape(path.shape[:2])

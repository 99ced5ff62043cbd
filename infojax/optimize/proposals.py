"""The step that both ways of searching share: evaluations in, the next points out."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from infojax import checks
from infojax.optimize import gaussian_process
from infojax.optimize.box_search import maximize_acquisition
from infojax.optimize.gaussian_process.parameters import Kernel
from infojax.optimize.search_model import (
    Evaluations,
    SearchModel,
    believe,
    best_points,
    fit_model,
)
from infojax.optimize.search_rules import Entry

_INCUMBENTS = 5


class Effort(NamedTuple):
    """How hard a step tries; hashable, a static part of the compiled program.

    Attributes:
        raw: points at which the acquisition is evaluated.
        starts: how many of them climb.
        steps: how many steps they climb.
        fit_starts: starts of the fit of the hyper-parameters.
        fit_steps: its steps.
    """

    raw: int = 1024
    starts: int = 8
    steps: int = 30
    fit_starts: int = 2
    fit_steps: int = 40


def checked_effort(effort: Effort) -> Effort:
    """Demands positive whole numbers.

    Args:
        effort: what came.

    Returns:
        The same.

    Raises:
        TypeError: a number is not whole.
        ValueError: a number is not positive.
    """
    return Effort(
        **{name: checks.positive_integer(name, value) for name, value in effort._asdict().items()}
    )


def _highest(key, model: SearchModel, value, effort: Effort, copies: int) -> jax.Array:
    """The maximiser of an acquisition of `copies` points, in the unit cube.

    Batches around each incumbent are candidates as well: in many dimensions no even batch is near.
    """
    incumbents = best_points(model.evaluations, _INCUMBENTS)
    dimensions = incumbents.shape[1]
    cube = jnp.tile(jnp.array([0.0, 1.0], incumbents.dtype), (dimensions * copies, 1))
    point, _ = maximize_acquisition(
        key,
        value if copies == 1 else lambda flat: value(flat.reshape(copies, dimensions)),
        cube,
        raw=effort.raw,
        starts=effort.starts,
        steps=effort.steps,
        incumbents=jnp.tile(incumbents, (1, copies)),
    )
    return point


def propose(
    key: PRNGKeyArray,
    data: Evaluations,
    *,
    entry: Entry,
    batch_size: int,
    kernel: str | Kernel,
    noisy: bool,
    believes: bool,
    effort: Effort,
) -> tuple[Float[Array, "Q D"], SearchModel]:
    """Fits a model and maximises the acquisition.

    A rule of single points chooses a batch one by one, each as if those before had come out at
    their posterior mean.

    Args:
        key: a random key.
        data: the evaluations, with at least `batch_size` free rows if that is more than one.
        entry: the acquisition rule.
        batch_size: how many points, Q.
        kernel: the kernel.
        noisy: whether the values are noisy.
        believes: whether rows may be pending.
        effort: how hard to try.

    Returns:
        The points, in the unit cube, and the model without them.
    """
    key_fit, key_rule, key_box = jax.random.split(key, 3)
    model = fit_model(
        key_fit,
        data,
        kernel=kernel,
        noisy=noisy,
        believes=believes,
        starts=effort.fit_starts,
        steps=effort.fit_steps,
    )
    if entry.joint or batch_size == 1:
        rule = entry.build(key_rule, model)
        single = rule if not entry.joint else lambda point: rule(point[None])
        if batch_size == 1:
            return _highest(key_box, model, single, effort, 1)[None], model
        flat = _highest(key_box, model, rule, effort, batch_size)
        return flat.reshape(batch_size, -1), model

    def one(known, keys):
        point = _highest(keys[1], known, entry.build(keys[0], known), effort, 1)
        return believe(known, point), point

    keys = jax.vmap(lambda k: jax.random.split(k, batch_size), out_axes=1)(
        jnp.stack([key_rule, key_box])
    )
    _, points = jax.lax.scan(one, model, keys)
    return points, model


def best_mean(model: SearchModel) -> tuple[Int[Array, ""], Float[Array, ""]]:
    """The evaluated point whose posterior mean is best, among feasible ones if there are any.

    Args:
        model: the model.

    Returns:
        Its row, and the mean, standardised.
    """
    data = model.evaluations
    means, _ = gaussian_process.marginals(model.gp, data.points)
    allowed = jnp.where(jnp.any(data.feasible()), data.feasible(), data.observed)
    row = jnp.argmax(jnp.where(allowed, means, -jnp.inf))
    return row, means[row]

"""Acquisition rules by name: from what a search knows to a function of the next point.

The functions themselves, of means and standard deviations, are in `infojax.optimize.acquisition`.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from infojax.optimize import acquisition, gaussian_process
from infojax.optimize.acquisition.predictive_entropy import information_of, maximum_beliefs
from infojax.optimize.gaussian_process import GaussianProcess
from infojax.optimize.gaussian_process.regression import cross_covariance, posterior_mean
from infojax.optimize.search_model import SearchModel, best_points
from infojax.optimize.sobol import sobol_points

Acquisition = Callable[[Float[Array, "..."]], Float[Array, ""]]
Rule = Callable[[PRNGKeyArray, SearchModel], Acquisition]

_MAXIMA = 16  # draws of the maximum, or of its place, for its entropy
_ABOVE_BEST = 1e-3  # of the prior's deviation, by which the maximum is above the best value
_CANDIDATES = 512  # points among which the maximum is looked for
_TARGETS = 64  # points among which the knowledge gradient expects the maximum
_DRAWS = 128  # of the values of a batch
_NODES, _REACH = 73, 6.0  # of the quadrature over what an observation says
_BETA = 2.0  # of the upper confidence bound


class Entry(NamedTuple):
    """A rule that has a name.

    Attributes:
        build: makes the function.
        joint: whether it takes the whole batch (Q, D) rather than a point (D,).
    """

    build: Rule
    joint: bool = False


def _at(gp: GaussianProcess, point: Float[Array, " D"]) -> tuple[jax.Array, jax.Array]:
    mean, std = gaussian_process.marginals(gp, point[None])
    return mean[0], std[0]


def _of_marginals(function: Callable[..., jax.Array]) -> Rule:
    """A rule from a function of (mean, std, best)."""

    def build(key: PRNGKeyArray, model: SearchModel) -> Acquisition:
        del key
        return lambda point: function(*_at(model.gp, point), model.best)

    return build


def _upper_confidence_bound(mean, std, best):
    del best
    return acquisition.upper_confidence_bound(mean, std, beta=_BETA)


def _max_value_entropy(key: PRNGKeyArray, model: SearchModel) -> Acquisition:
    key_points, key_maxima = jax.random.split(key)
    spread = sobol_points(key_points, _CANDIDATES, model.gp.inputs.shape[1])
    places = jnp.concatenate([spread.astype(model.gp.inputs.dtype), best_points_of(model, 8)])
    mean, std = gaussian_process.marginals(model.gp, places)
    maxima = acquisition.gumbel_maxima(key_maxima, mean, std, _MAXIMA)
    # Below what is known the fitted law is wrong: such a draw would make known points certain of
    # being above the maximum, and the best place to look once more. As in the authors' code the
    # least draw is five deviations above the best value, here those of its own point.
    prior = jnp.sqrt(model.gp.parameters.signal_variance)
    least = model.best + jnp.maximum(5 * std[_CANDIDATES], _ABOVE_BEST * prior)
    maxima = jnp.maximum(maxima, least)
    # Where there is noise an observation is not the function's value.
    noise = model.gp.parameters.noise_variance if model.noisy else None
    return lambda point: acquisition.max_value_entropy_search(
        *_at(model.gp, point), maxima, noise_variance=noise
    )


def _predictive_entropy(key: PRNGKeyArray, model: SearchModel) -> Acquisition:
    key_points, key_paths = jax.random.split(key)
    gp = model.gp
    spread = sobol_points(key_points, _CANDIDATES, gp.inputs.shape[1])
    places = jnp.concatenate([spread.astype(gp.inputs.dtype), best_points_of(model, 8)])
    cube = jnp.stack([jnp.zeros_like(places[0]), jnp.ones_like(places[0])])
    maximizers, _ = acquisition.sample_maximizers(key_paths, gp, places, cube, _MAXIMA)
    # What a place says of the function is worked out once, not for each point.
    beliefs = maximum_beliefs(gp, maximizers, cube, "stationarity")
    return lambda point: information_of(gp, beliefs, point[None])[0]


def best_points_of(model: SearchModel, count: int) -> Float[Array, "I D"]:
    """The best observed points of a model.

    Args:
        model: the model.
        count: how many.

    Returns:
        The points, in the unit cube.
    """
    return best_points(model.evaluations, count).astype(model.gp.inputs.dtype)


def _observed_points(model: SearchModel) -> Float[Array, "C D"]:
    """All observed points; rows that do not count repeat the best."""
    data = model.evaluations
    return jnp.where(data.observed[:, None], data.points, best_points_of(model, 1))


@functools.cache
def _normal_nodes() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights that integrate broken lines with breaks at the nodes exactly."""
    nodes = np.linspace(-_REACH, _REACH, _NODES)
    below = np.array([0.5 * math.erfc(-z / math.sqrt(2)) for z in nodes])
    density = np.exp(-0.5 * nodes**2) / math.sqrt(2 * math.pi)
    width, mass = np.diff(nodes), np.diff(below)
    weights = np.zeros(_NODES)
    # Of the line that falls from 1 to 0 over a piece, and of the one that rises.
    weights[:-1] += (nodes[1:] * mass + np.diff(density)) / width
    weights[1:] -= (nodes[:-1] * mass + np.diff(density)) / width
    return nodes, weights


def expected_rise(a: Float[Array, " M"], b: Float[Array, " M"]) -> Float[Array, ""]:
    """`acquisition.expected_maximum_gain` by quadrature: dense, where that one takes turns.

    The maximum of lines is convex and broken; it is taken as broken at fixed nodes instead. That
    is too high: by some two per cent where the rise is a hundredth of the slopes, by five where
    it is a millionth. The highest line at 0 is subtracted before: no terms cancel, and the
    smallest rises keep their digits.

    Args:
        a: the lines at 0, (M,).
        b: their slopes, (M,).

    Returns:
        How much their maximum rises by a standard normal number, ().
    """
    nodes, weights = _normal_nodes()
    top = jnp.argmax(a)
    heights = (a - a[top])[:, None] + (b - b[top])[:, None] * nodes.astype(a.dtype)
    return jnp.max(heights, 0) @ weights.astype(a.dtype)


def change_of_maximum(
    gp: GaussianProcess, targets: Float[Array, "M D"], *, evaluated: bool
) -> Acquisition:
    """Expected growth of the greatest posterior mean over some points and the next one.

    The posterior mean at x' after an observation at x is m(x') + s(x', x) Z with Z standard normal
    and s(x', x) = c(x', x) / sqrt(c(x, x) + noise), so that the greatest of finitely many has a
    closed form (Frazier 2018, sections 4.2 and 4.4).

    Args:
        gp: the posterior.
        targets: the points.
        evaluated: whether the maximum now is over the targets alone, and the next point joins them
            with its evaluation; otherwise it counts from the start.

    Returns:
        A function of the next point.
    """
    cross = cross_covariance(gp, targets)
    means, whitened = posterior_mean(gp, targets, cross), gp.whitener @ cross
    kernel, parameters = gp.kernel, gp.parameters

    def value(point):
        here = point[None]
        cross_here = cross_covariance(gp, here)
        whitened_here = (gp.whitener @ cross_here)[:, 0]
        mean = posterior_mean(gp, here, cross_here)
        variance = kernel.variances(here, parameters)[0] - jnp.sum(whitened_here**2)
        variance = jnp.maximum(variance, 1e-12 * parameters.signal_variance)
        shared = kernel(targets, here, parameters)[:, 0] - whitened_here @ whitened
        a = jnp.append(means, mean)
        b = jnp.append(shared, variance)
        b = b / jnp.sqrt(variance + parameters.noise_variance)
        gain = expected_rise(a, b)
        return gain + jax.nn.relu(mean[0] - jnp.max(means)) if evaluated else gain

    return value


def _noisy_expected_improvement(key: PRNGKeyArray, model: SearchModel) -> Acquisition:
    del key
    return change_of_maximum(model.gp, _observed_points(model), evaluated=True)


def _knowledge_gradient(key: PRNGKeyArray, model: SearchModel) -> Acquisition:
    """The exact one over points where the maximum may be: evaluated, even, and around the best."""
    key_points, key_near = jax.random.split(key)
    observed = _observed_points(model)
    dtype = observed.dtype
    spread = sobol_points(key_points, _TARGETS, observed.shape[1]).astype(dtype)
    mean, _ = gaussian_process.marginals(model.gp, jnp.concatenate([observed, spread]))
    top = jnp.concatenate([observed, spread])[jnp.argmax(mean)]
    scale = jnp.minimum(0.1 * model.gp.parameters.lengthscales, 0.05)
    noise = scale * jax.random.normal(key_near, (_TARGETS // 4, observed.shape[1]), dtype)
    near = jnp.clip(top + noise, 0, 1)
    return change_of_maximum(model.gp, jnp.concatenate([observed, spread, near]), evaluated=False)


def limits_at(
    constraints: GaussianProcess, point: Float[Array, " D"]
) -> tuple[Float[Array, " K"], Float[Array, " K"]]:
    """Posterior means and deviations of all constraints at a point.

    Args:
        constraints: their posteriors, a leading axis K in every leaf.
        point: in the unit cube.

    Returns:
        Means and deviations.
    """
    return jax.vmap(lambda gp: _at(gp, point))(constraints)


def _log_constrained_improvement(key: PRNGKeyArray, model: SearchModel) -> Acquisition:
    del key
    constraints = model.constraints
    if constraints is None:
        raise ValueError(
            'acquisition "constrained_expected_improvement" needs constraints; got none.'
        )
    return lambda point: acquisition.log_constrained_expected_improvement(
        *_at(model.gp, point), model.best, *limits_at(constraints, point)
    )


def _batch_expected_improvement(key: PRNGKeyArray, model: SearchModel) -> Acquisition:
    def value(batch):
        draws = jax.random.normal(key, (_DRAWS, len(batch)), batch.dtype)
        mean, covariance = gaussian_process.posterior(model.gp, batch)
        return acquisition.q_expected_improvement(mean, covariance, model.best, draws)

    return value


def _thompson_sampling(key: PRNGKeyArray, model: SearchModel) -> Acquisition:
    paths = gaussian_process.sample_paths(key, model.gp, 1)
    return lambda point: paths(point[None])[0, 0]


RULES: dict[str, Entry] = {
    "constrained_expected_improvement": Entry(_log_constrained_improvement),
    "expected_improvement": Entry(_of_marginals(acquisition.expected_improvement)),
    "knowledge_gradient": Entry(_knowledge_gradient),
    "log_expected_improvement": Entry(_of_marginals(acquisition.log_expected_improvement)),
    "max_value_entropy_search": Entry(_max_value_entropy),
    "noisy_expected_improvement": Entry(_noisy_expected_improvement),
    "predictive_entropy_search": Entry(_predictive_entropy),
    "probability_of_improvement": Entry(_of_marginals(acquisition.probability_of_improvement)),
    "q_expected_improvement": Entry(_batch_expected_improvement, joint=True),
    "thompson_sampling": Entry(_thompson_sampling),
    "upper_confidence_bound": Entry(_of_marginals(_upper_confidence_bound)),
}
# They look at nothing, and need no model.
BLIND = ("random", "sobol")


def rule_entry(name: "str | Rule") -> Entry:
    """Takes an argument `acquisition`: a name, or a rule of one's own.

    Args:
        name: one of `RULES`, or a function of (key, model) that returns a function of a point.

    Returns:
        The entry.

    Raises:
        TypeError: it is neither.
        ValueError: an unknown name.
    """
    if isinstance(name, str):
        if name not in RULES:
            known = ", ".join(sorted([*RULES, *BLIND]))
            raise ValueError(f"acquisition must be one of {known}; got {name!r}.")
        return RULES[name]
    if not callable(name):
        raise TypeError(f"acquisition must be a name or a rule; got {type(name).__name__}.")
    return Entry(name)

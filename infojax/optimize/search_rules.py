"""Acquisition rules by name: from what a search knows to a function of the next point.

The functions themselves, of means and standard deviations, are in `infojax.optimize.acquisition`.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from infojax.optimize import acquisition, gaussian_process
from infojax.optimize.gaussian_process import GaussianProcess
from infojax.optimize.gaussian_process.regression import cross_covariance, posterior_mean
from infojax.optimize.search_model import SearchModel, best_points
from infojax.optimize.sobol import sobol_points

Acquisition = Callable[[Float[Array, "..."]], Float[Array, ""]]
Rule = Callable[[PRNGKeyArray, SearchModel], Acquisition]

_MAXIMA = 16  # draws of the maximum, for its entropy
_CANDIDATES = 512  # points among which the maximum is looked for
_TARGETS = 64  # points among which the knowledge gradient expects the maximum
_DRAWS = 128  # of the values of a batch
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
    return lambda point: acquisition.max_value_entropy_search(*_at(model.gp, point), maxima)


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


def _change_of_maximum(
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
    """
    cross = cross_covariance(gp, targets)
    means, whitened = posterior_mean(gp, targets, cross), gp.whitener @ cross
    kernel, parameters = gp.kernel, gp.parameters

    def value(point):
        here = point[None]
        cross_here = cross_covariance(gp, here)
        whitened_here = (gp.whitener @ cross_here)[:, 0]
        mean = posterior_mean(gp, here, cross_here)
        variance = kernel.diagonal(here, parameters) - jnp.sum(whitened_here**2)
        variance = jnp.maximum(variance, 1e-12 * parameters.signal_variance)
        shared = kernel(targets, here, parameters)[:, 0] - whitened_here @ whitened
        a = jnp.concatenate([means, mean])
        b = jnp.concatenate([shared, variance])
        b = b / jnp.sqrt(variance + parameters.noise_variance)
        gain = acquisition.expected_maximum_gain(a, b)
        return gain + jax.nn.relu(mean[0] - jnp.max(means)) if evaluated else gain

    return value


def _noisy_expected_improvement(key: PRNGKeyArray, model: SearchModel) -> Acquisition:
    del key
    return _change_of_maximum(model.gp, _observed_points(model), evaluated=True)


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
    return _change_of_maximum(model.gp, jnp.concatenate([observed, spread, near]), evaluated=False)


def log_chance_feasible(constraints: GaussianProcess, point: Float[Array, " D"]) -> jax.Array:
    """Log of the probability that all constraints are met, taken as independent.

    Args:
        constraints: their posteriors, a leading axis K in every leaf.
        point: in the unit cube, (D,).

    Returns:
        A number.
    """
    limits = jax.vmap(lambda gp: jnp.stack(_at(gp, point)))(constraints)
    return jnp.sum(jax.scipy.stats.norm.logcdf(-limits[:, 0] / limits[:, 1]))


def _log_constrained_improvement(key: PRNGKeyArray, model: SearchModel) -> Acquisition:
    """Log of the expected improvement among feasible points; before the first, their chance."""
    del key
    if model.constraints is None:
        raise ValueError(
            'acquisition "constrained_expected_improvement" needs constraints; got none.'
        )

    def value(point):
        mean, std = _at(model.gp, point)
        chance = log_chance_feasible(model.constraints, point)
        some = model.best > -jnp.inf
        gain = acquisition.log_expected_improvement(mean, std, jnp.where(some, model.best, 0))
        return jnp.where(some, gain, 0) + chance

    return value


def _batch_expected_improvement(key: PRNGKeyArray, model: SearchModel) -> Acquisition:
    def value(batch):
        draws = jax.random.normal(key, (_DRAWS, len(batch)), batch.dtype)
        mean, covariance = gaussian_process.posterior(model.gp, batch)
        return acquisition.q_expected_improvement(mean, covariance, model.best, draws)

    return value


def _thompson_sampling(key: PRNGKeyArray, model: SearchModel) -> Acquisition:
    path = gaussian_process.sample_path(key, model.gp)
    return lambda point: path(point[None])[0]


RULES: dict[str, Entry] = {
    "constrained_expected_improvement": Entry(_log_constrained_improvement),
    "expected_improvement": Entry(_of_marginals(acquisition.expected_improvement)),
    "knowledge_gradient": Entry(_knowledge_gradient),
    "log_expected_improvement": Entry(_of_marginals(acquisition.log_expected_improvement)),
    "max_value_entropy_search": Entry(_max_value_entropy),
    "noisy_expected_improvement": Entry(_noisy_expected_improvement),
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

"""Hyper-parameters by sampling: elliptical slices, which have nothing to tune.

Murray, Adams and MacKay, Elliptical Slice Sampling, 2010, arXiv 1001.0175.
"""

import dataclasses
import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from infojax import checks
from infojax.optimize.gaussian_process.hyperparameters import (
    checked_noise,
    prior_of,
    to_parameters,
    units_of,
)
from infojax.optimize.gaussian_process.likelihoods import likelihood_unchecked
from infojax.optimize.gaussian_process.parameters import Kernel
from infojax.optimize.gaussian_process.regression import (
    GaussianProcess,
    Observations,
    condition_unchecked,
    observations,
)

# A bracket that has shrunk so often is a point: the state stays.
_MOST_SHRINKS = 60


def elliptical_slice_step(
    key: jax.Array,
    state: jax.Array,
    log_likelihood: jax.Array,
    function: Callable[[jax.Array], jax.Array],
) -> tuple[jax.Array, jax.Array]:
    """One transition that leaves a standard normal prior times a likelihood as it is.

    Args:
        key: a random key.
        state: where the chain is, (P,).
        log_likelihood: `function` there.
        function: the log likelihood; NaN counts as minus infinity.

    Returns:
        The next state and its log likelihood.
    """
    normal_key, level_key, angle_key, shrink_key = jax.random.split(key, 4)
    other = jax.random.normal(normal_key, state.shape, state.dtype)
    level = log_likelihood + jnp.log(jax.random.uniform(level_key, (), state.dtype))
    angle = jax.random.uniform(angle_key, (), state.dtype, maxval=2 * math.pi)

    def place(angle):
        tried = state * jnp.cos(angle) + other * jnp.sin(angle)
        value = function(tried)
        return tried, jnp.where(jnp.isnan(value), -jnp.inf, value)

    def outside(carry):
        _, _, _, _, value, count = carry
        return (value <= level) & (count < _MOST_SHRINKS)

    def shrink(carry):
        angle, low, high, _, _, count = carry
        low, high = jnp.where(angle < 0, angle, low), jnp.where(angle < 0, high, angle)
        angle = jax.random.uniform(
            jax.random.fold_in(shrink_key, count), (), state.dtype, minval=low, maxval=high
        )
        return angle, low, high, *place(angle), count + 1

    carry = (angle, angle - 2 * math.pi, angle, *place(angle), 0)
    _, _, _, tried, value, _ = jax.lax.while_loop(outside, shrink, carry)
    inside = value > level
    return jnp.where(inside, tried, state), jnp.where(inside, value, log_likelihood)


@functools.partial(jax.jit, static_argnames=("samples", "warmup", "thinning"))
def _sample(key, data: Observations, noise_variance, samples, warmup, thinning):
    units = units_of(data, noise_variance)
    means, deviations, low, high = prior_of(data, noise_variance is None)
    center, unravel = ravel_pytree(means)
    spread, low, high = (ravel_pytree(part)[0] for part in (deviations, low, high))

    def natural(state):
        return to_parameters(unravel(center + spread * state), units, data.kernel)

    def function(state):
        parameters, kernel = natural(state)
        value = likelihood_unchecked(dataclasses.replace(data, kernel=kernel), parameters)
        place = center + spread * state
        return jnp.where(jnp.all((place >= low) & (place <= high)), value, -jnp.inf)

    def advance(carry, key):
        return elliptical_slice_step(key, *carry, function), None

    def keep(carry, key):
        carry, _ = jax.lax.scan(advance, carry, jax.random.split(key, thinning))
        return carry, carry[0]

    warm_key, keep_key = jax.random.split(key)
    start = jnp.zeros_like(center)
    carry = (start, function(start))
    carry, _ = jax.lax.scan(advance, carry, jax.random.split(warm_key, warmup))
    _, states = jax.lax.scan(keep, carry, jax.random.split(keep_key, samples))

    def condition(state):
        parameters, kernel = natural(state)
        return condition_unchecked(dataclasses.replace(data, kernel=kernel), parameters)

    return jax.vmap(condition)(states)


def sample_parameters(
    key: PRNGKeyArray,
    inputs: Float[Array, "C D"],
    values: Float[Array, " C"],
    *,
    where: Bool[Array, " C"] | None = None,
    kernel: str | Kernel = "matern52",
    noise_variance: ArrayLike | None = None,
    samples: int = 10,
    warmup: int = 50,
    thinning: int = 5,
) -> GaussianProcess:
    r"""Gaussian processes with hyper-parameters sampled from their posterior.

    The priors are those of `fit`, normal in its coordinates, for which elliptical slice sampling
    has no step size and rejects nothing. Average an acquisition's VALUES over the samples:

    `jax.vmap(lambda gp: acquisition(gp, points))(sampled).mean(0)`.

    Args:
        key: a random key.
        inputs: points, C of them with those that do not count.
        values: the observations there.
        where: the rows that count; all if None.
        kernel: as in `condition`. Of an object the array fields are sampled as well, about what it
            holds.
        noise_variance: of the observations, if it is known; sampled if None.
        samples: how many, static.
        warmup: transitions before the first, static.
        thinning: transitions from one to the next, static.

    Returns:
        A Gaussian process whose arrays have a leading axis of samples.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: shapes that do not fit, an unknown kernel, a number below 1; eagerly, no row
            that counts, a counted entry that is not finite, a negative noise variance.

    Reference:
        Snoek, Larochelle and Adams 2012, arXiv 1206.2944, section 3.2; Murray, Adams and MacKay,
        Elliptical Slice Sampling, 2010, arXiv 1001.0175.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import gaussian_process
        >>> x = jnp.linspace(0.0, 1.0, 5)[:, None]
        >>> gps = gaussian_process.sample_parameters(jax.random.key(0), x, x[:, 0], samples=3)
        >>> mean, _ = jax.vmap(lambda gp: gaussian_process.marginals(gp, x))(gps)
        >>> print(mean.shape)
        (3, 5)
    """
    data = observations(inputs, values, where, kernel)
    noise, good = checked_noise(noise_variance, data.inputs.dtype)
    sizes = {"samples": samples, "warmup": warmup, "thinning": thinning}
    numbers = [checks.positive_integer(name, value) for name, value in sizes.items()]
    return _sample(key, dataclasses.replace(data, valid=data.valid & good), noise, *numbers)

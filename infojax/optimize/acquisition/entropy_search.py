"""Entropy search and predictive entropy search of a finite set: what an evaluation tells of it.

Both are the mutual information of the observation and the place of the maximum, from either side
(Frazier 2018, arXiv 1807.02811, section 4.3), computed from the same sampled functions: an
observation updates a sample of the function by Matheron's rule, so that no covariance is
factorised again.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from infojax import checks
from infojax.entropies import entropy
from infojax.numerics import gated, narrow
from infojax.optimize.acquisition.maximum_gains import checked_joint
from infojax.optimize.gaussian_process.factors import jittered_cholesky


def _draws(key, mean, covariance, samples):
    """Sampled functions over the set, (S, m)."""
    scale = jnp.maximum(jnp.max(jnp.diag(covariance)), 1e-12) * jnp.ones_like(mean)
    factor, _ = jittered_cholesky(covariance, scale)
    base = jax.random.normal(key, (samples, mean.size), mean.dtype)
    return mean + base @ factor.T


def _argmax_law(functions: jax.Array, temperature: float | None) -> jax.Array:
    if temperature is None:
        winners = jnp.argmax(functions, -1)
        return jnp.mean(jax.nn.one_hot(winners, functions.shape[-1], dtype=functions.dtype), 0)
    return jnp.mean(jax.nn.softmax(functions / temperature, -1), 0)


@functools.partial(jax.jit, static_argnames=("samples", "fantasies", "temperature"))
def _entropy_search(key, mean, covariance, noise, samples, fantasies, temperature):
    function_key, noise_key = jax.random.split(key)
    functions = _draws(function_key, mean, covariance, samples)
    errors = jnp.sqrt(noise) * jax.random.normal(noise_key, (samples,), mean.dtype)
    nodes, weights = np.polynomial.hermite_e.hermegauss(fantasies)
    nodes = jnp.asarray(nodes, mean.dtype)
    weights = jnp.asarray(weights / weights.sum(), mean.dtype)
    before = entropy(_argmax_law(functions, temperature))

    def information(index):
        variance = covariance[index, index]
        total = variance + noise
        known = total <= 10 * jnp.finfo(mean.dtype).eps * jnp.max(jnp.abs(covariance))
        total = jnp.where(known, 1, total)
        gain = jnp.where(known, 0, covariance[:, index] / total)

        def after(node):
            observed = mean[index] + jnp.sqrt(total) * node
            surprise = observed - (functions[:, index] + errors)
            return entropy(_argmax_law(functions + surprise[:, None] * gain, temperature))

        return before - weights @ jax.lax.map(after, nodes)

    return jax.lax.map(information, jnp.arange(mean.size))


def entropy_search_discrete(
    key: PRNGKeyArray,
    mean: Float[Array, " m"],
    covariance: Float[Array, "m m"],
    noise_variance: ArrayLike,
    *,
    samples: int = 512,
    fantasies: int = 16,
    temperature: float | None = None,
) -> Float[Array, " m"]:
    r"""How much an observation lowers the entropy of where the maximum is.

    $H(P_n(x^*)) - E_y H(P_n(x^* | x_i, y))$ over a finite set. $P_n$ is the law of the argmax of
    sampled functions; the expectation over y is by Gauss-Hermite quadrature; the functions after
    an observation are those before it, each moved by Matheron's rule: the same randomness before,
    after, and for all points.

    Args:
        key: a random key.
        mean: posterior means over the set.
        covariance: posterior covariance of the function over it.
        noise_variance: variance of an observation about the function.
        samples: how many functions are drawn, static. An entropy of frequencies is too low by
            about (m - 1) / (2 samples) nats; most of it cancels in the difference.
        fantasies: quadrature nodes, static.
        temperature: None for the argmax; a number, static, for the softmax of functions divided by
            it, which has a derivative.

    Returns:
        The information in nats of observing each point. Memory is samples times m.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: shapes that do not fit, a number below 1; eagerly, an entry that is not
            finite, a negative variance.

    Reference:
        Hennig and Schuler, Entropy Search for Information-Efficient Global Optimization, 2012,
        arXiv 1112.1217; Frazier 2018, arXiv 1807.02811, section 4.3.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition
        >>> covariance = jnp.diag(jnp.array([1.0, 0.0]))
        >>> gains = acquisition.entropy_search_discrete(
        ...     jax.random.key(0), jnp.zeros(2), covariance, 0.0
        ... )
        >>> print(jnp.abs(gains).round(2))  # the first value decides which is the maximum: log 2
        [0.69 0.  ]
    """
    given, (m, c), noise, valid = checked_joint(mean, covariance, noise_variance)
    if temperature is not None and not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature must be positive and finite; got {temperature!r}.")
    value = _entropy_search(
        key,
        m,
        c,
        noise,
        checks.positive_integer("samples", samples),
        checks.positive_integer("fantasies", fantasies),
        temperature,
    )
    return narrow(gated(value, valid), *given)


@functools.partial(jax.jit, static_argnames="samples")
def _predictive(key, mean, covariance, noise, samples):
    functions = _draws(key, mean, covariance, samples)
    centered = functions - mean
    wins = jax.nn.one_hot(jnp.argmax(functions, -1), mean.size, dtype=mean.dtype)
    counts = jnp.sum(wins, 0)[:, None]
    total = wins.T @ centered
    squares = wins.T @ centered**2
    own = jnp.diag(covariance)
    several = jnp.maximum(counts - 1, 1)
    spread = (squares - total**2 / jnp.maximum(counts, 1)) / several
    # A group of one says nothing of its variance: it counts as the prior's.
    variance = jnp.where(counts > 1, jnp.maximum(spread, 0), own)
    floor = jnp.finfo(mean.dtype).eps * jnp.max(own)
    after = counts[:, 0] / samples @ jnp.log(jnp.maximum(variance + noise, floor))
    return 0.5 * (jnp.log(jnp.maximum(own + noise, floor)) - after)


def predictive_entropy_search_discrete(
    key: PRNGKeyArray,
    mean: Float[Array, " m"],
    covariance: Float[Array, "m m"],
    noise_variance: ArrayLike,
    *,
    samples: int = 4096,
) -> Float[Array, " m"]:
    r"""How much knowing where the maximum is would lower the entropy of an observation.

    $H(y_i) - \sum_k P(x^* = k) H(y_i | x^* = k)$: the same information as
    `entropy_search_discrete`, from the other side. Sampled functions are grouped by their argmax,
    and the entropy within a group is that of a normal with its variance, which is the largest
    possible: the result is a lower bound, up to sampling.

    Args:
        key: a random key.
        mean: posterior means over the set.
        covariance: posterior covariance of the function over it.
        noise_variance: variance of an observation about the function.
        samples: how many functions are drawn, static.

    Returns:
        The information in nats of observing each point.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: shapes that do not fit, a number below 1; eagerly, an entry that is not
            finite, a negative variance.

    Reference:
        Hernandez-Lobato, Hoffman and Ghahramani, Predictive Entropy Search, 2014,
        arXiv 1406.2541, equation (2).

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition
        >>> covariance = jnp.diag(jnp.array([1.0, 0.01]))
        >>> gains = acquisition.predictive_entropy_search_discrete(
        ...     jax.random.key(0), jnp.zeros(2), covariance, 0.1
        ... )
        >>> print(bool(gains[0] > 10 * gains[1]))
        True
    """
    given, (m, c), noise, valid = checked_joint(mean, covariance, noise_variance)
    value = _predictive(key, m, c, noise, checks.positive_integer("samples", samples))
    return narrow(gated(value, valid), *given)

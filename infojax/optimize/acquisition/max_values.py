r"""Max-value entropy search: what an evaluation tells about the value of the maximum.

Wang and Jegelka, Max-value Entropy Search for Efficient Bayesian Optimization, 2017,
arXiv 1703.01968.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax.scipy.special import log_ndtr
from jaxtyping import Array, Float, PRNGKeyArray

from infojax import checks
from infojax.numerics import gated, narrow, widen
from infojax.optimize.acquisition.improvement import checked_marginals
from infojax.optimize.acquisition.normal_gains import log_density, tail_fraction


def _truncation_information(g: jax.Array) -> jax.Array:
    r"""$g r(g) / 2 - \log \Phi(g)$ with $r = \varphi / \Phi$: the entropy lost by truncation at g.

    In the tail $r = t + K$ with t = -g, and the two large terms are taken from each other by
    hand: $-t K / 2 + \frac12 \log 2 \pi + \log(t + K)$.
    """
    is_tail, t, k = tail_fraction(g)
    inner = jnp.where(is_tail, 0, g)
    log_probability = log_ndtr(inner)
    # The product is 0 at plus infinity; the density underflows long before.
    bounded = jnp.minimum(inner, 40.0)
    ratio = jnp.exp(log_density(bounded) - log_ndtr(bounded))
    near = 0.5 * bounded * ratio - log_probability
    far = 0.5 * math.log(2 * math.pi) - 0.5 * t * k + jnp.log(t + k)
    return jnp.where(is_tail, far, near)


def max_value_entropy_search(
    mean: Float[Array, "*B"], std: Float[Array, "*B"], maxima: Float[Array, " S"]
) -> Float[Array, "*B"]:
    r"""Mutual information of the function's value here and its maximum value.

    $\frac1S \sum_s [\frac{g_s \varphi(g_s)}{2 \Phi(g_s)} - \log \Phi(g_s)]$ with
    $g_s = (y^*_s - m) / s$: the entropy of a normal less that of one truncated at the maximum. In
    closed form given samples $y^*$ of the maximum, from `gumbel_maxima` or from sampled paths.

    Args:
        mean: posterior means.
        std: posterior standard deviations of the function, without noise.
        maxima: sampled values of the maximum.

    Returns:
        Information in nats, non-negative; 0 where s = 0.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: shapes that do not fit, no sample; eagerly, a mean or maximum that is not
            finite, a negative deviation.

    Reference:
        Wang and Jegelka, Max-value Entropy Search for Efficient Bayesian Optimization, 2017,
        arXiv 1703.01968, equation (6).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition
        >>> one = jnp.array(1.0)
        >>> print(acquisition.max_value_entropy_search(jnp.array(0.0), one, jnp.array([0.0, 2.0])))
        0.3862
    """
    samples = checks.floating("maxima", maxima, ndim=1)
    if samples.size == 0:
        raise ValueError("maxima must hold at least one sample; got none.")
    given, (m, s), valid = checked_marginals(mean, std)
    m, s, samples_wide = widen(m, s, samples)
    finite = jnp.isfinite(samples_wide)
    checks.check_real("maxima", samples_wide, finite, "finite")
    value = _max_value(m, s, jnp.where(finite, samples_wide, 0))
    return narrow(gated(value, valid, jnp.all(finite)), *given, samples)


@jax.jit
def _max_value(mean, std, maxima):
    spread = std > 0
    g = (maxima - mean[..., None]) / jnp.where(spread, std, 1)[..., None]
    return jnp.where(spread, jnp.mean(_truncation_information(g), -1), 0)


@functools.partial(jax.jit, static_argnames="n")
def _gumbel(key, mean, std, n):
    levels = jnp.asarray([0.25, 0.5, 0.75], mean.dtype)
    highest = jnp.argmax(mean)
    scale = jnp.where(std > 0, std, 1)

    def log_probability(q):
        below = log_ndtr((q - mean) / scale)
        certain = jnp.where(q >= mean, 0.0, -jnp.inf)
        return jnp.sum(jnp.where(std > 0, below, certain))

    # At the lower end the highest mean alone has probability Phi(-1) < 0.25.
    low = jnp.full(3, mean[highest] - std[highest])
    high = jnp.full(3, jnp.max(mean + 8 * std))

    def halve(_, ends):
        low, high = ends
        middle = 0.5 * (low + high)
        too_low = jax.vmap(log_probability)(middle) < jnp.log(levels)
        return jnp.where(too_low, middle, low), jnp.where(too_low, high, middle)

    low, high = jax.lax.fori_loop(0, jnp.finfo(mean.dtype).nmant + 10, halve, (low, high))
    q25, q50, q75 = 0.5 * (low + high)
    width = (q25 - q75) / (math.log(math.log(4 / 3)) - math.log(math.log(4)))
    mode = q50 + width * math.log(math.log(2))
    return mode + width * jax.random.gumbel(key, (n,), mean.dtype)


def gumbel_maxima(
    key: PRNGKeyArray, mean: Float[Array, " M"], std: Float[Array, " M"], n: int
) -> Float[Array, " n"]:
    r"""Samples of the maximum of independent normals, from the Gumbel law with their quartiles.

    $P(\max \le q) = \prod_i \Phi((q - m_i) / s_i)$ is solved for q at .25, .5 and .75 by
    bisection; $y^* = \alpha - \beta \log(-\log U)$ with the quartiles' distance and the median.
    Correlated values are taken for independent, which makes the maximum too high, the more so the
    more points: exact samples come from the maxima of `gaussian_process.sample_paths`.

    Args:
        key: a random key.
        mean: posterior means over a set that covers the box.
        std: posterior standard deviations there.
        n: how many samples, static.

    Returns:
        The samples, without a derivative.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: shapes that do not fit, no point; eagerly, a mean that is not finite, a
            negative deviation.

    Reference:
        Wang and Jegelka, Max-value Entropy Search for Efficient Bayesian Optimization, 2017,
        arXiv 1703.01968, section 3.1.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition
        >>> maxima = acquisition.gumbel_maxima(jax.random.key(0), jnp.zeros(9), jnp.ones(9), 999)
        >>> print(round(float(jnp.median(maxima)), 1))  # Phi(1.44)^9 = 1/2
        1.4
    """
    given, (m, s), valid = checked_marginals(mean, std)
    if m.ndim != 1 or m.size == 0:
        raise ValueError(f"mean and std must have shape (M,) with M > 0; got {m.shape}.")
    m, s = jax.lax.stop_gradient((m, s))
    samples = _gumbel(key, m, s, checks.positive_integer("n", n))
    return narrow(gated(samples, jnp.all(valid)), *given)

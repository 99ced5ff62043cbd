r"""Max-value entropy search: what an evaluation tells about the value of the maximum.

Wang and Jegelka, Max-value Entropy Search for Efficient Bayesian Optimization, 2017,
arXiv 1703.01968.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from infojax import checks
from infojax.numerics import gated, log1p_ratio, narrow, safe_sqrt, widen
from infojax.optimize.acquisition.improvement import checked_marginals
from infojax.optimize.acquisition.normal_gains import log_density, tail_fraction

_NODES = 24  # of the quadrature over noise


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


def _information_per_hazard(w: jax.Array) -> tuple[jax.Array, jax.Array]:
    r"""$J(w) / r(w)$ with J the information lost by truncation, and r(w): to the far tails.

    The quotient is smooth, and about w / 2 far up, where both vanish: there
    $-\log \Phi / r = (1 - Q) R \cdot (-\log(1 - Q) / Q)$ with the upper tail Q, its Mills ratio R.
    """
    is_tail, t, k = tail_fraction(-jnp.abs(w))
    is_low = is_tail & (w < 0)
    low = (0.5 * math.log(2 * math.pi) - 0.5 * t * k + jnp.log(t + k)) / (t + k)
    mills = 1 / (t + k)
    upper = jnp.exp(log_density(t)) * mills
    high = 0.5 * t + (1 - upper) * mills * log1p_ratio(-upper)
    inner = jnp.where(is_tail, 0, w)
    log_probability = log_ndtr(inner)
    ratio = jnp.exp(log_density(inner) - log_probability)
    middle = 0.5 * inner - log_probability / ratio
    hazard = jnp.where(is_tail, jnp.exp(log_density(t)) / (1 - upper), ratio)
    return (
        jnp.where(is_low, low, jnp.where(is_tail, high, middle)),
        jnp.where(is_low, t + k, hazard),
    )


def _noisy_information(g: jax.Array, share: jax.Array, rest: jax.Array) -> jax.Array:
    r"""The entropy that truncation of the function at g takes from a noisy observation of it.

    With $\rho$ the correlation of the two and $\tau^2 = 1 - \rho^2$, the observation's density is
    $\varphi(z) \Phi((g - \rho z) / \tau) / \Phi(g)$. Its entropy is an integral over
    $w = (g - \rho z) / \tau$ of $\Phi \log \Phi$ times a normal density; completing the square,
    $J(g) - \tau r(g) E[J(W) / r(W)]$ with W normal about $\tau g$ with deviation $\rho$. Nothing
    large cancels, the integrand is smooth, and Gauss-Hermite nodes see it at any noise.

    Args:
        g: how far the maximum is from the mean, in deviations of the function.
        share: the correlation rho.
        rest: the tau.

    Returns:
        Information of the broadcast shape.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    places = jnp.asarray(nodes, g.dtype)
    masses = jnp.asarray(weights / weights.sum(), g.dtype)
    # Beyond these the information is 0, or does not change any more.
    g = jnp.clip(g, -1e15, 40.0)[..., None]
    inner = rest[..., None] * g + share[..., None] * places
    quotients, hazards = _information_per_hazard(jnp.concatenate([g, inner], -1))
    kept = quotients[..., 0] - rest * (quotients[..., 1:] @ masses)
    return hazards[..., 0] * jnp.maximum(kept, 0)


def max_value_entropy_search(
    mean: Float[Array, "*B"],
    std: Float[Array, "*B"],
    maxima: Float[Array, " S"],
    *,
    noise_variance: ArrayLike | None = None,
) -> Float[Array, "*B"]:
    r"""Mutual information of an observation here and the function's maximum value.

    Of the function's value itself
    $\frac1S \sum_s J(g_s)$, $J(g) = \frac{g r(g)}{2} - \log \Phi(g)$, $r = \varphi / \Phi$, with
    $g_s = (y^*_s - m) / s$: the entropy of a normal less that of one truncated at the maximum. In
    closed form given samples $y^*$ of the maximum, from `gumbel_maxima` or from sampled paths.

    A noisy observation tells less, and is no truncated normal but an extended skew one:
    $J(g) - \tau r(g)\, E[J(W) / r(W)]$, $W \sim N(\tau g, \rho^2)$, with
    $\rho^2 = s^2 / (s^2 + \sigma^2) = 1 - \tau^2$; the expectation is by Gauss-Hermite quadrature,
    exact to 1e-12 in float64. Its derivative by the noise is infinite at 0.

    Args:
        mean: posterior means.
        std: posterior standard deviations of the function, without noise.
        maxima: sampled values of the maximum.
        noise_variance: of an observation about the function: a number, or one for each mean. None
            is none: the closed form.

    Returns:
        Information in nats, non-negative; 0 where s = 0.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: shapes that do not fit, no sample; eagerly, a mean or maximum that is not
            finite, a negative deviation or variance.

    Reference:
        Wang and Jegelka, Max-value Entropy Search for Efficient Bayesian Optimization, 2017,
        arXiv 1703.01968, equation (6); of noisy observations: Takeno et al., Multi-fidelity
        Bayesian Optimization with Max-value Entropy Search, 2020, arXiv 1901.08275, and Moss et
        al., GIBBON, 2021, arXiv 2102.03324 (the same integral, other coordinates).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition
        >>> mean, std, maxima = jnp.array(0.0), jnp.array(1.0), jnp.array([0.0, 2.0])
        >>> print(acquisition.max_value_entropy_search(mean, std, maxima))
        0.3857
        >>> print(acquisition.max_value_entropy_search(mean, std, maxima, noise_variance=1.0))
        0.1115
    """
    samples = checks.floating("maxima", maxima, ndim=1)
    if samples.size == 0:
        raise ValueError("maxima must hold at least one sample; got none.")
    more = {} if noise_variance is None else {"noise_variance": noise_variance}
    given, (m, s, *noise), valid = checked_marginals(mean, std, **more)
    m, s, samples_wide, *noise = widen(m, s, samples, *noise)
    finite = jnp.isfinite(samples_wide)
    checks.check_real("maxima", samples_wide, finite, "finite")
    for variance in noise:
        good = (variance >= 0) & jnp.isfinite(variance)
        checks.check_real("noise_variance", variance, good, "non-negative and finite")
        valid &= good
    value = _max_value(m, s, jnp.where(finite, samples_wide, 0), *noise)
    return narrow(gated(value, valid, jnp.all(finite)), *given, samples)


@jax.jit
def _max_value(mean, std, maxima, noise=None):
    spread = std > 0
    scale = jnp.where(spread, std, 1)
    g = (maxima - mean[..., None]) / scale[..., None]
    if noise is None:
        information = _truncation_information(g)
    else:
        total = scale**2 + noise
        share, rest = scale / jnp.sqrt(total), safe_sqrt(noise / total)
        information = _noisy_information(g, share[..., None], rest[..., None])
    return jnp.where(spread, jnp.mean(information, -1), 0)


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
        >>> print(bool(abs(jnp.median(maxima) - 1.45) < 0.1))  # Phi(1.45)^9 = 1/2
        True
    """
    given, (m, s), valid = checked_marginals(mean, std)
    if m.ndim != 1 or m.size == 0:
        raise ValueError(f"mean and std must have shape (M,) with M > 0; got {m.shape}.")
    m, s = jax.lax.stop_gradient((m, s))
    samples = _gumbel(key, m, s, checks.positive_integer("n", n))
    return narrow(gated(samples, jnp.all(valid)), *given)

r"""The knowledge gradient in one shot: the outcomes' best choices are variables beside the point.

With base samples held fixed, $\max_x \frac1S \sum_s \max_{x'_s} \mu_s(x'_s; x)$ is one smooth
deterministic problem, $\max_{x, x'_1 \ldots x'_S}$ of the mean of $\mu_s(x'_s; x)$: no inner
searches. Balandat et al., BoTorch: A Framework for Efficient Monte-Carlo Bayesian Optimization,
2020, arXiv 1910.06403, section 4.2.
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from infojax import checks
from infojax.numerics import gated
from infojax.optimize.acquisition.batches import batch_slopes, checked_base
from infojax.optimize.acquisition.continuous_knowledge import checked_bounds
from infojax.optimize.gaussian_process.regression import (
    GaussianProcess,
    checked_points,
    cross_covariance,
    posterior_mean,
)
from infojax.optimize.quasi_newton import minimize_bfgs
from infojax.optimize.sobol import sobol_points


def _means(gp, points):
    return posterior_mean(gp, points, cross_covariance(gp, points))


@jax.jit
def _one_shot(gp, batch, choices, base):
    moves = jnp.sum(base.T * batch_slopes(gp, batch, choices), 0)
    return jnp.mean(_means(gp, choices) + moves)


def one_shot_knowledge_gradient(
    gp: GaussianProcess,
    batch: Float[Array, "Q D"],
    choices: Float[Array, "S D"],
    base_samples: Float[Array, "S Q"],
) -> Float[Array, ""]:
    r"""The mean over outcomes of the posterior mean at a choice made for each.

    $\frac1S \sum_s [\mu(x'_s) + c(x'_s, X) L^{-T} Z_s]$ with $L L^T = c(X, X) + \sigma^2 I$ of the
    batch X. At the best choices, it is the `q_knowledge_gradient` of the box, plus the highest
    posterior mean now; to be maximised by batch and choices together.

    Args:
        gp: the Gaussian process.
        batch: the Q points to be observed.
        choices: the point that is chosen at last, one for each outcome.
        base_samples: standard normal draws, an outcome of the batch each.

    Returns:
        The mean, in the unit of the values.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: shapes that do not fit, no point, no sample.

    Reference:
        Balandat et al. 2020, arXiv 1910.06403, section 4.2.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition, gaussian_process
        >>> x, y = jnp.array([[0.0]]), jnp.array([0.0])
        >>> gp = gaussian_process.condition(x, y, gaussian_process.Parameters(0.1))
        >>> base = jnp.array([[1.0], [-1.0]])  # one outcome is good, one bad
        >>> value = acquisition.one_shot_knowledge_gradient(
        ...     gp, jnp.array([[1.0]]), jnp.array([[1.0], [0.0]]), base
        ... )
        >>> print(value)
        0.5
    """
    at = checked_points(gp, batch, "batch")
    if at.shape[0] == 0:
        raise ValueError("batch must hold at least one point; got none.")
    base = checked_base(base_samples, at.shape[0])
    places = checked_points(gp, choices, "choices")
    if places.shape[0] != base.shape[0]:
        raise ValueError(
            f"choices and base_samples must be of one number; got {places.shape[0]} and "
            f"{base.shape[0]}."
        )
    return _one_shot(gp, at, places, base.astype(at.dtype))


@functools.partial(jax.jit, static_argnames=("q", "fantasies", "starts", "steps"))
def _ascend(key, gp, points, bounds, q, fantasies, starts, steps):
    low, extent = bounds[0], bounds[1] - bounds[0]
    start_key, base_key = jax.random.split(key)
    features, dtype = points.shape[1], points.dtype
    uniform = sobol_points(base_key, fantasies, q).astype(dtype)
    edge = jnp.finfo(dtype).eps
    base = jax.scipy.special.ndtri(jnp.clip(uniform, edge, 1 - edge))
    begins = sobol_points(start_key, starts, q * features).astype(dtype)

    def negative(unit):
        places = low + extent * unit.reshape(-1, features)
        return -_one_shot(gp, places[:q], places[q:], base)

    def climb(begin):
        batch = low + extent * begin.reshape(q, features)
        # Where each outcome is best among the points: the inner searches begin at their end.
        everywhere = jnp.concatenate([points, batch])
        heights = _means(gp, everywhere) + base @ batch_slopes(gp, batch, everywhere)
        chosen = (everywhere[jnp.argmax(heights, 1)] - low) / extent
        unit = jnp.concatenate([begin, jnp.clip(chosen, 0, 1).ravel()])
        return minimize_bfgs(negative, unit, steps=steps, low=0.0, high=1.0)

    ends, depths = jax.vmap(climb)(begins)
    best = jnp.argmin(depths)
    batch = low + extent * ends[best].reshape(-1, features)[:q]
    return batch, -depths[best] - jnp.max(_means(gp, points))


def one_shot_knowledge_gradient_ascent(
    key: PRNGKeyArray,
    gp: GaussianProcess,
    points: Float[Array, "N D"],
    bounds: Float[Array, "2 D"],
    *,
    q: int = 1,
    fantasies: int = 16,
    starts: int = 8,
    steps: int = 40,
) -> tuple[Float[Array, "Q D"], Float[Array, ""]]:
    r"""The batch of the highest knowledge gradient in a box, by one search over all variables.

    BFGS over the batch and one choice for each outcome, (q + fantasies) D variables, from several
    batches; the choices begin at the best of some points for their outcomes. The outcomes are
    quasi-random and fixed, so that the search is deterministic and its steps are cheap: no inner
    searches as in `knowledge_gradient_ascent`.

    Args:
        key: a random key.
        gp: the Gaussian process.
        points: where choices begin: a covering of the box and the evaluated points.
        bounds: lower and upper ends of the box.
        q: how many points at once, static.
        fantasies: how many outcomes, static.
        starts: how many searches, static.
        steps: evaluations of each, static.

    Returns:
        The batch, and its knowledge gradient over the posterior's highest mean among the points,
        as far as these outcomes tell: some per cent too high, being their maximum.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: shapes that do not fit, no point, a number below 1; eagerly, bounds that are
            not.

    Reference:
        Balandat et al. 2020, arXiv 1910.06403, section 4.2.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition, gaussian_process
        >>> x, y = jnp.array([[0.0], [1.0]]), jnp.array([0.0, 1.0])
        >>> gp = gaussian_process.condition(x, y, gaussian_process.Parameters(0.5))
        >>> batch, gain = acquisition.one_shot_knowledge_gradient_ascent(
        ...     jax.random.key(0), gp, x, jnp.array([[0.0], [2.0]]), starts=4
        ... )
        >>> print(bool(batch[0, 0] > 1), bool(gain > 0))
        True True
    """
    begins = checked_points(gp, points)
    if begins.shape[0] == 0:
        raise ValueError("points must hold at least one point; got none.")
    ends, good = checked_bounds(bounds, begins.shape[1], begins.dtype)
    sizes = {"q": q, "fantasies": fantasies, "starts": starts, "steps": steps}
    numbers = [checks.positive_integer(name, value) for name, value in sizes.items()]
    batch, value = _ascend(key, gp, begins, ends, *numbers)
    return gated(batch, good), gated(value, good)

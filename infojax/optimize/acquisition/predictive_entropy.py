"""Predictive entropy search of a continuous domain: what an evaluation tells of the argmax.

Hernandez-Lobato, Hoffman and Ghahramani, Predictive Entropy Search, 2014, arXiv 1406.2541.
"""

import functools
from typing import get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from infojax import checks
from infojax.numerics import gated
from infojax.optimize.acquisition.continuous_knowledge import checked_bounds, climb
from infojax.optimize.acquisition.maximum_beliefs import (
    Conditions,
    MaximumBelief,
    believe_maximum,
    believed_variance,
)
from infojax.optimize.covariance.stationary import Stationary
from infojax.optimize.gaussian_process.paths import Paths, sample_paths
from infojax.optimize.gaussian_process.regression import (
    GaussianProcess,
    checked_points,
    cross_covariance,
)


@functools.partial(jax.jit, static_argnames="refine")
def _path_maximizers(paths: Paths, points, bounds, refine):
    heights = paths(points)

    def one(amplitudes, weights, heights):
        path = Paths(paths.gp, paths.frequencies, amplitudes[None], weights[None])
        place = climb(lambda x: path(x[None])[0, 0], points, heights, bounds, refine)
        return place, path(place[None])[0, 0]

    found = jax.vmap(one)(paths.amplitudes, paths.weights, heights)
    return jax.lax.stop_gradient(found)


def sample_maximizers(
    key: PRNGKeyArray,
    gp: GaussianProcess,
    points: Float[Array, "N D"],
    bounds: Float[Array, "2 D"],
    n: int,
    *,
    refine: int = 10,
) -> tuple[Float[Array, "n D"], Float[Array, " n"]]:
    r"""Samples of where the maximum in a box is, and of its value, from sampled paths.

    $x^*_s = \arg\max_{x \in A} f_s(x)$ with $f_s$ from `gaussian_process.sample_paths`: the best of
    some points, climbed from within the box.

    Args:
        key: a random key.
        gp: a Gaussian process with a stationary kernel.
        points: where the paths are looked at first: a covering of the box and the evaluated
            points.
        bounds: lower and upper ends of the box.
        n: how many samples, static.
        refine: steps uphill, static.

    Returns:
        The places, for `predictive_entropy_search`, and the values there, for
        `max_value_entropy_search`; both without a derivative.

    Raises:
        TypeError: an argument of a wrong type, or a kernel that is not stationary.
        ValueError: shapes that do not fit, no point, a number below 1; eagerly, bounds that are
            not.

    Reference:
        Hernandez-Lobato, Hoffman and Ghahramani, Predictive Entropy Search, 2014,
        arXiv 1406.2541, section 2.1.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition, gaussian_process
        >>> x, y = jnp.array([[0.0], [0.5], [1.0]]), jnp.array([0.0, 1.0, 0.0])
        >>> gp = gaussian_process.condition(x, y, gaussian_process.Parameters(0.5))
        >>> places, values = acquisition.sample_maximizers(
        ...     jax.random.key(0), gp, x, jnp.array([[0.0], [1.0]]), 8
        ... )
        >>> print(places.shape, bool(jnp.all(values > 0.99)))
        (8, 1) True
    """
    starts = checked_points(gp, points)
    if starts.shape[0] == 0:
        raise ValueError("points must hold at least one point; got none.")
    ends, good = checked_bounds(bounds, starts.shape[1], starts.dtype)
    steps = checks.positive_integer("refine", refine)
    places, values = _path_maximizers(sample_paths(key, gp, n), starts, ends, steps)
    return gated(places, good), gated(values, good)


def maximum_beliefs(
    gp: GaussianProcess,
    maximizers: jax.Array,
    bounds: jax.Array | None,
    conditions: Conditions,
) -> MaximumBelief:
    """`believe_maximum` for each of some places.

    Args:
        gp: the Gaussian process.
        maximizers: the places, (S, D).
        bounds: of the box, (2, D); None if the places are all inside.
        conditions: what a place says.

    Returns:
        Beliefs with a leading axis S.
    """
    inside = jnp.ones(maximizers.shape, bool)
    if bounds is not None:
        slack = 1e-3 * (bounds[1] - bounds[0])
        inside = (maximizers > bounds[0] + slack) & (maximizers < bounds[1] - slack)
    return jax.vmap(lambda place, free: believe_maximum(gp, place, free, conditions))(
        maximizers, inside
    )


def information_of(gp: GaussianProcess, beliefs: MaximumBelief, candidates: jax.Array) -> jax.Array:
    """Predictive entropy search with what the maximisers say already worked out.

    Args:
        gp: the Gaussian process.
        beliefs: with a leading axis S.
        candidates: (M, D).

    Returns:
        Information, (M,).
    """
    whitened = gp.whitener @ cross_covariance(gp, candidates)
    prior = gp.kernel.variances(candidates, gp.parameters)
    floor = 10 * jnp.finfo(prior.dtype).eps * gp.parameters.signal_variance
    noise = gp.parameters.noise_variance
    before = jnp.maximum(prior - jnp.sum(whitened**2, 0), floor)
    after = jax.vmap(lambda belief: believed_variance(gp, belief, candidates))(beliefs)
    after = jnp.clip(after, floor, before)
    return 0.5 * jnp.mean(jnp.log(before + noise) - jnp.log(after + noise), 0)


@functools.partial(jax.jit, static_argnames="conditions")
def _predictive(gp, candidates, maximizers, bounds, conditions):
    beliefs = maximum_beliefs(gp, maximizers, bounds, conditions)
    return information_of(gp, beliefs, candidates)


def predictive_entropy_search(
    gp: GaussianProcess,
    candidates: Float[Array, "M D"],
    maximizers: Float[Array, "S D"],
    *,
    bounds: Float[Array, "2 D"] | None = None,
    conditions: Conditions | None = None,
) -> Float[Array, " M"]:
    r"""What an observation at each candidate tells about where the maximum is.

    $H(y | D) - \frac1S \sum_s H(y | D, x^*_s)$, the observation given the place of the maximum
    taken for normal. What a sampled place says, each with what is before it:

    - "candidate": $f(x^*) \ge f(x)$, in closed form: the variance of a truncated normal,
      $v - (v - c)^2 / \sigma_d^2 \cdot r (r + \alpha)$ with $c = \mathrm{cov}(f(x), f(x^*))$,
      $\sigma_d^2$ the variance of the difference, $\alpha$ its mean over $\sigma_d$ and
      $r = \varphi(\alpha) / \Phi(\alpha)$;
    - "observations": $f(x^*) + \epsilon \ge \max_i y_i$, with the noise of an observation;
    - "stationarity": $\nabla f(x^*) = 0$, exactly, and $\partial^2_i f(x^*) \le 0$.

    The last two by expectation propagation (16 sweeps), once for each place; the candidates see
    its result. Simpler than the paper: mixed second derivatives are left free, not set to 0, and
    hyper-parameters are those of `gp` (average over `gaussian_process.sample_parameters`). Beyond
    the paper: at a bound of the box nothing is said of the derivative across it.

    Args:
        gp: the Gaussian process.
        candidates: where an observation may be made.
        maximizers: samples of where the maximum is, from `sample_maximizers`.
        bounds: lower and upper ends of the box; None if no maximiser is at its end.
        conditions: how much a place says; None is all that the kernel has. Twice differentiable
            paths ("matern52", "squared_exponential") have both derivatives, "matern32" the first
            alone, "matern12" neither; of a kernel that is not stationary, whose observations may
            be of something else than the candidates, "candidate" alone.

    Returns:
        The information in nats of observing each candidate, non-negative.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: points of another dimension than the inputs, no maximiser, unknown conditions;
            eagerly, bounds that are not.

    Reference:
        Hernandez-Lobato, Hoffman and Ghahramani, Predictive Entropy Search, 2014,
        arXiv 1406.2541, equation (2) and section 2.2.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition, gaussian_process
        >>> x, y = jnp.array([[0.0], [1.0]]), jnp.array([0.0, 1.0])
        >>> gp = gaussian_process.condition(x, y, gaussian_process.Parameters(0.5, 1.0, 0.01))
        >>> at = jnp.array([[0.0], [1.5]])
        >>> gain = acquisition.predictive_entropy_search(gp, at, jnp.array([[1.4]]))
        >>> print(bool(gain[1] > gain[0]))
        True
    """
    places = checked_points(gp, maximizers, "maximizers")
    if places.shape[0] == 0:
        raise ValueError("maximizers must hold at least one sample; got none.")
    if conditions is None:
        conditions = "stationarity" if isinstance(gp.kernel, Stationary) else "candidate"
    checks.choice("conditions", conditions, get_args(Conditions))
    at = checked_points(gp, candidates, "candidates")
    if bounds is None:
        return _predictive(gp, at, places, None, conditions)
    ends, good = checked_bounds(bounds, places.shape[1], places.dtype)
    return gated(_predictive(gp, at, places, ends, conditions), good)

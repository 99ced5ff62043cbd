r"""The knowledge gradient of a box: by simulation, and by stochastic gradients.

Frazier 2018, arXiv 1807.02811, section 4.2, algorithms 2 to 4; Wu and Frazier 2016,
arXiv 1606.04414, for the gradient by the envelope theorem.
"""

import functools

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from infojax import checks
from infojax.numerics import gated
from infojax.optimize.acquisition.knowledge import posterior_cross
from infojax.optimize.acquisition.maximum_gains import slopes_of
from infojax.optimize.gaussian_process.regression import (
    GaussianProcess,
    checked_points,
    cross_covariance,
    posterior_mean,
)
from infojax.optimize.quasi_newton import minimize_bfgs


def checked_bounds(bounds: ArrayLike, features: int, dtype) -> tuple[jax.Array, jax.Array]:
    """Takes the bounds of a box.

    Args:
        bounds: lower and upper ends, (2, D).
        features: D.
        dtype: the type to work in.

    Returns:
        Them, and whether they are valid.

    Raises:
        TypeError: not of floating type.
        ValueError: a wrong shape; eagerly, a lower end that is not below the upper, or an end
            that is not finite.
    """
    ends = checks.floating("bounds", bounds)
    if ends.shape != (2, features):
        raise ValueError(f"bounds must have shape (2, {features}); got {ends.shape}.")
    good = jnp.all(jnp.isfinite(ends)) & jnp.all(ends[0] < ends[1])
    checks.check(good, f"bounds must be finite, bounds[0] below bounds[1]; got {bounds}.")
    return ends.astype(dtype), good


def _means(gp, points):
    return posterior_mean(gp, points, cross_covariance(gp, points))


def _fantasy_means(gp, points, candidate, noise):
    """Posterior means at points once an observation at the candidate is `noise` deviations off."""
    cross, variance, _ = posterior_cross(gp, points, candidate[None])
    slope = slopes_of(cross, variance, gp.parameters.noise_variance)[:, 0]
    return _means(gp, points) + slope * noise


def climb(function, points, values, bounds, refine):
    """The maximiser of a function of one point: the best of some, then a few steps uphill.

    Args:
        function: of a point (D,), differentiable.
        points: where it is known, (N, D).
        values: what it is there, (N,).
        bounds: lower and upper ends of the box.
        refine: how many steps.

    Returns:
        The place, (D,), without a derivative.
    """
    best = points[jnp.argmax(values)]
    low, high = bounds
    extent = high - low

    def negative(unit):
        return -function(low + extent * unit)

    unit = jnp.clip((best - low) / extent, 0, 1)
    found, _ = minimize_bfgs(negative, unit, steps=refine, low=0.0, high=1.0)
    return jax.lax.stop_gradient(low + extent * found)


def _best_mean(gp, points, bounds, refine):
    """The highest posterior mean in the box."""
    frozen = jax.lax.stop_gradient(gp)
    place = climb(
        lambda x: _means(frozen, x[None])[0], points, _means(frozen, points), bounds, refine
    )
    return _means(gp, place[None])[0]


def _best_fantasy(gp, candidate, points, bounds, noise, refine):
    """The highest mean after an observation; its place is held fixed under differentiation."""
    frozen, still = jax.lax.stop_gradient((gp, candidate))
    everywhere = jnp.concatenate([points, still[None]])
    place = climb(
        lambda x: _fantasy_means(frozen, x[None], still, noise)[0],
        everywhere,
        _fantasy_means(frozen, everywhere, still, noise),
        bounds,
        refine,
    )
    return _fantasy_means(gp, place[None], candidate, noise)[0]


@functools.partial(jax.jit, static_argnames="refine")
def _simulated(gp, candidate, points, bounds, base, refine):
    after = jax.vmap(lambda noise: _best_fantasy(gp, candidate, points, bounds, noise, refine))(
        base
    )
    return jnp.mean(after) - _best_mean(gp, points, bounds, refine)


def simulated_knowledge_gradient(
    gp: GaussianProcess,
    candidate: Float[Array, " D"],
    points: Float[Array, "N D"],
    bounds: Float[Array, "2 D"],
    base_samples: Float[Array, " S"],
    *,
    refine: int = 10,
) -> Float[Array, ""]:
    r"""The knowledge gradient of a box, by simulation.

    $\frac1S \sum_s \max_{x' \in A} [\mu_n(x') + \tilde\sigma(x', x) Z_s] - \max_{x' \in A} \mu_n$.
    Each inner maximum is the best of `points` and the candidate, climbed from. Its place is held
    fixed under differentiation: by the envelope theorem the gradient is that of the maximum, and
    an unbiased estimate of the knowledge gradient's.

    Args:
        gp: the Gaussian process.
        candidate: where an observation may be made.
        points: where the inner searches begin: a covering of the box and the evaluated points.
        bounds: lower and upper ends of the box.
        base_samples: standard normal draws; the same for all candidates, or Gauss-Hermite nodes'
            quantiles.
        refine: steps of the inner search, static.

    Returns:
        The knowledge gradient.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: shapes that do not fit, no point or sample; eagerly, bounds that are not.

    Reference:
        Frazier, A Tutorial on Bayesian Optimization, 2018, arXiv 1807.02811, algorithms 2 and 3.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition, gaussian_process
        >>> x, y = jnp.array([[0.0], [1.0]]), jnp.array([0.0, 1.0])
        >>> gp = gaussian_process.condition(x, y, gaussian_process.Parameters(0.5))
        >>> bounds, base = jnp.array([[0.0], [2.0]]), jnp.array([-1.0, 1.0])
        >>> gain = acquisition.simulated_knowledge_gradient(gp, jnp.array([1.5]), x, bounds, base)
        >>> print(bool(gain > 0.1))
        True
    """
    at = checks.floating("candidate", candidate)
    if at.ndim != 1:
        raise ValueError(f"candidate must have shape (D,); got {at.shape}.")
    at = checked_points(gp, at[None], "candidate")[0]
    starts = checked_points(gp, points)
    base = checks.floating("base_samples", base_samples, ndim=1)
    if starts.shape[0] == 0 or base.size == 0:
        raise ValueError(
            "points and base_samples must hold at least one each; "
            f"got shapes {starts.shape} and {base.shape}."
        )
    ends, good = checked_bounds(bounds, at.size, at.dtype)
    steps = checks.positive_integer("refine", refine)
    value = _simulated(gp, at, starts, ends, base.astype(at.dtype), steps)
    return gated(value, good)


@functools.partial(jax.jit, static_argnames=("starts", "steps", "samples", "refine"))
def _ascend(key, gp, points, bounds, starts, steps, samples, refine, rate):
    low, high = bounds
    start_key, noise_key, score_key = jax.random.split(key, 3)
    dtype = points.dtype
    unit = jax.random.uniform(start_key, (starts, points.shape[1]), dtype)

    def ascend(unit):
        def step(x, number):
            draws = jax.random.normal(jax.random.fold_in(noise_key, number), (samples,), dtype)
            draws = jnp.concatenate([draws, -draws])

            def mean_after(x):
                candidate = low + (high - low) * x
                return jnp.mean(
                    jax.vmap(lambda z: _best_fantasy(gp, candidate, points, bounds, z, refine))(
                        draws
                    )
                )

            size = rate / (rate + number + 1)
            gradient = jax.grad(mean_after)(x)
            # Of unit length at most, so that the first steps stay in the box whatever the units.
            gradient /= jnp.maximum(jnp.linalg.norm(gradient), 1e-12)
            return jnp.clip(x + 0.1 * size * gradient, 0, 1), None

        return jax.lax.scan(step, unit, jnp.arange(steps))[0]

    ends = low + (high - low) * jax.vmap(ascend)(unit)
    base = jax.random.normal(score_key, (16 * samples,), dtype)
    base = jnp.concatenate([base, -base])
    scores = jax.lax.map(lambda x: _simulated(gp, x, points, bounds, base, refine), ends)
    best = jnp.argmax(scores)
    return ends[best], scores[best]


def knowledge_gradient_ascent(
    key: PRNGKeyArray,
    gp: GaussianProcess,
    points: Float[Array, "N D"],
    bounds: Float[Array, "2 D"],
    *,
    starts: int = 8,
    steps: int = 40,
    samples: int = 4,
    refine: int = 5,
    rate: float = 4.0,
) -> tuple[Float[Array, " D"], Float[Array, ""]]:
    r"""The point of the highest knowledge gradient in a box, by stochastic gradient ascent.

    From random starts in lockstep, $x \leftarrow \Pi(x + \alpha_t G)$ with
    $\alpha_t \propto a / (a + t)$ and G the direction of the mean of sampled gradients (pairs of
    opposite Z); the ends are compared by simulation with the same draws. Over a fixed set of
    points the exact `knowledge_gradient` is far cheaper, and what to use in few dimensions.

    Args:
        key: a random key.
        gp: the Gaussian process.
        points: where inner searches begin, as in `simulated_knowledge_gradient`.
        bounds: lower and upper ends of the box.
        starts: how many ascents, static.
        steps: steps of each, static.
        samples: pairs of draws for one gradient, static.
        refine: steps of the inner search, static.
        rate: the a of the step sizes.

    Returns:
        The point, and its knowledge gradient by simulation.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: shapes that do not fit, no point, a number below 1; eagerly, bounds that are
            not.

    Reference:
        Frazier, A Tutorial on Bayesian Optimization, 2018, arXiv 1807.02811, algorithm 4.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition, gaussian_process
        >>> x, y = jnp.array([[0.0], [1.0]]), jnp.array([0.0, 1.0])
        >>> gp = gaussian_process.condition(x, y, gaussian_process.Parameters(0.5))
        >>> point, gain = acquisition.knowledge_gradient_ascent(
        ...     jax.random.key(0), gp, x, jnp.array([[0.0], [2.0]]), starts=2, steps=9
        ... )
        >>> print(bool(point[0] > 1), bool(gain > 0))
        True True
    """
    begins = checked_points(gp, points)
    if begins.shape[0] == 0:
        raise ValueError("points must hold at least one point; got none.")
    ends, good = checked_bounds(bounds, begins.shape[1], begins.dtype)
    sizes = {"starts": starts, "steps": steps, "samples": samples, "refine": refine}
    numbers = [checks.positive_integer(name, value) for name, value in sizes.items()]
    if not rate > 0:
        raise ValueError(f"rate must be positive; got {rate!r}.")
    point, value = _ascend(key, gp, begins, ends, *numbers, rate)
    return gated(point, good), gated(value, good)

"""Several points at once: joint expected improvement and knowledge gradient, greedy batches."""

from collections.abc import Callable
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from infojax import checks
from infojax.numerics import gated, narrow, widen
from infojax.optimize.acquisition.knowledge import posterior_cross
from infojax.optimize.acquisition.maximum_gains import checked_joint
from infojax.optimize.gaussian_process.factors import jittered_cholesky
from infojax.optimize.gaussian_process.fantasies import fantasize
from infojax.optimize.gaussian_process.regression import (
    GaussianProcess,
    checked_points,
    cross_covariance,
    marginals,
    posterior,
    posterior_mean,
)

Lie = Literal["min", "mean", "max", "believer"]


def checked_base(base_samples: ArrayLike, size: int) -> jax.Array:
    """Takes standard normal draws.

    Args:
        base_samples: what came, (S, size).
        size: how many numbers a draw holds.

    Returns:
        The draws.

    Raises:
        TypeError: not of floating type.
        ValueError: a wrong shape, or no draw.
    """
    base = checks.floating("base_samples", base_samples, ndim=2)
    if base.shape[0] == 0 or base.shape[1] != size:
        raise ValueError(f"base_samples must have shape (S, {size}) with S > 0; got {base.shape}.")
    return base


@jax.jit
def _q_improvement(mean, covariance, best, base):
    # Values that are certain have a factor as well.
    scale = jnp.maximum(jnp.max(jnp.diag(covariance)), 1e-12) * jnp.ones_like(mean)
    factor, _ = jittered_cholesky(covariance, scale)
    values = mean + base @ factor.T
    return jnp.mean(jnp.maximum(jnp.max(values, -1) - best, 0))


def q_expected_improvement(
    mean: Float[Array, " Q"],
    covariance: Float[Array, "Q Q"],
    best: ArrayLike,
    base_samples: Float[Array, "S Q"],
) -> Float[Array, ""]:
    r"""How much the best of several points is expected to improve on the maximum so far.

    $\frac1S \sum_s \max(0, \max_i (m + L z_s)_i - f^*)$ with $L L^T$ the covariance: with the base
    samples z held fixed a smooth function of the points, whose gradient is an unbiased estimate
    (infinitesimal perturbation analysis).

    Args:
        mean: posterior means of the Q points.
        covariance: their posterior covariance.
        best: the value to improve on.
        base_samples: standard normal draws, or quasi-random ones.

    Returns:
        The expected improvement, in the unit of `mean`.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: shapes that do not fit, no point, no sample; eagerly, an entry that is not
            finite.

    Reference:
        Ginsbourger, Le Riche and Carraro 2010; Wang, Clark, Liu and Frazier, Parallel Bayesian
        Global Optimization of Expensive Functions, 2016, arXiv 1602.05149.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition
        >>> base = jax.random.normal(jax.random.key(0), (4000, 2))
        >>> gain = acquisition.q_expected_improvement(jnp.zeros(2), jnp.eye(2), 0.0, base)
        >>> print(round(float(gain), 1))  # E max(0, Z1, Z2) = .68
        0.7
    """
    given, (m, c), _, valid = checked_joint(mean, covariance, 0.0)
    base = checked_base(base_samples, m.size)
    incumbent = checks.real_number("best", best).astype(m.dtype)
    if incumbent.ndim:
        raise ValueError(f"best must be one number; got shape {incumbent.shape}.")
    good = jnp.isfinite(incumbent)
    checks.check_real("best", incumbent, good, "finite")
    value = _q_improvement(*widen(m, c, jnp.where(good, incumbent, 0), base))
    return narrow(gated(value, valid, good), *given)


def batch_slopes(gp: GaussianProcess, batch: jax.Array, points: jax.Array) -> jax.Array:
    """How far each whitened observation of a batch moves the means at some points.

    Args:
        gp: the Gaussian process.
        batch: the points observed, (Q, D).
        points: where, (N, D).

    Returns:
        Matrix (Q, N).
    """
    cross, _, _ = posterior_cross(gp, points, batch)
    _, covariance = posterior(gp, batch, observation_noise=True)
    scale = gp.parameters.signal_variance * jnp.ones_like(batch[:, 0])
    factor, _ = jittered_cholesky(covariance, scale)
    return jax.scipy.linalg.solve_triangular(factor, cross.T, lower=True)


@jax.jit
def _q_knowledge(gp, batch, points, base):
    means = posterior_mean(gp, points, cross_covariance(gp, points))
    moved = means + base @ batch_slopes(gp, batch, points)
    return jnp.mean(jnp.max(moved, -1)) - jnp.max(means)


def q_knowledge_gradient(
    gp: GaussianProcess,
    batch: Float[Array, "Q D"],
    points: Float[Array, "N D"],
    base_samples: Float[Array, "S Q"],
) -> Float[Array, ""]:
    r"""What observing several points at once adds to the best posterior mean over some points.

    $E \max_j (\mu + \tilde\Sigma Z)_j - \max_j \mu_j$, $\tilde\Sigma = c(A, X) L^{-T}$ with
    $L L^T = c(X, X) + \sigma^2 I$ of the batch X, averaged over base samples. Of a process with
    `covariance.Derivatives` a batch of one place, with its value and its partial derivatives, gives
    the derivative-enabled knowledge gradient.

    Args:
        gp: the Gaussian process.
        batch: the Q points to be observed.
        points: among which the final choice is made.
        base_samples: standard normal draws; pairs of opposite sign halve the noise.

    Returns:
        The knowledge gradient; with few samples it may be slightly negative.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: shapes that do not fit, no point, no sample.

    Reference:
        Wu and Frazier, The Parallel Knowledge Gradient Method for Batch Bayesian Optimization,
        2016, arXiv 1606.04414; with derivatives: Wu, Poloczek, Wilson and Frazier 2017,
        arXiv 1703.04389.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition, gaussian_process
        >>> x, y = jnp.array([[0.0]]), jnp.array([0.0])
        >>> gp = gaussian_process.condition(x, y, gaussian_process.Parameters(0.1))
        >>> base = jax.random.normal(jax.random.key(0), (999, 2))
        >>> at = jnp.array([[1.0], [2.0]])
        >>> both = acquisition.q_knowledge_gradient(gp, at, at, base)
        >>> one = acquisition.knowledge_gradient(gp, at[:1], at)
        >>> print(bool(both > one[0]))
        True
    """
    at = checked_points(gp, batch, "batch")
    if at.shape[0] == 0:
        raise ValueError("batch must hold at least one point; got none.")
    choices = checked_points(gp, points)
    if choices.shape[0] == 0:
        raise ValueError("points must hold at least one point; got none.")
    base = checked_base(base_samples, at.shape[0])
    return _q_knowledge(gp, at, choices, base.astype(at.dtype))


def constant_liar(
    gp: GaussianProcess,
    choose: Callable[[GaussianProcess], jax.Array],
    *,
    q: int,
    lie: Lie = "min",
) -> Float[Array, "Q D"]:
    """A batch of points, each chosen as if those before it had been observed.

    Any acquisition serves: max-value entropy search so becomes its greedy batch version. The
    process needs `q` - 1 free rows; nothing is compiled again from point to point.

    Args:
        gp: the Gaussian process.
        choose: from a Gaussian process to the point (D,) that it would observe next.
        q: how many points, static.
        lie: what is believed to be observed: "min", "mean" or "max" of the observations, or
            "believer" for the posterior mean there (the Kriging believer).

    Returns:
        The points.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an unknown lie, `q` below 1; eagerly, too few free rows.

    Reference:
        Ginsbourger, Le Riche and Carraro, Kriging is Well-Suited to Parallelize Optimization,
        2010, section 4.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition, gaussian_process
        >>> x, y = jnp.zeros((4, 1)), jnp.zeros(4)
        >>> gp = gaussian_process.condition(
        ...     x, y, gaussian_process.Parameters(1.0), where=jnp.arange(4) < 1
        ... )
        >>> grid = jnp.array([[-3.0], [-1.0], [3.5]])
        >>> def most_uncertain(gp):
        ...     return grid[gaussian_process.marginals(gp, grid)[1].argmax()]
        >>> print(acquisition.constant_liar(gp, most_uncertain, q=2)[:, 0])
        [ 3.5 -3. ]
    """
    checks.choice("lie", lie, get_args(Lie))
    count = checks.positive_integer("q", q)
    if not isinstance(gp, GaussianProcess):
        raise TypeError(f"gp must be a GaussianProcess; got {type(gp).__name__}.")
    reductions = {"min": jnp.min, "mean": jnp.mean, "max": jnp.max}
    initial = {"min": {"initial": jnp.inf}, "mean": {}, "max": {"initial": -jnp.inf}}
    told = None if lie == "believer" else reductions[lie](gp.values, where=gp.where, **initial[lie])
    chosen = []
    for number in range(count):
        point = choose(gp)
        chosen.append(point)
        if number + 1 < count:
            value = marginals(gp, point[None])[0][0] if told is None else told
            gp = fantasize(gp, point, value)
    return jnp.stack(chosen)

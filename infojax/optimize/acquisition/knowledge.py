r"""Knowledge gradients of a Gaussian process: what one observation adds to the best mean.

An observation at x moves the posterior mean at x' by $\tilde\sigma(x', x) Z$ with
$\tilde\sigma(x', x) = c(x', x) / \sqrt{c(x, x) + \sigma^2}$ and Z standard normal (Frazier 2018,
arXiv 1807.02811, sections 4.2 and 4.4).
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from infojax import checks
from infojax.numerics import gated
from infojax.optimize.acquisition.maximum_gains import maximum_gain, slopes_of
from infojax.optimize.gaussian_process.regression import (
    GaussianProcess,
    checked_points,
    cross_covariance,
    posterior_mean,
)


def posterior_cross(
    gp: GaussianProcess, points: jax.Array, candidates: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Posterior covariances of points and candidates, and variances and means of the candidates.

    Args:
        gp: the Gaussian process.
        points: (N, D).
        candidates: (M, D).

    Returns:
        Matrix (N, M), arrays (M,) and (M,); nothing of size M x M.
    """
    kernel_points = cross_covariance(gp, points)
    kernel_candidates = cross_covariance(gp, candidates)
    whitened = gp.whitener @ kernel_candidates
    prior = gp.kernel(points, candidates, gp.parameters)
    cross = prior - (gp.whitener @ kernel_points).T @ whitened
    variance = gp.kernel.variances(candidates, gp.parameters) - jnp.sum(whitened**2, 0)
    mean = posterior_mean(gp, candidates, kernel_candidates)
    return cross, jnp.maximum(variance, 0), mean


@jax.jit
def _knowledge_gradient(gp, candidates, points):
    means = posterior_mean(gp, points, cross_covariance(gp, points))
    cross, variance, _ = posterior_cross(gp, points, candidates)
    slopes = slopes_of(cross, variance, gp.parameters.noise_variance)
    gains = jax.vmap(maximum_gain, (None, 1))(means, slopes)
    return gated(gains, jnp.all(jnp.isfinite(means)))


def knowledge_gradient(
    gp: GaussianProcess, candidates: Float[Array, "M D"], points: Float[Array, "N D"]
) -> Float[Array, " M"]:
    r"""What an observation at each candidate adds to the best posterior mean over some points.

    $E \max_{x' \in A} \mu_{n+1}(x') - \max_{x' \in A} \mu_n(x')$, exactly, A the points; with a
    fine A it is the knowledge gradient of the box that A covers. Add the evaluated points to A.
    Differentiable by the candidates.

    Args:
        gp: the Gaussian process.
        candidates: where an observation may be made.
        points: A, among which the final choice is made. For a process over (x, fidelity) these
            are at the target fidelity.

    Returns:
        The knowledge gradients, non-negative.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: points of another dimension than the inputs, no point.

    Reference:
        Frazier, A Tutorial on Bayesian Optimization, 2018, arXiv 1807.02811, section 4.2.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition, gaussian_process
        >>> x, y = jnp.array([[0.0], [1.0]]), jnp.array([0.0, 1.0])
        >>> gp = gaussian_process.condition(x, y, gaussian_process.Parameters(0.5))
        >>> grid = jnp.linspace(0.0, 2.0, 5)[:, None]
        >>> print(acquisition.knowledge_gradient(gp, grid, grid).round(3).argmax())
        3
    """
    points = checked_points(gp, points)
    if points.shape[0] == 0:
        raise ValueError("points must hold at least one point; got none.")
    return _knowledge_gradient(gp, checked_points(gp, candidates, "candidates"), points)


def knowledge_gradient_per_cost(
    gp: GaussianProcess,
    candidates: Float[Array, "M D"],
    points: Float[Array, "N D"],
    costs: ArrayLike,
) -> Float[Array, " M"]:
    r"""The knowledge gradient per unit of cost, for observations at several fidelities or sources.

    The final choice is made at the target alone, so `points` carry the target's fidelity or
    source, the candidates any. Expected improvement has no such form: an observation below the
    target improves on nothing.

    Args:
        gp: a Gaussian process over points with a fidelity or source in the last column
            (`covariance.LinearTruncated`, `covariance.InformationSources`).
        candidates: where an observation may be made.
        points: among which the final choice is made, at the target.
        costs: what an observation at each candidate costs, positive.

    Returns:
        Gains per cost.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: points of another dimension than the inputs, costs of another number than
            candidates; eagerly, a cost that is not positive.

    Reference:
        Frazier, A Tutorial on Bayesian Optimization, 2018, arXiv 1807.02811, section 5.2;
        Poloczek, Wang and Frazier, Multi-Information Source Optimization, 2017, arXiv 1603.00389.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition, gaussian_process
        >>> x, y = jnp.array([[0.0]]), jnp.array([0.0])
        >>> gp = gaussian_process.condition(x, y, gaussian_process.Parameters(1.0))
        >>> at = jnp.array([[2.0], [-2.0]])
        >>> dear = acquisition.knowledge_gradient_per_cost(gp, at, at, jnp.array([1.0, 2.0]))
        >>> print(dear[0] / dear[1])
        2.0
    """
    gains = knowledge_gradient(gp, candidates, points)
    prices = checks.real_number("costs", costs)
    if prices.shape not in ((), gains.shape):
        raise ValueError(f"costs must have shape () or {gains.shape}; got {prices.shape}.")
    good = (prices > 0) & jnp.isfinite(prices)
    checks.check_real("costs", prices, good, "positive and finite")
    return gains / gated(prices.astype(gains.dtype), good)


@jax.jit
def _noisy_expected_improvement(gp, candidates):
    means = posterior_mean(gp, gp.inputs, cross_covariance(gp, gp.inputs))
    cross, variance, own = posterior_cross(gp, gp.inputs, candidates)
    cross = jnp.concatenate([cross, variance[None]])
    slopes = slopes_of(cross, variance, gp.parameters.noise_variance)
    best = jnp.max(jnp.where(gp.where, means, -jnp.inf))

    def gain(mean, slope):
        # A row that does not count becomes a second copy of the candidate's line.
        a = jnp.append(jnp.where(gp.where, means, mean), mean)
        b = jnp.append(jnp.where(gp.where, slope[:-1], slope[-1]), slope[-1])
        return maximum_gain(a, b) + jnp.maximum(mean - best, 0)

    return gated(jax.vmap(gain, (0, 1))(own, slopes), jnp.isfinite(best))


def noisy_expected_improvement(
    gp: GaussianProcess, candidates: Float[Array, "M D"]
) -> Float[Array, " M"]:
    r"""Expected improvement under noise, when the final choice is one of the evaluated points.

    $E[\max_{i \le n+1} \mu_{n+1}(x_i)] - \max_{i \le n} \mu_n(x_i)$, $x_{n+1}$ the candidate:
    the one-step optimal rule. It is `expected_improvement` over the best value where there is no
    noise, and worth a second look at a promising point where there is. Computed exactly, as a
    knowledge gradient of n + 1 points.

    Args:
        gp: the Gaussian process.
        candidates: where an observation may be made.

    Returns:
        The expected improvements.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: candidates of another dimension than the inputs.

    Reference:
        Frazier, A Tutorial on Bayesian Optimization, 2018, arXiv 1807.02811, section 5 (expected
        improvement with noise).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition, gaussian_process
        >>> x, y = jnp.array([[0.0], [1.0]]), jnp.array([0.0, 1.0])
        >>> gp = gaussian_process.condition(x, y, gaussian_process.Parameters(0.5, 1.0, 0.1))
        >>> print(bool(acquisition.noisy_expected_improvement(gp, x)[1] > 0.01))  # looks again
        True
    """
    return _noisy_expected_improvement(gp, checked_points(gp, candidates, "candidates"))

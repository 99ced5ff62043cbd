r"""The knowledge gradient under constraints that each have a process of their own.

A choice is worth its value where it is feasible and a fixed value where it is not, so that a point
is now worth $v_n(x') = M + (\mu_n(x') - M) P_n(x')$ with P the probability of feasibility. An
observation of objective and constraints changes both factors; without noise on the constraints
the candidate's own feasibility is known after it.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from infojax import checks
from infojax.numerics import gated, safe_sqrt
from infojax.optimize.acquisition.batches import checked_base
from infojax.optimize.acquisition.constraints import log_feasibility
from infojax.optimize.acquisition.knowledge import posterior_cross
from infojax.optimize.acquisition.maximum_gains import maximum_gain, slopes_of
from infojax.optimize.gaussian_process.regression import (
    GaussianProcess,
    checked_points,
    cross_covariance,
    marginals,
    posterior_mean,
)


def _moves(gp: GaussianProcess, points: jax.Array, candidates: jax.Array):
    """Means at points, how an observation at a candidate moves them, and what stays unknown."""
    cross, variance, _ = posterior_cross(gp, points, candidates)
    slopes = slopes_of(cross, variance, jnp.asarray(gp.parameters.noise_variance))
    means, stds = marginals(gp, points)
    left = stds[:, None] ** 2 - slopes**2
    known = left <= 10 * jnp.finfo(left.dtype).eps * gp.parameters.signal_variance
    return means, slopes, safe_sqrt(jnp.where(known, 0, left))


@jax.jit
def _constrained_gain(gp, constraints, candidates, points, base, worst):
    means = posterior_mean(gp, points, cross_covariance(gp, points)) - worst
    cross, variance, _ = posterior_cross(gp, points, candidates)
    slopes = slopes_of(cross, variance, gp.parameters.noise_variance)
    limits, limit_slopes, left = jax.vmap(lambda g: _moves(g, points, candidates))(constraints)

    def gain(slope, limit_slope, left):
        def feasible(noise):
            moved = limits + limit_slope * noise[:, None]
            return jnp.exp(log_feasibility(moved.T, left.T))

        probability = jax.vmap(feasible)(base)
        a, b = means * probability, slope * probability
        after = jax.vmap(maximum_gain)(a, b) + jnp.max(a, -1)
        # The same draws before: their error cancels, and what is left is no loss.
        return jnp.mean(after) - jnp.max(jnp.mean(a, 0))

    gains = jax.vmap(gain, (1, 2, 2))(slopes, limit_slopes, left)
    return gated(gains, jnp.all(jnp.isfinite(means)))


def constrained_knowledge_gradient(
    gp: GaussianProcess,
    constraints: GaussianProcess,
    candidates: Float[Array, "M D"],
    points: Float[Array, "N D"],
    base_samples: Float[Array, "S K"],
    *,
    infeasible_value: ArrayLike,
) -> Float[Array, " M"]:
    r"""What observing objective and constraints at each candidate adds to the best choice.

    $E \max_{x' \in A} v_{n+1}(x') - \max_{x' \in A} v_n(x')$ with
    $v(x') = M + (\mu(x') - M) \prod_k \Phi(-m_k(x') / s_k(x'))$, A the points. Given the
    constraints' observations the expectation is `expected_maximum_gain`, exactly; over those it
    is an average of base samples. Constraints without noise (a noise variance of 0) decide the
    candidate's own feasibility: the factor is then 1 or 0 there. Of independent points, M the best
    feasible value so far, it is `constrained_expected_improvement`; of constraints that hold for
    sure, `knowledge_gradient`.

    The candidate's feasibility is a step in the samples: compare candidates, among the points
    best, rather than follow a gradient.

    Args:
        gp: the Gaussian process of the objective.
        constraints: those of the K constraint functions, feasible where <= 0, independent given
            the observations; a leading axis K in every array, as from `jax.vmap`.
        candidates: where an observation may be made.
        points: A, among which the final choice is made. Add the candidates and the evaluated
            points.
        base_samples: standard normal draws, the same for all candidates.
        infeasible_value: the M: what a choice is worth that turns out infeasible, in units of the
            values.

    Returns:
        The knowledge gradients, non-negative.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: shapes that do not fit, no point, no sample; eagerly, a value that is not
            finite.

    Reference:
        Frazier, A Tutorial on Bayesian Optimization, 2018, arXiv 1807.02811, section 5.3;
        Ungredda and Branke, Bayesian Optimisation for Constrained Problems, 2021,
        arXiv 2105.13245.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition, gaussian_process
        >>> x, parameters = jnp.array([[0.0], [1.0]]), gaussian_process.Parameters(0.5)
        >>> gp = gaussian_process.condition(x, jnp.array([0.0, 1.0]), parameters)
        >>> limits = jax.vmap(lambda y: gaussian_process.condition(x, y, parameters))(
        ...     jnp.array([[-1.0, -3.0]])
        ... )
        >>> at, base = jnp.array([[1.4], [-0.4]]), jax.random.normal(jax.random.key(0), (64, 1))
        >>> gain = acquisition.constrained_knowledge_gradient(
        ...     gp, limits, at, jnp.concatenate([x, at]), base, infeasible_value=-1.0
        ... )
        >>> print(bool(gain[0] > gain[1]))
        True
    """
    choices = checked_points(gp, points)
    if choices.shape[0] == 0:
        raise ValueError("points must hold at least one point; got none.")
    if not isinstance(constraints, GaussianProcess):
        raise TypeError(f"constraints must be a GaussianProcess; got {type(constraints).__name__}.")
    if constraints.inputs.ndim != 3 or constraints.inputs.shape[2] != choices.shape[1]:
        raise ValueError(
            f"constraints must have inputs of shape (K, C, {choices.shape[1]}), a leading axis in "
            f"every array; got {constraints.inputs.shape}."
        )
    base = checked_base(base_samples, constraints.inputs.shape[0])
    worst = checks.real_number("infeasible_value", infeasible_value)
    if worst.ndim:
        raise ValueError(f"infeasible_value must be one number; got shape {worst.shape}.")
    good = jnp.isfinite(worst)
    checks.check_real("infeasible_value", worst, good, "finite")
    at = checked_points(gp, candidates, "candidates")
    worst = jnp.where(good, worst, 0).astype(choices.dtype)
    gains = _constrained_gain(gp, constraints, at, choices, base.astype(choices.dtype), worst)
    return gated(gains, good)

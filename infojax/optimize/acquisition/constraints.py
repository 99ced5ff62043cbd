"""Constraints that are as expensive as the objective, each modelled by a process of its own."""

import jax
import jax.numpy as jnp
from jax.scipy.special import log_ndtr
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from infojax import checks
from infojax.numerics import gated, narrow, widen
from infojax.optimize.acquisition.improvement import (
    checked_marginals,
    expected_improvement,
    log_expected_improvement,
)


def log_feasibility(mean: jax.Array, std: jax.Array) -> jax.Array:
    """`log_probability_of_feasibility`, of arguments that have been checked.

    Args:
        mean: posterior means, (..., K).
        std: posterior standard deviations, (..., K).

    Returns:
        Log probabilities, (...).
    """
    spread = std > 0
    # At a deviation of 0 the derivative is 0: the argument must not be divided by it.
    inner = log_ndtr(-mean / jnp.where(spread, std, 1))
    return jnp.sum(jnp.where(spread, inner, jnp.where(mean <= 0, 0.0, -jnp.inf)), -1)


def log_probability_of_feasibility(
    constraint_mean: Float[Array, "*B K"], constraint_std: Float[Array, "*B K"]
) -> Float[Array, "*B"]:
    r"""$\sum_k \log \Phi(-m_k / s_k)$: that independent constraints are all at most 0.

    Args:
        constraint_mean: posterior means of the K constraint functions, feasible where <= 0.
        constraint_std: their posterior standard deviations. Where 0 the constraint holds or not.

    Returns:
        Log probabilities, in nats.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: shapes that do not fit; eagerly, a mean that is not finite, a negative
            deviation.

    Reference:
        Gardner et al., Bayesian Optimization with Inequality Constraints, 2014, equation (7).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition
        >>> means, stds = jnp.array([0.0, -60.0]), jnp.array([1.0, 1.0])
        >>> print(acquisition.log_probability_of_feasibility(means, stds))  # log 1/2
        -0.6931
    """
    given, (m, s), valid = checked_marginals(constraint_mean, constraint_std)
    if m.ndim == 0:
        raise ValueError("constraint_mean must have an axis of constraints; got shape ().")
    return narrow(gated(log_feasibility(m, s), jnp.all(valid, -1)), *given)


def probability_of_feasibility(
    constraint_mean: Float[Array, "*B K"], constraint_std: Float[Array, "*B K"]
) -> Float[Array, "*B"]:
    r"""$\prod_k \Phi(-m_k / s_k)$: the probability that independent constraints are all at most 0.

    Args:
        constraint_mean: posterior means of the K constraint functions, feasible where <= 0.
        constraint_std: their posterior standard deviations.

    Returns:
        Probabilities.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: shapes that do not fit; eagerly, a mean that is not finite, a negative
            deviation.

    Reference:
        Gardner et al., Bayesian Optimization with Inequality Constraints, 2014, equation (7).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition
        >>> means, stds = jnp.zeros(2), jnp.ones(2)
        >>> print(acquisition.probability_of_feasibility(means, stds))
        0.25
    """
    return jnp.exp(log_probability_of_feasibility(constraint_mean, constraint_std))


def constrained_expected_improvement(
    mean: Float[Array, "*B"],
    std: Float[Array, "*B"],
    best: ArrayLike,
    constraint_mean: Float[Array, "*B K"],
    constraint_std: Float[Array, "*B K"],
) -> Float[Array, "*B"]:
    r"""Expected improvement on the best feasible value, times the probability of feasibility.

    Where nothing feasible is known, `best` = -inf, it is the probability of feasibility alone.

    Args:
        mean: posterior means of the objective.
        std: posterior standard deviations of the objective.
        best: the best value among feasible points, or -inf.
        constraint_mean: posterior means of the K constraint functions, feasible where <= 0.
        constraint_std: their posterior standard deviations.

    Returns:
        The expected improvement, in the unit of `mean`.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: shapes that do not fit; eagerly, a mean that is not finite, a negative
            deviation, a NaN.

    Reference:
        Schonlau, Welch and Jones 1998; Gardner et al. 2014; Frazier, A Tutorial on Bayesian
        Optimization, 2018, arXiv 1807.02811, section 5.3.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition
        >>> one = jnp.array(1.0)
        >>> gain = acquisition.constrained_expected_improvement(
        ...     one, one, 1.0, jnp.array([0.0]), jnp.array([1.0])
        ... )
        >>> print(gain)  # .3989 / 2
        0.1995
    """
    probability = probability_of_feasibility(constraint_mean, constraint_std)
    incumbent, none = _incumbent(best, jnp.asarray(mean))
    gain = expected_improvement(mean, std, incumbent)
    return jnp.where(none, 1, gain).astype(gain.dtype) * probability


def log_constrained_expected_improvement(
    mean: Float[Array, "*B"],
    std: Float[Array, "*B"],
    best: ArrayLike,
    constraint_mean: Float[Array, "*B K"],
    constraint_std: Float[Array, "*B K"],
) -> Float[Array, "*B"]:
    r"""The logarithm of `constrained_expected_improvement`, to search over.

    Args:
        mean: posterior means of the objective.
        std: posterior standard deviations of the objective.
        best: the best value among feasible points, or -inf.
        constraint_mean: posterior means of the K constraint functions, feasible where <= 0.
        constraint_std: their posterior standard deviations.

    Returns:
        The logarithm, in nats.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: shapes that do not fit; eagerly, a mean that is not finite, a negative
            deviation, a NaN.

    Reference:
        Ament et al. 2023, arXiv 2310.20708, section 4.2.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition
        >>> one = jnp.array(1.0)
        >>> gain = acquisition.log_constrained_expected_improvement(
        ...     one, one, 1.0, jnp.array([0.0]), jnp.array([1.0])
        ... )
        >>> print(jnp.exp(gain))
        0.1995
    """
    logs = log_probability_of_feasibility(constraint_mean, constraint_std)
    incumbent, none = _incumbent(best, jnp.asarray(mean))
    gain = log_expected_improvement(mean, std, incumbent)
    return jnp.where(none, 0, gain).astype(gain.dtype) + logs


def _incumbent(best: ArrayLike, like: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The incumbent, 0 where there is none, and whether there is none."""
    array = checks.real_number("best", best) if jnp.ndim(best) else jnp.asarray(best, like.dtype)
    none = jnp.isneginf(array)
    return jnp.where(none, 0, array), none


def best_feasible(
    mean: Float[Array, " M"],
    constraint_mean: Float[Array, "M K"],
    constraint_std: Float[Array, "M K"],
    *,
    risk: float = 0.05,
) -> Int[Array, ""]:
    r"""The point to recommend: the highest mean among those feasible with high probability.

    $\arg\max m$ over $\prod_k \Phi(-m_k / s_k) \ge 1 - \delta$; the point most probably feasible
    where none is.

    Args:
        mean: posterior means of the objective.
        constraint_mean: posterior means of the K constraint functions, feasible where <= 0.
        constraint_std: their posterior standard deviations.
        risk: the delta, static, between 0 and 1.

    Returns:
        Its index.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: shapes that do not fit, a risk out of its range; eagerly, a mean that is not
            finite, a negative deviation.

    Reference:
        Gelbart, Snoek and Adams, Bayesian Optimization with Unknown Constraints, 2014,
        arXiv 1403.5607, section 2.2.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition
        >>> print(acquisition.best_feasible(
        ...     jnp.array([3.0, 1.0, 2.0]), jnp.array([[1.0], [-9.0], [-9.0]]), jnp.ones((3, 1))
        ... ))
        2
    """
    if not 0 < risk < 1:
        raise ValueError(f"risk must be between 0 and 1; got {risk!r}.")
    means = checks.floating("mean", mean, ndim=1)
    logs = log_probability_of_feasibility(constraint_mean, constraint_std)
    if means.size == 0 or logs.shape != means.shape:
        raise ValueError(
            f"mean and constraints must have shapes (M,) and (M, K) with M > 0; got {means.shape} "
            f"and {logs.shape} without K."
        )
    means, logs = widen(means, logs)
    safe = logs >= jnp.log1p(-risk)
    allowed = jnp.where(safe, means, -jnp.inf)
    return jnp.where(jnp.any(safe), jnp.argmax(allowed), jnp.argmax(logs))

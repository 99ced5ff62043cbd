"""Acquisition functions of the marginals: expected improvement, its logarithm, UCB and PI."""

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from infojax import checks
from infojax.numerics import gated, narrow, widen
from infojax.optimize.acquisition.normal_gains import expected_gain, log_expected_gain


def checked_marginals(
    mean: ArrayLike, std: ArrayLike, **others: ArrayLike
) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, ...], jax.Array]:
    """Takes means, standard deviations, and further numbers that broadcast with them.

    Args:
        mean: the means.
        std: the standard deviations.
        **others: further arguments by name; real numbers may be Python's.

    Returns:
        All as given; all in working precision, broadcast; and which entries are valid (a mean
        that is a number, a deviation that is one and not negative).

    Raises:
        TypeError: one is not of floating type.
        ValueError: they do not broadcast; eagerly, an entry that is not valid.
    """
    means = checks.floating("mean", mean)
    deviations = checks.floating("std", std)
    # A Python number takes the type of the arrays.
    dtype = jnp.result_type(means, deviations)
    more = {
        name: checks.real_number(name, value) if jnp.ndim(value) else jnp.asarray(value, dtype)
        for name, value in others.items()
    }
    checks.broadcast_shapes(core=0, mean=means, std=deviations, **more)
    given = (means, deviations, *more.values())
    wide = jnp.broadcast_arrays(*widen(*given))
    good_mean = jnp.isfinite(wide[0])
    good_std = (wide[1] >= 0) & jnp.isfinite(wide[1])
    checks.check_real("mean", wide[0], good_mean, "finite")
    checks.check_real("std", wide[1], good_std, "non-negative and finite")
    valid = good_mean & good_std
    for name, value in zip(more, wide[2:], strict=True):
        good = ~jnp.isnan(value)
        checks.check_real(name, value, good, "a number")
        valid &= good
    return given, tuple(wide), valid


def expected_improvement(
    mean: Float[Array, "*B"], std: Float[Array, "*B"], best: ArrayLike
) -> Float[Array, "*B"]:
    r"""How much the maximum so far is expected to rise by: $E \max(0, f - f^*)$, f normal.

    With $u = (m - f^*) / s$ it is $s [\varphi(u) + u \Phi(u)]$, evaluated without cancellation;
    $\max(0, m - f^*)$ where s = 0. Derivatives are $\Phi(u)$ by the mean and $\varphi(u)$ by the
    deviation. Far from the incumbent it underflows to 0 with its gradient: search over
    `log_expected_improvement`.

    Args:
        mean: posterior means.
        std: posterior standard deviations.
        best: the value to improve on; -inf gives +inf.

    Returns:
        The expected improvement, in the unit of `mean`.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: shapes that do not broadcast; eagerly, a mean that is not finite, a negative
            deviation, a NaN.

    Reference:
        Frazier, A Tutorial on Bayesian Optimization, 2018, arXiv 1807.02811, equation (8).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition
        >>> mean, std = jnp.array([0.0, 2.0]), jnp.array([1.0, 0.0])
        >>> print(acquisition.expected_improvement(mean, std, 1.0))
        [0.0833 1.    ]
    """
    given, (m, s, b), valid = checked_marginals(mean, std, best=best)
    return narrow(gated(expected_gain(m - b, s), valid), *given)


def log_expected_improvement(
    mean: Float[Array, "*B"], std: Float[Array, "*B"], best: ArrayLike
) -> Float[Array, "*B"]:
    r"""The logarithm of the expected improvement, $\log s + \log h((m - f^*) / s)$.

    $\log h$ comes from the Mills ratio's continued fraction in the tail: exact to rounding as far
    as $u = -1000$ and beyond, with the derivative $\Phi(u) / h(u) \approx -u$, so that a search by
    gradients finds its way where the expected improvement itself is 0 in floating point.

    Args:
        mean: posterior means.
        std: posterior standard deviations.
        best: the value to improve on; -inf gives +inf.

    Returns:
        The logarithm of the expected improvement; -inf where s = 0 and the mean is no better.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: shapes that do not broadcast; eagerly, a mean that is not finite, a negative
            deviation, a NaN.

    Reference:
        Ament et al., Unexpected Improvements to Expected Improvement for Bayesian Optimization,
        2023, arXiv 2310.20708; the continued fraction: Abramowitz and Stegun, 26.2.14.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition
        >>> mean, std = jnp.array(-40.0), jnp.array(1.0)
        >>> print(acquisition.log_expected_improvement(mean, std, 0.0))
        -808.2986
        >>> print(jax.grad(acquisition.log_expected_improvement)(mean, std, 0.0))
        40.05
    """
    given, (m, s, b), valid = checked_marginals(mean, std, best=best)
    return narrow(gated(log_expected_gain(m - b, s), valid), *given)


def probability_of_improvement(
    mean: Float[Array, "*B"], std: Float[Array, "*B"], best: ArrayLike
) -> Float[Array, "*B"]:
    r"""The probability that the function exceeds a value: $\Phi((m - f^*) / s)$.

    Greedy: it prefers a sure small gain. Where s = 0 it is 1 or 0, without a derivative.

    Args:
        mean: posterior means.
        std: posterior standard deviations.
        best: the value to exceed.

    Returns:
        Probabilities.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: shapes that do not broadcast; eagerly, a mean that is not finite, a negative
            deviation, a NaN.

    Reference:
        Kushner, A New Method of Locating the Maximum Point of an Arbitrary Multipeak Curve in the
        Presence of Noise, 1964.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition
        >>> print(acquisition.probability_of_improvement(jnp.array(1.0), jnp.array(0.5), 1.0))
        0.5
    """
    given, (m, s, b), valid = checked_marginals(mean, std, best=best)
    difference = m - b
    # So far out it is 0 or 1 in every precision, and a quotient by a tiny s might overflow.
    far = (jnp.abs(difference) > 40 * s) | (s == 0)
    probability = ndtr(jnp.where(far, 0, difference) / jnp.where(far, 1, s))
    value = jnp.where(far, (difference > 0).astype(probability.dtype), probability)
    return narrow(gated(value, valid), *given)


def upper_confidence_bound(
    mean: Float[Array, "*B"], std: Float[Array, "*B"], *, beta: ArrayLike
) -> Float[Array, "*B"]:
    r"""An optimistic value of the function: $m + \sqrt\beta s$.

    Args:
        mean: posterior means.
        std: posterior standard deviations.
        beta: the square of how many deviations, non-negative.

    Returns:
        The bound, in the unit of `mean`.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: shapes that do not broadcast; eagerly, a mean that is not finite, a negative
            deviation or `beta`.

    Reference:
        Srinivas, Krause, Kakade and Seeger, Gaussian Process Optimization in the Bandit Setting,
        2010, arXiv 0912.3995, equation (6).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition
        >>> print(acquisition.upper_confidence_bound(jnp.array(1.0), jnp.array(0.5), beta=4.0))
        2.0
    """
    given, (m, s, b), valid = checked_marginals(mean, std, beta=beta)
    good = b >= 0
    checks.check_real("beta", b, good, "non-negative")
    value = m + jnp.sqrt(jnp.where(b > 0, b, 1)) * (b > 0) * s
    return narrow(gated(value, valid, good), *given)

"""Differential entropies of the families built on the gamma function.

The formulas are those of Lazo and Rathie 1978, rearranged so that no large terms cancel.
"""

import math

import jax
import jax.numpy as jnp
from jax.scipy.special import digamma
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from infojax import checks
from infojax.entropies.parameters import finish, positive_parameter
from infojax.numerics import digamma_half_step, gammaln_half_step, standard_gamma_entropy, widen


def gamma_entropy(
    concentration: ArrayLike, rate: ArrayLike, *, base: float | None = None
) -> Float[Array, "*B"]:
    r"""Differential entropy of a gamma variable.

    $\alpha - \log \beta + \log \Gamma(\alpha) + (1 - \alpha) \psi(\alpha)$.

    Args:
        concentration: shapes alpha.
        rate: rates beta.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The entropy, of the broadcast shape.

    Raises:
        TypeError: an argument is not real.
        ValueError: an argument is not positive and finite.

    Example:
        >>> from infojax import entropies
        >>> print(entropies.gamma_entropy(1.0, 1.0))
        1.0
    """
    a, valid_a, given_a = positive_parameter("concentration", concentration)
    b, valid_b, given_b = positive_parameter("rate", rate)
    checks.broadcast_shapes(concentration=a, rate=b)
    nats = standard_gamma_entropy(a) - jnp.log(b)
    return finish(nats, base, [valid_a, valid_b], given_a, given_b)


def beta_entropy(
    alpha: ArrayLike, beta: ArrayLike, *, base: float | None = None
) -> Float[Array, "*B"]:
    r"""Differential entropy of a beta variable.

    $\log B(\alpha, \beta) - (\alpha-1) \psi(\alpha) - (\beta-1) \psi(\beta)
    + (\alpha + \beta - 2) \psi(\alpha + \beta)$.

    Args:
        alpha: first shapes.
        beta: second shapes.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The entropy, of the broadcast shape.

    Raises:
        TypeError: an argument is not real.
        ValueError: an argument is not positive and finite.

    Example:
        >>> from infojax import entropies
        >>> print(entropies.beta_entropy(1.0, 1.0))
        0.0
    """
    a, valid_a, given_a = positive_parameter("alpha", alpha)
    b, valid_b, given_b = positive_parameter("beta", beta)
    checks.broadcast_shapes(alpha=a, beta=b)
    nats = _dirichlet_nats(jnp.stack(jnp.broadcast_arrays(*widen(a, b)), -1))
    return finish(nats, base, [valid_a, valid_b], given_a, given_b)


def dirichlet_entropy(
    concentration: Float[Array, "*B K"], *, base: float | None = None
) -> Float[Array, "*B"]:
    r"""Differential entropy of a Dirichlet vector, relative to its first K - 1 coordinates.

    $\log B(\alpha) + (\alpha_0 - K) \psi(\alpha_0) - \sum_k (\alpha_k - 1) \psi(\alpha_k)$ with
    $\alpha_0 = \sum_k \alpha_k$.

    Args:
        concentration: positive parameters alpha along the last axis.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The entropy, of the shape of `concentration` without its last axis.

    Raises:
        TypeError: `concentration` is not real.
        ValueError: a parameter is not positive and finite; it is a scalar.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import entropies
        >>> print(entropies.dirichlet_entropy(jnp.ones(3)))
        -0.6931...
    """
    a, valid, given = positive_parameter("concentration", concentration)
    if a.ndim == 0:
        raise ValueError("concentration must have at least one axis; got a scalar.")
    return finish(_dirichlet_nats(a), base, [jnp.all(valid, -1)], given)


@jax.jit
def _dirichlet_nats(a: jax.Array) -> jax.Array:
    # Gamma variables are their sum times a Dirichlet vector independent of it. Written with
    # their entropies, no large terms cancel.
    whole = jnp.sum(a, -1)
    parts = jnp.sum(standard_gamma_entropy(a), -1)
    return parts - standard_gamma_entropy(whole) - (a.shape[-1] - 1) * digamma(whole)


def student_t_entropy(
    degrees_of_freedom: ArrayLike, scale: ArrayLike = 1.0, *, base: float | None = None
) -> Float[Array, "*B"]:
    r"""Differential entropy of Student's t.

    $\frac{\nu+1}{2} \bigl[\psi(\tfrac{\nu+1}{2}) - \psi(\tfrac{\nu}{2})\bigr]
    + \log\bigl(\sqrt\nu\, B(\tfrac\nu2, \tfrac12)\bigr) + \log \sigma$.

    Args:
        degrees_of_freedom: degrees of freedom nu.
        scale: scales sigma.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The entropy, of the broadcast shape.

    Raises:
        TypeError: an argument is not real.
        ValueError: an argument is not positive and finite.

    Example:
        >>> from infojax import entropies
        >>> print(entropies.student_t_entropy(1.0))
        2.5310...
    """
    nu, valid_nu, given_nu = positive_parameter("degrees_of_freedom", degrees_of_freedom)
    sigma, valid_s, given_s = positive_parameter("scale", scale)
    checks.broadcast_shapes(degrees_of_freedom=nu, scale=sigma)
    nats = _student_t_nats(nu) + jnp.log(sigma)
    return finish(nats, base, [valid_nu, valid_s], given_nu, given_s)


@jax.jit
def _student_t_nats(nu: jax.Array) -> jax.Array:
    half = nu / 2
    constant = 0.5 * math.log(2 * math.pi)
    return (half + 0.5) * digamma_half_step(half) - gammaln_half_step(half) + constant

"""Differences of the logarithm, the gamma function and its derivative that do not cancel.

Large terms cancel in closed forms such as the entropy of a gamma or a Student variable: in
float32 nothing is left of them beyond 10^6. From 16 on the differences have short asymptotic
series (Abramowitz and Stegun, chapter 6), good to 1e-13 there, that autodiff may go through.
"""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.scipy.special import digamma, gammaln

_LARGE = 16.0

# log x - psi(x) = 1 / (2 x) + sum of B_2k / (2 k x^2k), equation 6.3.18, in powers of x^-2.
_LOG_MINUS_DIGAMMA = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132)
# log Gamma(x) - (x - 1/2) log x + x - log(2 pi) / 2, equation 6.1.40, times x, in x^-2.
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)
# log Gamma(x + 1/2) - log Gamma(x) - log(x) / 2, times x, in x^-2, from 6.1.40 at x and x + 1/2.
_HALF_STEP = (-1 / 8, 1 / 192, -1 / 640, 17 / 14336, -31 / 18432, 691 / 180224)


def _series(coefficients: Sequence[float], x: jax.Array) -> jax.Array:
    y = 1 / (x * x)
    value = jnp.zeros_like(x)
    for coefficient in reversed(coefficients):
        value = coefficient + y * value
    return value


def _by_size(
    x: jax.Array, small: Callable[[jax.Array], jax.Array], large: Callable[[jax.Array], jax.Array]
) -> jax.Array:
    is_large = x >= _LARGE
    # Each branch gets an argument of its own range: the other's derivative is not NaN there.
    return jnp.where(
        is_large, large(jnp.where(is_large, x, _LARGE)), small(jnp.where(is_large, 1, x))
    )


@jax.jit
def log_minus_digamma(x: jax.Array) -> jax.Array:
    """log(x) - psi(x), elementwise.

    Args:
        x: positive array.

    Returns:
        Array of the shape of `x`.
    """
    return _by_size(
        x,
        lambda x: jnp.log(x) - digamma(x),
        lambda x: 0.5 / x + _series(_LOG_MINUS_DIGAMMA, x) / x / x,
    )


@jax.jit
def standard_gamma_entropy(x: jax.Array) -> jax.Array:
    """x + log Gamma(x) + (1 - x) psi(x), the differential entropy of a gamma variable of rate 1.

    Args:
        x: positive array, the shapes.

    Returns:
        Array of the shape of `x`, in nats.
    """

    def large(x):
        stirling = _series(_STIRLING, x) / x
        return 0.5 * jnp.log(2 * math.pi * x) + stirling + (x - 1) * log_minus_digamma(x)

    return _by_size(x, lambda x: x + gammaln(x) + (1 - x) * digamma(x), large)


@jax.jit
def digamma_half_step(x: jax.Array) -> jax.Array:
    """psi(x + 1/2) - psi(x), elementwise.

    Args:
        x: positive array.

    Returns:
        Array of the shape of `x`.
    """
    derivative = [-(2 * k + 1) * c for k, c in enumerate(_HALF_STEP)]
    return _by_size(
        x,
        lambda x: digamma(x + 0.5) - digamma(x),
        lambda x: 0.5 / x + _series(derivative, x) / x / x,
    )


@jax.jit
def gammaln_half_step(x: jax.Array) -> jax.Array:
    """log Gamma(x + 1/2) - log Gamma(x) - log(x) / 2, elementwise.

    Args:
        x: positive array.

    Returns:
        Array of the shape of `x`.
    """
    return _by_size(
        x,
        lambda x: gammaln(x + 0.5) - gammaln(x) - 0.5 * jnp.log(x),
        lambda x: _series(_HALF_STEP, x) / x,
    )

"""Differential entropy of an angle: the von Mises distribution."""

import math

import jax
import jax.numpy as jnp
from jax.scipy.special import i0e, i1e
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from infojax import checks
from infojax.entropies.parameters import finish


def von_mises_entropy(concentration: ArrayLike, *, base: float | None = None) -> Float[Array, "*B"]:
    r"""Differential entropy of a von Mises angle, $\log(2\pi I_0(\kappa)) - \kappa I_1 / I_0$.

    The Bessel functions are scaled by $e^{-\kappa}$, so that no concentration overflows; from
    16 on their asymptotic series (Abramowitz and Stegun, 9.7.1) keep what the difference of
    $I_0$ and $I_1$ would lose.

    Args:
        concentration: concentrations kappa >= 0; 0 is the uniform angle.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The entropy, of the shape of `concentration`.

    Raises:
        TypeError: `concentration` is not real.
        ValueError: a concentration is negative or not finite.

    Example:
        >>> from infojax import entropies
        >>> print(entropies.von_mises_entropy(0.0))
        1.8378...
    """
    given = checks.real_number("concentration", concentration)
    k = given.astype(jnp.promote_types(given.dtype, jnp.float32))
    valid = checks.check_real(
        "concentration", k, (k >= 0) & jnp.isfinite(k), "non-negative and finite"
    )
    return finish(_von_mises_nats(k), base, [valid], given)


def _bessel_coefficients(order: int, count: int) -> list[float]:
    """Of the series of sqrt(2 pi k) exp(-k) I_order(k) in powers of 1 / k."""
    coefficients = [1.0]
    for n in range(1, count):
        factor = (2 * n - 1) ** 2 - 4 * order**2
        coefficients.append(coefficients[-1] * factor / (8 * n))
    return coefficients


_BESSEL_0 = _bessel_coefficients(0, 20)
_BESSEL_DIFFERENCE = [a - b for a, b in zip(_BESSEL_0, _bessel_coefficients(1, 20), strict=True)]


@jax.jit
def _von_mises_nats(k: jax.Array) -> jax.Array:
    large = k >= 16
    small_k, large_k = jnp.where(large, 1, k), jnp.where(large, k, 16)
    scaled = i0e(small_k)
    # log I_0 = kappa + log i0e: the two large terms cancel before they round.
    small = math.log(2 * math.pi) + jnp.log(scaled) + small_k * (scaled - i1e(small_k)) / scaled
    inverse = 1 / large_k
    series = jnp.polyval(jnp.asarray(_BESSEL_0[::-1], k.dtype), inverse)
    difference = jnp.polyval(jnp.asarray(_BESSEL_DIFFERENCE[:0:-1], k.dtype), inverse)
    # kappa (I_0 - I_1) / I_0 loses its factor kappa to the series, which starts at 1 / kappa.
    asymptotic = 0.5 * jnp.log(2 * math.pi * inverse) + jnp.log(series) + difference / series
    return jnp.where(large, asymptotic, small)

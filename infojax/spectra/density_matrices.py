r"""Entropies and divergences of density matrices: positive semi-definite with trace one.

Real symmetric matrices. A Gram matrix divided by its trace is one; so is a covariance.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from infojax import checks
from infojax.numerics import (
    gated,
    log1p_ratio,
    narrow,
    nats_to_base,
    probability_tolerance,
    widen,
    xlogx,
)
from infojax.spectra.spectral_entropy import eigenvalues, without_noise

_EXACT = "highest"


def symmetric(matrix: jax.Array) -> jax.Array:
    """The symmetric part, through which derivatives come out symmetric.

    Args:
        matrix: (*B, N, N).

    Returns:
        (*B, N, N).
    """
    return (matrix + jnp.swapaxes(matrix, -1, -2)) / 2


def checked_symmetric(name: str, matrix: ArrayLike) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Takes finite symmetric matrices.

    Args:
        name: what the caller's users call the argument.
        matrix: (*B, N, N).

    Returns:
        The matrices as given, their symmetric part in working precision, and which are valid.

    Raises:
        TypeError: they are not of floating type.
        ValueError: they are not square or have no rows; eagerly, if they are not finite and
            symmetric within rounding.
    """
    given = checks.square_matrix(name, matrix)
    if given.shape[-1] == 0:
        raise ValueError(f"{name} must have a row; got shape {given.shape}.")
    (wide,) = widen(given)
    tolerance = probability_tolerance(given.dtype)
    away = jnp.max(jnp.abs(wide - jnp.swapaxes(wide, -1, -2)), (-1, -2))
    norm = jnp.max(jnp.sum(jnp.abs(wide), -1), -1)
    valid = away <= tolerance * norm  # False for NaN and inf - inf
    checks.check(valid, f"{name} must be finite and symmetric.")
    return given, symmetric(wide), valid


def semidefinite_values(
    name: str, matrix: jax.Array, values: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Demands that the eigenvalues of symmetric matrices are not negative.

    Args:
        name: what the caller's users call the argument.
        matrix: the matrices as given.
        values: their ascending eigenvalues, (*B, N).

    Returns:
        Descending eigenvalues, noise removed; and which matrices are valid.

    Raises:
        ValueError: eagerly, if one is negative beyond rounding.
    """
    tolerance = probability_tolerance(matrix.dtype)
    valid = values[..., 0] >= -tolerance * jnp.maximum(values[..., -1], 0)
    checks.check(valid, f"{name} must be positive semi-definite.")
    return without_noise(values), valid


def _checked_density(name: str, rho) -> tuple[jax.Array, jax.Array, jax.Array]:
    given, wide, valid = checked_symmetric(name, rho)
    trace = jnp.trace(wide, axis1=-2, axis2=-1)
    unit = jnp.abs(trace - 1) <= probability_tolerance(given.dtype)
    checks.check_real(f"the trace of {name}", trace, unit, "1")
    return given, wide, valid & unit


_eigenvalues = jax.jit(eigenvalues)


@jax.jit
def _negative_information(values: jax.Array) -> jax.Array:
    """Sum of l log l over descending eigenvalues that are not noise."""
    return jnp.sum(xlogx(values), -1)


def _entropy_nats(name, given, wide):
    values, valid = semidefinite_values(name, given, _eigenvalues(wide))
    return -_negative_information(values), valid


def von_neumann_entropy(
    rho: Float[Array, "*B N N"], *, base: float | None = None
) -> Float[Array, "*B"]:
    r"""Von Neumann entropy $-\mathrm{tr} \rho \log \rho$ of density matrices.

    The Shannon entropy of the eigenvalues; those below one unit of rounding of the largest
    count as 0. The derivative is $-(\log \rho + 1)$ on the span of $\rho$ and 0 outside, also
    where eigenvalues coincide. First order alone.

    Args:
        rho: real symmetric matrices, positive semi-definite with trace 1.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The entropy in units of `base`, from 0 for a pure state to log N.

    Raises:
        TypeError: `rho` is not of floating type.
        ValueError: `rho` is not a density matrix; a base that is not positive or 1.

    Reference:
        Nielsen and Chuang, Quantum Computation and Quantum Information, equation (11.40).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import spectra
        >>> print(spectra.von_neumann_entropy(jnp.eye(4) / 4, base=2))
        2.0
    """
    given, wide, valid = _checked_density("rho", rho)
    nats, definite = _entropy_nats("rho", given, wide)
    return narrow(nats_to_base(gated(nats, valid, definite), base), given)


@jax.custom_jvp
def _cross_entropy(rho, tau):
    """-tr rho log tau on the span of tau, and what of rho lies outside; tau symmetric."""
    values, vectors = jnp.linalg.eigh(tau, symmetrize_input=True)
    inside = values > jnp.finfo(tau.dtype).eps * values[..., -1:]
    weights = jnp.einsum("...ji,...jk,...ki->...i", vectors, rho, vectors, precision=_EXACT)
    logs = jnp.where(inside, jnp.log(jnp.where(inside, values, 1)), 0)
    return -jnp.sum(weights * logs, -1), jnp.sum(jnp.where(inside, 0, weights), -1)


@_cross_entropy.defjvp
def _(primals, tangents):
    rho, tau = primals
    rho_dot, tau_dot = (symmetric(tangent) for tangent in tangents)
    values, vectors = jnp.linalg.eigh(tau, symmetrize_input=True)
    inside = values > jnp.finfo(tau.dtype).eps * values[..., -1:]
    safe = jnp.where(inside, values, 1)
    logs = jnp.where(inside, jnp.log(safe), 0)

    def rotate(matrix):
        return jnp.einsum("...ji,...jk,...kl->...il", vectors, matrix, vectors, precision=_EXACT)

    # (log a - log b) / (a - b) = log1p(s) / s / b with s = a / b - 1: no 0 / 0 where a = b.
    larger = jnp.maximum(safe[..., :, None], safe[..., None, :])
    smaller = jnp.minimum(safe[..., :, None], safe[..., None, :])
    quotients = log1p_ratio((larger - smaller) / smaller) / smaller
    both = inside[..., :, None] & inside[..., None, :]
    quotients = jnp.where(both, quotients, 0)
    by_tau = jnp.sum(rotate(rho) * quotients * rotate(tau_dot), (-1, -2))
    weights_dot = jnp.diagonal(rotate(rho_dot), axis1=-2, axis2=-1)
    value, outside = _cross_entropy(rho, tau)
    tangent = -jnp.sum(weights_dot * logs, -1) - by_tau
    return (value, outside), (tangent, jnp.zeros_like(outside))


_compiled_cross_entropy = jax.jit(_cross_entropy)


def relative_von_neumann_entropy(
    rho: Float[Array, "*B N N"], tau: Float[Array, "*B N N"], *, base: float | None = None
) -> Float[Array, "*B"]:
    r"""Quantum relative entropy $\mathrm{tr} \rho (\log \rho - \log \tau)$ of density matrices.

    Umegaki's; the Kullback-Leibler divergence of the eigenvalues where the matrices commute.
    Its derivative by `tau` has the divided differences of the logarithm, which are finite where
    eigenvalues coincide. First order alone. Rounding may take a value near 0 below it: it is
    cut off there.

    Args:
        rho: real symmetric matrices, positive semi-definite with trace 1.
        tau: the same; batch axes equal those of `rho`.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The divergence in units of `base`; +inf where `rho` has weight outside of the span of
        `tau`, with derivatives that do not see it.

    Raises:
        TypeError: `rho` or `tau` is not of floating type.
        ValueError: one is not a density matrix, or their shapes differ; a base that is not
            positive or 1.

    Reference:
        Umegaki 1962; Nielsen and Chuang, equation (11.50).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import spectra
        >>> rho, tau = jnp.diag(jnp.array([1.0, 0.0])), jnp.eye(2) / 2
        >>> print(spectra.relative_von_neumann_entropy(rho, tau, base=2))
        1.0
    """
    (given, wide, valid), (given_tau, wide_tau, valid_tau) = _checked_pair(rho, tau)
    nats, definite = _entropy_nats("rho", given, wide)
    _, definite_tau = semidefinite_values("tau", given_tau, _eigenvalues(wide_tau))
    cross, outside = _compiled_cross_entropy(wide, wide_tau)
    room = jnp.finfo(wide.dtype).eps * 8 * wide.shape[-1]
    value = jnp.where(outside > room, jnp.inf, jnp.maximum(cross - nats, 0))
    value = gated(value, valid, valid_tau, definite, definite_tau)
    return narrow(nats_to_base(value, base), given, given_tau)


def _checked_pair(rho, tau):
    first, second = _checked_density("rho", rho), _checked_density("tau", tau)
    if first[0].shape != second[0].shape:
        raise ValueError(
            f"rho and tau must have one shape; got {first[0].shape} and {second[0].shape}."
        )
    (_, a, _), (_, b, _) = first, second
    a, b = widen(a, b)
    return (first[0], a, first[2]), (second[0], b, second[2])


def quantum_jensen_shannon_divergence(
    rho: Float[Array, "*B N N"], tau: Float[Array, "*B N N"], *, base: float | None = None
) -> Float[Array, "*B"]:
    r"""Quantum Jensen-Shannon divergence $S((\rho + \tau) / 2) - (S(\rho) + S(\tau)) / 2$.

    S is the von Neumann entropy. Always finite, symmetric; its root is a metric. A difference
    of entropies: values below some 1e-6 (float32) are rounding, and cut off at 0.

    Args:
        rho: real symmetric matrices, positive semi-definite with trace 1.
        tau: the same; batch axes equal those of `rho`.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The divergence in units of `base`, from 0 to log 2.

    Raises:
        TypeError: `rho` or `tau` is not of floating type.
        ValueError: one is not a density matrix, or their shapes differ; a base that is not
            positive or 1.

    Reference:
        Majtey, Lamberti and Prato, Jensen-Shannon Divergence as a Measure of Distinguishability
        between Mixed Quantum States, 2005, arXiv quant-ph/0508138.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import spectra
        >>> rho, tau = jnp.diag(jnp.array([1.0, 0.0])), jnp.diag(jnp.array([0.0, 1.0]))
        >>> print(spectra.quantum_jensen_shannon_divergence(rho, tau, base=2))
        1.0
    """
    (given, wide, valid), (given_tau, wide_tau, valid_tau) = _checked_pair(rho, tau)
    nats, definite = _entropy_nats("rho", given, wide)
    nats_tau, definite_tau = _entropy_nats("tau", given_tau, wide_tau)
    middle = -_negative_information(without_noise(_eigenvalues((wide + wide_tau) / 2)))
    value = jnp.maximum(middle - (nats + nats_tau) / 2, 0)
    value = gated(value, valid, valid_tau, definite, definite_tau)
    return narrow(nats_to_base(value, base), given, given_tau)

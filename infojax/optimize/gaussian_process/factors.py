"""Cholesky factors that exist: more is added to the diagonal until they do."""

import jax
import jax.numpy as jnp

# The most that may be added, relative to the scale, and the factor between two tries.
_MOST = 1e-3
_FACTOR = 10.0


def least_jitter(dtype) -> float:
    """What is always added to the diagonal, relative to the signal variance.

    Args:
        dtype: the floating type.

    Returns:
        Ten units in the last place: 1.2e-6 in float32, 2.2e-15 in float64.
    """
    return 10 * float(jnp.finfo(dtype).eps)


def _factor(matrix: jax.Array, scale: jax.Array, level: jax.Array) -> jax.Array:
    return jax.lax.linalg.cholesky(matrix + jnp.diag(level * scale), symmetrize_input=False)


@jax.custom_jvp
def jittered_cholesky(matrix: jax.Array, scale: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The lower Cholesky factor of a matrix with the least addition to its diagonal that has one.

    The first try is all that a healthy matrix costs. It has derivatives in both modes: those of
    the factor with what was added held fixed.

    Args:
        matrix: symmetric, (N, N).
        scale: what the addition to each entry of the diagonal is relative to, (N,).

    Returns:
        The factor, NaN if even 1e-3 did not help; and what was added, relative to `scale`.
    """

    def failed(carry):
        factor, level = carry
        return jnp.isnan(factor[-1, -1]) & (level < _MOST)

    def retry(carry):
        # In float64 the first steps are too small to matter: begin where rounding of the entries
        # themselves may be seen.
        level = jnp.maximum(carry[1] * _FACTOR, 1e-10)
        return _factor(matrix, scale, level), level

    level = jnp.asarray(least_jitter(matrix.dtype), matrix.dtype)
    return jax.lax.while_loop(failed, retry, (_factor(matrix, scale, level), level))


@jittered_cholesky.defjvp
def _(primals, tangents):
    factor, level = jittered_cholesky(*primals)
    # d L = L Phi(L^-1 dA L^-T), Phi the lower triangle with half of the diagonal.
    solve = jax.scipy.linalg.solve_triangular
    inner = solve(factor, solve(factor, tangents[0], lower=True).T, lower=True).T
    half = jnp.tril(inner) - 0.5 * jnp.diag(jnp.diag(inner))
    return (factor, level), (factor @ half, jnp.zeros_like(level))


def inverse_factor(factor: jax.Array) -> jax.Array:
    """The inverse of a lower triangular factor, so that later solves are matrix products.

    Args:
        factor: lower triangular, (N, N).

    Returns:
        Its inverse, lower triangular.
    """
    identity = jnp.eye(factor.shape[-1], dtype=factor.dtype)
    return jax.scipy.linalg.solve_triangular(factor, identity, lower=True)

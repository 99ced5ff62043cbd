"""The orthogonal factor of a matrix, with derivatives that no equal singular values disturb."""

import jax
import jax.numpy as jnp


def _transposed(matrix: jax.Array) -> jax.Array:
    return jnp.swapaxes(matrix, -1, -2)


def _lyapunov(h: jax.Array, k: jax.Array) -> jax.Array:
    """X with X H + H X = K, for a symmetric positive definite H."""
    # As a linear solve, whose derivatives are solves again: those of eigenvectors, which equal
    # eigenvalues would make infinite, are never taken.
    values, vectors = jnp.linalg.eigh(jax.lax.stop_gradient(h))
    sums = values[..., :, None] + values[..., None, :]

    def solve(_, right):
        inner = _transposed(vectors) @ right @ vectors / sums
        return vectors @ inner @ _transposed(vectors)

    return jax.lax.custom_linear_solve(lambda x: x @ h + h @ x, k, solve, symmetric=True)


@jax.custom_jvp
def polar_factor(matrix: jax.Array) -> jax.Array:
    r"""The orthogonal U of the polar decomposition A = U H of an invertible matrix.

    Its derivative, $\dot U = U X$ with $X H + H X = U^T \dot A - \dot A^T U$, exists wherever A
    is invertible, also where singular values coincide (as they do between equal covariances).

    Args:
        matrix: invertible square matrices over leading batch axes.

    Returns:
        The orthogonal factors.

    Reference:
        Higham, Functions of Matrices, 2008, chapter 8 and problem 8.25.
    """
    left, _, right = jnp.linalg.svd(matrix, full_matrices=False)
    return left @ right


@polar_factor.defjvp
def _polar_factor_jvp(primals, tangents):
    (matrix,), (dot,) = primals, tangents
    u = polar_factor(matrix)
    h = _transposed(u) @ matrix
    h = (h + _transposed(h)) / 2
    skew = _transposed(u) @ dot
    return u, u @ _lyapunov(h, skew - _transposed(skew))

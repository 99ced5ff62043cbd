"""The orthogonal factor of a matrix, with derivatives that no equal singular values disturb."""

import jax
import jax.numpy as jnp


def _transposed(matrix: jax.Array) -> jax.Array:
    return jnp.swapaxes(matrix, -1, -2)


@jax.custom_jvp
def _lyapunov(h: jax.Array, k: jax.Array) -> jax.Array:
    """X with X H + H X = K, for a symmetric positive definite H."""
    values, vectors = jnp.linalg.eigh(h)
    inner = _transposed(vectors) @ k @ vectors / (values[..., :, None] + values[..., None, :])
    return vectors @ inner @ _transposed(vectors)


@_lyapunov.defjvp
def _lyapunov_jvp(primals, tangents):
    h, k = primals
    x = _lyapunov(h, k)
    dot_h, dot_k = tangents
    return x, _lyapunov(h, dot_k - x @ dot_h - dot_h @ x)


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

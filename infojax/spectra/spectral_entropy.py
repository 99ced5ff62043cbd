r"""Entropy of a spectrum: $-\sum_i p_i \log p_i$ with $p_i = |l_i|^t / \sum_j |l_j|^t$.

Also the eigenvalues that it is made of, with what float rounding leaves of zeros removed.
"""

import functools

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from infojax import checks
from infojax.numerics import safe_divide, safe_log, smallest_normal

# From this size on CPU: below it a batch of small problems is as fast with vectors.
_TRIDIAGONAL = 64


def _with_vectors(matrix: jax.Array) -> jax.Array:
    return jnp.linalg.eigvalsh(matrix, symmetrize_input=True)


def _by_bisection(matrix: jax.Array) -> jax.Array:
    """Eigenvalues alone: `eigvalsh` computes vectors too and drops them, at several times the cost.

    As near to exact: within one unit of rounding of the norm.
    """
    symmetric = (matrix + jnp.swapaxes(matrix, -1, -2)) / 2
    _, diagonal, off_diagonal, _ = jax.lax.linalg.tridiagonal(symmetric, lower=True)
    bisect = functools.partial(jax.scipy.linalg.eigh_tridiagonal, eigvals_only=True)
    for _ in range(matrix.ndim - 2):
        bisect = jax.vmap(bisect)
    known = jnp.isfinite(jnp.sum(diagonal, -1) + jnp.sum(off_diagonal, -1))
    return jnp.where(known[..., None], jnp.sort(bisect(diagonal, off_diagonal), -1), jnp.nan)


@jax.custom_jvp
def eigenvalues(matrix: jax.Array) -> jax.Array:
    """Eigenvalues of symmetric matrices, also where some coincide differentiable (once).

    Args:
        matrix: (*B, N, N).

    Returns:
        (*B, N), ascending.
    """
    if matrix.shape[-1] < _TRIDIAGONAL or 0 in matrix.shape:
        return _with_vectors(matrix)
    return jax.lax.platform_dependent(matrix, cpu=_by_bisection, default=_with_vectors)


@eigenvalues.defjvp
def _(primals, tangents):
    values, vectors = jnp.linalg.eigh(primals[0], symmetrize_input=True)
    turned = jnp.einsum(
        "...ji,...jk,...ki->...i", vectors, tangents[0], vectors, precision="highest"
    )
    return values, turned


@jax.jit
def without_noise(values: jax.Array, mask: jax.Array | None = None) -> jax.Array:
    """Sets to 0, with derivative 0, the eigenvalues of semi-definite matrices that are noise.

    Noise is what is below one unit of rounding of the largest, negative values included: that
    is how large rounding makes an eigenvalue that is 0 (measured: 1e-7 in float32 up to
    N = 2000). A bound of N units, which theory would allow, takes away real eigenvalues: a tenth
    of a bit at N = 1000.

    Args:
        values: ascending eigenvalues of semi-definite matrices, (*B, N).
        mask: rows that count, (*B, N), or None: no more eigenvalues than rows remain.

    Returns:
        Descending eigenvalues, not negative.
    """
    values = values[..., ::-1]
    largest = jax.lax.stop_gradient(values[..., :1])
    real = values > jnp.finfo(values.dtype).eps * largest
    if mask is not None:
        count = jnp.sum(mask, -1, keepdims=True, dtype=jnp.int32)
        real &= jnp.arange(values.shape[-1], dtype=jnp.int32) < count
    return jnp.where(real | jnp.isnan(values), values, 0)


def checked_time(t: ArrayLike, batch: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    """Takes a diffusion time.

    Args:
        t: a positive number, or an array that broadcasts to `batch`.
        batch: the batch axes.

    Returns:
        It as an array, and where it is valid.

    Raises:
        TypeError: it is not real.
        ValueError: a shape that does not fit; eagerly, one that is not positive and finite.
    """
    array = checks.real_number("t", t)
    if jnp.broadcast_shapes(array.shape, batch) != batch:
        raise ValueError(f"t must broadcast to {batch}; got shape {array.shape}.")
    valid = (array > 0) & jnp.isfinite(array)
    checks.check_real("t", array, valid, "positive and finite")
    return array, valid


@jax.jit
def power_entropy_nats(values: jax.Array, t: jax.Array) -> jax.Array:
    """Entropy of p_i = l_i^t / sum_j l_j^t; its derivative by an eigenvalue 0 is 0.

    Args:
        values: non-negative, (*B, N).
        t: exponents, broadcasting with the batch axes.

    Returns:
        (*B,), in nats; 0 where all values are 0.
    """
    t = jnp.asarray(t, values.dtype)[..., None]
    positive = values >= smallest_normal(values.dtype)
    top = jax.lax.stop_gradient(jnp.max(values, -1, keepdims=True, initial=0))
    relative = jnp.where(positive, safe_divide(values, top), 1)
    log_weights = t * jnp.log(relative)
    weights = jnp.where(positive, jnp.exp(log_weights), 0)
    total = jnp.sum(weights, -1, keepdims=True)
    shares = safe_divide(weights, total)
    # log total - log weights: both are >= 0, so that no digits cancel.
    return jnp.sum(shares * (safe_log(total) - jnp.where(positive, log_weights, 0)), -1)

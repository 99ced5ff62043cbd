"""Products with Gaussian Gram matrices: takes the points apart from sigma, and the mask away.

The kernel sees points in units of sigma sqrt 2, moved so that their mean is the origin: the
differences stay, while |a|^2 + |b|^2 - 2 a.b loses no digits to where the data happens to lie.
"""

import functools
import math

import jax
import jax.numpy as jnp

from infojax.kernels import dispatch
from infojax.kernels.gaussian_gram_matvec.product import IMPLEMENTATIONS, product


def _points(x, y, sigma, where) -> tuple[jax.Array, jax.Array]:
    """The points of rows and columns, centred and scaled; those that do not count are 0."""
    columns = x if y is None else y
    if where is None:
        counted = jnp.asarray(columns.shape[-2], x.dtype)
    else:
        where = jnp.broadcast_to(where, columns.shape[:-1])[..., None]
        columns = jnp.where(where, columns, 0)
        counted = jnp.sum(where, -2, keepdims=True, dtype=x.dtype)
    center = jnp.sum(columns, -2, keepdims=True) / jnp.maximum(counted, 1)
    # Any constant leaves the differences as they are, and so their derivatives; but all uses must
    # take the same one: fused with its division, some of them would take it before it is rounded,
    # were it not for this rounding to a few bits less.
    float_format = jnp.finfo(x.dtype)
    center = jax.lax.reduce_precision(
        jax.lax.stop_gradient(center), float_format.nexp, float_format.nmant - 3
    )
    unit = jnp.broadcast_to(sigma, x.shape[:-2])[..., None, None] * math.sqrt(2)
    columns = (columns - center) / unit
    if where is not None:
        columns = jnp.where(where, columns, 0)
    return columns if y is None else (x - center) / unit, columns


@functools.partial(jax.jit, static_argnames=("implementation", "interpret"))
def _matvec(x, vectors, y, sigma, where, implementation: str | None, interpret: bool):
    a, b = _points(x, y, sigma, where)
    if where is not None:
        where = jnp.broadcast_to(where, b.shape[:-1])[..., None]
        vectors = jnp.where(where, vectors, 0)
    batch = x.shape[:-2]
    count = math.prod(batch)
    flat = (p.reshape(count, *p.shape[-2:]) for p in (a, b, vectors))
    out = product(*flat, same=y is None, implementation=implementation, interpret=interpret)
    return out.reshape(*batch, *out.shape[1:])


def _floating(name: str, x, dtype=None) -> jax.Array:
    array = jnp.asarray(x)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(f"{name} must have a floating type; got {array.dtype}.")
    return array if dtype is None else array.astype(dtype)


def _check_points(x: jax.Array, y: jax.Array | None) -> None:
    if x.ndim < 2 or x.shape[-1] == 0:
        raise ValueError(f"x must have shape (*B, N, D) with D > 0; got {x.shape}.")
    if y is not None and (y.shape[:-2], y.shape[-1:]) != (x.shape[:-2], x.shape[-1:]):
        expected = f"{x.shape[:-2]} + (M, {x.shape[-1]})"
        raise ValueError(f"y must have shape {expected} as x has {x.shape}; got {y.shape}.")


def _check_mask(where: jax.Array, shape: tuple[int, ...]) -> None:
    if where.dtype != bool:
        raise TypeError(f"where must be boolean; got {where.dtype}.")
    sizes = zip(reversed(where.shape), reversed(shape), strict=False)
    if where.ndim > len(shape) or any(size not in (1, wanted) for size, wanted in sizes):
        raise ValueError(f"where must broadcast to {shape}; got {where.shape}.")


def gaussian_gram_matvec(
    x: jax.Array,
    vectors: jax.Array,
    *,
    sigma: float | jax.Array,
    y: jax.Array | None = None,
    where: jax.Array | None = None,
    implementation: str | None = None,
    interpret: bool = False,
) -> jax.Array:
    """Applies K with K_ij = exp(-|x_i - y_j|^2 / (2 sigma^2)) to vectors; K is never in memory.

    Differentiable in x, y, the vectors and sigma, in forward and reverse mode and to any order,
    in memory that grows with N and M alone. Derivatives in the vectors run on the same kernel,
    those in the points and sigma on blocked XLA.

    Squared distances come from inner products of points that are centred first, so an exponent
    is off by some 1e-7 times the largest |x - mean|^2 / sigma^2: data that spreads over hundreds
    of sigma needs x64. Where x stands for y too the diagonal is 1 exactly.

    Args:
        x: points of the rows, (*B, N, D), D > 0.
        vectors: (*B, M) or (*B, M, R).
        sigma: the bandwidth, a positive number or an array that broadcasts to *B; not checked.
        y: points of the columns, (*B, M, D); None for x.
        where: boolean mask of the columns' points, broadcasting to (*B, M); the others and their
            vectors may hold anything. Where x stands for y their rows have no meaning.
        implementation: `"pallas_tpu"` and `"pallas_gpu"` are kernels in float32, on TPU for D up
            to 1024; `"xla"` runs everywhere, a tile of K at a time; `"reference"` writes the
            differences out; None takes what is best for the platform.
        interpret: runs the Pallas kernel in its interpreter: slow, for tests on any machine.

    Returns:
        (*B, N) or (*B, N, R), at least float32.

    Raises:
        TypeError: `x`, `y` or `vectors` is not of floating type, or `where` not boolean.
        ValueError: shapes that do not fit together, an unknown implementation, or one to
            interpret that is no kernel.
        NotImplementedError: the named implementation cannot take the arguments or cannot run on
            the platform.
    """
    dispatch.check_name(implementation, IMPLEMENTATIONS)
    if interpret and not str(implementation).startswith("pallas"):
        raise ValueError(f"interpret needs the name of a kernel; got {implementation!r}.")
    x, vectors = _floating("x", x), _floating("vectors", vectors)
    y = None if y is None else _floating("y", y)
    _check_points(x, y)
    columns = (x if y is None else y).shape[:-1]
    if vectors.shape[: len(columns)] != columns or vectors.ndim > x.ndim:
        raise ValueError(
            f"vectors must have shape {columns} or (*{columns}, R); got {vectors.shape}."
        )
    if where is not None:
        where = jnp.asarray(where)
        _check_mask(where, columns)
    dtype = jnp.result_type(x, vectors, jnp.float32, *([] if y is None else [y]))
    sigma = jnp.asarray(sigma).astype(dtype)
    try:
        jnp.broadcast_to(sigma, x.shape[:-2])
    except ValueError:
        raise ValueError(
            f"sigma must broadcast to {x.shape[:-2]}; got shape {sigma.shape}."
        ) from None
    x, vectors, y = jax.tree.map(lambda p: p.astype(dtype), (x, vectors, y))
    one = vectors.ndim < x.ndim
    many = vectors[..., None] if one else vectors
    out = _matvec(x, many, y, sigma, where, implementation, bool(interpret))
    return out[..., 0] if one else out


def gaussian_gram_row_sums(
    x: jax.Array,
    *,
    sigma: float | jax.Array,
    y: jax.Array | None = None,
    where: jax.Array | None = None,
    implementation: str | None = None,
    interpret: bool = False,
) -> jax.Array:
    """Sums exp(-|x_i - y_j|^2 / (2 sigma^2)) over j: densities up to a factor, or degrees.

    Args:
        x: points of the rows, (*B, N, D), D > 0.
        sigma: the bandwidth, a positive number or an array that broadcasts to *B; not checked.
        y: points of the columns, (*B, M, D); None for x.
        where: boolean mask of the columns' points, broadcasting to (*B, M).
        implementation: as in `gaussian_gram_matvec`.
        interpret: as in `gaussian_gram_matvec`.

    Returns:
        (*B, N), at least float32.

    Raises:
        TypeError: as in `gaussian_gram_matvec`.
        ValueError: as in `gaussian_gram_matvec`.
        NotImplementedError: as in `gaussian_gram_matvec`.
    """
    columns = _floating("x" if y is None else "y", x if y is None else y)
    if columns.ndim < 2:
        raise ValueError(f"points must have shape (*B, N, D); got {columns.shape}.")
    return gaussian_gram_matvec(
        x,
        jnp.ones(columns.shape[:-1], columns.dtype),
        sigma=sigma,
        y=y,
        where=where,
        implementation=implementation,
        interpret=interpret,
    )

"""Nearest neighbours within a set or from one set to another; all pairs are never in memory."""

import functools
import math

import jax
import jax.numpy as jnp

from infojax.kernels import dispatch
from infojax.kernels.nearest_neighbors import operation
from infojax.kernels.nearest_neighbors.distances import METRICS, of_pairs


def _floating(name: str, x) -> jax.Array:
    array = jnp.asarray(x)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(f"{name} must have a floating type; got {array.dtype}.")
    return array


def _check_mask(where: jax.Array, shape: tuple[int, ...]) -> None:
    if where.dtype != bool:
        raise TypeError(f"where must be boolean; got {where.dtype}.")
    sizes = zip(reversed(where.shape), reversed(shape), strict=False)
    if where.ndim > len(shape) or any(size not in (1, wanted) for size, wanted in sizes):
        raise ValueError(f"where must broadcast to {shape}; got {where.shape}.")


def _points(x, y, where, metric, implementation) -> tuple[jax.Array, jax.Array]:
    """The points of rows and columns; columns that do not count are at infinity, rows at 0."""
    dispatch.check_name(implementation, dict.fromkeys(operation.IMPLEMENTATIONS))
    if metric not in METRICS:
        raise ValueError(f"metric must be one of {METRICS}; got {metric!r}.")
    x = _floating("x", x)
    y = None if y is None else _floating("y", y)
    if x.ndim < 2 or x.shape[-1] == 0:
        raise ValueError(f"x must have shape (*B, N, D) with D > 0; got {x.shape}.")
    if y is not None and (y.shape[:-2], y.shape[-1:]) != (x.shape[:-2], x.shape[-1:]):
        expected = f"{x.shape[:-2]} + (M, {x.shape[-1]})"
        raise ValueError(f"y must have shape {expected} as x has {x.shape}; got {y.shape}.")
    dtype = jnp.result_type(x, jnp.float32, *([] if y is None else [y]))
    rows = x.astype(dtype)
    columns = rows if y is None else y.astype(dtype)
    if where is not None:
        where = jnp.asarray(where)
        _check_mask(where, columns.shape[:-1])
        counted = jnp.broadcast_to(where, columns.shape[:-1])[..., None]
        if y is None:
            rows = jnp.where(counted, rows, 0)
        columns = jnp.where(counted, columns, jnp.inf)
    return rows, columns


def _flat(x: jax.Array, kept: int) -> jax.Array:
    return x.reshape(math.prod(x.shape[: x.ndim - kept]), *x.shape[x.ndim - kept :])


def _search(x, y, labels, options) -> list[jax.Array]:
    arrays = (_flat(x, 2), _flat(y, 2))
    flat_labels = tuple(_flat(each, 1) for each in labels)
    found = operation.search(*arrays, flat_labels, **dict(options))
    return [each.reshape(*x.shape[:-1], each.shape[-1]) for each in found]


def points_at(y: jax.Array, places: jax.Array) -> jax.Array:
    """The points at the places that `nearest_neighbors` gives; the first where there is none.

    Args:
        y: points, (*B, M, D).
        places: (*B, N, k).

    Returns:
        (*B, N, k, D).
    """
    count = places.shape[-2] * places.shape[-1]
    flat = jnp.maximum(places, 0).reshape(*places.shape[:-2], count, 1)
    return jnp.take_along_axis(y, flat, -2).reshape(*places.shape, y.shape[-1])


def _of_places(x: jax.Array, y: jax.Array, places: jax.Array, metric: str) -> jax.Array:
    """Distances to known neighbours, differentiable in x and y."""
    near = points_at(y, places)
    near = jnp.where(places[..., None] < 0, x[..., None, :], near)
    return jnp.where(places < 0, jnp.inf, of_pairs(x[..., None, :], near, metric))


@functools.partial(jax.custom_jvp, nondiff_argnums=(3,))
def _distances(x, y, labels, options) -> jax.Array:
    return _search(x, y, labels, options)[0]


@_distances.defjvp
def _(options, primals, tangents):
    x, y, labels = primals
    known = dict(options) | {"indices": True}
    places = _search(x, y, labels, tuple(known.items()))[1]

    def of_points(x, y):
        return _of_places(x, y, places, str(known["metric"]))

    return jax.jvp(of_points, (x, y), tangents[:2])


def _check_k(k: int, available: int) -> None:
    if isinstance(k, bool) or not isinstance(k, int):
        raise TypeError(f"k must be a whole number; got {k!r}.")
    if not 1 <= k <= available:
        raise ValueError(f"k must be from 1 to {available}, the other points; got {k}.")


def _arguments(x, y, k, metric, where, labels, implementation, indices):
    rows, columns = _points(x, y, where, metric, implementation)
    _check_k(k, columns.shape[-2] - (y is None))
    if labels is None:
        pair = ()
    else:
        of_rows, of_columns = (labels, labels) if y is None else labels
        pair = tuple(
            jnp.broadcast_to(jnp.asarray(one).astype(jnp.int32), points.shape[:-1])
            for one, points in ((of_rows, rows), (of_columns, columns))
        )
    options = {
        "k": k,
        "metric": metric,
        "same": y is None,
        "indices": indices,
        "implementation": implementation,
    }
    return rows, columns, pair, tuple(options.items())


def nearest_neighbor_distances(
    x: jax.Array,
    y: jax.Array | None = None,
    *,
    k: int,
    metric: str = "chebyshev",
    where: jax.Array | None = None,
    labels=None,
    implementation: str | None = None,
) -> jax.Array:
    """Distances from each point to its k nearest neighbours.

    Differentiable in x and y with the neighbours held fixed, which is exact almost everywhere;
    the derivative of a distance of 0 is 0. Memory grows with N k D.

    Args:
        x: points, (*B, N, D), D > 0.
        y: the points among which neighbours are looked for, (*B, M, D); None for x, where no
            point is its own neighbour.
        k: how many neighbours, static.
        metric: "chebyshev" (the largest difference of a coordinate) or "euclidean".
        where: boolean mask of the points that may be neighbours, broadcasting to (*B, M).
        labels: whole numbers that broadcast to (*B, N), or where y is given a pair of them for
            x and y; only points of the same label are neighbours.
        implementation: `"xla"` has a tile of pairs in memory at a time, `"reference"` all; None
            takes what is best for the platform.

    Returns:
        (*B, N, k), ascending, at least float32; inf where there is no further neighbour.

    Raises:
        TypeError: `x` or `y` is not of floating type, `where` not boolean, `k` no whole number.
        ValueError: shapes that do not fit, k beyond the number of other points, an unknown
            metric or implementation.
    """
    arguments = _arguments(x, y, k, metric, where, labels, implementation, False)
    return _distances(*arguments)


def nearest_neighbors(
    x: jax.Array,
    y: jax.Array | None = None,
    *,
    k: int,
    metric: str = "chebyshev",
    where: jax.Array | None = None,
    labels=None,
    implementation: str | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Distances to the k nearest neighbours of each point, and which they are.

    Args:
        x: points, (*B, N, D), D > 0.
        y: the points among which neighbours are looked for; None for x.
        k: how many neighbours, static.
        metric: "chebyshev" or "euclidean".
        where: boolean mask of the points that may be neighbours.
        labels: as in `nearest_neighbor_distances`.
        implementation: as in `nearest_neighbor_distances`.

    Returns:
        Distances, (*B, N, k), differentiable as those of `nearest_neighbor_distances`, and int32
        places: the lower first where distances are equal, -1 where there is no further one.

    Raises:
        TypeError: as in `nearest_neighbor_distances`.
        ValueError: as in `nearest_neighbor_distances`.
    """
    rows, columns, pair, options = _arguments(x, y, k, metric, where, labels, implementation, True)
    places = _search(rows, columns, pair, options)[1]
    return _of_places(rows, columns, places, metric), places


def count_neighbors(
    x: jax.Array,
    radius: jax.Array,
    y: jax.Array | None = None,
    *,
    metric: str = "chebyshev",
    closed: bool = False,
    where: jax.Array | None = None,
    implementation: str | None = None,
) -> jax.Array:
    """Counts the points within a radius of each point.

    With the Chebyshev metric a radius that is a neighbour's distance meets that neighbour to
    the bit: `closed=False` leaves it out, `closed=True` counts it.

    Args:
        x: points, (*B, N, D), D > 0.
        radius: radii, (*B, N) or (*B, N, R).
        y: the points that are counted, (*B, M, D); None for x, without the point itself.
        metric: "chebyshev" or "euclidean".
        closed: whether points at the radius count.
        where: boolean mask of the points that are counted, broadcasting to (*B, M). Where x
            stands for y, the counts of other points have no meaning.
        implementation: as in `nearest_neighbor_distances`.

    Returns:
        int32, of the shape of `radius`.

    Raises:
        TypeError: `x`, `y` or `radius` is not of floating type, or `where` not boolean.
        ValueError: shapes that do not fit, an unknown metric or implementation.
    """
    rows, columns = _points(x, y, where, metric, implementation)
    radius = _floating("radius", radius).astype(rows.dtype)
    if radius.shape[: rows.ndim - 1] != rows.shape[:-1] or radius.ndim > rows.ndim:
        raise ValueError(
            f"radius must have shape {rows.shape[:-1]} or that and (R,); got {radius.shape}."
        )
    # Points that do not count are at infinity: no radius may reach there.
    limit = jnp.minimum(radius, jnp.finfo(radius.dtype).max)
    limit = limit if radius.ndim == rows.ndim else limit[..., None]
    counts = operation.count(
        *(_flat(each, 2) for each in (rows, columns, limit)),
        metric=metric,
        closed=bool(closed),
        implementation=implementation,
    ).reshape(radius.shape)
    if y is None:
        counts = counts - ((limit.reshape(radius.shape) > 0) | closed).astype(jnp.int32)
    return jnp.maximum(counts, 0)

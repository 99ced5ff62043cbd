"""All distances of one problem written out, and sorted: the specification."""

import jax
import jax.numpy as jnp

from infojax.kernels.nearest_neighbors.distances import tile


def search(
    a: jax.Array,
    b: jax.Array,
    *labels: jax.Array,
    k: int,
    metric: str,
    same: bool,
    indices: bool,
) -> list[jax.Array]:
    """The k nearest of b to each a.

    Args:
        a: points of the rows, (B, N, D).
        b: points of the columns, (B, M, D); those that do not count are inf.
        *labels: none, or those of a and of b, (B, N) and (B, M): only points of the same label
            are neighbours.
        k: how many, at most M.
        metric: "chebyshev" or "euclidean".
        same: whether a and b are the same points; none is then its own neighbour.
        indices: whether to tell which points they are.

    Returns:
        Distances, (B, N, k), ascending, inf where there is no further neighbour; and, if
        `indices`, int32 places in b, the lower first where distances are equal, and -1 where
        there is no further neighbour.
    """

    def one(a, b, *labels):
        d = tile(a.T, b.T, metric)
        if same:
            d = jnp.where(jnp.eye(d.shape[0], dtype=bool), jnp.inf, d)
        if labels:
            d = jnp.where(labels[0][:, None] == labels[1], d, jnp.inf)
        if not indices:
            d = jnp.sort(d, -1)[:, :k]
            return jnp.sqrt(d) if metric == "euclidean" else d, d
        places = jnp.argsort(d, -1, stable=True)[:, :k]
        d = jnp.take_along_axis(d, places, -1)
        places = jnp.where(d < jnp.inf, places, -1).astype(jnp.int32)
        return (jnp.sqrt(d) if metric == "euclidean" else d), places

    found = jax.vmap(one)(a, b, *labels)
    return list(found) if indices else [found[0]]


def count(
    a: jax.Array, b: jax.Array, radius: jax.Array, *, metric: str, closed: bool
) -> list[jax.Array]:
    """How many of b are nearer than a radius to each a.

    Args:
        a: points of the rows, (B, N, D).
        b: points of the columns, (B, M, D); those that do not count are inf.
        radius: radii, (B, N, R), finite.
        metric: "chebyshev" or "euclidean".
        closed: whether those at the radius count.

    Returns:
        One array, int32, (B, N, R).
    """

    def one(a, b, radius):
        d = tile(a.T, b.T, metric)[..., None]
        d = jnp.sqrt(d) if metric == "euclidean" else d
        within = d <= radius[:, None] if closed else d < radius[:, None]
        return jnp.sum(within, 1, dtype=jnp.int32)

    return [jax.vmap(one)(a, b, radius)]

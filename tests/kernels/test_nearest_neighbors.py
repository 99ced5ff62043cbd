"""Nearest neighbours: blocked against all pairs, ties, masks, labels, derivatives, memory."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax.kernels import nearest_neighbors as neighbors


def _draw(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def _distances(x, y, metric, same):
    difference = np.abs(x[:, None].astype(float) - y[None].astype(float))
    d = difference.max(-1) if metric == "chebyshev" else np.sqrt((difference**2).sum(-1))
    if same:
        np.fill_diagonal(d, np.inf)
    return d


_SETS = {
    "plane": ((900, 2), None, None),
    "line, rounded": ((300, 1), None, 1),
    "to others, rounded": ((130, 3), (400, 3), 1),
    "many coordinates": ((150, 40), None, None),
    "small": ((9, 2), (7, 2), 0),
}


@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
@pytest.mark.parametrize("name", _SETS)
def test_against_all_pairs(name, metric):
    shape, other, digits = _SETS[name]
    x, y = _draw(shape, other or shape)
    x, y = (z if digits is None else np.round(z, digits) for z in (x, y))
    columns, to = (x, None) if other is None else (y, y)
    mask = np.random.default_rng(1).uniform(size=len(columns)) < 0.8
    d = np.where(mask, _distances(x, columns, metric, to is None), np.inf)
    rows = mask if to is None else np.ones(len(x), bool)
    found, places = neighbors.nearest_neighbors(x, to, k=4, metric=metric, where=mask)
    alone = neighbors.nearest_neighbor_distances(x, to, k=4, metric=metric, where=mask)
    expected = np.sort(d, -1)[:, :4]
    for value in (found, alone):
        np.testing.assert_allclose(value[rows], expected[rows], rtol=1e-6)
    if metric == "chebyshev":  # equal distances stay equal in float32: the lower place is first
        order = np.argsort(d.astype(np.float32), -1, kind="stable")[:, :4]
        np.testing.assert_array_equal(np.asarray(places)[rows], order[rows])
    radius = np.asarray(alone[:, 1:3]) * np.float32(1 if metric == "chebyshev" else 0.999)
    radius = np.where(np.isfinite(radius), radius, 0)
    for closed in (False, True):
        counts = neighbors.count_neighbors(x, radius, to, metric=metric, closed=closed, where=mask)
        flat = d.astype(np.float32)[:, :, None]
        truth = (flat <= radius[:, None] if closed else flat < radius[:, None]).sum(1)
        np.testing.assert_array_equal(counts[rows], truth[rows])


def test_labels_and_batches():
    (x,) = _draw((2, 200, 2))
    labels = np.random.default_rng(0).integers(0, 3, (2, 200))
    labels[1, :199] = 0  # the other one has no neighbour
    labels[1, 199] = 1
    find = functools.partial(neighbors.nearest_neighbors, k=3)
    found, places = find(x, labels=labels)
    for one in range(2):
        d = _distances(x[one], x[one], "chebyshev", True)
        d = np.where(labels[one][:, None] == labels[one], d, np.inf)
        np.testing.assert_allclose(found[one], np.sort(d, -1)[:, :3], rtol=1e-6)
    np.testing.assert_array_equal(places[1, 199], -1)
    mapped = jax.jit(jax.vmap(lambda x, labels: find(x, labels=labels)[1]))(x, labels)
    np.testing.assert_array_equal(mapped, places)


@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
def test_the_derivative_holds_neighbours_fixed(metric):
    x, y, weights = _draw((100, 3), (90, 3), (100, 2))

    def loss(x, y):
        d = neighbors.nearest_neighbor_distances(x, y, k=2, metric=metric)
        return jnp.sum(weights * d)

    def plain(x, y):
        difference = jnp.abs(x[:, None] - y)
        d = difference.max(-1) if metric == "chebyshev" else jnp.sqrt((difference**2).sum(-1))
        return jnp.sum(weights * jnp.sort(d, -1)[:, :2])

    found = jax.jit(jax.grad(loss, (0, 1)))(x, y)
    for value, expected in zip(found, jax.grad(plain, (0, 1))(x, y), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-6)


def test_memory_does_not_grow_with_the_pairs():
    count, size = 100_000, 8

    def loss(x):
        d = neighbors.nearest_neighbor_distances(x, k=3)
        near = neighbors.count_neighbors(x[:, :4], d)
        return jnp.sum(d * near)

    shape = jax.ShapeDtypeStruct((count, size), jnp.float32)
    for function in (loss, jax.grad(loss)):
        memory = jax.jit(function).lower(shape).compile().memory_analysis()
        # All pairs would take 37 GiB.
        assert memory.temp_size_in_bytes < 256 << 20


def test_faults():
    x = jnp.zeros((5, 2))
    for error, pattern, call in [
        (TypeError, "x must have a floating", lambda: neighbors.nearest_neighbors(x > 0, k=1)),
        (ValueError, "x must have shape", lambda: neighbors.nearest_neighbors(x[0], k=1)),
        (ValueError, "from 1 to 4", lambda: neighbors.nearest_neighbor_distances(x, k=5)),
        (TypeError, "k must be a whole", lambda: neighbors.nearest_neighbor_distances(x, k=1.0)),
        (ValueError, "metric must", lambda: neighbors.nearest_neighbors(x, k=1, metric="taxi")),
        (ValueError, "y must have", lambda: neighbors.nearest_neighbors(x, x[:, :1], k=1)),
        (ValueError, "radius must", lambda: neighbors.count_neighbors(x, jnp.ones(4))),
        (
            ValueError,
            "implementation must",
            lambda: neighbors.count_neighbors(x, jnp.ones(5), implementation="tree"),
        ),
    ]:
        with pytest.raises(error, match=pattern):
            call()

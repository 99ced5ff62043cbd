"""Sobol points, and maximisation over a box."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax import optimize
from infojax.optimize.box_search import box


def test_every_elementary_interval_holds_its_share():
    points = np.asarray(optimize.sobol_points(jax.random.key(3), 64, 5))
    assert points.min() >= 0 and points.max() < 1
    for column in points.T:
        assert sorted((column * 64).astype(int)) == list(range(64))
    # The first two coordinates are a net: each of 8 x 8 cells has one point.
    cells = {tuple(cell) for cell in (points[:, :2] * 8).astype(int)}
    assert len(cells) == 64
    again = optimize.sobol_points(jax.random.key(4), 64, 5)
    assert np.abs(points - again).max() > 0.5


def test_means_over_sobol_points_are_better_than_over_random_ones():
    def error(points):
        return float(jnp.mean(jnp.prod(1 + 0.5 * (points - 0.5), 1)) - 1)

    keys = jax.random.split(jax.random.key(0), 20)
    even = [error(optimize.sobol_points(key, 128, 4)) for key in keys]
    random = [error(jax.random.uniform(key, (128, 4))) for key in keys]
    assert np.std(even) < 0.2 * np.std(random)
    # Unbiased: the mean over scramblings is the integral.
    assert abs(np.mean(even)) < 4 * np.std(even) / np.sqrt(20) + 1e-6


def test_a_longer_sequence_begins_with_the_shorter():
    key = jax.random.key(1)
    short, long = optimize.sobol_points(key, 5, 3), optimize.sobol_points(key, 40, 3)
    np.testing.assert_array_equal(short, long[:5])


@pytest.mark.parametrize(("count", "dimensions"), [(0, 2), (4, 0), (4, 30_000)])
def test_numbers_of_points_that_cannot_be(count, dimensions):
    with pytest.raises(ValueError, match=r"count|dimensions"):
        optimize.sobol_points(jax.random.key(0), count, dimensions)


_BOUNDS = [(-5.0, 10.0), (0.0, 15.0)]


def _peaks(x):
    """Two peaks, the higher one at (8, 3); NaN in a corner."""
    high = jnp.exp(-jnp.sum((x - jnp.array([8.0, 3.0])) ** 2) / 2)
    low = 0.8 * jnp.exp(-jnp.sum((x - jnp.array([-2.0, 11.0])) ** 2) / 8)
    return jnp.where((x[0] > 9) & (x[1] > 14), jnp.nan, high + low)


def test_the_global_maximum_is_found_under_jit_and_vmap():
    found = jax.jit(
        jax.vmap(lambda key: optimize.maximize_acquisition(key, _peaks, _BOUNDS, raw=256))
    )
    points, values = found(jax.random.split(jax.random.key(0), 8))
    np.testing.assert_allclose(points, np.tile([8.0, 3.0], (8, 1)), atol=1e-3)
    np.testing.assert_allclose(values, 1.0, atol=1e-3)


def test_a_maximum_at_the_bound_is_exact():
    point, value = optimize.maximize_acquisition(
        jax.random.key(0), lambda x: x[0] - x[1], _BOUNDS, raw=16, starts=2
    )
    np.testing.assert_array_equal(point, [10.0, 0.0])
    assert value == 10


def test_incumbents_are_where_a_needle_is_found():
    def needle(x):
        return jnp.exp(-1e4 * jnp.sum((x - jnp.array([1.0, 2.0])) ** 2))

    given = {"raw": 16, "starts": 2, "steps": 5}
    key = jax.random.key(0)
    _, without = optimize.maximize_acquisition(key, needle, _BOUNDS, **given)
    point, value = optimize.maximize_acquisition(
        key, needle, _BOUNDS, incumbents=[[1.0, 2.0]], **given
    )
    assert without < 1e-3 and value == 1
    np.testing.assert_allclose(point, [1.0, 2.0], atol=1e-5)


@pytest.mark.parametrize(
    ("bounds", "pattern"),
    [
        ([(1.0, 0.0)], "bounds must have each lower bound below.*got 1, 0 in dimension 0"),
        ([(0.0, 1.0), (2.0, 2.0)], "got 2, 2 in dimension 1"),
        ([(0.0, np.nan)], r"bounds must be finite; got bounds\[0, 1\] = nan"),
        ([(0.0, np.inf)], "bounds must be finite"),
        ([0.0, 1.0], r"bounds must have shape \(D, 2\)"),
        (np.zeros((0, 2)), r"bounds must have shape \(D, 2\)"),
    ],
)
def test_wrong_bounds(bounds, pattern):
    with pytest.raises(ValueError, match=pattern):
        box(bounds)


def test_other_mistakes():
    def search(**keywords):
        optimize.maximize_acquisition(jax.random.key(0), _peaks, _BOUNDS, **keywords)

    with pytest.raises(ValueError, match="incumbents must be inside the bounds"):
        search(incumbents=[[20.0, 0.0]])
    with pytest.raises(ValueError, match=r"incumbents must have shape \(I, 2\)"):
        search(incumbents=[[1.0]])
    with pytest.raises(ValueError, match="starts"):
        search(starts=0)
    with pytest.raises(TypeError, match="bounds"):
        box([("a", "b")])

"""The noisy manifolds: dimension, scale, noise, and errors."""

import jax
import numpy as np
import pytest

from experiments.data import noisy_manifold


@pytest.mark.parametrize(
    ("shape", "dimension", "rank"), [("tree", 1, 1), ("tree", 3, 3), ("swiss_roll", 2, 3)]
)
def test_the_clean_points_lie_in_few_dimensions(shape, dimension, rank):
    drawn = noisy_manifold(
        jax.random.key(0), shape, 203, dimension=dimension, ambient_dimension=20, noise=0.3
    )
    assert drawn.points.shape == drawn.clean.shape == (203, 20)
    assert drawn.labels.shape == (203,)
    assert set(np.unique(drawn.labels)) == set(range(10))
    clean = np.asarray(drawn.clean, np.float64)
    values = np.linalg.svd(clean, compute_uv=False)
    assert np.all(values[rank:] < 1e-4) and values[rank - 1] > 1
    np.testing.assert_allclose(clean.mean(0), 0, atol=1e-5)
    # A rotation keeps the sum of variances: one a coordinate.
    np.testing.assert_allclose(clean.var(0).sum(), rank, rtol=1e-4)
    noise = np.asarray(drawn.points) - clean
    np.testing.assert_allclose(noise.std(), 0.3, rtol=0.05)


def test_a_tree_is_connected_and_its_branches_are_curves():
    drawn = noisy_manifold(jax.random.key(1), "tree", 203, dimension=3, ambient_dimension=20)
    points = np.asarray(drawn.clean, np.float64)
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    step = np.median(np.diag(distance, 1))
    reached = np.zeros(203, bool)
    reached[0] = True
    for _ in range(203):
        reached |= distance[reached].min(0) < 3 * step
    assert reached.all()


def test_the_key_fixes_all_and_noise_scales_alone():
    def draw(key, noise):
        return noisy_manifold(
            jax.random.key(key), "swiss_roll", 50, dimension=1, ambient_dimension=4, noise=noise
        )

    one, two, other = draw(0, 0.5), draw(0, 1.0), draw(1, 0.5)
    np.testing.assert_array_equal(one.clean, two.clean)
    np.testing.assert_allclose(2 * (one.points - one.clean), two.points - two.clean, atol=1e-5)
    assert not np.array_equal(one.clean, other.clean)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": "torus"}, "shape"),
        ({"num_points": 1}, "num_points"),
        ({"dimension": 0}, "dimension"),
        ({"dimension": 4}, "ambient_dimension"),
    ],
)
def test_mistakes_are_named(arguments, message):
    given = {"shape": "swiss_roll", "num_points": 9, "dimension": 2, "ambient_dimension": 4}
    with pytest.raises(ValueError, match=message):
        noisy_manifold(jax.random.key(0), **given | arguments)

"""Estimators from nearest neighbours: the values of `infomeasure`, and properties."""

import functools
import json
import pathlib

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from infojax import divergences, information
from tests.golden.infomeasure.make import samples

_GOLDEN = json.loads(
    (pathlib.Path(__file__).parents[1] / "golden/infomeasure/neighbors.json").read_text()
)


@pytest.mark.parametrize("k", [1, 4])
def test_values_of_infomeasure(k):
    x, y, z, driven = samples()
    with jax.enable_x64(True):
        found = {
            "mutual_information": information.ksg_mutual_information(x, y, k=k),
            "conditional": information.ksg_conditional_mutual_information(x, y, z, k=k),
        }
        for metric in ("chebyshev", "euclidean"):
            entropy = information.kozachenko_leonenko_entropy(x, k=k, metric=metric)
            found[f"entropy_{metric}"] = entropy
        for length in (1, 2):
            found[f"transfer_entropy_{length}"] = information.transfer_entropy(
                x[:, :1], driven, k=k, history=length
            )
    for name, value in found.items():
        assert abs(float(value) - _GOLDEN[f"{name}_{k}"]) < 1e-12, name


# One shape for all examples: whole numbers of sixteenths, so that shifts and scales by powers
# of two are exact, with as many ties as a draw likes.
_COUNT = 24
_points = st.lists(
    st.tuples(*[st.integers(-64, 64)] * 3), min_size=_COUNT, max_size=_COUNT, unique=True
)


def _split(points):
    points = np.asarray(points, np.float32) / 16
    return points[:, :1], points[:, 1:]


@hypothesis.given(_points, st.integers(-100, 100), st.integers(-3, 3), st.randoms())
def test_mutual_information_depends_on_order_of_distances_alone(points, shift, power, random):
    x, y = _split(points)
    order = np.arange(_COUNT)
    random.shuffle(order)
    estimate = information.ksg_mutual_information
    value = estimate(x, y)
    np.testing.assert_allclose(estimate(y, x), value, atol=2e-6)
    np.testing.assert_allclose(estimate(x[order], y[order]), value, atol=2e-6)
    scale = np.float32(2.0**power)
    for variant in (1, 2):
        of_variant = functools.partial(estimate, variant=variant)
        moved = of_variant(scale * (x + shift), scale * (y - shift))
        np.testing.assert_allclose(moved, of_variant(x, y))


@hypothesis.given(_points, st.integers(-3, 3))
def test_entropy_follows_the_scale(points, power):
    points = np.asarray(points, np.float32) / 16
    value = information.kozachenko_leonenko_entropy(points)
    scaled = information.kozachenko_leonenko_entropy(points * np.float32(2.0**power))
    np.testing.assert_allclose(scaled, value + 3 * power * np.log(2), atol=1e-4)
    twice = information.kozachenko_leonenko_entropy(points, base=2)
    np.testing.assert_allclose(twice, value / np.log(2), rtol=1e-5)


@hypothesis.given(_points, st.integers(-100, 100))
def test_divergence_sees_differences_alone(points, shift):
    p, q = (np.asarray(half, np.float32) / 16 for half in (points[:12], points[12:]))
    value = divergences.kl_divergence_from_samples(p, q)
    moved = divergences.kl_divergence_from_samples(4 * (p + shift), 4 * (q + shift))
    np.testing.assert_allclose(moved, value, rtol=1e-5, atol=1e-5)


@hypothesis.given(_points)
def test_what_is_known_tells_nothing(points):
    """With z = (x, y) known, z, xz and yz have the same neighbours: k, or fewer where some tie."""
    x, y = _split(points)
    z = jnp.concatenate([x, y], -1)
    found = information.ksg_conditional_mutual_information(x, y, z)
    counted = information.ksg_conditional_mutual_information(y, x, z)
    np.testing.assert_allclose(found, counted, atol=2e-6)
    assert found >= -1e-6


def test_what_is_known_tells_exactly_nothing_without_ties():
    x, y, _, _ = samples()
    z = np.concatenate([x, y], -1)
    assert abs(information.ksg_conditional_mutual_information(x, y, z)) < 1e-6

"""Bags of different sizes: padding, buckets, subsamples; attention as heat maps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infojax.nn import mil


@given(st.integers(1, 10**6))
def test_a_bucket_is_a_tight_power_of_two(count):
    size = mil.bucket_size(count)
    assert size >= max(count, 16) and size % 16 == 0 and bin(size).count("1") == 1
    assert size < 2 * max(count, 16)


def test_buckets_hold_every_bag_once():
    rng = np.random.default_rng(0)
    bags = [rng.normal(size=(n, 3)).astype(np.float32) for n in (5, 33, 16, 1, 64, 17)]
    buckets = mil.bucket_bags(bags)
    assert [bucket.instances.shape[1] for bucket in buckets] == [16, 32, 64]
    seen = {}
    for bucket in buckets:
        assert bucket.instances.dtype == np.float32
        for rows, where, place in zip(*bucket, strict=True):
            seen[int(place)] = rows[where]
            assert np.all(rows[~where] == 0)
    assert sorted(seen) == list(range(6))
    for place, bag in enumerate(bags):
        np.testing.assert_array_equal(seen[place], bag)


@pytest.mark.parametrize(
    ("bags", "options", "error", "message"),
    [
        ([], {}, ValueError, "hold a bag"),
        ([np.ones((2, 3)), np.ones((0, 3))], {}, ValueError, r"bags\[1\] must have shape \(N, 3\)"),
        ([np.ones((2, 3)), np.ones((2, 4))], {}, ValueError, r"got \(2, 4\)"),
        ([np.ones((2, 3), int)], {}, TypeError, "floating"),
        ([np.ones((20, 3))], {"size": 8}, ValueError, "at least 20"),
    ],
)
def test_faults_of_bags(bags, options, error, message):
    with pytest.raises(error, match=message):
        mil.pad_bags(bags, **options)


def test_subsamples_are_random_parts():
    where = jnp.stack([jnp.arange(30) < 20, jnp.arange(30) < 1, jnp.arange(30) >= 0])
    kept = np.asarray(mil.subsample_instances(jax.random.key(0), where, 0.7))
    assert not (kept & ~np.asarray(where)).any()
    np.testing.assert_array_equal(kept.sum(-1), [14, 1, 21])
    other = mil.subsample_instances(jax.random.key(1), where, 0.7)
    assert not np.array_equal(kept, other)
    np.testing.assert_array_equal(mil.subsample_instances(jax.random.key(1), where, 1.0), where)
    for share in (0.0, 1.5):
        with pytest.raises(ValueError, match="share"):
            mil.subsample_instances(jax.random.key(0), where, share)


def test_heat_maps_of_attention():
    logits = jnp.array([[2.0, 0.0, 1.0, 9.0], [3.0, 3.0, 3.0, 3.0]])
    maps = mil.attention_maps(logits, where=jnp.array([True, True, True, False]))
    np.testing.assert_allclose(maps.softmax.sum(-1), 1, rtol=1e-6)
    np.testing.assert_allclose(maps.softmax[0, :3], jax.nn.softmax(logits[0, :3]), rtol=1e-6)
    np.testing.assert_allclose(maps.min_max[:, :3], [[1, 0, 0.5], [0.5, 0.5, 0.5]])
    assert np.isnan(maps.min_max[:, 3]).all() and np.all(maps.softmax[:, 3] == 0)
    np.testing.assert_array_equal(maps.logits[:, :3], logits[:, :3])
    for bad, words in ((jnp.array([jnp.nan, 0.0]), "nan"), (jnp.full(2, -jnp.inf), "without")):
        with pytest.raises(ValueError, match=words):
            mil.attention_maps(bad)
        assert np.isnan(jax.jit(mil.attention_maps)(bad).softmax).all()

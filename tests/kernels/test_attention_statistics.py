"""Attention over parts of the keys, combined: equal to attention over all of them at once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax.kernels.attention_statistics import combine
from tests import devices


def _attend(logits, values):
    """Output, entropy and log normaliser over the last axis; 0, 0, -inf without a finite logit."""
    empty = jnp.all(logits == -jnp.inf, -1)
    # The derivative of logsumexp is NaN without a finite logit.
    log_normalizer = jax.nn.logsumexp(jnp.where(empty[..., None], 0, logits), -1)
    log_p = logits - log_normalizer[..., None]
    p = jnp.exp(log_p)
    entropy = -jnp.sum(p * jnp.where(p > 0, log_p, 0), -1)
    return p @ values, entropy, jnp.where(empty, -jnp.inf, log_normalizer)


def _parts(seed=0, parts=3, rows=5, keys=4, scale=2.0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(parts, rows, keys)) * scale
    return logits, rng.normal(size=(parts, keys, 2))


def _whole(logits, values):
    parts, rows, keys = logits.shape
    flat = jnp.moveaxis(jnp.asarray(logits), 0, 1).reshape(rows, parts * keys)
    return _attend(flat, jnp.asarray(values).reshape(parts * keys, -1))


def _combined(logits, values):
    return combine(*_attend(jnp.asarray(logits), jnp.asarray(values)))


@pytest.mark.parametrize("scale", [0.0, 2.0, 30.0])
def test_parts_give_the_whole(scale):
    logits, values = _parts(scale=scale)
    logits[0, 0] = logits[2, 0] = -np.inf  # parts without keys
    logits[:, 1] = -np.inf  # and a row without
    with jax.enable_x64(True):
        expected = _whole(jnp.asarray(logits), jnp.asarray(values))
        found = _combined(logits, values)
    for mine, exact in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, exact, rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(found[0][1], 0)
    assert found[1][1] == 0 and found[2][1] == -np.inf
    single = _combined(logits.astype(np.float32), values.astype(np.float32))
    for mine, exact in zip(single, expected, strict=True):
        np.testing.assert_allclose(mine, exact, rtol=2e-6, atol=2e-6)


def test_any_axis_and_any_order():
    logits, values = _parts()
    statistics = _attend(jnp.asarray(logits), jnp.asarray(values))
    expected = combine(*statistics)
    output, entropy, log_normalizer = statistics
    for axis in (1, -1):
        moved = combine(jnp.moveaxis(output, 0, 1), entropy.T, log_normalizer.T, axis)
        for mine, exact in zip(moved, expected, strict=True):
            np.testing.assert_allclose(mine, exact, rtol=1e-6)
    reversed_order = combine(*(x[::-1] for x in statistics))
    for mine, exact in zip(reversed_order, expected, strict=True):
        np.testing.assert_allclose(mine, exact, rtol=1e-6, atol=1e-7)


def test_a_small_entropy_keeps_its_digits():
    """Two point masses of which one has all but 1e-12 of the weight."""
    log_normalizers = np.array([[0.0], [-27.6]], np.float32)
    _, entropy, _ = combine(jnp.ones((2, 1, 1)), jnp.zeros((2, 1)), jnp.asarray(log_normalizers))
    with jax.enable_x64(True):
        z = np.logaddexp(*log_normalizers.astype(np.float64))
        w = np.exp(log_normalizers - z)
        exact = np.log1p(np.exp(-27.6)) * w[0] - w[1] * (log_normalizers[1] - z)
    np.testing.assert_allclose(entropy, exact, rtol=1e-5)


def test_parts_without_keys_may_hold_anything():
    output = jnp.array([[1.0, 2.0], [jnp.nan, jnp.inf]])
    entropy, log_normalizer = jnp.array([0.5, jnp.nan]), jnp.array([1.0, -jnp.inf])

    def total(*statistics):
        parts = combine(*statistics)
        return sum(jnp.sum(part) for part in parts)

    found = combine(output, entropy, log_normalizer)
    for mine, alone in zip(found, (output[0], entropy[0], log_normalizer[0]), strict=True):
        np.testing.assert_array_equal(mine, alone)
    for gradient in jax.grad(total, (0, 1, 2))(output, entropy, log_normalizer):
        assert np.all(np.isfinite(gradient))
        np.testing.assert_array_equal(gradient[1], 0)


def test_gradients_are_those_of_the_whole():
    logits, values = _parts(seed=3)
    logits[0, 0] = -np.inf
    weights = np.random.default_rng(4).normal(size=(5, 4))

    def scalar(of):
        def function(logits, values):
            output, entropy, log_normalizer = of(logits, values)
            return (
                jnp.sum(output * weights[:, :2])
                + jnp.sum(entropy * weights[:, 2])
                + jnp.sum(log_normalizer[1:] * weights[1:, 3])
            )

        return function

    with jax.enable_x64(True):
        arguments = jnp.asarray(logits), jnp.asarray(values)
        expected = jax.grad(scalar(_whole), (0, 1))(*arguments)
        found = jax.grad(scalar(_combined), (0, 1))(*arguments)
    for mine, exact in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, exact, rtol=1e-9, atol=1e-12)
    tied = jax.grad(lambda z: combine(jnp.zeros((2, 1)), jnp.zeros(2), z)[2])(jnp.zeros(2))
    np.testing.assert_allclose(tied, [0.5, 0.5])


def test_a_batch_and_vmap():
    logits, values = _parts()
    statistics = _attend(jnp.asarray(logits), jnp.asarray(values))
    expected = combine(*statistics)
    mapped = jax.jit(jax.vmap(combine, in_axes=1))(*statistics)
    for mine, exact in zip(mapped, expected, strict=True):
        np.testing.assert_allclose(mine, exact, rtol=1e-6)
    empty = combine(jnp.zeros((3, 0, 2)), jnp.zeros((3, 0)), jnp.zeros((3, 0)))
    assert [part.shape for part in empty] == [(0, 2), (0,), (0,)]


_ON_DEVICES = """
import functools, jax, jax.numpy as jnp, numpy as np
from jax.sharding import PartitionSpec as P
from infojax.kernels.attention_statistics import combine, combine_over_devices
mesh = jax.make_mesh((4,), ("keys",), axis_types=(jax.sharding.AxisType.Auto,))
rng = np.random.default_rng(0)
z = rng.normal(size=(4, 5)).astype(np.float32)
z[1, 0] = -np.inf
z[:, 2] = -np.inf
z[3, 3] = z[:, 3].max()
statistics = jnp.asarray(rng.normal(size=(4, 5, 2)), jnp.float32), jnp.ones((4, 5)), jnp.asarray(z)
def body(*parts):
    return combine_over_devices(*(part[0] for part in parts), "keys")
shared = jax.jit(jax.shard_map(body, mesh=mesh, in_specs=P("keys"), out_specs=P()))
for mine, exact in zip(shared(*statistics), combine(*statistics), strict=True):
    np.testing.assert_allclose(mine, exact, rtol=1e-6, atol=1e-7)
def scalar(of):
    def function(*parts):
        output, entropy, z = of(*parts)
        return jnp.sum(output) + jnp.sum(entropy ** 2) + jnp.sum(jnp.where(z > -9, z, 0) ** 2)
    return jax.grad(function, (0, 1, 2))
for mine, exact in zip(scalar(shared)(*statistics), scalar(combine)(*statistics), strict=True):
    assert np.all(np.isfinite(exact))
    np.testing.assert_allclose(mine, exact, rtol=1e-5, atol=1e-6)
print("fine")
"""


def test_keys_spread_over_devices():
    assert devices.run_on_devices(_ON_DEVICES, 4).strip() == "fine"

"""Channel capacity against closed forms, bounds and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax import entropies, information


def _closed_forms():
    e, d = 0.1, 0.3
    h = -e * np.log2(e) - (1 - e) * np.log2(1 - e)
    yield "symmetric", [[1 - e, e], [e, 1 - e]], 1 - h
    yield "erasure", [[1 - d, d, 0.0], [0.0, d, 1 - d]], 1 - d
    yield "z", [[1.0, 0.0], [d, 1 - d]], np.log2(1 + (1 - d) * d ** (d / (1 - d)))
    yield "noiseless", np.eye(5), np.log2(5)
    yield "useless", np.full((3, 2), 0.5), 0.0
    yield "typewriter", (np.eye(26) + np.roll(np.eye(26), 1, 1)) / 2, np.log2(13)
    yield "one input", [[0.25, 0.75]], 0.0


@pytest.mark.parametrize("name, channel, bits", _closed_forms(), ids=lambda v: str(v)[:10])
def test_closed_forms(name, channel, bits):
    result = information.channel_capacity(jnp.asarray(channel, jnp.float32), base=2)
    assert result.converged and 0 <= result.gap <= 1e-6
    np.testing.assert_allclose(result.capacity, bits, atol=2e-6)
    assert result.capacity <= bits + 1e-6
    np.testing.assert_allclose(jnp.sum(result.input_distribution), 1, rtol=1e-6)
    np.testing.assert_allclose(result.upper_bound(), result.capacity + result.gap)
    output = result.output_distribution(jnp.asarray(channel, jnp.float32))
    np.testing.assert_allclose(jnp.sum(output), 1, rtol=1e-6)


def test_exceeds_every_input_distribution_and_batches():
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        channels = jnp.asarray(rng.dirichlet(np.ones(4), (5, 3)))
        solve = jax.jit(jax.vmap(lambda c: information.channel_capacity(c, tolerance=1e-8)))
        results = solve(channels)
        assert np.all(results.converged)
        alone = information.channel_capacity(channels[2], tolerance=1e-8)
        np.testing.assert_allclose(results.capacity[2], alone.capacity, rtol=1e-12)
        assert results.iterations[2] == alone.iterations
        inputs = jnp.asarray(rng.dirichlet(np.ones(3), (5, 200)))
        joints = inputs[..., None] * channels[:, None]
        others = jax.vmap(jax.vmap(information.mutual_information))(joints)
        assert np.all(others <= results.upper_bound()[:, None] + 1e-12)


def test_gradient_is_that_of_the_envelope_theorem():
    with jax.enable_x64(True):
        channel = jnp.array([[0.7, 0.2, 0.1], [0.1, 0.5, 0.4]])
        direction = jnp.array([[0.3, -0.2, -0.1], [-0.4, 0.1, 0.3]])

        def value(c):
            return information.channel_capacity(c, tolerance=1e-13, base=2).capacity

        slope = (value(channel + 1e-5 * direction) - value(channel - 1e-5 * direction)) / 2e-5
        gradient = jax.jit(jax.grad(value))(channel)
        np.testing.assert_allclose(jnp.sum(gradient * direction), slope, rtol=1e-7)


def test_unconverged_results_say_so():
    rng = np.random.default_rng(1)
    channel = jnp.asarray(rng.dirichlet(np.ones(4), 4), jnp.float32)
    short = information.channel_capacity(channel, max_iterations=1)
    full = information.channel_capacity(channel)
    assert not short.converged and short.iterations == 1
    assert short.capacity <= full.upper_bound() and short.upper_bound() >= full.capacity


def test_capacity_of_an_additive_channel_is_log_size_minus_entropy():
    noise = jnp.array([0.6, 0.3, 0.1, 0.0])
    channel = jnp.stack([jnp.roll(noise, i) for i in range(4)])
    result = information.channel_capacity(channel)
    np.testing.assert_allclose(result.capacity, np.log(4) - entropies.entropy(noise), rtol=1e-6)


def test_faults():
    for call, message in (
        (lambda: information.channel_capacity(jnp.ones(2) / 2), "2 axes"),
        (lambda: information.channel_capacity(jnp.zeros((0, 2))), "at least one"),
        (lambda: information.channel_capacity(jnp.eye(2), tolerance=0.0), "tolerance"),
        (lambda: information.channel_capacity(jnp.eye(2), max_iterations=0), "max_iterations"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    broken = jax.jit(information.channel_capacity)(jnp.full((2, 2), 0.6))
    assert np.isnan(broken.capacity) and not broken.converged

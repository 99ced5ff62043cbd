"""Rate-distortion functions against closed forms, each other and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax import entropies, information

HAMMING = 1 - jnp.eye(2)


def _binary(p, level):
    def h(x):
        return float(entropies.binary_entropy(jnp.float32(x), base=2))

    return max(h(p) - h(level), 0.0) if level < min(p, 1 - p) else 0.0


@pytest.mark.parametrize("p", [0.5, 0.3])
@pytest.mark.parametrize("level", [0.02, 0.1, 0.25, 0.4])
def test_bernoulli_source_with_hamming_distortion(p, level):
    source = jnp.array([1 - p, p])
    point = information.rate_distortion_function(source, HAMMING, level, base=2)
    np.testing.assert_allclose(point.rate, _binary(p, level), atol=5e-6)
    if _binary(p, level) > 0:
        np.testing.assert_allclose(point.slope, np.log2((1 - level) / level), rtol=1e-3)
        at_slope = information.rate_distortion(source, HAMMING, point.slope, base=2)
        np.testing.assert_allclose(at_slope.rate, point.rate, atol=1e-3)
        joint = source[:, None] * at_slope.test_channel
        shared = information.mutual_information(joint, base=2)
        np.testing.assert_allclose(shared, at_slope.rate, atol=5e-6)
        np.testing.assert_allclose(jnp.sum(joint * HAMMING), at_slope.distortion, rtol=1e-5)


def test_curve_is_convex_and_falling():
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        source, distortion = rng.dirichlet(np.ones(4)), rng.uniform(0, 1, (4, 5))
        distortion = jnp.asarray(distortion - distortion.min(1, keepdims=True))
        slopes = jnp.array([0.0, 1.0, 2.0, 4.0, 8.0, 16.0])
        curve = information.rate_distortion_curve(jnp.asarray(source), distortion, slopes)
        assert np.all(curve.converged) and np.all(curve.gap <= 1e-6)
        assert np.all(np.diff(curve.rate) >= -1e-6)
        assert np.all(np.diff(curve.distortion) <= 1e-6)
        np.testing.assert_allclose(curve.rate[0], 0, atol=1e-12)
        # Convex: every tangent lies below every point.
        tangents = curve.rate[:, None] - slopes[:, None] * (
            curve.distortion[None] - curve.distortion[:, None]
        )
        assert np.all(tangents <= curve.rate[None] + 1e-5)
        third = information.rate_distortion(jnp.asarray(source), distortion, 2.0)
        np.testing.assert_allclose(third.rate, curve.rate[2], rtol=1e-10)
        back = information.rate_distortion_function(
            jnp.asarray(source), distortion, curve.distortion[3]
        )
        np.testing.assert_allclose(back.rate, curve.rate[3], atol=1e-5)


def test_ends_of_the_function():
    source, distortion = jnp.array([0.5, 0.3, 0.2]), 1 - jnp.eye(3)

    def rate(level):
        return information.rate_distortion_function(source, distortion, level).rate

    np.testing.assert_allclose(rate(0.0), entropies.entropy(source), rtol=1e-5)
    assert rate(0.5) == 0 and rate(2.0) == 0
    assert information.rate_distortion_function(source, distortion + 1, 0.5).rate == np.inf
    for level in (0.0, 0.2, 0.5, 2.0):
        assert np.isfinite(jax.grad(rate)(level))


def test_gradients_are_those_of_the_envelope_theorem():
    with jax.enable_x64(True):
        source = jnp.array([0.5, 0.3, 0.2])
        distortion = jnp.array([[0.0, 0.7, 1.0], [0.6, 0.0, 0.9], [1.0, 0.8, 0.0]])

        def value(p, d, level):
            point = information.rate_distortion_function(p, d, level, tolerance=1e-11)
            return point.rate

        arguments = (source, distortion, jnp.array(0.2))
        gradients = jax.grad(value, (0, 1, 2))(*arguments)
        rng = np.random.default_rng(1)
        for position, gradient in enumerate(gradients):
            direction = rng.normal(size=np.shape(arguments[position]))
            direction = direction - direction.mean() if position == 0 else direction
            direction = direction * (distortion > 0) if position == 1 else direction
            ends = []
            for sign in (1, -1):
                moved = list(arguments)
                moved[position] = moved[position] + sign * 1e-4 * direction
                ends.append(value(*moved))
            slope = (ends[0] - ends[1]) / 2e-4
            np.testing.assert_allclose(np.sum(gradient * direction), slope, rtol=1e-4)


def test_faults():
    source = jnp.array([0.5, 0.5])
    for call, message in (
        (lambda: information.rate_distortion(source, jnp.ones((3, 2)), 1.0), "row for each of 2"),
        (lambda: information.rate_distortion(source, HAMMING, jnp.inf), "slope"),
        (lambda: information.rate_distortion(source, HAMMING, 1.0, tolerance=-1.0), "tolerance"),
        (lambda: information.rate_distortion_curve(source, HAMMING, jnp.array([-1.0])), "slopes"),
        (lambda: information.rate_distortion_curve(2 * source, HAMMING, jnp.ones(2)), "source"),
        (lambda: information.rate_distortion_function(source, HAMMING, -0.1), "max_distortion"),
    ):
        with pytest.raises(ValueError, match=message):
            call()

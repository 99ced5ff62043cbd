"""What a noisy observation tells of the maximum, against its integral and the law without noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_ndtr

from infojax.optimize import acquisition

_information = jax.jit(acquisition.max_value_entropy_search)


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


def _by_integration(g, share):
    """Entropy of a standard normal less that of one, a share of which was truncated at g."""
    correlation, rest = np.sqrt(share), np.sqrt(1 - share)
    # Fine where the density falls off, however little noise there is.
    low = correlation * min(g, 0) - min(12, 40 / max(-g, 1)) - 12 * rest
    high = min(correlation * g + 12 * rest, 12)
    edge = g / correlation + rest / correlation * np.linspace(-40, 40, 200_001)
    z = np.concatenate([np.linspace(low, high, 200_001), edge[(edge > low) & (edge < high)]])
    z = np.unique(z)
    log_factor = log_ndtr((g - correlation * z) / rest) - log_ndtr(g)
    density = np.exp(-0.5 * z * z + log_factor) / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(np.trapezoid(density, z), 1, rtol=1e-8)
    # Minus the entropy, and the normal's; the terms of z by parts of the same integral.
    return np.trapezoid(density * (log_factor - 0.5 * z * z), z) + 0.5


@pytest.mark.parametrize("share", [1e-4, 0.1, 0.5, 0.9, 0.999, 1 - 1e-8])
def test_the_integral(share):
    places = np.array([-12.0, -5.1, -4.9, -3.0, -1.0, 0.0, 1.0, 2.8, 3.2, 5.2])
    std = 1.7
    noise = std**2 * (1 - share) / share
    maxima = jnp.asarray(places * std + 0.3)
    found = jax.vmap(
        lambda top: _information(jnp.array(0.3), jnp.array(std), top[None], noise_variance=noise)
    )(maxima)
    expected = [_by_integration(g, share) for g in places]
    np.testing.assert_allclose(found, expected, atol=2e-9)


def test_noise_is_never_a_gain():
    mean, std = jnp.linspace(-30.0, 30.0, 121), jnp.asarray(0.8)
    maxima = jnp.array([-2.0, 0.5, 4.0])
    clean = _information(mean, std, maxima)
    noises = jnp.concatenate([jnp.zeros(1), jnp.logspace(-12, 6, 10)])
    noisy = jax.vmap(lambda noise: _information(mean, std, maxima, noise_variance=noise))(noises)
    np.testing.assert_allclose(noisy[0], clean, rtol=1e-12, atol=1e-15)
    assert np.all(noisy >= 0) and np.all(noisy <= clean * (1 + 1e-14) + 1e-15)
    assert np.all(np.diff(noisy, axis=0) <= 1e-12)
    # The root of the noise is what is lost at first; little is left of the last.
    np.testing.assert_allclose(noisy[1], clean, atol=1e-4)
    assert np.max(noisy[-1]) < 1e-5


def test_far_below_the_maximum_of_a_certain_kind():
    """Of a function known to be far below, what is left of an observation is its noise alone."""
    noise = 0.5
    found = _information(
        jnp.array(0.0), jnp.array(1.0), jnp.array([-1e4]), noise_variance=jnp.array(noise)
    )
    np.testing.assert_allclose(found, -0.5 * np.log(noise / (1 + noise)), atol=1e-6)
    # The deviation tends to 0, and is 0.
    for std in (1e-9, 0.0):
        for mean in (0.0, 9.0):
            vanishing = _information(
                jnp.array(mean), jnp.array(std), jnp.array([3.0]), noise_variance=jnp.array(noise)
            )
            np.testing.assert_allclose(vanishing, 0, atol=1e-12)


@pytest.mark.parametrize(
    ("noise", "message"),
    [(-0.1, "noise_variance must be non-negative"), (np.nan, "noise_variance must be a number")],
)
def test_faults(noise, message):
    with pytest.raises(ValueError, match=message):
        acquisition.max_value_entropy_search(
            np.zeros(1), np.ones(1), np.zeros(1), noise_variance=noise
        )
    with pytest.raises(ValueError, match="broadcast"):
        acquisition.max_value_entropy_search(
            np.zeros(2), np.ones(2), np.zeros(1), noise_variance=np.ones(3)
        )

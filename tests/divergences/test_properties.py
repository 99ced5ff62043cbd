"""Inequalities that hold for every pair of distributions, over random ones with zeros."""

import hypothesis
import hypothesis.extra.numpy
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np

from infojax import divergences

SLACK = 2e-6


def distributions(count: int, size: int = 5):
    """Rows of the simplex with zeros, small masses and equal rows among them."""
    masses = st.sampled_from([0.0, 1e-6, 0.01, 0.25, 1.0, 1.5, 3.0])
    tables = hypothesis.extra.numpy.arrays(np.float32, (count, size), elements=masses)
    return tables.filter(lambda t: np.all(t.sum(1) > 0)).map(
        lambda t: jnp.asarray(t / t.sum(1, keepdims=True, dtype=np.float64), jnp.float32)
    )


@hypothesis.given(distributions(2))
def test_order_of_the_divergences(pair):
    p, q = pair
    tv = float(divergences.total_variation(p, q))
    kl = float(divergences.kl_divergence(p, q))
    js = float(divergences.jensen_shannon_divergence(p, q))
    h = float(divergences.hellinger_distance(p, q))
    chi = float(divergences.chi_squared_divergence(p, q))
    assert kl >= 2 * tv**2 - SLACK  # Pinsker
    assert h**2 <= tv + SLACK and tv <= np.sqrt(2) * h + SLACK  # Le Cam
    assert 0 <= js <= np.log(2) + SLACK and js <= np.log(2) * tv + SLACK  # Lin
    assert kl <= np.log1p(chi) * (1 + SLACK) + SLACK
    assert min(kl, js, h, chi, tv) >= 0


@hypothesis.given(distributions(2))
def test_renyi_rises_with_its_order(pair):
    p, q = pair
    orders = jnp.array([0.0, 0.2, 0.5, 0.95, 1.0, 1.05, 2.0, 5.0, 100.0, jnp.inf])
    values = np.asarray(divergences.renyi_divergence(p[None], q[None], orders))
    assert np.all(values >= 0)
    assert np.all(values[1:] >= values[:-1] * (1 - 1e-5) - SLACK)
    # Skew symmetry: (1 - a) D_a(p, q) = a D_{1-a}(q, p).
    a = 0.3
    left = (1 - a) * divergences.renyi_divergence(p, q, a)
    right = a * divergences.renyi_divergence(q, p, 1 - a)
    np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-6)


@hypothesis.given(distributions(3))
def test_distances_are_metrics(rows):
    for distance in (
        divergences.jensen_shannon_distance,
        divergences.hellinger_distance,
        divergences.total_variation,
        divergences.wasserstein_1_on_grid,
    ):
        d = np.asarray(jax.vmap(jax.vmap(distance, (None, 0)), (0, None))(rows, rows))
        np.testing.assert_array_equal(d, d.T)
        np.testing.assert_array_equal(np.diagonal(d), 0)
        assert np.all(d[:, None, :] <= d[:, :, None] + d[None, :, :] + SLACK)


@hypothesis.given(distributions(2), distributions(5, 4))
def test_processing_data_loses_divergence(pair, channel):
    after = pair @ channel
    for divergence in (
        divergences.kl_divergence,
        divergences.jensen_shannon_divergence,
        divergences.total_variation,
        divergences.hellinger_distance,
        divergences.chi_squared_divergence,
        lambda p, q: divergences.renyi_divergence(p, q, 0.5),
        lambda p, q: divergences.alpha_divergence(p, q, 0.5),
    ):
        before = float(divergence(*pair))
        assert float(divergence(*after)) <= before * (1 + 1e-5) + SLACK


@hypothesis.given(distributions(2), distributions(2), st.floats(0, 1))
def test_joint_convexity(left, right, share):
    mixed = share * left + (1 - share) * right
    for divergence in (
        divergences.kl_divergence,
        divergences.jensen_shannon_divergence,
        divergences.total_variation,
        divergences.chi_squared_divergence,
    ):
        ends = [
            weight * float(divergence(*pair)) if weight > 0 else 0.0
            for weight, pair in ((share, left), (1 - share, right))
        ]
        assert float(divergence(*mixed)) <= sum(ends) * (1 + 1e-5) + SLACK


@hypothesis.given(distributions(2))
def test_symmetric_bit_for_bit(pair):
    p, q = pair
    for divergence in (
        divergences.jensen_shannon_divergence,
        divergences.cauchy_schwarz_divergence,
        divergences.bhattacharyya_distance,
    ):
        assert divergence(p, q) == divergence(q, p)


@hypothesis.given(distributions(2))
def test_f_divergences_of_known_generators(pair):
    p, q = pair

    def entropic(t):
        return jnp.where(t > 0, t * jnp.log(jnp.where(t > 0, t, 1)), 0)

    for generator, slope, known in (
        (entropic, jnp.inf, divergences.kl_divergence),
        (lambda t: jnp.abs(t - 1) / 2, 0.5, divergences.total_variation),
        (lambda t: (t - 1) ** 2, jnp.inf, divergences.chi_squared_divergence),
        (
            lambda t: 2 * (jnp.sqrt(t) - 1) ** 2,
            2.0,
            lambda p, q: divergences.alpha_divergence(p, q, 0.0),
        ),
    ):
        value = divergences.f_divergence(p, q, generator, slope_at_infinity=slope)
        np.testing.assert_allclose(value, known(p, q), rtol=1e-4, atol=2e-6)

"""Divergences against closed forms, against brute force in float64, and against their peers."""

import infomeasure
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.spatial.distance
import scipy.special
import scipy.stats

from infojax import divergences


def _pairs():
    rng = np.random.default_rng(0)
    yield rng.dirichlet(np.ones(6)), rng.dirichlet(np.ones(6))
    yield np.array([0.5, 0.25, 0.25, 0.0]), np.array([0.1, 0.4, 0.4, 0.1])
    yield np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.75, 0.0])
    yield rng.dirichlet(np.full(50, 0.2)), rng.dirichlet(np.full(50, 0.2))


PAIRS = list(_pairs())


def _exact(function, *arguments, **options):
    with jax.enable_x64(True):
        arrays = [jnp.asarray(a, jnp.float64) for a in arguments]
        return np.asarray(function(*arrays, **options))


@pytest.mark.parametrize("pair", PAIRS)
def test_agree_with_scipy_and_with_their_definitions(pair):
    p, q = pair
    both = (p > 0) & (q > 0)
    m = (p + q) / 2
    expected = {
        divergences.kl_divergence: scipy.stats.entropy(p, q),
        divergences.jeffreys_divergence: np.sum(
            scipy.special.rel_entr(p, q) + scipy.special.rel_entr(q, p)
        ),
        divergences.jensen_shannon_divergence: (
            np.sum(scipy.special.rel_entr(p, m) + scipy.special.rel_entr(q, m)) / 2
        ),
        divergences.jensen_shannon_distance: scipy.spatial.distance.jensenshannon(p, q),
        divergences.total_variation: np.abs(p - q).sum() / 2,
        divergences.hellinger_distance: np.sqrt(np.sum((np.sqrt(p) - np.sqrt(q)) ** 2) / 2),
        divergences.chi_squared_divergence: np.sum((p - q)[q > 0] ** 2 / q[q > 0]),
        divergences.bhattacharyya_coefficient: np.sum(np.sqrt(p * q)),
        divergences.bhattacharyya_distance: -np.log(np.sum(np.sqrt(p * q))),
        divergences.cauchy_schwarz_divergence: -np.log((p @ q) ** 2 / (p @ p) / (q @ q)),
    }
    for function, value in expected.items():
        np.testing.assert_allclose(
            _exact(function, p, q), value, rtol=1e-12, err_msg=function.__name__
        )
    for order in (0.2, 0.5, 0.97, 1.05, 2.0, 9.0):
        sums = np.sum(p[both] ** order * q[both] ** (1 - order))
        renyi = np.log(sums) / (order - 1)
        np.testing.assert_allclose(
            _exact(divergences.renyi_divergence, p, q, order=order), renyi, rtol=1e-10
        )
        alpha = (sums - 1) / (order * (order - 1))
        value = _exact(divergences.alpha_divergence, p, q, alpha=1 - 2 * order)
        np.testing.assert_allclose(value, alpha, rtol=1e-10)


def test_agree_with_infomeasure_on_samples():
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 5, 400), rng.integers(0, 5, 400) // 2 + rng.integers(0, 3, 400)
    p, q = (np.bincount(v, minlength=5) / v.size for v in (x, y))
    value = infomeasure.kullback_leiber_divergence(x, y, approach="discrete")
    np.testing.assert_allclose(_exact(divergences.kl_divergence, p, q), value, rtol=1e-10)
    value = infomeasure.jensen_shannon_divergence(x, y, approach="discrete")
    js = _exact(divergences.jensen_shannon_divergence, p, q)
    np.testing.assert_allclose(js, value, rtol=1e-10)


def test_bernoulli_divergences_by_hand():
    p, q = np.array([0.5, 0.5]), np.array([0.25, 0.75])
    kl = 0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)
    np.testing.assert_allclose(_exact(divergences.kl_divergence, p, q), kl, rtol=1e-14)
    np.testing.assert_allclose(_exact(divergences.chi_squared_divergence, p, q), 1 / 3, rtol=1e-14)
    bits = _exact(divergences.kl_divergence, p, q, base=2)
    np.testing.assert_allclose(bits, kl / np.log(2), rtol=1e-14)


def test_renyi_special_orders():
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.2, 0.3, 0.5])
    for order, value in (
        (0.0, -np.log(0.5)),
        (1.0, scipy.stats.entropy(p, q)),
        (2.0, np.log(np.sum(p**2 / q))),
        (np.inf, np.log(2.5)),
    ):
        got = _exact(divergences.renyi_divergence, p, q, order=order)
        np.testing.assert_allclose(got, value, rtol=1e-12)


def test_renyi_is_continuous_through_one_with_finite_derivatives():
    p, q = PAIRS[0]
    with jax.enable_x64(True):
        p, q = jnp.asarray(p), jnp.asarray(q)

        def value(order):
            return divergences.renyi_divergence(p, q, order)

        orders = jnp.array([1 - 1e-9, 1.0, 1 + 1e-9])
        np.testing.assert_allclose(jax.vmap(value)(orders), value(1.0), rtol=1e-8)
        # The derivative by the order at one is half the variance of log p/q under p.
        log = np.log(p / q)
        variance = np.sum(p * log**2) - np.sum(p * log) ** 2
        np.testing.assert_allclose(jax.grad(value)(1.0), variance / 2, rtol=1e-9)
        for order in (0.3, 0.5, 1.4, 4.0, 30.0):
            step = 1e-5
            slope = (value(order + step) - value(order - step)) / (2 * step)
            np.testing.assert_allclose(jax.grad(value)(order), slope, rtol=1e-5, atol=1e-9)


def test_orders_run_along_the_batch():
    p = np.stack([p for p, _ in [PAIRS[0]] * 3])
    q = np.stack([q for _, q in [PAIRS[0]] * 3])
    orders = jnp.array([0.5, 1.0, 2.0])
    together = divergences.renyi_divergence(p, q, orders)
    alone = [divergences.renyi_divergence(p[0], q[0], o) for o in (0.5, 1.0, 2.0)]
    np.testing.assert_allclose(together, np.stack(alone), rtol=1e-6)
    with pytest.raises(ValueError, match="order must be a scalar"):
        divergences.renyi_divergence(p[0], q[0], orders)
    with pytest.raises(ValueError, match="alpha must be a scalar"):
        divergences.alpha_divergence(p[0], q[0], orders)
    with pytest.raises(ValueError, match="order"):
        divergences.renyi_divergence(p, q, -1.0)
    with pytest.raises(ValueError, match="alpha"):
        divergences.alpha_divergence(p, q, jnp.inf)


def test_alpha_is_the_two_kullback_leiblers_and_four_hellingers():
    p, q = PAIRS[0]
    for alpha, value in (
        (-1.0, scipy.stats.entropy(p, q)),
        (1.0, scipy.stats.entropy(q, p)),
        (0.0, 4 * _exact(divergences.hellinger_distance, p, q) ** 2),
        (-3.0, np.sum((p - q) ** 2 / q) / 2),
        (3.0, np.sum((p - q) ** 2 / p) / 2),
    ):
        got = _exact(divergences.alpha_divergence, p, q, alpha=alpha)
        np.testing.assert_allclose(got, value, rtol=1e-12)
    with jax.enable_x64(True):
        slope = jax.grad(lambda a: divergences.alpha_divergence(jnp.asarray(p), jnp.asarray(q), a))
        for alpha in (-1.0, 0.0, 1.0, 2.5):
            ahead, behind = (
                _exact(divergences.alpha_divergence, p, q, alpha=alpha + s) for s in (1e-5, -1e-5)
            )
            np.testing.assert_allclose(slope(alpha), (ahead - behind) / 2e-5, rtol=1e-6, atol=1e-9)


def test_disjoint_supports():
    p, q = jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0])
    assert divergences.jensen_shannon_divergence(p, q, base=2) == 1
    assert divergences.total_variation(p, q) == 1
    assert divergences.hellinger_distance(p, q) == 1
    for function in (
        divergences.kl_divergence,
        divergences.jeffreys_divergence,
        divergences.chi_squared_divergence,
        divergences.bhattacharyya_distance,
        divergences.cauchy_schwarz_divergence,
        lambda p, q: divergences.renyi_divergence(p, q, 0.0),
        lambda p, q: divergences.renyi_divergence(p, q, 0.5),
        lambda p, q: divergences.renyi_divergence(p, q, jnp.inf),
    ):
        assert function(p, q) == np.inf
    np.testing.assert_allclose(divergences.alpha_divergence(p, q, 0.0), 4.0)


def test_jensen_shannon_of_many():
    rng = np.random.default_rng(2)
    ps, weights = rng.dirichlet(np.ones(5), (3, 4)), np.array([0.5, 0.2, 0.3])
    mixture = np.tensordot(weights, ps, 1)
    expected = scipy.stats.entropy(mixture, axis=-1) - weights @ scipy.stats.entropy(ps, axis=-1)
    value = _exact(divergences.jensen_shannon_divergence_many, ps, weights)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    two = _exact(divergences.jensen_shannon_divergence_many, ps[:2])
    pair = _exact(divergences.jensen_shannon_divergence, ps[0], ps[1])
    np.testing.assert_allclose(two, pair, rtol=1e-12)
    left_out = _exact(divergences.jensen_shannon_divergence_many, ps, np.array([0.5, 0.5, 0.0]))
    np.testing.assert_allclose(left_out, pair, rtol=1e-12)
    with pytest.raises(ValueError, match="weights must be 3"):
        divergences.jensen_shannon_divergence_many(jnp.asarray(ps), jnp.array([0.5, 0.5]))
    with pytest.raises(ValueError, match="leading axis"):
        divergences.jensen_shannon_divergence_many(jnp.asarray(ps), axis=0)


@pytest.mark.parametrize(
    "function",
    [
        divergences.kl_divergence,
        divergences.kl_divergence_from_logits,
        divergences.jensen_shannon_divergence,
        divergences.total_variation,
        divergences.wasserstein_1_on_grid,
    ],
)
def test_static_faults_name_the_argument(function):
    p = jnp.full(3, 1 / 3)
    with pytest.raises(ValueError, match=r"\(3,\).*\(2,\)"):
        function(p, jnp.full(2, 1 / 2))
    with pytest.raises(ValueError, match="axis"):
        function(p, p, axis=1)
    with pytest.raises(TypeError, match="int32"):
        function(jnp.array([1, 0, 0]), p)
    with pytest.raises(TypeError, match="str"):
        function("no", p)


def test_bad_base():
    p = jnp.full(3, 1 / 3)
    for base in (1, 0, -2, np.nan):
        with pytest.raises(ValueError, match="base"):
            divergences.kl_divergence(p, p, base=base)

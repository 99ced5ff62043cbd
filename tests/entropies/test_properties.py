"""What holds for every distribution, over random ones with zeros and ties."""

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax import entropies
from tests.conformance import simplex

_SIZE = 6
_WEIGHTS = st.lists(st.integers(0, 9), min_size=_SIZE, max_size=_SIZE).filter(any)
_ORDERS = st.floats(0, 30)


def _p(weights):
    return np.array(weights, np.float64) / sum(weights)


@pytest.fixture(autouse=True, scope="module")
def _x64():
    with jax.enable_x64(True):
        yield


@hypothesis.given(_WEIGHTS, st.permutations(range(_SIZE)))
def test_range_and_symmetry(weights, order):
    p = _p(weights)
    value = float(entropies.entropy(p))
    assert 0 <= value <= np.log(np.count_nonzero(p)) + 1e-14
    assert value == pytest.approx(float(entropies.entropy(p[order])), abs=1e-14)
    support = p[p > 0]
    padded = np.concatenate([support, np.zeros(_SIZE - support.size)])
    assert value == pytest.approx(float(entropies.entropy(padded)), abs=1e-14)


@hypothesis.given(_WEIGHTS, _WEIGHTS, st.floats(0, 1))
def test_concavity_and_gibbs(weights_p, weights_q, share):
    p, q = _p(weights_p), _p(weights_q)
    both = entropies.entropy(np.stack([p, q, share * p + (1 - share) * q]))
    assert both[2] >= share * both[0] + (1 - share) * both[1] - 1e-13
    assert entropies.cross_entropy(p, q) >= both[0] - 1e-13


@hypothesis.given(_WEIGHTS)
def test_chain_rule_and_grouping(weights):
    joint = _p(weights).reshape(2, 3)
    whole = entropies.entropy(joint, axis=None)
    first = entropies.joint_entropy(joint, axis=0)
    rest = entropies.conditional_entropy(joint, axis=1, given=0)
    assert float(whole) == pytest.approx(float(first + rest), abs=1e-13)
    # Shannon's third axiom: a choice in two steps, the second weighted by the first.
    groups = joint.sum(1)
    within = sum(
        mass * float(entropies.entropy(row / mass))
        for mass, row in zip(groups, joint, strict=True)
        if mass > 0
    )
    assert float(whole) == pytest.approx(float(entropies.entropy(groups)) + within, abs=1e-13)


@hypothesis.given(_WEIGHTS, _ORDERS, _ORDERS)
def test_renyi_falls_with_the_order_and_relates_to_tsallis(weights, a, b):
    p = _p(weights)
    low, high = entropies.renyi_entropy(np.stack([p, p]), np.sort([a, b]))
    assert high <= low + 1e-12 * max(1, float(low))
    assert entropies.renyi_entropy(p, np.inf) <= high + 1e-12
    renyi, tsallis = entropies.renyi_entropy(p, a), entropies.tsallis_entropy(p, a)
    if abs(a - 1) > 1e-9:
        relation = np.expm1((1 - a) * float(renyi)) / (1 - a)
        np.testing.assert_allclose(tsallis, relation, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("function", [entropies.renyi_entropy, entropies.tsallis_entropy])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_continuous_through_order_one(function, dtype):
    p = simplex(np.random.default_rng(1), (7,)).astype(dtype)
    tolerance = 2e-6 if dtype == np.float32 else 1e-11
    log_p = np.log(p.astype(np.float64))
    shannon = -np.sum(p * log_p)
    orders = np.array([1 - 1e-3, 1 - 1e-6, 1, 1 + 1e-7, 1 + 1e-3], dtype)
    powers = np.sum(np.exp((orders[:, None].astype(np.float64) - 1) * log_p) * p, -1)
    u = orders.astype(np.float64) - 1
    far = np.abs(u) > 1e-4
    exact = -np.log(powers[far]) / u[far] if function is entropies.renyi_entropy else None
    exact = (1 - powers[far]) / u[far] if exact is None else exact
    values = np.asarray(jax.vmap(function, (None, 0))(p, orders))
    np.testing.assert_allclose(values[far], exact, rtol=max(tolerance, 1e-10) * 10)
    np.testing.assert_allclose(values[2], shannon, rtol=tolerance)
    by_p = jax.jit(jax.vmap(jax.grad(function), (None, 0)))(p, orders)
    np.testing.assert_allclose(by_p[1:4] - by_p[2], 0, atol=2e-5)
    # Renyi's derivative is Shannon's up to a constant, which leaves the simplex's tangents alone.
    tangent = by_p[2] - by_p[2].mean()
    np.testing.assert_allclose(tangent, -(log_p - log_p.mean()), atol=10 * tolerance)
    # By the order: -Var(log p) / 2 for Renyi, -E[(log p)^2] / 2 for Tsallis.
    by_order = jax.jit(jax.vmap(jax.grad(function, 1), (None, 0)))(p, orders)
    second = np.sum(p * log_p**2)
    expected = -(second - shannon**2) / 2 if function is entropies.renyi_entropy else -second / 2
    np.testing.assert_allclose(by_order[2], expected, rtol=10 * tolerance)
    np.testing.assert_allclose(by_order[1:4], expected, rtol=1e-4)
    curvature = jax.jit(jax.grad(jax.grad(function, 1), 1))(p, orders[2])
    assert np.isfinite(curvature)


@pytest.mark.parametrize("function", [entropies.renyi_entropy, entropies.tsallis_entropy])
def test_orders_by_finite_differences_traced_and_broadcast(function):
    p = simplex(np.random.default_rng(2), (3, 5))
    for order in (0.2, 0.5, 0.9, 1.1, 2.0, 6.0):
        step = 1e-5
        ahead, behind = function(p, order + step), function(p, order - step)
        gradient = jax.jit(jax.vmap(jax.grad(function, 1), (0, None)))(p, order)
        # The formulas meet at 0.9 and 1.1: the difference straddles them.
        np.testing.assert_allclose(gradient, (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-8)
    orders = np.array([0.5, 1.0, 4.0])
    each = np.array([function(row, order) for row, order in zip(p, orders, strict=True)])
    np.testing.assert_allclose(function(p, orders), each, rtol=1e-12)
    np.testing.assert_allclose(jax.vmap(function)(p, orders), each, rtol=1e-12)
    np.testing.assert_allclose(jax.jit(function)(p, orders), each, rtol=1e-12)
    np.testing.assert_allclose(function(p.T, orders, axis=0), each, rtol=1e-12)
    table = function(np.stack([p, p]), orders[:2, None])
    np.testing.assert_allclose(table[0, 0], each[0], rtol=1e-12)
    np.testing.assert_allclose(table[1], function(p, 1.0), rtol=1e-12)


def test_another_order_or_base_compiles_nothing():
    p = jnp.full((2, 4), 0.25)
    calls = [
        lambda x: entropies.renyi_entropy(p, x),
        lambda x: entropies.tsallis_entropy(p, x),
        lambda x: entropies.entropy(p, base=x),
        lambda x: entropies.entropy_from_logits(p, base=x),
        lambda x: entropies.cross_entropy(p, p, base=x),
        lambda x: entropies.entropy_from_counts(p * 4, base=x),
    ]
    for call in calls:
        call(2.5)
        with jax.log_compiles(False), _count_compilations() as count:
            call(3.5)
        assert count() == 0


def _count_compilations():
    import contextlib

    from jax._src import test_util

    @contextlib.contextmanager
    def counting():
        with test_util.count_jit_compilation_cache_miss() as count:
            yield count

    return counting()

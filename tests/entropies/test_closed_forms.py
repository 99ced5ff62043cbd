"""Entropies against closed forms, brute force and the peers scipy, scikit-learn, infomeasure."""

import math

import infomeasure
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
import sklearn.metrics

from infojax import entropies
from tests.conformance import simplex

_RNG = np.random.default_rng(0)
_P = simplex(_RNG, (4, 9))
_Q = simplex(_RNG, (4, 9))


@pytest.fixture(autouse=True)
def _x64():
    with jax.enable_x64(True):
        yield


def test_shannon_and_cross_entropy_of_peers():
    np.testing.assert_allclose(
        entropies.entropy(_P, base=2), scipy.stats.entropy(_P, axis=-1, base=2), rtol=1e-13
    )
    np.testing.assert_allclose(entropies.entropy(_P), scipy.special.entr(_P).sum(-1), rtol=1e-13)
    labels = np.array([3, 0, 8, 5])
    expected = sklearn.metrics.log_loss(labels, _Q, labels=range(9), normalize=False)
    one_hot = np.eye(9)[labels]
    np.testing.assert_allclose(entropies.cross_entropy(one_hot, _Q).sum(), expected, rtol=1e-13)
    from_logits = entropies.cross_entropy_from_logits(one_hot, np.log(_Q) + 3)
    np.testing.assert_allclose(from_logits.sum(), expected, rtol=1e-13)
    np.testing.assert_allclose(entropies.perplexity(np.full(12, 1 / 12)), 12, rtol=1e-14)
    assert math.copysign(1, entropies.entropy(np.eye(4)[1])) == 1  # +0, not -0


@pytest.mark.parametrize("axis", [None, 0, (0, 2), (-1, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_axes_and_keepdims(axis, keepdims):
    x = _RNG.normal(size=(2, 3, 4))
    p = np.exp(x) / np.exp(x).sum(axis, keepdims=True)
    expected = scipy.special.entr(p).sum(axis, keepdims=keepdims)
    for value in (
        entropies.entropy(p, axis=axis, keepdims=keepdims),
        entropies.entropy_from_logits(x, axis=axis, keepdims=keepdims),
        entropies.renyi_entropy(p, 1, axis=axis, keepdims=keepdims),
        entropies.tsallis_entropy(p, 1, axis=axis, keepdims=keepdims),
        entropies.cross_entropy(p, p, axis=axis, keepdims=keepdims),
        jnp.log(entropies.perplexity(p, axis=axis, keepdims=keepdims)),
    ):
        assert value.shape == expected.shape
        np.testing.assert_allclose(value, expected, rtol=1e-12)
    counts = np.round(50 * p)
    plug_in = entropies.entropy_from_counts(counts, axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(
        plug_in, scipy.stats.entropy(counts, axis=axis, keepdims=keepdims), rtol=1e-12
    )


@pytest.mark.parametrize("order", [0.25, 0.95, 1.05, 1.2, 2.0, 3.7, 40.0])
def test_renyi_and_tsallis_formulas(order):
    powers = np.sum(_P**order, -1)
    np.testing.assert_allclose(
        entropies.renyi_entropy(_P, order), np.log(powers) / (1 - order), rtol=1e-12
    )
    np.testing.assert_allclose(
        entropies.tsallis_entropy(_P, order), (1 - powers) / (order - 1), rtol=1e-12
    )


def test_renyi_at_its_named_orders():
    p = np.array([0.5, 0.25, 0.25, 0.0])
    for order, bits in ((0, math.log2(3)), (1, 1.5), (2, -math.log2(0.375)), (np.inf, 1.0)):
        np.testing.assert_allclose(entropies.renyi_entropy(p, order, base=2), bits, rtol=1e-14)
    # As large as a number can be: the product with the logarithm overflows.
    np.testing.assert_allclose(entropies.renyi_entropy(p, 1e308, base=2), 1.0, rtol=1e-14)
    np.testing.assert_allclose(
        entropies.renyi_entropy(p.astype(np.float32), 3e38, base=2), 1.0, rtol=1e-6
    )


_A, _B = np.array([1e-3, 0.4, 1.0, 7.0, 15.9, 16.1, 300.0, 1e6]), 2.5
_FAMILIES = {
    "exponential": (entropies.exponential_entropy, (_A,), scipy.stats.expon(scale=1 / _A)),
    "laplace": (entropies.laplace_entropy, (_A,), scipy.stats.laplace(scale=_A)),
    "logistic": (entropies.logistic_entropy, (_A,), scipy.stats.logistic(scale=_A)),
    "cauchy": (entropies.cauchy_entropy, (_A,), scipy.stats.cauchy(scale=_A)),
    "uniform": (entropies.uniform_entropy, (-_A, _A), scipy.stats.uniform(-_A, 2 * _A)),
    "log_normal": (
        entropies.log_normal_entropy,
        (_A, _B),
        scipy.stats.lognorm(_B, scale=np.exp(np.minimum(_A, 700))),
    ),
    "gamma": (entropies.gamma_entropy, (_A, _B), scipy.stats.gamma(_A, scale=1 / _B)),
    "beta": (entropies.beta_entropy, (_A, _B), scipy.stats.beta(_A, _B)),
    "student_t": (entropies.student_t_entropy, (_A, _B), scipy.stats.t(_A, scale=_B)),
}


@pytest.mark.parametrize("name", _FAMILIES)
def test_families_of_scipy(name):
    function, parameters, peer = _FAMILIES[name]
    expected = peer.entropy()
    keep = _A < 700 if name == "log_normal" else np.isfinite(expected)
    value = np.asarray(function(*parameters))
    np.testing.assert_allclose(value[keep], expected[keep], rtol=2e-9, atol=2e-9)
    single = np.asarray(function(*(np.float32(x) for x in parameters)))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single[keep], expected[keep], rtol=4e-6, atol=4e-6)


def test_dirichlet_and_gaussian_of_scipy():
    for a in ([0.3, 2.0, 5.0], [1e4, 2e4, 3.0, 0.5], [2.0, 3.0]):
        expected = scipy.stats.dirichlet(a).entropy()
        np.testing.assert_allclose(entropies.dirichlet_entropy(np.array(a)), expected, rtol=1e-10)
        single = entropies.dirichlet_entropy(np.float32(a))
        np.testing.assert_allclose(single, expected, rtol=2e-6, atol=1e-6)
    factor = _RNG.normal(size=(3, 4, 6))
    covariance = factor @ factor.transpose(0, 2, 1)
    expected = [scipy.stats.multivariate_normal(cov=c).entropy() for c in covariance]
    np.testing.assert_allclose(entropies.gaussian_entropy(covariance), expected, rtol=1e-12)
    # Symmetric to rounding is symmetric, at any scale; an asymmetry is seen at any scale.
    rounded = np.float32([[1e8, 5e7], [50000004.0, 1e8]])
    assert np.isfinite(entropies.gaussian_entropy(rounded))
    with pytest.raises(ValueError, match="covariance must be symmetric"):
        entropies.gaussian_entropy(1e-8 * np.array([[1, 0.5], [0.1, 1]]))


def test_von_mises_of_scipy_and_at_large_concentrations():
    k = np.array([1e-8, 0.3, 2.0, 9.0, 15.9, 16.0, 16.1, 50.0, 600.0])
    np.testing.assert_allclose(
        entropies.von_mises_entropy(k), scipy.stats.vonmises(k).entropy(), rtol=1e-9, atol=1e-10
    )
    k = np.array([1e3, 1e6, 1e12])  # a Gaussian of variance 1 / kappa, and the next term
    gaussian = 0.5 * np.log(2 * np.pi * np.e / k) + 1 / (4 * k)
    np.testing.assert_allclose(entropies.von_mises_entropy(k), gaussian, rtol=1e-6)
    np.testing.assert_allclose(entropies.von_mises_entropy(np.float32(k)), gaussian, rtol=1e-6)
    # The derivative -kappa A'(kappa) tends to -1 / (2 kappa).
    slope = jax.jit(jax.vmap(jax.grad(entropies.von_mises_entropy)))(np.float32(k))
    np.testing.assert_allclose(slope * k, [-0.50025, -0.5, -0.5], rtol=1e-5)


def _samples(counts):
    return np.repeat(np.arange(len(counts)), counts)


_COUNTS = ([4, 2, 1, 1], [1, 1, 1, 1, 1], [10, 3, 0, 7, 1, 1], [100, 1], [6], [5, 5, 5])


@pytest.mark.parametrize("counts", _COUNTS, ids=str)
@pytest.mark.parametrize("correction", ["none", "miller_madow", "chao_shen"])
def test_corrections_of_infomeasure(counts, correction):
    names = {"none": "discrete", "miller_madow": "miller_madow", "chao_shen": "chao_shen"}
    expected = infomeasure.entropy(_samples(counts), approach=names[correction], base="e")
    value = entropies.entropy_from_counts(np.array(counts), correction=correction)
    np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-12)


def test_shrinkage_of_infomeasure_on_seen_symbols():
    for counts in ([4, 2, 1, 1], [10, 3, 7, 1, 1], [100, 1]):
        expected = infomeasure.entropy(_samples(counts), approach="shrink", base="e")
        value = entropies.entropy_from_counts(np.array(counts), correction="shrinkage")
        np.testing.assert_allclose(value, expected, rtol=1e-10)
    # One sample says nothing: the target alone is left, over the entries that count.
    where = np.array([True, True, True, False])
    value = entropies.entropy_from_counts([1, 0, 0, 5], correction="shrinkage", where=where)
    np.testing.assert_allclose(value, math.log(3))


def _recursive_g(size):
    g = np.zeros(size + 3)
    g[1] = -np.euler_gamma - math.log(2)
    g[2] = 2 + g[1]
    for n in range(1, size // 2 + 1):
        g[2 * n + 1] = g[2 * n]
        g[2 * n + 2] = g[2 * n] + 2 / (2 * n + 1)
    return g


@pytest.mark.parametrize("counts", [*_COUNTS, [31, 32, 33, 500, 1]], ids=str)
def test_grassberger_against_its_recursion(counts):
    counts = np.array(counts)
    g, n = _recursive_g(counts.max()), counts.sum()
    expected = math.log(n) - np.sum(counts * g[counts]) / n
    value = entropies.entropy_from_counts(counts, correction="grassberger")
    np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-12)
    single = entropies.entropy_from_counts(np.float32(counts), correction="grassberger")
    np.testing.assert_allclose(single, expected, rtol=4e-6, atol=5e-7)


def test_grassberger_keeps_small_entropies_in_float32():
    counts = np.array([10**6, 1])
    exact = entropies.entropy_from_counts(counts, correction="grassberger")
    single = entropies.entropy_from_counts(np.float32(counts), correction="grassberger")
    assert exact > 0
    np.testing.assert_allclose(single, exact, rtol=1e-2)  # log n alone rounds to 10 % of it


def test_entropy_rate_of_two_states():
    a, b = 0.3, 0.05
    chain = np.array([[1 - a, a], [b, 1 - b]])
    h = scipy.special.entr(chain).sum(-1)
    np.testing.assert_allclose(entropies.stationary_distribution(chain), [b / (a + b), a / (a + b)])
    np.testing.assert_allclose(entropies.entropy_rate(chain), (b * h[0] + a * h[1]) / (a + b))


def test_stationary_distribution_of_special_chains():
    cycle = np.roll(np.eye(5), 1, 1)
    np.testing.assert_allclose(entropies.stationary_distribution(cycle), np.full(5, 0.2))
    assert entropies.entropy_rate(cycle) == 0
    absorbing = np.array([[0.5, 0.5, 0.0], [0.2, 0.2, 0.6], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(entropies.stationary_distribution(absorbing), [0, 0, 1], atol=1e-15)
    np.testing.assert_allclose(entropies.stationary_distribution(np.ones((1, 1))), [1])
    # Hardly ever left: the digits of the small probabilities decide.
    slow = np.float32([[1 - 3e-7, 3e-7], [1e-7, 1 - 1e-7]])
    np.testing.assert_allclose(entropies.stationary_distribution(slow), [0.25, 0.75], rtol=1e-5)
    two_classes = np.eye(2)
    assert np.all(np.isnan(entropies.stationary_distribution(two_classes)))
    assert np.isnan(entropies.entropy_rate(two_classes))
    blocks = np.kron(np.eye(2), np.full((2, 2), 0.5))
    assert np.isnan(entropies.entropy_rate(blocks))
    rate = entropies.entropy_rate(blocks, stationary=np.full(4, 0.25), base=2)
    np.testing.assert_allclose(rate, 1)
    rates = entropies.entropy_rate(np.stack([blocks, np.eye(4)]), stationary=np.full(4, 0.25))
    np.testing.assert_allclose(rates, [math.log(2), 0])


def test_entropy_rate_gradient_within_the_rows():
    chain = simplex(_RNG, (4, 4))
    direction = _RNG.normal(size=(4, 4))
    direction -= direction.mean(-1, keepdims=True)
    step = 1e-6
    difference = (
        entropies.entropy_rate(chain + step * direction)
        - entropies.entropy_rate(chain - step * direction)
    ) / (2 * step)
    gradient = jax.jit(jax.grad(entropies.entropy_rate))(chain)
    np.testing.assert_allclose(np.sum(gradient * direction), difference, rtol=1e-7)


def entr(p):
    return scipy.special.entr(p).sum()


def test_joint_tables_by_names():
    joint = _RNG.uniform(size=(2, 3, 4))
    joint /= joint.sum()
    names = ("x", "y", "z")
    np.testing.assert_allclose(entropies.joint_entropy(joint), entr(joint))
    by_name = entropies.joint_entropy(joint, axis=("z", "x"), names=names)
    np.testing.assert_allclose(by_name, entr(joint.sum(1)))
    np.testing.assert_allclose(by_name, entropies.joint_entropy(joint, axis=(0, -1)))
    value = entropies.conditional_entropy(joint, axis="y", given=("x", "z"), names=names)
    np.testing.assert_allclose(value, entr(joint) - entr(joint.sum(1)))
    value = entropies.conditional_entropy(joint, axis="y", given="x", names=names, base=2)
    pair = joint.sum(2)
    np.testing.assert_allclose(value, (entr(pair) - entr(pair.sum(1))) / math.log(2))
    value = entropies.conditional_entropy(joint, axis=0, given=())
    np.testing.assert_allclose(value, entr(joint.sum((1, 2))))

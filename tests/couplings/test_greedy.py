"""Greedy couplings against a heap, golden numbers, exhaustive search and their guarantees."""

import pathlib

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax import couplings
from tests.couplings import oracles

_GOLDEN = np.load(pathlib.Path(__file__).parents[1] / "golden/mec_bottleneck/couplings.npz")
_GOLDEN_CASES = sorted({key.split("_")[0] for key in _GOLDEN.files})
_SIZES = [(1, 1), (1, 5), (4, 4), (7, 3), (33, 40), (300, 5)]


def _random(rng, n, zeros=False):
    p = rng.exponential(size=n)
    if zeros and n > 2:
        p[rng.integers(0, n, n // 3)] = 0
    return p / p.sum()


def _cells(coupling):
    keep = np.asarray(coupling.masses) > 0
    rows, cols = np.asarray(coupling.rows)[keep], np.asarray(coupling.cols)[keep]
    return list(zip(rows, cols, np.asarray(coupling.masses)[keep], strict=True))


def _significant(cells):
    """Cells above rounding: the last one may couple leftovers of either side."""
    return [(int(i), int(j)) for i, j, mass in cells if mass > 1e-13]


@pytest.mark.parametrize("size", _SIZES)
def test_same_cells_as_a_heap(size):
    rng = np.random.default_rng(sum(size))
    with jax.enable_x64(True):
        for _ in range(3):
            p, q = _random(rng, size[0], True), _random(rng, size[1], True)
            cells, expected = _cells(couplings.greedy_mec(p, q)), oracles.heap_greedy(p, q)
            assert _significant(cells) == _significant(expected)
            for (*_, a), (*_, b) in zip(cells, expected, strict=False):
                assert a == b


@hypothesis.given(
    st.lists(st.integers(0, 4), min_size=6, max_size=6).filter(any),
    st.lists(st.integers(0, 4), min_size=5, max_size=5).filter(any),
)
def test_ties_go_to_the_lowest_index(counts_p, counts_q):
    with jax.enable_x64(True):
        p = np.array(counts_p) / sum(counts_p)
        q = np.array(counts_q) / sum(counts_q)
        # Powers of two have no rounding: every tie is exact.
        p, q = np.round(p * 1024) / 1024, np.round(q * 1024) / 1024
        p[np.argmax(p)] += 1 - p.sum()
        q[np.argmax(q)] += 1 - q.sum()
        for implementation in ("xla", "reference"):
            coupling = couplings.greedy_mec(p, q, implementation=implementation)
            assert _cells(coupling) == oracles.heap_greedy(p, q)


@pytest.mark.parametrize("case", _GOLDEN_CASES)
def test_golden(case):
    p, q = _GOLDEN[f"{case}_p"], _GOLDEN[f"{case}_q"]
    expected = _GOLDEN[f"{case}_mec_entropy_bits"]
    with jax.enable_x64(True):
        coupling = couplings.greedy_mec(p, q)
        np.testing.assert_allclose(coupling.entropy(base=2), expected, atol=1e-6)
        if f"{case}_mec_dense" in _GOLDEN:
            np.testing.assert_allclose(coupling.to_dense(), _GOLDEN[f"{case}_mec_dense"], atol=1e-7)
    single = couplings.greedy_mec(jnp.asarray(p, jnp.float32), jnp.asarray(q, jnp.float32))
    np.testing.assert_allclose(single.entropy(base=2), expected, atol=1e-4)


@pytest.mark.parametrize("function", [couplings.greedy_mec, couplings.zero_seeking_mec])
def test_within_the_guarantee_of_the_optimum(function):
    rng = np.random.default_rng(4)
    with jax.enable_x64(True):
        for n, m in ((2, 2), (3, 3), (2, 4), (4, 3)):
            p, q = _random(rng, n), _random(rng, m)
            best = oracles.optimal_entropy(p, q)
            value = function(p, q).entropy()
            assert best - 1e-9 <= value
            if function is couplings.greedy_mec:
                assert value <= best + np.log2(np.e) / np.e * np.log(2)
            assert couplings.mec_lower_bound(p, q) <= best + 1e-9
            assert couplings.majorization_coupling(p, q).entropy() <= best + 2 / np.e


@pytest.mark.parametrize(
    "function",
    [couplings.greedy_mec, couplings.zero_seeking_mec, couplings.majorization_coupling],
)
@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float32, 1e-6), (jnp.float64, 1e-12)])
def test_marginals_support_and_bounds(function, dtype, tolerance):
    rng = np.random.default_rng(8)
    n, m = (40, 60)
    with jax.enable_x64(True):
        p, q = jnp.asarray(_random(rng, n, True), dtype), jnp.asarray(_random(rng, m, True), dtype)
        coupling = function(p, q)
        for got, wanted in zip(coupling.marginals(), (p, q), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance)
        dense = np.asarray(coupling.to_dense())
        np.testing.assert_allclose(dense.sum(1), p, rtol=0, atol=tolerance)
        assert coupling.masses.shape == (n + m - 1,)
        assert np.all(dense >= 0)
        assert coupling.residual <= tolerance
        entropy = coupling.entropy()
        assert couplings.mec_lower_bound(p, q) <= entropy + 1e-5
        assert entropy <= oracles.entropy(p) + oracles.entropy(q)
        information = oracles.entropy(p) + oracles.entropy(q) - oracles.entropy(dense)
        np.testing.assert_allclose(coupling.mutual_information(), information, atol=1e-4)


def test_marginals_at_4096_symbols_in_float32():
    rng = np.random.default_rng(0)
    p = jnp.asarray(rng.dirichlet(np.ones(4096)), jnp.float32)
    q = jnp.asarray(rng.dirichlet(np.ones(4096)), jnp.float32)
    coupling = couplings.greedy_mec(p, q)
    for got, wanted in zip(coupling.marginals(), (p, q), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-6)


def test_equal_marginals_give_the_diagonal():
    p = jnp.array([0.1, 0.4, 0.3, 0.2])
    np.testing.assert_array_equal(couplings.greedy_mec(p, p).to_dense(), jnp.diag(p))
    np.testing.assert_allclose(
        couplings.majorization_coupling(p, p).to_dense(), jnp.diag(p), atol=1e-7
    )
    point = jnp.array([0.0, 1.0])
    np.testing.assert_allclose(
        couplings.greedy_mec(p, point).entropy(), oracles.entropy(p), rtol=1e-6
    )


def test_permutation_equivariance():
    rng = np.random.default_rng(2)
    p, q = _random(rng, 9), _random(rng, 11)
    order = rng.permutation(9)
    dense = couplings.greedy_mec(p, q).to_dense()
    np.testing.assert_allclose(
        couplings.greedy_mec(p[order], q).to_dense(), dense[order], atol=1e-7
    )


def test_padding_and_neighbours_change_nothing():
    rng = np.random.default_rng(3)
    p, q = _random(rng, 9), _random(rng, 11)
    alone = couplings.greedy_mec(p, q)
    padded = couplings.greedy_mec(np.pad(p, (0, 50)), np.pad(q, (0, 3)))
    np.testing.assert_array_equal(padded.to_dense()[:9, :11], alone.to_dense())
    batch = couplings.greedy_mec(
        np.stack([_random(rng, 9), p, np.eye(9)[0]]), np.stack([_random(rng, 11), q, q])
    )
    np.testing.assert_array_equal(batch.masses[1], alone.masses)
    np.testing.assert_array_equal(batch.rows[1], alone.rows)
    shared = couplings.greedy_mec(np.stack([p, p]), q)
    np.testing.assert_array_equal(shared.masses[1], alone.masses)


def test_splitting_a_symbol_raises_the_least_entropy_by_at_most_its_share():
    with jax.enable_x64(True):
        p, split = np.array([0.5, 0.3, 0.2]), np.array([0.25, 0.25, 0.3, 0.2])
        least = oracles.optimal_entropy(p, p)
        np.testing.assert_allclose(least, oracles.entropy(p))
        assert oracles.optimal_entropy(split, p) <= least + 0.5 * np.log(2)
        # Greedy may lose its own guarantee on top.
        value = couplings.greedy_mec(split, p).entropy()
        assert least < value <= least + 0.5 * np.log(2) + 0.5307 * np.log(2)


def test_many_marginals():
    rng = np.random.default_rng(5)
    parts = [jnp.asarray(_random(rng, n), jnp.float32) for n in (5, 6, 4)]
    coupling = couplings.greedy_mec_many(parts)
    assert coupling.masses.shape == (5 + 6 + 4 - 2,)
    assert coupling.to_dense().shape == (5, 6, 4)
    for got, wanted in zip(coupling.marginals(), parts, strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-6)
    pair = couplings.greedy_mec_many(parts[:2])
    np.testing.assert_array_equal(pair.masses, couplings.greedy_mec(*parts[:2]).masses)
    bound = max(oracles.entropy(x) for x in parts)
    assert bound - 1e-5 <= coupling.entropy() <= bound + 1.2213 * np.log(2) + 0.6
    same = couplings.greedy_mec_many([parts[0]] * 3)
    np.testing.assert_allclose(same.entropy(), oracles.entropy(parts[0]), rtol=1e-5)


def test_gradient_is_that_of_the_fixed_pairing():
    rng = np.random.default_rng(6)
    with jax.enable_x64(True):
        p, q = jnp.asarray(_random(rng, 8)), jnp.asarray(_random(rng, 5))

        def loss(p, q):
            return couplings.greedy_mec(p, q).entropy()

        # Along the simplex the pairing does not change for a small step.
        dp = rng.normal(size=8)
        dp -= dp.mean()
        step = 1e-7
        difference = (loss(p + step * dp, q) - loss(p - step * dp, q)) / (2 * step)
        gradient = jax.grad(loss)(p, q)
        np.testing.assert_allclose(jnp.sum(gradient * dp), difference, rtol=1e-5)
        tangent = jax.jvp(lambda p: loss(p, q), (p,), (dp,))[1]
        np.testing.assert_allclose(tangent, difference, rtol=1e-5)
        assert np.all(np.isfinite(jax.grad(loss, 1)(jnp.ones(3) / 3, jnp.ones(3) / 3)))


@pytest.mark.parametrize(
    ("call", "error", "pattern"),
    [
        (lambda p: couplings.greedy_mec(p, p, implementation="cuda"), ValueError, "implementation"),
        (
            lambda p: couplings.greedy_mec(p, p, implementation="pallas_tpu"),
            NotImplementedError,
            "reference.*xla",
        ),
        (lambda p: couplings.greedy_mec(p, 0.5), ValueError, "q must have at least 1 axes"),
        (lambda p: couplings.greedy_mec(p, np.zeros(0)), ValueError, "q .*empty support"),
        (lambda p: couplings.greedy_mec(p, np.ones(3, int)), TypeError, "q must have a floating"),
        (
            lambda p: couplings.greedy_mec(np.stack([p, p]), np.stack([p, p, p])),
            ValueError,
            r"broadcast; got p \(2, 3\), q \(3, 3\)",
        ),
        (lambda p: couplings.greedy_mec_many([p]), ValueError, "at least two"),
        (lambda p: couplings.greedy_mec_many(p), TypeError, "sequence"),
        (lambda p: couplings.greedy_mec_many([p, -p]), ValueError, r"marginals\[1\]"),
        (lambda p: couplings.greedy_ebim(p, "1"), TypeError, "rate"),
        (lambda p: couplings.greedy_ebim(p, 1.0, base=1), ValueError, "base"),
        (lambda p: couplings.greedy_ebim(p, 1.0, base="2"), TypeError, "base"),
        (lambda p: couplings.mec_bottleneck(p, p, -1.0), ValueError, "rate"),
        (lambda p: couplings.ebim_curve(p, 1.0), ValueError, "one axis"),
        (
            lambda p: couplings.perturb_mapping(p, [0, 0, 1], 0.1, direction="up"),
            ValueError,
            "direction must be one of 'above', 'below'",
        ),
        (
            lambda p: couplings.perturb_mapping(p, [0.0, 0, 1], 0.1, direction="above"),
            TypeError,
            "labels",
        ),
        (
            lambda p: couplings.perturb_mapping(p, [0, 1], 0.1, direction="above"),
            ValueError,
            "same size",
        ),
        (
            lambda p: couplings.successive_linearization_mec(p, p, lambda c, a, b: c[:1]),
            ValueError,
            "transport must return",
        ),
    ],
)
def test_bad_input(call, error, pattern):
    with pytest.raises(error, match=pattern):
        call(np.array([0.5, 0.25, 0.25]))

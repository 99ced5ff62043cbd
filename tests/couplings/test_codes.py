"""Entropy-bounded codes against the sequential search, Bell enumeration and golden numbers."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax import couplings
from infojax.couplings.perturbation import set_partitions
from tests.couplings import oracles

_GOLDEN = np.load(pathlib.Path(__file__).parents[1] / "golden/mec_bottleneck/couplings.npz")
_GOLDEN_CASES = sorted({key.split("_")[0] for key in _GOLDEN.files})


def _cells(labels, p):
    labels = np.asarray(labels)
    return {frozenset(np.flatnonzero((labels == t) & (p > 0))) for t in np.unique(labels[p > 0])}


def test_equals_the_sequential_search_on_a_thousand_inputs():
    rng = np.random.default_rng(0)
    n = 7
    with jax.enable_x64(True):
        sources = rng.integers(0, 5, (1000, n)).astype(float)
        # Half of the inputs have exact ties, half have none.
        sources[::2] += rng.random((500, n)) * (sources[::2] > 0)
        sources[:, 0] += 1
        sources /= sources.sum(1, keepdims=True)
        # Rates halfway between two reachable ones: rounding cannot decide the comparison.
        rates = rng.uniform(0, 2, 1000)
        codes = couplings.greedy_ebim(sources, rates)
        for p, rate, labels in zip(sources, rates, codes.labels, strict=True):
            expected = {frozenset(cell) for cell in oracles.sequential_ebim(p, rate)}
            assert _cells(labels, p) == expected, (p, rate)


@pytest.mark.parametrize("case", _GOLDEN_CASES)
def test_golden(case):
    p, rates = _GOLDEN[f"{case}_p"], _GOLDEN[f"{case}_rates_bits"]
    expected = _GOLDEN[f"{case}_ebim_code_entropy_bits"]
    with jax.enable_x64(True):
        code = couplings.greedy_ebim(p, rates, base=2)
        np.testing.assert_allclose(code.entropy, expected, atol=1e-6)
    single = couplings.greedy_ebim(jnp.asarray(p, jnp.float32), jnp.asarray(rates), base=2)
    np.testing.assert_allclose(single.entropy, expected, atol=1e-4)


def test_gap_to_the_best_map_is_within_the_bound():
    rng = np.random.default_rng(1)
    with jax.enable_x64(True):
        for _ in range(20):
            p = rng.dirichlet(np.ones(6))
            second = np.sort(p)[-2]
            bound = -(second * np.log(second) + (1 - second) * np.log1p(-second))
            maps = oracles.all_partition_entropies(p)
            rates = rng.uniform(0, maps.max(), 10)
            code = couplings.greedy_ebim(p, rates)
            assert np.all(code.entropy <= rates + 1e-12)
            best = np.array([maps[maps <= rate + 1e-12].max() for rate in rates])
            assert np.all(best - np.asarray(code.entropy) <= bound + 1e-12)
            assert np.all(code.entropy <= best + 1e-12)


def test_ends_of_the_range_of_rates():
    p = jnp.array([0.5, 0.0, 0.25, 0.25])
    identity = couplings.greedy_ebim(p, 1.5, base=2)
    np.testing.assert_array_equal(identity.labels, [0, 1, 2, 3])
    assert identity.count == 3
    single = couplings.greedy_ebim(p, 0.0)
    np.testing.assert_array_equal(np.asarray(single.labels)[[0, 2, 3]], 0)
    assert single.entropy == 0
    np.testing.assert_allclose(single.masses, [1, 0, 0, 0])
    np.testing.assert_array_equal(identity.encoder(), np.eye(4))


def test_entropy_is_bounded_in_float32_at_scale():
    rng = np.random.default_rng(3)
    p = jnp.asarray(rng.dirichlet(np.full(100_000, 0.3)), jnp.float32)
    rates = jnp.linspace(0.5, 16, 7)
    code = couplings.greedy_ebim(p, rates, base=2)
    assert np.all(code.entropy <= rates * (1 + 1e-5))
    np.testing.assert_allclose(code.masses.sum(-1), 1, atol=1e-5)
    exact = [oracles.entropy(np.asarray(m, np.float64)) / np.log(2) for m in code.masses]
    np.testing.assert_allclose(code.entropy, exact, rtol=1e-5)


def test_the_closed_form_has_no_loop_and_one_sort():
    text = jax.jit(couplings.greedy_ebim).lower(jnp.ones(1000) / 1000, 2.0).as_text()
    assert text.count("stablehlo.sort") == 1
    assert "stablehlo.while" not in text


def test_uniform_quantizer():
    p = jnp.full(512, 1 / 512)
    code = couplings.uniform_quantizer(p, jnp.array([9.0, 4.5, 2.25, 0.0]), base=2)
    np.testing.assert_array_equal(code.count, [512, 22, 4, 1])
    assert np.all(code.entropy <= jnp.array([9.0, 4.5, 2.25, 0.0]) + 1e-5)
    np.testing.assert_array_equal(code.labels[2][:3], 0)
    np.testing.assert_array_equal(code.labels[2][-1], 384)


def test_log_loss_code_keeps_the_most_probable_apart():
    rng = np.random.default_rng(4)
    with jax.enable_x64(True):
        p = rng.dirichlet(np.ones(9))
        for rate in (0.0, 0.4, 1.0, 1.7, 5.0):
            code = couplings.log_loss_code(p, rate)
            order = np.argsort(-p)
            best = 0
            for kept in range(9):
                masses = [*p[order[:kept]], p[order[kept:]].sum()]
                if oracles.entropy(masses) <= rate + 1e-12:
                    best = kept
            expected = {frozenset([i]) for i in order[:best]} | {frozenset(order[best:])}
            assert _cells(code.labels, p) == expected


def test_set_partitions_are_counted_by_bell_numbers():
    assert [len(set_partitions(n)) for n in (1, 2, 3, 4, 8)] == [1, 2, 5, 15, 4140]
    assert len({tuple(row) for row in set_partitions(6)}) == 203


def test_curve_of_the_paper():
    """p = (.7, .2, .1): the maps' rates are known, and the curve meets R there alone."""
    with jax.enable_x64(True):
        p = np.array([0.7, 0.2, 0.1])
        known = np.array([1.1567796, 0.8812909, 0.7219281, 0.4689956, 0.0])
        curve = couplings.ebim_curve(p, known, base=2)
        np.testing.assert_allclose(np.sort(curve.map_rates)[::-1], known, atol=1e-6)
        np.testing.assert_allclose(curve.information, known, atol=1e-6)
        between = couplings.ebim_curve(p, (known[1:] + known[:-1]) / 2, base=2)
        assert np.all(between.information < between.rates - 1e-3)
        floor = couplings.greedy_ebim(p, between.rates, base=2).entropy
        assert np.all(between.information >= floor - 1e-9)
        above = couplings.ebim_curve(p, np.array([1.5]), base=2)
        np.testing.assert_allclose(above.information, known[0], atol=1e-6)


def test_curve_above_eight_symbols_uses_the_greedy_family():
    rng = np.random.default_rng(5)
    with jax.enable_x64(True):
        p = rng.dirichlet(np.ones(12))
        rates = np.linspace(0.1, 2.4, 9)
        curve = couplings.ebim_curve(p, rates)
        assert np.all(curve.information <= rates + 1e-9)
        assert np.all(curve.information >= couplings.greedy_ebim(p, rates).entropy - 1e-9)


@pytest.mark.parametrize(("direction", "rate"), [("above", 1.0), ("below", 0.8)])
def test_perturbation_reaches_the_rate(direction, rate):
    with jax.enable_x64(True):
        p, labels = np.array([0.7, 0.2, 0.1]), np.array([0, 1, 1])
        code = couplings.perturb_mapping(p, labels, rate, direction=direction, base=2)
        joint = np.zeros((3, 4))
        joint[np.arange(3), labels] = p
        joint[code.symbol, code.labels[code.symbol]] -= code.moved
        joint[code.symbol, code.target] += code.moved
        code_entropy = oracles.entropy(joint.sum(0)) / np.log(2)
        hidden = (oracles.entropy(joint) - oracles.entropy(p)) / np.log(2)
        assert code.reached
        np.testing.assert_allclose(code_entropy, rate, atol=1e-9)
        np.testing.assert_allclose(code.rate, rate, atol=1e-9)
        np.testing.assert_allclose(code.information, code_entropy - hidden, atol=1e-9)
        out_of_reach = couplings.perturb_mapping(
            p, labels, 2.5 if direction == "above" else 0.9, direction=direction, base=2
        )
        assert not out_of_reach.reached
        assert out_of_reach.moved == 0


def test_vmap_over_rates_is_one_program():
    p = jnp.array([0.4, 0.3, 0.2, 0.1])
    rates = jnp.linspace(0, 2, 11)
    mapped = jax.jit(jax.vmap(lambda rate: couplings.greedy_ebim(p, rate, base=2)))(rates)
    direct = couplings.greedy_ebim(p, rates, base=2)
    np.testing.assert_array_equal(mapped.labels, direct.labels)

"""Sample-set divergences against brute force in float64, scipy, golden numbers and closed forms."""

import functools
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from infojax import divergences

_GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "cauchy_schwarz_ib"


def _gram(x, y, sigma):
    return np.exp(-((x[:, None] - y[None]) ** 2).sum(-1) / (2 * sigma**2))


def _distances(x, y):
    return np.sqrt(((x[:, None] - y[None]) ** 2).sum(-1))


@pytest.fixture(scope="module")
def sets():
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 6)), 1.3 * rng.normal(size=(55, 6)) + 0.4


def _off(gram):
    return (gram.sum() - np.trace(gram)) / (gram.shape[0] * (gram.shape[0] - 1))


def test_discrepancies_are_those_of_matrices(sets):
    x, y = sets
    expected = {False: 0.0, True: 0.0}
    for sigma in (1.5, 3.0):
        xx, yy, xy = _gram(x, x, sigma), _gram(y, y, sigma), _gram(x, y, sigma)
        expected[False] += xx.mean() + yy.mean() - 2 * xy.mean()
        expected[True] += _off(xx) + _off(yy) - 2 * xy.mean()
    for unbiased, value in expected.items():
        found = divergences.squared_maximum_mean_discrepancy(
            *map(np.float32, sets), sigma=(1.5, 3.0), unbiased=unbiased
        )
        np.testing.assert_allclose(found, value, rtol=2e-5)
    a, b = x[:40], y[:40]
    terms = [
        _gram(a[i : i + 1], a[i + 1 : i + 2], 2.0)
        + _gram(b[i : i + 1], b[i + 1 : i + 2], 2.0)
        - _gram(a[i : i + 1], b[i + 1 : i + 2], 2.0)
        - _gram(a[i + 1 : i + 2], b[i : i + 1], 2.0)
        for i in range(0, 40, 2)
    ]
    found = divergences.linear_time_maximum_mean_discrepancy(
        np.float32(a), np.float32(b), sigma=2.0
    )
    np.testing.assert_allclose(found, np.mean(terms), rtol=1e-4)


def test_unbiased_discrepancy_is_unbiased():
    keys = jax.random.split(jax.random.key(0), 400)

    def both(key):
        x, y = jax.random.normal(key, (2, 10, 1))
        return jnp.stack(
            [
                divergences.squared_maximum_mean_discrepancy(x, y, sigma=1.0, unbiased=True),
                divergences.linear_time_maximum_mean_discrepancy(x, y, sigma=1.0),
            ]
        )

    values = np.asarray(jax.jit(jax.vmap(both))(keys))
    assert np.all(np.abs(values.mean(0)) < 4 * values.std(0) / 20)


def test_energy_distance_is_scipys_and_brute_force(sets):
    x, y = sets
    expected = 2 * _distances(x, y).mean() - _distances(x, x).mean() - _distances(y, y).mean()
    found = divergences.energy_distance(np.float32(x), np.float32(y), squared=True)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(
        divergences.energy_distance(np.float32(x), np.float32(y)), expected**0.5, rtol=1e-5
    )
    np.testing.assert_allclose(
        divergences.energy_distance(np.float32(x[:, :1]), np.float32(y[:, :1])),
        scipy.stats.energy_distance(x[:, 0], y[:, 0]),
        rtol=1e-5,
    )


def test_wasserstein_on_a_line_is_scipys_and_that_of_repeated_samples():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=12), rng.normal(size=18)
    found = divergences.wasserstein_on_line(np.float32(x), np.float32(y), order=1.0)
    np.testing.assert_allclose(found, scipy.stats.wasserstein_distance(x, y), rtol=1e-5)
    # 36 samples each: a sorted matching.
    wide, tall = np.sort(np.repeat(x, 3)), np.sort(np.repeat(y, 2))
    for order in (2.0, 3.5):
        found = divergences.wasserstein_on_line(np.float32(x), np.float32(y), order=order)
        expected = np.mean(np.abs(wide - tall) ** order) ** (1 / order)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    weights = np.float32([0.5, 0.25, 0.25])
    a, b = np.float32([0.0, 1.0, 3.0]), np.float32([2.0, 2.0, 5.0, 1.0])
    found = divergences.wasserstein_on_line(a, b, order=2.0, x_weights=weights)
    repeated = divergences.wasserstein_on_line(np.float32([0, 0, 1, 3]), b, order=2.0)
    np.testing.assert_allclose(found, repeated, rtol=1e-6)


def test_sliced_wasserstein_of_a_shift_and_of_one_feature():
    rng = np.random.default_rng(2)
    x = np.float32(rng.normal(size=(30, 5)))
    # W_2 on each line is |theta . shift|, whose square is |shift|^2 / D on average.
    found = divergences.sliced_wasserstein(
        x, x + np.float32([2, 0, 0, 0, 0]), key=jax.random.key(0), num_projections=2000
    )
    np.testing.assert_allclose(found, 2 / 5**0.5, rtol=0.05)
    line = np.float32(rng.normal(size=(20, 1)))
    found = divergences.sliced_wasserstein(
        x[:, :1], line, key=jax.random.key(1), num_projections=2, order=1.0
    )
    expected = scipy.stats.wasserstein_distance(x[:, 0], line[:, 0])
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("widths", ["a", "b"])
def test_cauchy_schwarz_is_golden(seed, widths):
    data = np.load(_GOLDEN / f"cs_s{seed}.npz")
    sigma_x, sigma_y = float(data[f"{widths}.sx"]), float(data[f"{widths}.sy"])
    with jax.enable_x64(True):
        y, y_hat = jnp.asarray(data["y"]), jnp.asarray(data["yhat"])
        found = divergences.cauchy_schwarz_divergence_from_samples(y, y_hat, sigma=sigma_y)
        np.testing.assert_allclose(found, data[f"{widths}.cs"], rtol=1e-10, atol=1e-13)
        loss = functools.partial(
            divergences.conditional_cauchy_schwarz_divergence_of_predictions,
            jnp.asarray(data["x"]),
            y,
            sigma_x=sigma_x,
            sigma_y=sigma_y,
        )
        value, gradient = jax.jit(jax.value_and_grad(loss))(y_hat)
        np.testing.assert_allclose(value, data[f"{widths}.ccs"], rtol=1e-10)
        np.testing.assert_allclose(gradient, data[f"{widths}.ccs_grad"], rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(jax.jit(loss)(y), 0, atol=1e-12)


def test_conditional_cauchy_schwarz_is_that_of_matrices():
    rng = np.random.default_rng(3)
    x, y, u, v = (rng.normal(size=(n, d)) for n, d in ((8, 2), (8, 1), (11, 2), (11, 1)))
    p, q, pq = _gram(x, x, 1.1), _gram(u, u, 1.1), _gram(x, u, 1.1)
    lp, lq, lpq = _gram(y, y, 0.8), _gram(v, v, 0.8), _gram(y, v, 0.8)
    within = [((k * g).sum(1) / k.sum(1) ** 2).sum() for k, g in ((p, lp), (q, lq))]
    one = ((pq * lpq).sum(1) / (p.sum(1) * pq.sum(1))).sum()
    other = ((pq * lpq).sum(0) / (q.sum(1) * pq.sum(0))).sum()
    expected = np.log(within[0]) + np.log(within[1]) - np.log(one) - np.log(other)
    arrays = [np.float32(a) for a in (x, y, u, v)]
    function = functools.partial(
        divergences.conditional_cauchy_schwarz_divergence_from_samples, sigma_x=1.1, sigma_y=0.8
    )
    np.testing.assert_allclose(function(*arrays), expected, rtol=2e-5)
    np.testing.assert_allclose(function(*arrays[:2], *arrays[:2]), 0, atol=1e-6)


def test_cauchy_schwarz_of_narrow_inputs_is_the_correntropy_loss():
    rng = np.random.default_rng(4)
    x, y, error = rng.normal(size=(20, 2)), rng.normal(size=(20, 1)), rng.normal(size=(20, 1))
    for denominator in ("sum_of_squares", "square_of_sum"):
        with jax.enable_x64(True):
            found = divergences.conditional_cauchy_schwarz_divergence_of_predictions(
                x, y, y + error, sigma_x=1e-3, sigma_y=0.7, denominator=denominator
            )
        expected = -2 * np.log(np.mean(np.exp(-(error**2) / (2 * 0.7**2))))
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_cauchy_schwarz_of_many_samples_is_that_of_gaussians():
    for row in json.loads((_GOLDEN / "gaussian_s0.json").read_text())[:2]:
        mean, other = row["m1"][0], row["m2"][0]
        variance, wide = row["S1"][0][0], row["S2"][0][0]
        levels = np.linspace(0, 1, 2001)[1:-1, None]
        normal = scipy.stats.norm.ppf(levels)
        # The kernel adds sigma^2 / 2 to both variances: these are so much smaller before.
        sigma = 0.3
        x = mean + np.sqrt(variance - sigma**2 / 2) * normal
        y = other + np.sqrt(wide - sigma**2 / 2) * normal
        found = divergences.cauchy_schwarz_divergence_from_samples(
            np.float32(x), np.float32(y), sigma=sigma
        )
        np.testing.assert_allclose(found, row["cs"], rtol=5e-3)


_MASKED = {
    "biased": functools.partial(divergences.squared_maximum_mean_discrepancy, sigma=1.0),
    "unbiased": functools.partial(
        divergences.squared_maximum_mean_discrepancy, sigma="median", unbiased=True
    ),
    "cauchy_schwarz": functools.partial(
        divergences.cauchy_schwarz_divergence_from_samples, sigma=1.0
    ),
    "energy": divergences.energy_distance,
    "sliced": lambda *sets, **masks: divergences.sliced_wasserstein(
        *sets, key=jax.random.key(0), num_projections=4, **masks
    ),
}


@pytest.mark.parametrize("function", _MASKED.values(), ids=_MASKED)
def test_a_mask_leaves_samples_out(function):
    rng = np.random.default_rng(5)
    x, y = np.float32(rng.normal(size=(6, 2))), np.float32(rng.normal(size=(8, 2)) + 1)
    x_where, y_where = np.ones(6, bool), np.ones(8, bool)
    x_where[[0, 3]], y_where[7] = False, False
    rubbish_x, rubbish_y = x.copy(), y.copy()
    rubbish_x[[0, 3]], rubbish_y[7] = np.nan, np.inf
    found = function(rubbish_x, rubbish_y, x_where=x_where, y_where=y_where)
    np.testing.assert_allclose(found, function(x[x_where], y[y_where]), rtol=2e-5, atol=1e-7)

    def masked(x, y):
        return function(x, y, x_where=x_where, y_where=y_where)

    gradient = jax.grad(masked)(jnp.asarray(rubbish_x), jnp.asarray(rubbish_y))
    assert np.all(np.isfinite(gradient)) and np.all(np.asarray(gradient)[[0, 3]] == 0)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), shift=st.floats(-100, 100))
def test_divergences_are_symmetric_invariant_and_zero_for_equal_sets(seed, shift):
    rng = np.random.default_rng(seed)
    x, y = np.float32(rng.normal(size=(5, 2))), np.float32(rng.normal(size=(6, 2)))
    for function in (
        functools.partial(divergences.squared_maximum_mean_discrepancy, sigma=1.0),
        functools.partial(divergences.cauchy_schwarz_divergence_from_samples, sigma=1.0),
        functools.partial(divergences.energy_distance, squared=True),
    ):
        value = function(x, y)
        assert value >= -1e-6
        np.testing.assert_allclose(function(y, x), value, rtol=1e-5, atol=1e-6)
        moved = function(x + np.float32(shift), y + np.float32(shift))
        np.testing.assert_allclose(moved, value, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(function(x, rng.permutation(x)), 0, atol=1e-6)


def test_faults_name_their_argument():
    x = jnp.zeros((3, 2))
    mmd = divergences.squared_maximum_mean_discrepancy
    for call, error, pattern in (
        (lambda: mmd(x, x, sigma=0.0), ValueError, "sigma must be positive and finite; got"),
        (lambda: mmd(x, x, sigma="mean"), ValueError, "'median'"),
        (lambda: mmd(x, x, sigma="median"), ValueError, "sigma must be positive"),
        (lambda: mmd(x, x, sigma=()), ValueError, "empty tuple"),
        (lambda: mmd(x, x, sigma=jnp.ones(3)), ValueError, "sigma must broadcast"),
        (lambda: mmd(x, jnp.zeros((3, 1)), sigma=1.0), ValueError, "must agree"),
        (lambda: mmd(x[:1], x, sigma=1.0, unbiased=True), ValueError, "at least 2"),
        (lambda: mmd(x, x, sigma=1.0, x_where=jnp.zeros(3, bool)), ValueError, "must count"),
        (lambda: divergences.wasserstein_on_line(x[0], x[0], order=0.5), ValueError, "order"),
        (lambda: divergences.energy_distance(x[0], x[0]), ValueError, r"\(\*B, N, D\)"),
        (
            lambda: divergences.conditional_cauchy_schwarz_divergence_of_predictions(
                x, x, x, sigma_x=1.0, sigma_y=1.0, denominator="none"
            ),
            ValueError,
            "denominator",
        ),
    ):
        with pytest.raises(error, match=pattern):
            call()
    assert np.isnan(jax.jit(lambda sigma: mmd(x, x, sigma=sigma))(-1.0))


def test_memory_grows_with_the_samples_alone():
    count = 20_000
    shape = jax.ShapeDtypeStruct((count, 8), jnp.float32)
    for function in (
        functools.partial(divergences.squared_maximum_mean_discrepancy, sigma=1.0),
        functools.partial(divergences.cauchy_schwarz_divergence_from_samples, sigma=1.0),
        divergences.energy_distance,
    ):
        program = jax.jit(jax.grad(function)).lower(shape, shape).compile()
        assert program.memory_analysis().temp_size_in_bytes < 0.05 * 4 * count**2

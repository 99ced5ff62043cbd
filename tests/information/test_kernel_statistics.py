"""Dependence and entropy by kernels and distances: brute force in float64, golden, calibration."""

import functools
import itertools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax import information

_GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "cauchy_schwarz_ib"


def _gram(x, sigma):
    return np.exp(-((x[:, None] - x[None]) ** 2).sum(-1) / (2 * sigma**2))


def _centred(gram):
    return gram - gram.mean(0) - gram.mean(1)[:, None] + gram.mean()


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    return x, x[:, :2] ** 2 + rng.normal(size=(60, 2))


def _song(k, l):  # noqa: E741
    m = len(k)
    k, l = k - np.eye(m), l - np.eye(m)  # noqa: E741
    ones = np.ones(m)
    last = 2 / (m - 2) * ones @ k @ l @ ones
    return (
        np.trace(k @ l) + (ones @ k @ ones) * (ones @ l @ ones) / ((m - 1) * (m - 2)) - last
    ) / (m * (m - 3))


def test_hsic_and_alignment_are_those_of_matrices(pair):
    k, l = _gram(pair[0], 1.2), _gram(pair[1], 0.9)  # noqa: E741
    arrays = [np.float32(a) for a in pair]
    widths = {"sigma_x": 1.2, "sigma_y": 0.9}
    cross = (_centred(k) * _centred(l)).mean()
    np.testing.assert_allclose(information.hsic(*arrays, **widths), cross, rtol=1e-4)
    np.testing.assert_allclose(
        information.hsic(*arrays, **widths, unbiased=True), _song(k, l), rtol=1e-3
    )
    own = (_centred(k) ** 2).mean() * (_centred(l) ** 2).mean()
    np.testing.assert_allclose(
        information.centered_kernel_alignment(*arrays, **widths), cross / own**0.5, rtol=1e-4
    )
    x, y = (a - a.mean(0) for a in pair)
    expected = np.linalg.norm(x.T @ y) ** 2 / np.linalg.norm(x.T @ x) / np.linalg.norm(y.T @ y)
    np.testing.assert_allclose(information.centered_kernel_alignment(*arrays), expected, rtol=1e-5)
    few = information.centered_kernel_alignment(arrays[0][:2], arrays[1][:2])
    np.testing.assert_allclose(few, 1, rtol=1e-5)


def test_distance_correlation_is_that_of_matrices(pair):
    a, b = (_centred(np.sqrt(((z[:, None] - z) ** 2).sum(-1))) for z in pair)
    expected = np.sqrt((a * b).mean() / np.sqrt((a * a).mean() * (b * b).mean()))
    for scale in (1.0, 1e-15, 1e15):
        found = information.distance_correlation(np.float32(scale * pair[0]), np.float32(pair[1]))
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(("seed", "widths"), [(0, "a"), (1, "b")])
def test_cauchy_schwarz_information_and_hsic_are_golden(seed, widths):
    data = np.load(_GOLDEN / f"cs_s{seed}.npz")
    options = {"sigma_x": float(data[f"{widths}.sx"]), "sigma_y": float(data[f"{widths}.sy"])}
    with jax.enable_x64(True):
        x, t = jnp.asarray(data["x"]), jnp.asarray(data["t"])
        np.testing.assert_allclose(
            information.hsic(x, t, **options), data[f"{widths}.hsic_biased"], rtol=1e-9
        )
        for normalized, name in ((False, "qmi"), (True, "qmi_norm")):
            function = functools.partial(
                information.cauchy_schwarz_mutual_information, x, normalized=normalized, **options
            )
            value, gradient = jax.jit(jax.value_and_grad(function))(t)
            np.testing.assert_allclose(value, data[f"{widths}.{name}"], rtol=1e-10)
            np.testing.assert_allclose(
                gradient, data[f"{widths}.{name}_grad"], rtol=1e-7, atol=1e-11
            )


def test_kernel_density_entropies_are_those_of_matrices():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(50, 2))
    density = _gram(x, 0.5) / (2 * np.pi * 0.5**2)
    found = information.kernel_density_entropy(np.float32(x), sigma=0.5)
    np.testing.assert_allclose(found, -np.log(density.mean(1)).mean(), rtol=1e-5)
    np.fill_diagonal(density, 0)
    found = information.kernel_density_entropy(np.float32(x), sigma=0.5, leave_one_out=True)
    np.testing.assert_allclose(found, -np.log(density.sum(1) / 49).mean(), rtol=1e-5)
    squared = _gram(x, 0.5 * 2**0.5) / (4 * np.pi * 0.5**2)
    found = information.kernel_density_quadratic_entropy(np.float32(x), sigma=0.5)
    np.testing.assert_allclose(found, -np.log(squared.mean()), rtol=1e-5)
    # Two samples a thousand bandwidths apart.
    far = information.kernel_density_entropy(
        np.float32([[0], [1000]]), sigma=1.0, leave_one_out=True
    )
    np.testing.assert_allclose(far, 5e5 + 0.5 * np.log(2 * np.pi), rtol=1e-6)
    # In the limit of many samples, and of a kernel that adds its variance.
    many = np.float32(rng.normal(size=(2000, 1)))
    found = information.kernel_density_entropy(many, sigma=0.3, leave_one_out=True)
    np.testing.assert_allclose(found, 0.5 * np.log(2 * np.pi * np.e), atol=0.06)


_MASKED = {
    "hsic": functools.partial(information.hsic, sigma_x=1.0, sigma_y="median"),
    "unbiased": functools.partial(information.hsic, sigma_x=1.0, sigma_y=1.0, unbiased=True),
    "linear": information.centered_kernel_alignment,
    "distances": information.distance_correlation,
    "entropy": lambda x, _, where=None: information.kernel_density_entropy(
        x, sigma=1.0, where=where
    ),
}


@pytest.mark.parametrize("function", _MASKED.values(), ids=_MASKED)
def test_a_mask_leaves_samples_out(function):
    rng = np.random.default_rng(2)
    x, y = (np.float32(rng.normal(size=(9, 2))) for _ in range(2))
    where = np.ones(9, bool)
    where[[0, 4]] = False
    expected = function(x[where], y[where])
    x[0], y[4] = np.nan, np.inf
    np.testing.assert_allclose(function(x, y, where=where), expected, rtol=1e-4, atol=1e-6)
    gradient = jax.grad(lambda x: function(x, jnp.asarray(y), where=where))(jnp.asarray(x))
    assert np.all(np.isfinite(gradient)) and np.all(np.asarray(gradient)[[0, 4]] == 0)


def test_the_permutations_are_products_of_two_lists():
    """Each statistic is that of the data for some relabelling: with N = 4 all can be listed."""
    rng = np.random.default_rng(3)
    x, y = np.float32(rng.normal(size=(4, 2))), np.float32(rng.normal(size=(4, 1)))
    found = information.hsic_test(
        x, y, key=jax.random.key(0), sigma_x=1.0, sigma_y=0.7, num_permutations=200
    )
    k, l = _centred(_gram(x, 1.0)), _centred(_gram(y, 0.7))  # noqa: E741
    orders = [list(order) for order in itertools.permutations(range(4))]
    table = np.array([(k * l[order][:, order]).mean() for order in orders])
    np.testing.assert_allclose(found.statistic, table[0], rtol=1e-4)
    places = np.argmin(np.abs(np.asarray(found.null)[:, None] - table), 1)
    np.testing.assert_allclose(found.null, table[places], atol=1e-6)
    share = np.mean(table >= table[0] - 1e-7)
    np.testing.assert_allclose(found.p_value, share, atol=0.15)
    assert len(set(places)) > 18


def test_the_test_is_calibrated_and_has_power():
    def p_value(key, strength):
        draw, shuffle = jax.random.split(key)
        x, y = jax.random.normal(draw, (2, 20, 1))
        return information.hsic_test(
            x,
            y + strength * x**2,
            key=shuffle,
            sigma_x=1.0,
            sigma_y=3.0,
            num_permutations=39,
        ).p_value

    keys = jax.random.split(jax.random.key(1), 200)
    values = jax.jit(jax.vmap(p_value, (0, None)))
    null, dependent = np.asarray(values(keys, 0.0)), np.asarray(values(keys, 3.0))
    for level in (0.1, 0.25, 0.5, 0.75):
        assert abs(np.mean(null <= level) - level) < 4 * np.sqrt(level * (1 - level) / 200)
    assert np.mean(dependent <= 0.05) > 0.9


def test_the_test_of_a_batch_of_constants_and_of_many_tiles():
    rng = np.random.default_rng(4)
    x, y = (np.float32(rng.normal(size=(2, 700, 1))) for _ in range(2))
    x[1] = 3.0
    found = information.hsic_test(
        x,
        y,
        key=jax.random.key(0),
        sigma_x=1.0,
        sigma_y=1.0,
        num_permutations=8,
    )
    assert found.null.shape == (2, 8)
    assert found.p_value[1] == 1
    np.testing.assert_allclose(
        found.statistic, information.hsic(x, y, sigma_x=1.0, sigma_y=1.0), rtol=2e-3, atol=1e-7
    )


def test_faults_name_their_argument():
    x = jnp.zeros((5, 2))
    for call, pattern in (
        (lambda: information.hsic(x, x, sigma_x=0.0, sigma_y=1.0), "sigma_x must be positive"),
        (lambda: information.hsic(x, x[:3], sigma_x=1.0, sigma_y=1.0), "must agree"),
        (
            lambda: information.hsic(x[:3], x[:3], sigma_x=1.0, sigma_y=1.0, unbiased=True),
            "at least 4",
        ),
        (lambda: information.centered_kernel_alignment(x, x, sigma_x=1.0), "together"),
        (lambda: information.distance_correlation(x[:1], x[:1]), "at least 2"),
        (
            lambda: information.kernel_density_entropy(x[:1], sigma=1.0, leave_one_out=True),
            "at least 2",
        ),
        (lambda: information.kernel_density_entropy(x, sigma=1.0, base=1), "base"),
        (
            lambda: information.hsic_test(
                x, x, key=jax.random.key(0), sigma_x=1.0, sigma_y=1.0, num_permutations=0
            ),
            "num_permutations",
        ),
    ):
        with pytest.raises(ValueError, match=pattern):
            call()


def test_memory_grows_with_the_samples_alone():
    count = 20_000
    shape = jax.ShapeDtypeStruct((count, 4), jnp.float32)
    test = functools.partial(information.hsic_test, key=jax.random.key(0), sigma_x=1.0, sigma_y=1.0)
    program = jax.jit(test).lower(shape, shape).compile()
    assert program.memory_analysis().temp_size_in_bytes < 0.05 * 4 * count**2

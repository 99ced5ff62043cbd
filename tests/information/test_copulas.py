"""Copulas: against scipy's ranks, Gaussian closed forms near dependence, bias, ties, bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from infojax import information
from infojax.information import copulas


def _normal_scores(x):
    return special.ndtri(stats.rankdata(x, axis=0) / (len(x) + 1))


def _plug_in(x, y, z=None):
    """From determinants of covariances in float64."""
    parts = [_normal_scores(v) for v in (x, y)] + ([] if z is None else [_normal_scores(z)])

    def entropy(*blocks):
        return np.linalg.slogdet(np.atleast_2d(np.cov(np.hstack(blocks).T)))[1] / 2

    if z is None:
        return entropy(parts[0]) + entropy(parts[1]) - entropy(*parts)
    x, y, z = parts
    return entropy(x, z) + entropy(y, z) - entropy(z) - entropy(x, y, z)


def _draw(rng, count, size, rho):
    x = rng.normal(size=(count, size))
    return x, rho * x + np.sqrt(1 - rho**2) * rng.normal(size=(count, size))


@pytest.mark.parametrize(("size", "rho"), [(1, 0.3), (3, 0.9), (1, 0.99999), (2, 0.999)])
def test_determinants(size, rho):
    x, y = _draw(np.random.default_rng(0), 500, size, rho)
    y[:, 0] = np.exp(y[:, 0])
    value = information.gaussian_copula_mutual_information(
        x.astype(np.float32), y.astype(np.float32), bias_corrected=False
    )
    np.testing.assert_allclose(value, _plug_in(x, y), rtol=2e-5)


def test_float32_keeps_the_digits_of_strong_dependence():
    x, y = _draw(np.random.default_rng(1), 400, 2, 0.9999)
    x, y = x.astype(np.float32), y.astype(np.float32)
    single = information.gaussian_copula_mutual_information(x, y)
    with jax.enable_x64(True):
        double = information.gaussian_copula_mutual_information(
            x.astype(np.float64), y.astype(np.float64)
        )
    np.testing.assert_allclose(single, double, 3e-6)


def test_conditional():
    rng = np.random.default_rng(2)
    z = rng.normal(size=(400, 2))
    x = z[:, :1] + rng.normal(size=(400, 1))
    y = z[:, 1:] + x + rng.normal(size=(400, 1))
    single = tuple(v.astype(np.float32) for v in (x, y, z))
    value = information.gaussian_copula_conditional_mutual_information(
        *single, bias_corrected=False
    )
    np.testing.assert_allclose(value, _plug_in(x, y, z), rtol=2e-5)
    swapped = information.gaussian_copula_conditional_mutual_information(
        single[1], single[0], single[2], bias_corrected=False
    )
    np.testing.assert_allclose(swapped, value, rtol=1e-5)
    # The chain rule, bias and all.
    whole = information.gaussian_copula_mutual_information(
        single[0], np.hstack([single[1], single[2]])
    )
    first = information.gaussian_copula_mutual_information(single[0], single[2])
    rest = information.gaussian_copula_conditional_mutual_information(*single)
    np.testing.assert_allclose(first + rest, whole, rtol=1e-4)


def test_the_bias_is_taken_off_on_average():
    rng = np.random.default_rng(3)
    x, y = _draw(rng, 1000 * 100, 2, 0.6)
    x, y = (v.reshape(1000, 100, 2).astype(np.float32) for v in (x, y))
    truth = -np.log(1 - 0.6**2)
    # The plain bias is near Dx Dy / 2 N = .02, less what normal scores lose in their tails.
    for corrected, low, high in ((True, -0.02, 0.01), (False, 0.0, 0.03)):
        values = information.gaussian_copula_mutual_information(x, y, bias_corrected=corrected)
        assert low < float(jnp.mean(values)) - truth < high


def test_increasing_maps_change_nothing():
    x, y = _draw(np.random.default_rng(4), 100, 2, 0.7)
    x, y = x.astype(np.float32), y.astype(np.float32)
    plain = information.gaussian_copula_mutual_information(x, y)
    mapped = information.gaussian_copula_mutual_information(np.exp(x), np.arctan(y) * 1e-20)
    assert float(plain) == float(mapped)
    order = np.random.default_rng(5).permutation(100)
    np.testing.assert_allclose(
        information.gaussian_copula_mutual_information(y[order], x[order]), plain, 1e-5
    )


def test_mid_ranks_of_ties_and_accurate_tails():
    x = np.random.default_rng(6).integers(0, 5, size=(50, 3)).astype(np.float32)
    expected = stats.rankdata(x, axis=0) / 51
    np.testing.assert_allclose(information.copula_transform(x), expected, 1e-6)
    order = np.arange(50)[::-1]
    np.testing.assert_array_equal(
        information.copula_transform(x[order]), information.copula_transform(x)[order]
    )
    many = np.arange(100_000, dtype=np.float32)[:, None]
    exact = special.ndtri(np.arange(1, 100_001) / 100_001)
    np.testing.assert_allclose(copulas._to_normal(many, None)[:, 0], exact, atol=2e-6)


def test_samples_that_do_not_count():
    rng = np.random.default_rng(7)
    x, y = (rng.normal(size=(2, 40, 2)).astype(np.float32) for _ in range(2))
    keep = np.stack([rng.permutation(40) < 25 for _ in range(2)])
    hidden = [np.where(keep[..., None], v, np.inf) for v in (x, y)]
    value = information.gaussian_copula_mutual_information(*hidden, where=keep)
    ranks = information.copula_transform(hidden[0], where=keep)
    for i in range(2):
        alone = x[i][keep[i]], y[i][keep[i]]
        expected = information.gaussian_copula_mutual_information(*alone)
        np.testing.assert_allclose(value[i], expected, rtol=2e-5, atol=1e-6)
        np.testing.assert_allclose(ranks[i][keep[i]], information.copula_transform(alone[0]), 1e-6)
        assert np.all(ranks[i][~keep[i]] == 0)


def test_columns_that_determine_one_another():
    rng = np.random.default_rng(8)
    x, y, z = rng.normal(size=(3, 60, 1)).astype(np.float32)
    mutual = information.gaussian_copula_mutual_information
    assert mutual(x, np.exp(x)) == np.inf
    assert mutual(x, np.hstack([y, -x])) == np.inf
    for pair in ((np.hstack([x, x]), y), (x, np.hstack([y, y])), (0 * x, y), (x, 0 * y)):
        with pytest.raises(ValueError, match="must not be constant or determine"):
            mutual(*pair)
    assert np.isnan(jax.jit(mutual)(0 * x, y))
    conditional = information.gaussian_copula_conditional_mutual_information
    with pytest.raises(ValueError, match="must not be constant or determine"):
        conditional(x, y, x)
    assert conditional(x, np.hstack([x, y]), z) == np.inf


def test_bad_input():
    x = np.random.default_rng(9).normal(size=(8, 3)).astype(np.float32)
    mutual = information.gaussian_copula_mutual_information
    for arguments, options, pattern in (
        ((x[:6], x[:6]), {}, "more samples than features, 6 in all"),
        ((x, x[:7]), {}, "agree in all axes"),
        ((x[:1, :1], x[:1, :1]), {}, "more samples than features"),
        ((x * np.nan, x), {}, "x must hold finite samples"),
        ((x[:, :1], x[:, 1:]), {"where": np.arange(8) < 3}, "where must leave more samples"),
        ((x[:, :1], x[:, 1:]), {"base": 1}, "base"),
    ):
        with pytest.raises(ValueError, match=pattern):
            mutual(*arguments, **options)
    with pytest.raises(TypeError, match="floating"):
        mutual(np.arange(8)[:, None], x)
    assert np.isnan(jax.jit(mutual)(x[:, :1] * np.nan, x[:, 1:]))

"""The two-sample permutation test: statistics by hand, calibration, power."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax import divergences


def test_the_statistics_are_discrepancies_and_the_p_value_counts_them():
    rng = np.random.default_rng(0)
    x, y = np.float32(rng.normal(size=(12, 2))), np.float32(rng.normal(size=(9, 2)) + 0.7)
    found = divergences.maximum_mean_discrepancy_test(
        x, y, key=jax.random.key(0), sigma=(0.7, 2.0), num_permutations=30
    )
    expected = divergences.squared_maximum_mean_discrepancy(x, y, sigma=(0.7, 2.0))
    np.testing.assert_allclose(found.statistic, expected, rtol=1e-5)
    reached = np.sum(np.asarray(found.null) >= np.asarray(found.statistic))
    np.testing.assert_allclose(found.p_value, (1 + reached) / 31, rtol=1e-6)
    # The mean over all permutations, from the mean of the kernel between different samples.
    z = np.concatenate([x, y])
    gram = sum(np.exp(-((z[:, None] - z) ** 2).sum(-1) / (2 * sigma**2)) for sigma in (0.7, 2.0))
    mean = (2 - (gram.sum() - np.trace(gram)) / (21 * 20)) * (1 / 12 + 1 / 9)
    spread = np.std(found.null) / np.sqrt(30)
    assert abs(np.mean(found.null) - mean) < 4 * spread


def test_the_test_is_calibrated_and_has_power():
    def p_value(key, shift):
        draw, shuffle = jax.random.split(key)
        x, y = jax.random.normal(draw, (2, 15, 1))
        return divergences.maximum_mean_discrepancy_test(
            x, y + shift, key=shuffle, sigma=1.0, num_permutations=39
        ).p_value

    keys = jax.random.split(jax.random.key(1), 150)
    values = jax.jit(jax.vmap(p_value, (0, None)))
    null, apart = np.asarray(values(keys, 0.0)), np.asarray(values(keys, 2.0))
    for level in (0.1, 0.25, 0.5, 0.75):
        assert abs(np.mean(null <= level) - level) < 4 * np.sqrt(level * (1 - level) / 150)
    assert np.mean(apart <= 0.05) > 0.95


def test_batches_constant_data_and_faults():
    x = jnp.zeros((2, 5, 1)).at[1].set(jnp.nan)
    with pytest.raises(ValueError, match=r"x\[1, 0, 0\] = nan"):
        divergences.maximum_mean_discrepancy_test(x, x, key=jax.random.key(0), sigma=1.0)
    found = jax.jit(
        lambda x: divergences.maximum_mean_discrepancy_test(
            x, jnp.zeros((2, 4, 1)), key=jax.random.key(0), sigma=1.0, num_permutations=9
        )
    )(x)
    assert found.null.shape == (2, 9)
    assert found.p_value[0] == 1 and np.isnan(found.p_value[1]) and np.isnan(found.statistic[1])
    with pytest.raises(ValueError, match="num_permutations must be at least 1"):
        divergences.maximum_mean_discrepancy_test(
            x[:1], x[:1], key=jax.random.key(0), sigma=1.0, num_permutations=0
        )

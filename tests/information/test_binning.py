"""Discretising and counting: against numpy, golden numbers, exact cells, ties and masks."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infojax import entropies, information
from infojax.information import binning
from infojax.information.ranks import rank_ranges

_GOLDEN = pathlib.Path(__file__).parents[1] / "golden/diffusion_spectral_entropy/dse.npz"
_CORRECTIONS = ("none", "miller_madow", "grassberger", "chao_shen", "shrinkage")


def _cells(x, bins):
    low, high = x.min(0), x.max(0)
    return np.minimum(np.floor((x - low) / (high - low) * bins), bins - 1).astype(int)


@pytest.mark.parametrize("case", range(3))
def test_golden_entropy_of_two_bins_a_dimension(case):
    data = np.load(_GOLDEN)
    x = data[f"{case}_x"][:, :6].astype(np.float32)
    value = information.binned_entropy(x, bins=2, base=2)
    np.testing.assert_allclose(value, data[f"{case}_shannon_bits"], 1e-6)


@pytest.mark.parametrize("correction", _CORRECTIONS)
def test_counts_of_rows(correction):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 2)), rng.normal(size=(300, 3))
    x[:, 0] += y[:, 0]

    def of_rows(rows):
        counts = np.unique(rows, axis=0, return_counts=True)[1]
        return float(entropies.entropy_from_counts(counts, correction=correction))

    a, b = _cells(x, 3), _cells(y, 3)
    options = {"bins": 3, "correction": correction}
    x, y = x.astype(np.float32), y.astype(np.float32)
    np.testing.assert_allclose(information.binned_entropy(y, **options), of_rows(b), 1e-6)
    expected = of_rows(a) + of_rows(b) - of_rows(np.hstack([a, b]))
    value = information.binned_mutual_information(x, y, **options)
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=2e-6)


@given(
    st.integers(0, 10_000),
    st.integers(1, 40),
    st.sampled_from([1, 2, 31, 32, 70]),
    st.sampled_from([1, 2, 5, 70_000]),
)
@settings(max_examples=15, deadline=None)
def test_labels_are_the_ranks_of_distinct_rows(seed, count, features, bins):
    rng = np.random.default_rng(seed)
    cells = rng.integers(max(bins - 2, 0), bins, size=(count, features))
    cells[rng.integers(count)] = cells[0]
    labels = np.asarray(binning._labels(jnp.asarray(cells, jnp.int32), bins))
    expected = np.unique(cells, axis=0, return_inverse=True)[1].reshape(-1)
    assert labels.min() == 0 and labels.max() == expected.max()
    pairs = {*zip(labels.tolist(), expected.tolist(), strict=True)}
    assert len(pairs) == expected.max() + 1, "one label for each distinct row"


def test_rows_that_differ_in_one_of_many_columns_are_told_apart():
    x = np.zeros((400, 400), np.float32)
    np.fill_diagonal(x, 1)
    value = information.binned_entropy(jnp.asarray(x), bins=2)
    np.testing.assert_allclose(value, np.log(400), 1e-6)
    memory = jax.jit(lambda x: information.binned_entropy(x, bins=2)).lower(x).compile()
    assert memory.memory_analysis().temp_size_in_bytes < 12 * x.nbytes


def test_cells():
    x = np.array([[0.0, 5.0], [0.5, 5.0], [1.0, 5.0], [0.49, 5.0]], np.float32)
    np.testing.assert_array_equal(
        information.discretize(x, bins=2), [[0, 0], [1, 0], [1, 0], [0, 0]]
    )
    limits = (np.array([0.0, 4.0]), np.array([0.5, 8.0]))
    np.testing.assert_array_equal(
        information.discretize(x, bins=4, limits=limits), [[0, 1], [3, 1], [3, 1], [3, 1]]
    )
    np.testing.assert_array_equal(information.discretize(x, bins=1), np.zeros((4, 2)))
    huge = np.array([[-3e38], [3e38], [0.0]], np.float32)
    np.testing.assert_array_equal(information.discretize(huge, bins=2)[:, 0], [0, 1, 1])
    tied = np.array([[1.0], [1.0], [1.0], [2.0], [3.0], [3.0]], np.float32)
    cells = information.discretize(tied, bins=3, method="quantile")
    np.testing.assert_array_equal(cells[:, 0], [0, 0, 0, 1, 2, 2])
    # Unaffected by increasing maps.
    curved = information.discretize(np.exp(tied), bins=3, method="quantile")
    np.testing.assert_array_equal(curved, cells)


def test_samples_that_do_not_count():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(2, 30, 3)).astype(np.float32)
    keep = np.stack([rng.permutation(30) < 20 for _ in range(2)])
    rubbish = np.where(keep[:, :, None], x, np.nan)
    for method in ("width", "quantile"):
        cells = information.discretize(rubbish, bins=3, method=method, where=keep)
        value = information.binned_entropy(rubbish, bins=3, method=method, where=keep)
        information_ = information.binned_mutual_information(
            rubbish[..., :1], rubbish[..., 1:], bins=3, method=method, where=keep
        )
        for i in range(2):
            alone = x[i][keep[i]]
            expected = information.discretize(alone, bins=3, method=method)
            np.testing.assert_array_equal(cells[i][keep[i]], expected)
            assert np.all(cells[i][~keep[i]] == -1)
            entropy = information.binned_entropy(alone, bins=3, method=method)
            np.testing.assert_allclose(value[i], entropy, 1e-6)
            mutual = information.binned_mutual_information(
                alone[:, :1], alone[:, 1:], bins=3, method=method
            )
            np.testing.assert_allclose(information_[i], mutual, 1e-5, 1e-6)


def test_ranks_count_ties():
    x = np.random.default_rng(3).integers(0, 4, size=(2, 20, 3)).astype(np.float32)
    below, within = rank_ranges(x)
    np.testing.assert_array_equal(below, (x[:, None] < x[:, :, None]).sum(2))
    np.testing.assert_array_equal(within, (x[:, None] <= x[:, :, None]).sum(2))
    zeros = rank_ranges(np.array([[0.0], [-0.0]], np.float32))
    np.testing.assert_array_equal(np.squeeze(zeros), [[0, 0], [2, 2]])


def test_bad_input():
    x = np.zeros((4, 2), np.float32)
    for arguments, options, pattern in (
        ((x,), {"bins": 0}, "bins must be at least 1"),
        ((x[0],), {"bins": 2}, r"shape \(\*B, N, D\)"),
        ((x[:0],), {"bins": 2}, "at least 1 samples"),
        ((x[:, :0],), {"bins": 2}, "must have a feature"),
        ((x,), {"bins": 2, "method": "equal"}, "method must be one of"),
        ((x,), {"bins": 2, "correction": "best"}, "correction must be one of"),
        ((x,), {"bins": 2**30}, "below 2"),
        ((x,), {"bins": 2, "limits": (1.0, 0.0)}, "limits must be finite"),
        ((x,), {"bins": 2, "limits": (np.zeros(3), np.ones(3))}, "of shape"),
        ((x,), {"bins": 2, "limits": (0.0, 1.0), "method": "quantile"}, "limits need"),
        ((x,), {"bins": 2, "where": np.zeros(4, bool)}, "at least 1 sample"),
    ):
        with pytest.raises(ValueError, match=pattern):
            information.binned_entropy(*arguments, **options)
    with pytest.raises(ValueError, match="agree in all axes"):
        information.binned_mutual_information(x, x[:3], bins=2)
    bad = np.full((3, 1), np.nan, np.float32)
    traced = jax.jit(lambda x: information.discretize(x, bins=2))(bad)
    np.testing.assert_array_equal(traced, -np.ones((3, 1)))

"""The digits: shape, range, and a split that never shares an image."""

import sys

import numpy as np
import pytest

from experiments.data import Digits, load_digits, split
from experiments.runner import UserError


def test_shape_type_and_range():
    digits = load_digits()
    assert digits.images.shape == (1797, 64) and digits.images.dtype == np.float32
    assert digits.labels.shape == (1797,) and digits.labels.dtype == np.int32
    assert digits.images.min() == 0 and digits.images.max() == 1
    np.testing.assert_array_equal(digits.images * 16 % 1, 0)
    counts = np.bincount(digits.labels)
    assert len(counts) == 10 and counts.min() == 174 and counts.max() == 183


def test_split_is_fixed_by_the_seed_and_keeps_the_classes():
    numbers = np.arange(1797, dtype=np.float32)[:, None]
    digits = Digits(numbers, load_digits().labels)
    train, test = split(digits, seed=3, held_out=0.25)
    again = split(digits, seed=3, held_out=0.25)
    np.testing.assert_array_equal(train.images, again[0].images)
    np.testing.assert_array_equal(test.labels, again[1].labels)
    assert not np.array_equal(test.images, split(digits, seed=4, held_out=0.25)[1].images)
    together = np.sort(np.concatenate([train.images, test.images])[:, 0])
    np.testing.assert_array_equal(together, numbers[:, 0])
    np.testing.assert_array_equal(digits.labels[test.images[:, 0].astype(int)], test.labels)
    shares = np.bincount(test.labels) / np.bincount(digits.labels)
    np.testing.assert_allclose(shares, 0.25, atol=0.005)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 12])
def test_a_wrong_share_is_refused(share):
    with pytest.raises(ValueError, match="held_out"):
        split(load_digits(), seed=0, held_out=share)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(UserError, match="scikit-learn"):
        load_digits()

"""The tissue image: shape, range, stains that are told apart."""

import sys

import numpy as np
import pytest

from experiments.data import load_tissue
from experiments.runner import UserError


def test_patches_are_the_image():
    tissue = load_tissue()
    assert tissue.image.shape == (512, 512, 3) and tissue.image.dtype == np.float32
    assert tissue.patches.shape == (32, 32, 16, 16, 3) and tissue.stained.shape == (32, 32)
    assert tissue.image.min() >= 0 and tissue.image.max() <= 1
    np.testing.assert_array_equal(tissue.patches[3, 5], tissue.image[48:64, 80:96])


def test_stained_patches_are_brown():
    tissue = load_tissue(32)
    assert tissue.stained.min() == 0 and tissue.stained.max() == 1
    colour = tissue.patches.mean((2, 3))
    redder = colour[..., 0] - colour[..., 2]
    assert redder[tissue.stained > 0.9].min() > redder[tissue.stained < 0.05].max()


def test_faults(monkeypatch):
    with pytest.raises(ValueError, match="divide 512"):
        load_tissue(24)
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(UserError, match="scikit-image"):
        load_tissue()

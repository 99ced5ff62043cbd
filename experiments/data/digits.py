"""Handwritten digits: 1797 grey images of 8 x 8 pixels that ship with scikit-learn.

The test set of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998, UCI Machine
Learning Repository), whose pixels count the ink, 0 to 16, of 4 x 4 cells of a larger scan.
"""

from typing import NamedTuple

import numpy as np

from experiments.runner.errors import UserError


class Digits(NamedTuple):
    """Images and their classes.

    Attributes:
        images: (N, 64) float32 in [0, 1], row by row from the top left; 0 is paper.
        labels: (N,) int32, the digit, 0 to 9.
    """

    images: np.ndarray
    labels: np.ndarray


def load_digits() -> Digits:
    """Loads all 1797 images, in the order of the source.

    Returns:
        The digits: images (1797, 64) in steps of 1/16, labels (1797,), 174 to 183 a class.

    Raises:
        UserError: scikit-learn is not installed.
    """
    try:
        from sklearn import datasets
    except ImportError as error:
        raise UserError(
            'the digits ship with scikit-learn: pip install "infojax[experiments]"'
        ) from error
    images, labels = datasets.load_digits(return_X_y=True)
    return Digits((images / 16).astype(np.float32), labels.astype(np.int32))


def split(digits: Digits, seed: int, held_out: float = 0.2) -> tuple[Digits, Digits]:
    """Splits the images in two, with the same shares of every class in both up to rounding.

    Args:
        digits: what `load_digits` returns, or a part of it.
        seed: the same seed gives the same split on every machine.
        held_out: the share of each class for the second part, above 0 and below 1.

    Returns:
        The part to train on and the part held out, both in a random order; no image is in both.

    Raises:
        ValueError: `held_out` is outside (0, 1).
    """
    if not 0 < held_out < 1:
        raise ValueError(f"held_out must be a share above 0 and below 1; got {held_out}.")
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(digits.labels))
    labels = digits.labels[order]
    aside = np.zeros(len(order), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        aside[members[: round(held_out * len(members))]] = True
    train, test = (
        Digits(digits.images[part], digits.labels[part]) for part in (order[~aside], order[aside])
    )
    return train, test

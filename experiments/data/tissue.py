"""A tissue image: immunohistochemistry of 512 x 512 pixels that ships with scikit-image.

Colonic glands whose epithelium is stained brown by diaminobenzidine (DAB), nuclei blue by
haematoxylin. The stains are told apart by colour deconvolution (Ruifrok and Johnston 2001), so that
the truth of every patch is known.
"""

from typing import NamedTuple

import numpy as np

from experiments.runner.errors import UserError


class Tissue(NamedTuple):
    """An image in patches.

    Attributes:
        image: (512, 512, 3) float32 in [0, 1], red, green, blue.
        patches: (rows, columns, P, P, 3), the same pixels.
        stained: (rows, columns) float32 in [0, 1], the share of each patch's pixels that are
            stained brown: whose DAB density is above Otsu's threshold.
    """

    image: np.ndarray
    patches: np.ndarray
    stained: np.ndarray


def load_tissue(patch: int = 16) -> Tissue:
    """Loads the image and cuts it into square patches.

    Args:
        patch: P, the side of a patch; a divisor of 512.

    Returns:
        The tissue: 32 x 32 patches of 16 x 16 pixels by default.

    Raises:
        UserError: scikit-image is not installed.
        ValueError: `patch` does not divide 512.
    """
    try:
        from skimage import color, data, filters
    except ImportError as error:
        raise UserError(
            'the tissue image ships with scikit-image: pip install "infojax[experiments]"'
        ) from error
    pixels = data.immunohistochemistry()
    if patch < 1 or pixels.shape[0] % patch:
        raise ValueError(f"patch must divide {pixels.shape[0]}; got {patch}.")
    density = color.rgb2hed(pixels)[..., 2]
    brown = density > filters.threshold_otsu(density)
    image = (pixels / 255).astype(np.float32)
    return Tissue(image, _cut(image, patch), _cut(brown, patch).mean((2, 3), dtype=np.float32))


def _cut(pixels: np.ndarray, patch: int) -> np.ndarray:
    """(rows, columns, P, P, ...) of (height, width, ...)."""
    height, width = pixels.shape[:2]
    tiled = pixels.reshape(height // patch, patch, width // patch, patch, *pixels.shape[2:])
    return tiled.swapaxes(1, 2)

"""The user's own layers: files of activations, with labels and accuracies where there are any."""

import pathlib

import jax
import numpy as np

from experiments import runner
from experiments.diffusion_spectral_entropy import measures
from experiments.diffusion_spectral_entropy.measures import Kernel

# The paper's own limit: the exact path takes the eigenvalues of an N x N matrix.
MOST_POINTS = 10_000


def files(directory: str) -> list[pathlib.Path]:
    """Lists the files of a directory of features.

    Args:
        directory: what the user named.

    Returns:
        Its npz files by name.

    Raises:
        UserError: it is no directory, or holds no npz file.
    """
    root = pathlib.Path(directory)
    if not root.is_dir():
        raise runner.UserError(f"--features={directory} is not a directory")
    found = sorted(root.glob("*.npz"))
    if not found:
        raise runner.UserError(
            f"--features={directory} holds no .npz file; each needs the array 'features' (N, D), "
            "and may have 'labels' (N,) and 'accuracy'"
        )
    return found


def measure(path: pathlib.Path, kernel: Kernel, key: jax.Array) -> dict[str, object]:
    """Measures one layer.

    Args:
        path: an npz file with `features` (N, D) and perhaps `labels` (N,) and `accuracy`.
        kernel: bandwidth, time and repetitions.
        key: of the subsamples; more than 10,000 points are subsampled as well.

    Returns:
        A row of the table.

    Raises:
        UserError: the file lacks what is needed, or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError) as error:
        raise runner.UserError(f"cannot read {path}: {error}") from error
    features = _features(path, arrays)
    labels = arrays.get("labels")
    if labels is not None and (labels.shape != features.shape[:1] or labels.dtype.kind not in "iu"):
        raise runner.UserError(
            f"{path}: 'labels' must be whole numbers of shape ({len(features)},); got "
            f"{labels.dtype} {labels.shape}"
        )
    if len(features) > MOST_POINTS:
        draw = jax.random.choice(key, len(features), (MOST_POINTS,), replace=False)
        chosen = np.sort(np.asarray(draw))
        features = features[chosen]
        labels = None if labels is None else labels[chosen]
    told = None
    if labels is not None:
        names, numbers = np.unique(labels, return_inverse=True)
        told = measures.information(features, numbers.ravel(), len(names), key, kernel)
    entropy = measures.entropy(features, kernel)
    return {
        "file": path.stem,
        "points": len(features),
        "units": features.shape[1],
        "dse_bits": entropy,
        "dse_over_log_n": entropy / np.log2(max(len(features), 2)),
        "dsmi_labels_bits": told,
        "accuracy": float(arrays["accuracy"]) if "accuracy" in arrays else None,
    }


def _features(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> np.ndarray:
    if "features" not in arrays:
        raise runner.UserError(f"{path} has no array 'features'; it has {sorted(arrays)}")
    features = arrays["features"]
    if features.ndim != 2 or features.dtype.kind not in "fiu" or 0 in features.shape:
        raise runner.UserError(
            f"{path}: 'features' must be numbers of shape (N, D); got {features.dtype} "
            f"{features.shape}"
        )
    if not np.isfinite(features).all():
        raise runner.UserError(f"{path}: 'features' holds NaN or infinite numbers")
    return features

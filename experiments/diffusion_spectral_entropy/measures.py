"""What is measured of a layer: its diffusion spectral entropy, and what it tells of two partitions.

Activations are standardised (each unit to mean 0 and deviation 1; a unit that never changes to 0),
so that one bandwidth serves every layer and epoch.
"""

from typing import NamedTuple

import jax
import numpy as np

from infojax import spectra


class Kernel(NamedTuple):
    """How points become a spectrum.

    Attributes:
        sigma: bandwidth, in standard deviations of a unit.
        diffusion_time: the power of the eigenvalues.
        repetitions: random subsamples a class, for the mutual information.
    """

    sigma: float
    diffusion_time: int
    repetitions: int


def standardize(activations: np.ndarray) -> np.ndarray:
    """Brings each unit to mean 0 and standard deviation 1.

    Args:
        activations: (N, units).

    Returns:
        (N, units) float32; a unit without spread is 0.
    """
    x = np.asarray(activations, np.float64)
    deviation = x.std(0)
    moves = deviation > 1e-6 * (1 + np.abs(x).max(0))
    scaled = (x - x.mean(0)) / np.where(moves, deviation, 1)
    return np.where(moves, scaled, 0).astype(np.float32)


def input_clusters(images: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Groups inputs by spectral clustering on the graph of their nearest neighbours.

    Args:
        images: (N, D).
        count: number of clusters.
        seed: of the eigensolver's start.

    Returns:
        (N,) int32, the cluster of each input.
    """
    import warnings

    from sklearn.cluster import SpectralClustering

    clustering = SpectralClustering(
        count, affinity="nearest_neighbors", assign_labels="cluster_qr", random_state=seed
    )
    with warnings.catch_warnings():
        # A graph in several parts is no fault here: the parts are clusters.
        warnings.filterwarnings("ignore", message="Graph is not fully connected")
        return clustering.fit_predict(images).astype(np.int32)


def entropy(activations: np.ndarray, kernel: Kernel) -> float:
    """Diffusion spectral entropy of a layer.

    Args:
        activations: (N, units).
        kernel: bandwidth and time.

    Returns:
        Bits, between 0 and log2 N.
    """
    value = spectra.diffusion_spectral_entropy(
        standardize(activations), sigma=kernel.sigma, t=kernel.diffusion_time, base=2
    )
    return float(value)


def information(
    activations: np.ndarray, labels: np.ndarray, classes: int, key: jax.Array, kernel: Kernel
) -> float:
    """Diffusion spectral mutual information of a layer and a partition.

    Args:
        activations: (N, units).
        labels: (N,), from 0 to `classes` - 1.
        classes: number of classes.
        key: of the random subsamples.
        kernel: bandwidth, time and repetitions.

    Returns:
        Bits; slightly negative where the layer tells nothing.
    """
    value = spectra.diffusion_spectral_mutual_information(
        standardize(activations),
        np.asarray(labels, np.int32),
        num_classes=classes,
        key=key,
        num_repetitions=kernel.repetitions,
        sigma=kernel.sigma,
        t=kernel.diffusion_time,
        base=2,
    )
    return float(value)

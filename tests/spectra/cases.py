"""How every public function of `infojax.spectra` is called by the conformance test."""

import jax
import numpy as np

from infojax import spectra
from tests.conformance import Case

# Random, with a derivative that is an estimate: tests/spectra/test_lanczos.py.
TESTED_ELSEWHERE = ("diffusion_spectral_entropy_estimate",)


def _samples(rng, batch):
    return (rng.normal(size=(*batch, 6, 3)),)


def _gram(rng, batch, size=5):
    x = rng.normal(size=(*batch, size, 8))
    return x @ np.swapaxes(x, -1, -2) / 8


def _density(rng, batch):
    gram = _gram(rng, batch) + 0.1 * np.eye(5)
    return gram / np.trace(gram, axis1=-2, axis2=-1)[..., None, None]


_PURE = np.diag([1.0, 0.0, 0.0])
_MIXED = np.eye(3) / 3
_EQUAL = np.ones((4, 2))
_TWINS = np.repeat(np.array([[0.0, 1.0], [2.0, -3.0]]), 3, 0)
_FAR = 1e4 * np.eye(4)
_NAN = np.array([[0.0, 1.0], [np.nan, 2.0]])
_SAMPLE_EDGES = [(_EQUAL,), (_TWINS,), (_FAR,), (np.ones((1, 2)),)]
_SAMPLE_FAULTS = [((np.where(np.eye(4) > 0, bad, 1.0),), str(bad)) for bad in (np.nan, np.inf)]
_DENSITY_FAULTS = [
    ((np.array([[0.5, np.nan], [np.nan, 0.5]]),), "symmetric"),
    ((np.array([[0.5, 0.3], [0.0, 0.5]]),), "symmetric"),
    ((np.eye(2),), "trace"),
    ((np.diag([1.5, -0.5]),), "semi-definite"),
]
_GRAM_FAULTS = [
    ((np.array([[1.0, np.nan], [np.nan, 1.0]]),), "symmetric"),
    ((np.diag([1.0, 0.0]),), "diagonal"),
    ((np.array([[1.0, 2.0], [2.0, 1.0]]),), "semi-definite"),
]
_MATRIX_FAULTS = [((_NAN,), "nan")]


def _of_samples(function, options=None, label="", **more):
    defaults = {"extremes": _SAMPLE_EDGES, "invalid": _SAMPLE_FAULTS}
    return Case(function, _samples, options or {}, label, **(defaults | more))


def _of_matrix(function, **more):
    edges = [(np.eye(3),), (np.ones((3, 2)),), (np.zeros((2, 2)),), (1e15 * _TWINS,)]
    defaults = {"extremes": edges, "invalid": _MATRIX_FAULTS, "half_tolerance": 0.1}
    return Case(
        function,
        lambda rng, batch: (rng.normal(size=(*batch, 4, 3)),),
        **(defaults | more),
    )


def _of_density(function, **more):
    return Case(
        function,
        lambda rng, batch: (_density(rng, batch),),
        extremes=[(_PURE,), (_MIXED,), (np.ones((1, 1)),)],
        invalid=_DENSITY_FAULTS,
        **more,
    )


def _of_densities(function, **more):
    return Case(
        function,
        lambda rng, batch: (_density(rng, batch), _density(rng, batch)),
        differentiable=(0, 1),
        extremes=[(_PURE, _MIXED), (_MIXED, _MIXED), (_PURE, _PURE)],
        infinite=[(_MIXED, _PURE)],
        invalid=[((fault[0], np.eye(2) / 2), pattern) for fault, pattern in _DENSITY_FAULTS],
        **more,
    )


def _of_grams(function, order, count, faults=_GRAM_FAULTS, **more):
    def draw(rng, batch):
        return tuple(_gram(rng, batch) + 0.1 * np.eye(5) for _ in range(count))

    return Case(
        function,
        draw,
        {"order": order},
        f"order {order}",
        differentiable=tuple(range(count)),
        extremes=[(np.ones((3, 3)),) * count, (np.eye(3),) * count, (np.eye(1),) * count],
        invalid=[((fault[0], *[np.eye(2)] * (count - 1)), p) for fault, p in faults],
        half_tolerance=0.1,
        **more,
    )


CASES = [
    _of_samples(spectra.median_bandwidth, extremes=_SAMPLE_EDGES[:3]),
    _of_samples(spectra.neighbor_bandwidth, {"k": 2}, extremes=_SAMPLE_EDGES[:3]),
    _of_samples(spectra.diffusion_bandwidth, extremes=_SAMPLE_EDGES[1:3]),
    _of_samples(spectra.gaussian_affinity, {"sigma": 1.5}),
    _of_samples(spectra.diffusion_affinity, {"sigma": 1.5, "alpha": 0.5}),
    _of_samples(
        spectra.neighbor_adjacency,
        {"k": 3},
        differentiable=(),
        half=False,
        extremes=_SAMPLE_EDGES[:3],
    ),
    _of_samples(spectra.diffusion_spectrum, {"sigma": 1.5}),
    _of_samples(spectra.diffusion_spectral_entropy, {"sigma": 1.5, "base": 2}),
    _of_samples(spectra.diffusion_entry_entropy, {"sigma": 1.5}),
    _of_samples(spectra.adjacency_spectral_entropy, {"sigma": 1.5}),
    _of_samples(
        spectra.adjacency_spectral_entropy,
        {"adjacency": "neighbors", "k": 3},
        "neighbors",
        differentiable=(),
        half=False,
        extremes=_SAMPLE_EDGES[:3],
    ),
    Case(
        spectra.diffusion_spectral_mutual_information,
        lambda rng, _: (rng.normal(size=(7, 3)), np.array([0, 1, 2, 1, 0, 1, 2])),
        {"num_classes": 3, "key": jax.random.key(0), "sigma": 1.5, "num_repetitions": 2},
        batched=False,
        forward_mode=False,
        extremes=[(_EQUAL, np.array([0, 1, 2, 1])), (_FAR, np.zeros(4, int))],
        invalid=[
            ((_NAN, np.array([0, 1])), "nan"),
            ((_EQUAL, np.array([0, 1, 3, 1])), "labels"),
        ],
    ),
    _of_density(spectra.von_neumann_entropy),
    _of_densities(spectra.relative_von_neumann_entropy, half=False),
    _of_densities(spectra.quantum_jensen_shannon_divergence),
    _of_grams(spectra.matrix_renyi_entropy, 2.5, 1),
    _of_grams(spectra.matrix_renyi_joint_entropy, 2, 2, _GRAM_FAULTS[:2]),
    _of_grams(spectra.matrix_renyi_conditional_entropy, 1, 2, _GRAM_FAULTS[:2]),
    _of_grams(spectra.matrix_renyi_mutual_information, 1.01, 2),
    _of_matrix(spectra.effective_rank),
    _of_matrix(spectra.stable_rank),
    _of_matrix(spectra.nuclear_norm),
    _of_matrix(spectra.rank_me),
    _of_matrix(spectra.participation_ratio),
    _of_matrix(spectra.spectral_decay_exponent, half=False),
]

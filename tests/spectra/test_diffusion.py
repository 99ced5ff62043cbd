"""Diffusion spectral entropy and information: golden numbers, limits, invariances, faults."""

import functools
import itertools
import pathlib

import hypothesis
import hypothesis.strategies as st
import jax
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from infojax import information, spectra

_GOLDEN = np.load(pathlib.Path(__file__).parents[1] / "golden/diffusion_spectral_entropy/dse.npz")
_entropy = jax.jit(spectra.diffusion_spectral_entropy, static_argnames=("normalize",))
_entry_entropy = jax.jit(spectra.diffusion_entry_entropy)


def _case(number, dtype):
    names = ("x", "labels", "sigma", "t", "dse_bits", "entries_bits", "shannon_bits", "dsmi_bits")
    found = {name: _GOLDEN[f"{number}_{name}"] for name in names}
    return found | {"x": found["x"].astype(dtype)}


@pytest.mark.parametrize("number", range(3))
def test_golden_entropies(number):
    with jax.enable_x64(True):
        for dtype, tolerance in ((np.float64, 1e-6), (np.float32, 2e-3)):
            case = _case(number, dtype)
            options = {"sigma": float(case["sigma"])}
            spectral = _entropy(case["x"], t=int(case["t"]), **options) / np.log(2)
            np.testing.assert_allclose(spectral, case["dse_bits"], atol=tolerance)
            entries = _entry_entropy(case["x"], **options) / np.log(2)
            np.testing.assert_allclose(entries, case["entries_bits"], atol=tolerance)
    # The classic entropy of cells, from the room of information.
    cells = information.binned_entropy(case["x"][:, :6], bins=2, base=2)
    np.testing.assert_allclose(cells, case["shannon_bits"], atol=2e-3)


@pytest.mark.parametrize("number", [0, 2])
def test_golden_information(number):
    case = _case(number, np.float32)
    labels = case["labels"]
    found = spectra.diffusion_spectral_mutual_information(
        case["x"],
        labels,
        num_classes=int(labels.max()) + 1,
        key=jax.random.key(0),
        sigma=float(case["sigma"]),
        t=int(case["t"]),
        num_repetitions=30,
        base=2,
    )
    np.testing.assert_allclose(found, case["dsmi_bits"], atol=0.05)


def _by_numpy(x, sigma, alpha=0.0):
    gram = np.exp(-(cdist(x, x) ** 2) / (2 * sigma**2))
    factor = gram.sum(1) ** -alpha
    gram = factor[:, None] * gram * factor
    root = gram.sum(1) ** -0.5
    return root[:, None] * gram * root


def test_spectrum_and_affinities_by_numpy():
    x = np.random.default_rng(0).normal(size=(30, 4))
    for alpha in (0.0, 1.0):
        expected = np.linalg.eigvalsh(_by_numpy(x, 1.5, alpha))[::-1]
        found = spectra.diffusion_spectrum(x.astype(np.float32), 1.5, alpha=alpha)
        np.testing.assert_allclose(found, expected, atol=2e-6)
    near = spectra.neighbor_adjacency(x.astype(np.float32), k=5)
    distances = cdist(x, x)
    expected = distances <= np.sort(distances, 1)[:, 4:5]
    np.testing.assert_array_equal(near, expected)
    values = np.abs(np.linalg.eigvals(expected.astype(float)))
    shares = values[values > 1e-9] / values.sum()
    found = spectra.adjacency_spectral_entropy(x.astype(np.float32), adjacency="neighbors", k=5)
    np.testing.assert_allclose(found, -(shares * np.log(shares)).sum(), rtol=1e-3)
    anisotropic = spectra.adjacency_spectral_entropy(
        x.astype(np.float32), adjacency="anisotropic", sigma=1.5
    )
    np.testing.assert_allclose(anisotropic, _entropy(x.astype(np.float32), sigma=1.5), rtol=1e-5)


def test_closed_forms():
    points = 99 * np.eye(12, dtype=np.float32)
    for copies in (12, 4, 1):
        x = np.repeat(points[: 12 // copies], copies, 0)
        expected = np.log(12 / copies)
        np.testing.assert_allclose(_entropy(x, sigma=1.0), expected, atol=2e-5)
        # Far from the origin too, and under a rule where all coincide.
        np.testing.assert_allclose(_entropy(x + 1e3, sigma=1.0), expected, atol=2e-5)
    np.testing.assert_allclose(_entropy(points, sigma=1.0, normalize=True), 1, rtol=1e-6)
    assert spectra.diffusion_spectral_entropy(np.ones((5, 2), np.float32), sigma="median") == 0
    assert _entropy(np.ones((1, 2), np.float32), sigma=1.0) == 0
    # Two samples: eigenvalues 1 and (1 - g) / (1 + g).
    gap = np.exp(-0.5)
    shares = np.array([1, (1 - gap) / (1 + gap)]) / (1 + (1 - gap) / (1 + gap))
    expected = -(shares * np.log(shares)).sum()
    pair = np.array([[0.0], [1.0]], np.float32)
    np.testing.assert_allclose(_entropy(pair, sigma=1.0), expected, rtol=1e-5)


@hypothesis.settings(max_examples=15)
@hypothesis.given(seed=st.integers(0, 10**6), scale=st.floats(0.1, 10), sigma=st.floats(0.5, 4))
def test_invariances(seed, scale, sigma):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(12, 3))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    value = _entropy(x.astype(np.float32), sigma=sigma)
    moved = (scale * (x[rng.permutation(12)] @ turn + 7)).astype(np.float32)
    np.testing.assert_allclose(_entropy(moved, sigma=scale * sigma), value, rtol=2e-4)
    times = [_entropy(x.astype(np.float32), sigma=sigma, t=t) for t in (1.0, 1.5, 3.0, 1e4)]
    assert all(a >= b - 1e-6 for a, b in itertools.pairwise(times))
    assert 0 <= times[0] <= np.log(12) + 1e-6
    if sigma > 2:  # the graph is connected: only the eigenvalue 1 stays
        assert times[-1] < 1e-3


def test_masked_rows_change_nothing_and_have_no_derivative():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(15, 3)).astype(np.float32)
    keep = np.arange(15) % 3 != 1
    filled = np.where(keep[:, None], x, np.nan).astype(np.float32)
    for function in (
        functools.partial(spectra.diffusion_spectral_entropy, sigma=1.5),
        functools.partial(spectra.diffusion_spectral_entropy, sigma="median"),
        functools.partial(spectra.diffusion_entry_entropy, sigma=1.5),
        functools.partial(spectra.adjacency_spectral_entropy, sigma=1.5),
        functools.partial(spectra.adjacency_spectral_entropy, adjacency="neighbors", k=3),
        spectra.median_bandwidth,
        functools.partial(spectra.neighbor_bandwidth, k=2),
        spectra.diffusion_bandwidth,
        spectra.rank_me,
        spectra.participation_ratio,
        spectra.spectral_decay_exponent,
    ):
        value_and_slope = jax.jit(jax.value_and_grad(lambda x, f=function: f(x, where=keep)))
        value, slope = value_and_slope(filled)
        np.testing.assert_allclose(value, jax.jit(function)(x[keep]), rtol=2e-5)
        assert np.all(np.isfinite(slope)) and np.all(slope[~keep] == 0)
    values = spectra.diffusion_spectrum(filled, 1.5, where=keep)
    np.testing.assert_array_equal(values[keep.sum() :], 0)


def test_information_of_clusters_of_one_class_and_of_noise():
    rng = np.random.default_rng(0)
    key = jax.random.key(0)
    labels = np.repeat(np.arange(4), 20)
    x = rng.normal(size=(80, 5)).astype(np.float32)

    def of(x, labels, classes, **options):
        return spectra.diffusion_spectral_mutual_information(
            x, labels, num_classes=classes, key=key, base=2, **options
        )

    apart = of(np.repeat(99 * np.eye(4, dtype=np.float32), 20, 0), labels, 4)
    assert 1.85 < apart <= 2
    assert of(x, np.zeros(80, int), 1) == 0
    alone = of(x, rng.permutation(labels), 4, sigma=3.0)
    assert abs(alone) < 0.05
    # An empty class, masked rows and spare capacity change nothing but the draws.
    np.testing.assert_allclose(of(x, labels, 4, capacity=80), of(x, labels, 4), atol=1e-5)
    assert abs(of(x, labels, 6) - of(x, labels, 4)) < 0.05
    keep = np.arange(80) % 2 == 0
    kept = of(np.where(keep[:, None], x, np.nan), labels, 4, where=keep)
    assert abs(kept - of(x[keep], labels[keep], 4)) < 0.05
    batch = of(np.stack([x, x]), np.stack([labels, labels]), 4)
    assert batch.shape == (2,)


def test_faults():
    x = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32)
    labels, key = np.zeros(6, int), jax.random.key(0)
    entropy = spectra.diffusion_spectral_entropy
    inform = functools.partial(spectra.diffusion_spectral_mutual_information, x, key=key)
    for call, kind, pattern in (
        (lambda: entropy(x, sigma=0.0), ValueError, r"sigma must be positive.*0\.0"),
        (lambda: entropy(x, sigma="mean"), ValueError, "'median'"),
        (lambda: entropy(x, sigma=np.ones(3)), ValueError, "broadcast"),
        (lambda: entropy(x, t=-1), ValueError, "t must be positive"),
        (lambda: entropy(x, alpha=2), ValueError, "alpha"),
        (lambda: entropy(x, base=1), ValueError, "base"),
        (lambda: entropy(x, method="nystrom"), ValueError, "method"),
        (lambda: entropy(x[0]), ValueError, "shape"),
        (lambda: entropy(x[:0]), ValueError, "sample"),
        (lambda: entropy(np.repeat(np.eye(2), [5, 1], 0), sigma="median"), ValueError, "sigma"),
        (lambda: spectra.neighbor_bandwidth(x, k=6), ValueError, "k must be"),
        (lambda: spectra.neighbor_adjacency(x, k=7), ValueError, "k must be"),
        (lambda: inform(labels[:3], num_classes=1), ValueError, "labels must have shape"),
        (lambda: inform(labels - 1, num_classes=1), ValueError, r"labels\[0\] = -1"),
        (lambda: inform(labels / 2, num_classes=1), TypeError, "labels must be integers"),
        (lambda: inform(labels, num_classes=1, capacity=3), ValueError, "capacity"),
    ):
        with pytest.raises(kind, match=pattern):
            call()
    nothing = spectra.diffusion_spectral_entropy(x, where=np.zeros(6, bool))
    assert np.isnan(nothing)
    assert np.isnan(jax.jit(lambda s: entropy(x, sigma=s))(-1.0))


def test_the_derivative_at_coincident_eigenvalues():
    """Of a square and its centre: eigenvalues coincide, differences show the derivative."""
    corners = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1], [0, 0]])
    direction = np.random.default_rng(0).normal(size=corners.shape)
    with jax.enable_x64(True):
        value = functools.partial(spectra.diffusion_spectral_entropy, sigma=1.0)
        slope = np.sum(jax.grad(value)(corners) * direction)
        step = 1e-5 * direction
        change = (value(corners + step) - value(corners - step)) / 2e-5
    np.testing.assert_allclose(slope, change, rtol=1e-6)


def test_bandwidths_by_numpy():
    x = np.random.default_rng(0).normal(size=(201, 4)).astype(np.float32) + 50
    distances = cdist(x.astype(float), x.astype(float))
    upper = distances[np.triu_indices(201, 1)]
    np.testing.assert_allclose(spectra.median_bandwidth(x), np.median(upper), rtol=1e-5)
    third = np.median(np.sort(distances, 1)[:, 3])
    np.testing.assert_allclose(spectra.neighbor_bandwidth(x, k=3), third, rtol=1e-4)
    widths = np.geomspace(upper.min() / 4, upper.max() * 4, 64)
    sums = [
        np.log(np.exp(-(distances**2) / (2 * w**2)).sum())
        for w in np.geomspace(upper.min() / 4, upper.max() * 4, 6301)
    ]
    slopes = np.gradient(sums)[::100]
    best = widths[np.argmax(slopes)]
    np.testing.assert_allclose(spectra.diffusion_bandwidth(x), best, rtol=1e-3)
    # A deterministic share of the samples: the ends of their order and all between.
    some = spectra.median_bandwidth(x, max_samples=101)
    chosen = (np.arange(101) * 201) // 101
    part = distances[np.ix_(chosen, chosen)][np.triu_indices(101, 1)]
    np.testing.assert_allclose(some, np.median(part), rtol=1e-5)

"""Estimators from nearest neighbours: closed forms, brute force, peers, and what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import digamma
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

from infojax import divergences, information


def _correlated(rho, count=300, size=1, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, size))
    return x, rho * x + np.sqrt(1 - rho**2) * rng.normal(size=(count, size))


def _apart(*variables):
    return [np.abs(v[:, None] - v[None]).max(-1) for v in variables]


def _in_float64(function, *arguments, **options):
    with jax.enable_x64(True):
        return float(function(*map(jnp.asarray, arguments), **options))


def test_ksg_against_brute_force_and_scikit_learn():
    x, y = _correlated(0.8)
    value = _in_float64(information.ksg_mutual_information, x, y)
    # It scales and adds noise of 1e-10, which moves no point across a radius.
    unit = x / x.std(), (y - y.mean()) / y.std()
    value_of_unit = _in_float64(information.ksg_mutual_information, *unit)
    peer = mutual_info_regression(unit[0], unit[1][:, 0], n_neighbors=3, random_state=0)[0]
    assert abs(value_of_unit - peer) < 1e-5
    dx, dy = _apart(x, y)
    d = np.maximum(dx, dy) + np.diag(np.full(300, np.inf))
    order = np.argsort(d, 1)[:, :3]
    radius = np.take_along_axis(d, order, 1)[:, 2]
    inner = [digamma((z < radius[:, None]).sum(1)).mean() for z in (dx, dy)]
    assert abs(value - (digamma(3) + digamma(300) - sum(inner))) < 1e-9
    second = digamma(3) - 1 / 3 + digamma(300)
    for z in (dx, dy):
        edge = np.take_along_axis(z, order, 1).max(1)
        second -= digamma((z <= edge[:, None]).sum(1) - 1).mean()
    found = _in_float64(information.ksg_mutual_information, x, y, variant=2)
    assert abs(found - second) < 1e-9
    single = information.ksg_mutual_information(x.astype("f"), y.astype("f"), base=2)
    assert abs(float(single) - value / np.log(2)) < 1e-5


def test_several_neighbours_give_the_median_and_masks_leave_out():
    x, y = (z.astype(np.float32) for z in _correlated(0.5, 103))
    each = [information.ksg_mutual_information(x, y, k=k) for k in (2, 3, 5)]
    together = information.ksg_mutual_information(x, y, k=(2, 3, 5))
    np.testing.assert_allclose(together, np.median(each), rtol=1e-5)
    keep = np.arange(103) % 5 != 1
    for function in (
        information.ksg_mutual_information,
        information.mixed_mutual_information,
        information.local_nonuniformity_mutual_information,
    ):
        dirty = np.where(keep[:, None], x, np.nan)
        masked = function(dirty, y, k=4, where=keep)
        np.testing.assert_allclose(masked, function(x[keep], y[keep], k=4), rtol=1e-4, atol=1e-6)


def test_conditional_against_brute_force():
    rng = np.random.default_rng(0)
    x, y, z = rng.normal(size=(3, 200, 1)) + rng.normal(size=(200, 1))
    dx, dy, dz = _apart(x, y, z)
    joint = np.maximum(np.maximum(dx, dy), dz) + np.diag(np.full(200, np.inf))
    radius = np.sort(joint, 1)[:, 2:3]
    counts = [dz, np.maximum(dx, dz), np.maximum(dy, dz)]
    of_z, of_xz, of_yz = (digamma((d < radius).sum(1)).mean() for d in counts)
    found = _in_float64(information.ksg_conditional_mutual_information, x, y, z)
    assert abs(found - (digamma(3) + of_z - of_xz - of_yz)) < 1e-9


def _ross(x, labels, k):
    """Sample by sample, in numpy."""
    sizes = np.array([(labels == label).sum() for label in labels])
    x, labels, sizes = x[sizes > 1, 0], labels[sizes > 1], sizes[sizes > 1]
    terms = []
    for one, label, size in zip(x, labels, sizes, strict=True):
        own = min(k, size - 1)
        radius = np.sort(np.abs(x[labels == label] - one))[own]
        terms.append(digamma(own) - digamma(size) - digamma((np.abs(x - one) < radius).sum()))
    return digamma(len(x)) + np.mean(terms)


def test_labels_against_brute_force_and_scikit_learn():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 300)
    x = rng.normal(size=(300, 1)) + labels[:, None]
    x /= x.std()
    estimate = information.discrete_continuous_mutual_information
    found = _in_float64(estimate, x, labels, num_classes=6)
    peer = mutual_info_classif(x, labels, n_neighbors=3, random_state=0)[0]
    assert abs(found - peer) < 1e-5
    labels[:2], labels[2] = 5, 4  # a class of two samples, and one of a single sample
    found = _in_float64(estimate, x, labels, num_classes=6)
    assert abs(found - _ross(x, labels, 3)) < 1e-9
    with pytest.raises(ValueError, match="two samples"):
        information.discrete_continuous_mutual_information(x[:8], np.arange(8), num_classes=8)
    with pytest.raises(TypeError, match="labels must have an integer"):
        information.discrete_continuous_mutual_information(x, x[:, 0], num_classes=8)


def test_mixed_variables():
    rng = np.random.default_rng(0)
    symbols = rng.integers(0, 3, (300, 1)).astype(float)
    y = np.where(rng.uniform(size=(300, 1)) < 0.5, symbols, rng.normal(size=(300, 1)))
    dx, dy = _apart(symbols, y)
    d = np.maximum(dx, dy) + np.diag(np.full(300, np.inf))
    radius = np.sort(d, 1)[:, 2:3]
    k = np.where(radius == 0, (d == 0).sum(1, keepdims=True), 3)[:, 0]
    logs = sum(np.log((z <= radius).sum(1)).mean() for z in (dx, dy))
    found = _in_float64(information.mixed_mutual_information, symbols, y)
    assert abs(found - (digamma(k).mean() + np.log(300) - logs)) < 1e-9


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.9])
def test_gaussians_within_bias(rho):
    x, y = (z.astype(np.float32) for z in _correlated(rho, 2000))
    truth = -0.5 * np.log(1 - rho**2)
    for function in (
        information.ksg_mutual_information,
        information.local_nonuniformity_mutual_information,
    ):
        assert abs(function(x, y, k=5) - truth) < 0.08
    entropy = information.kozachenko_leonenko_entropy(np.concatenate([x, y], 1))
    assert abs(entropy - (np.log(2 * np.pi * np.e) - truth)) < 0.08
    shifted = divergences.kl_divergence_from_samples(x, y + np.float32(1), k=5)
    assert abs(shifted - 0.5) < 0.15


def test_strong_dependence_is_corrected():
    x, y = (z.astype(np.float32) for z in _correlated(np.sqrt(1 - 1e-6), 500))
    plain = information.ksg_mutual_information(x, y)
    corrected = information.local_nonuniformity_mutual_information(x, y)
    truth = -0.5 * np.log(1e-6)
    assert plain < truth - 1.5
    assert abs(corrected - truth) < 0.7
    independent = [z.astype(np.float32) for z in _correlated(0.0, 300, 2)]
    assert abs(information.local_nonuniformity_mutual_information(*independent, k=7)) < 0.1
    with pytest.raises(ValueError, match="up to 6 coordinates"):
        information.local_nonuniformity_mutual_information(*np.ones((2, 20, 4), np.float32))
    with pytest.raises(ValueError, match="k must be above the 2"):
        information.local_nonuniformity_mutual_information(x, y, k=2)
    with pytest.raises(ValueError, match="alpha"):
        information.local_nonuniformity_mutual_information(x, y, alpha=0.0)


def test_ties_are_refused_and_jitter_breaks_them():
    x = np.round(_correlated(0.0, 100)[0]).astype(np.float32)
    with pytest.raises(ValueError, match="no more than k equal"):
        information.ksg_mutual_information(x, x)
    noisy = information.jitter(x, jax.random.key(0))
    assert np.isfinite(information.kozachenko_leonenko_entropy(noisy))
    assert len(np.unique(noisy)) == 100 and np.max(np.abs(noisy - x)) < 1e-3
    assert information.kozachenko_leonenko_entropy(x) == -np.inf
    with pytest.raises(ValueError, match="nan"):
        information.jitter(np.full((3, 1), np.nan, np.float32), jax.random.key(0))


def test_flows_of_symbols():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, 3000)
    y = np.where(rng.uniform(size=3000) < 0.1, 1 - np.roll(x, 1), np.roll(x, 1))
    capacity = np.log(2) + 0.1 * np.log(0.1) + 0.9 * np.log(0.9)
    flow = information.transfer_entropy_from_symbols
    assert abs(flow(x, y, num_symbols=2) - capacity) < 0.03
    assert abs(flow(y, x, num_symbols=2, correction="miller_madow")) < 0.005
    directed = information.directed_information_from_symbols
    both = directed(jnp.stack([x, y]), jnp.stack([y, x]), num_symbols=2)
    assert both.shape == (2,) and both[0] > 0.3 and both[1] < 0.01
    present = directed(y, y, num_symbols=2, base=2)
    assert abs(present - 1) < 0.01
    for error, pattern, series, options in [
        (ValueError, "from 0 to 1", x + 1, {}),
        (TypeError, "integer", x.astype(float), {}),
        (ValueError, "T above 4", x[:3], {"history": 4}),
        (ValueError, "table", x, {"history": 30}),
    ]:
        with pytest.raises(error, match=pattern):
            flow(series, series, num_symbols=2, **options)


def test_flow_of_real_series_has_its_direction():
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=(2, 800, 1)).astype(np.float32)
    y = 0.8 * np.roll(x, 1, 0) + 0.6 * noise
    assert information.transfer_entropy(x, y) > 0.35
    assert abs(information.transfer_entropy(y, x)) < 0.1
    with pytest.raises(ValueError, match="at least"):
        information.transfer_entropy(x[:5], y[:5], history=2)


def test_options_are_checked():
    x = np.zeros((5, 1), np.float32)
    with pytest.raises(ValueError, match="variant"):
        information.ksg_mutual_information(x, x, variant=3)
    with pytest.raises(ValueError, match="at least 4 samples"):
        information.ksg_mutual_information(x[:3], x[:3])
    with pytest.raises(ValueError, match="k must name"):
        information.ksg_mutual_information(x, x, k=())
    with pytest.raises(ValueError, match="metric"):
        information.kozachenko_leonenko_entropy(x, metric="taxi")

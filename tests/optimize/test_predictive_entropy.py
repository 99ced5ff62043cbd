"""Predictive entropy search of a box against sampled functions, and derivatives in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax.optimize import acquisition, covariance, gaussian_process
from infojax.optimize.covariance.jets import jet_correlations, jet_order, jet_prior
from tests.optimize.problems import small

_CONDITIONS = ("candidate", "observations", "stationarity")


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("name", ["matern52", "squared_exponential"])
def test_jets_are_derivatives_of_the_kernel(name):
    rng = np.random.default_rng(0)
    points, scales = rng.uniform(size=(4, 2)), jnp.array([0.4, 0.9])
    place = jnp.asarray(points[0])  # one of the points is the place itself
    parameters = gaussian_process.Parameters(scales)
    kernel = covariance.Stationary(name)

    def value(points, place):
        return kernel(points, place[None], parameters)[:, 0]

    first = jax.jacfwd(value, 1)(jnp.asarray(points), place)
    second = jax.jacfwd(jax.jacfwd(value, 1), 1)(jnp.asarray(points), place)
    found = jet_correlations(name, jnp.asarray(points), place, scales)
    prior = jet_prior(name, 2, found.dtype)
    unit = {"matern52": (5 / 3, 25.0), "squared_exponential": (1.0, 3.0)}[name]
    np.testing.assert_allclose(found[:, 0], value(points, place), rtol=1e-12)
    np.testing.assert_allclose(found[:, 1:3], first * scales / unit[0] ** 0.5, atol=1e-12)
    diagonal = jnp.diagonal(second, axis1=1, axis2=2)
    np.testing.assert_allclose(found[:, 3:], diagonal * scales**2 / unit[1] ** 0.5, atol=1e-12)
    # The first point is the place itself: its row is the prior's.
    np.testing.assert_allclose(found[0], prior[0], atol=1e-12)
    step, along = 1e-3, jnp.eye(2)

    def bent(axis, other):
        """By differences: the covariance of second derivatives, scaled."""
        moved = [place + sign * step * along[axis] for sign in (1, 0, -1)]
        rows = jet_correlations(name, jnp.stack(moved), place, scales)[:, 3 + other]
        return (rows[0] - 2 * rows[1] + rows[2]) / step**2 * scales[axis] ** 2 / unit[1] ** 0.5

    expected = [[bent(i, j) for j in range(2)] for i in range(2)]
    np.testing.assert_allclose(prior[3:, 3:], expected, atol=0.02)
    np.testing.assert_array_equal(prior[1:3, 1:3], np.eye(2))
    np.testing.assert_array_equal(prior[1:3, 3:], 0)


def test_as_many_derivatives_as_there_are():
    assert [jet_order(name) for name in ("matern12", "matern32", "matern52")] == [0, 1, 2]
    scales = jnp.array([0.5])
    place = jnp.array([0.3])
    for name, order in (("matern12", 0), ("matern32", 1)):
        row = jet_correlations(name, place[None], place, scales)
        np.testing.assert_allclose(row, jet_prior(name, 1, row.dtype)[:1], atol=1e-12)
        assert row.shape == (1, 1 + order)


def test_truncation_is_that_of_sampled_pairs():
    gp = small(6)
    candidates = jnp.array([[0.2, 0.6], [0.7, 0.1]])
    maximizer = jnp.array([[0.9, 0.8]])
    noise = gp.parameters.noise_variance
    highest = jnp.max(gp.values)
    for conditions in ("candidate", "observations"):
        found = acquisition.predictive_entropy_search(
            gp, candidates, maximizer, conditions=conditions
        )
        for candidate, value in zip(candidates, found, strict=True):
            pair = jnp.stack([candidate, maximizer[0]])
            here, best = gaussian_process.sample(jax.random.key(0), gp, pair, 200_000).T
            kept = best >= here
            if conditions == "observations":
                error = jnp.sqrt(noise) * jax.random.normal(jax.random.key(1), best.shape)
                kept &= best + error >= highest
            before, after = jnp.var(here) + noise, jnp.var(here[kept]) + noise
            np.testing.assert_allclose(value, 0.5 * jnp.log(before / after), atol=0.02)
    # A candidate that is the maximiser itself is not held below it.
    same = acquisition.predictive_entropy_search(gp, maximizer, maximizer, conditions="candidate")
    np.testing.assert_allclose(same, 0, atol=1e-6)


def _by_functions(gp, grid, samples):
    """The exact discrete form: argmaxes of sampled functions, and what each says of the others.

    Returns:
        Indices of the argmaxes that are frequent, how often each is, and the information of each.
    """
    noise = float(gp.parameters.noise_variance)
    mean, matrix = gaussian_process.posterior(gp, grid)
    values, vectors = np.linalg.eigh(matrix)
    root = vectors * np.sqrt(np.maximum(values, 0))
    base = np.random.default_rng(0).normal(size=(samples, len(grid)))
    functions = np.asarray(mean) + base @ root.T
    winners = functions.argmax(1)
    counts = np.bincount(winners, minlength=len(grid))
    often = np.flatnonzero(counts > 0.004 * samples)
    own = np.diag(matrix)
    variances = np.stack([functions[winners == place].var(0) for place in often])
    return often, counts[often], 0.5 * np.log((own + noise) / (variances + noise))


def test_the_exact_discrete_form_is_the_oracle():
    x = np.random.default_rng(1).uniform(size=(5, 1))
    y = np.sin(6 * x[:, 0]) + x[:, 0]
    gp = gaussian_process.condition(x, y, gaussian_process.Parameters(0.25, 1.0, 1e-3, 0.3))
    grid = jnp.linspace(0, 1, 61)[:, None]
    often, counts, each = _by_functions(gp, grid, 40_000)
    shares = counts / counts.sum()
    exact = shares @ each
    bounds = jnp.array([[0.0], [1.0]])
    errors = []
    for conditions in _CONDITIONS:
        found = jax.vmap(
            lambda place, conditions=conditions: acquisition.predictive_entropy_search(
                gp, grid, place[None], bounds=bounds, conditions=conditions
            )
        )(grid[often])
        value = shares @ found
        errors.append(np.mean(np.abs(value - exact)))
    # What is said of the place more brings the value nearer, and the last one near.
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.25 * np.mean(exact)
    ranks = [np.argsort(np.argsort(numbers)) for numbers in (value, exact)]
    assert np.corrcoef(*ranks)[0, 1] > 0.95 and np.corrcoef(value, exact)[0, 1] > 0.97
    assert exact[np.argmax(value)] > 0.98 * np.max(exact)
    # Of each place by itself, too.
    assert np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(found, each, strict=True)]) > 0.95


def test_at_a_bound_nothing_is_said_across_it():
    gp = small(6)
    corner, inside = jnp.array([[1.0, 1.0]]), jnp.array([[1.0, 0.5]])
    points = jnp.array([[0.95, 0.9], [0.2, 0.3]])
    bounds = jnp.array([[0.0, 0.0], [1.0, 1.0]])

    def found(place, conditions, bounds=bounds):
        return acquisition.predictive_entropy_search(
            gp, points, place, bounds=bounds, conditions=conditions
        )

    np.testing.assert_allclose(
        found(corner, "stationarity"), found(corner, "observations"), rtol=1e-9
    )
    assert np.all(found(inside, "stationarity") > found(inside, "observations"))
    assert np.all(found(inside, None, None) > found(inside, "stationarity"))


def test_places_are_where_the_paths_are_highest():
    gp = small(3, noise=1e-4)
    bounds = jnp.array([[0.0, 0.0], [1.0, 1.0]])
    axis = jnp.linspace(0, 1, 41)
    grid = jnp.stack(jnp.meshgrid(axis, axis), -1).reshape(-1, 2)
    key = jax.random.key(0)
    places, values = acquisition.sample_maximizers(key, gp, grid[::7], bounds, 6)
    paths = gaussian_process.sample_paths(key, gp, 6)
    assert np.all(values >= jnp.max(paths(grid), 1) - 1e-3)
    np.testing.assert_allclose(values, jnp.diagonal(paths(places)), rtol=1e-9)
    assert np.all((places >= 0) & (places <= 1))
    assert len(np.unique(np.round(places, 6), axis=0)) > 2


def test_a_kernel_with_a_column_more_knows_the_candidate_alone():
    kernel = covariance.LinearTruncated(jnp.array([0.5]))
    x = jnp.array([[0.1, 1.0], [0.6, 0.5], [0.9, 1.0]])
    gp = gaussian_process.condition(
        x, jnp.array([0.0, 9.0, 0.5]), gaussian_process.Parameters(0.4, 1.0, 0.01), kernel=kernel
    )
    at = jnp.array([[0.3, 1.0], [0.3, 0.2]])
    best = jnp.array([[0.5, 1.0]])
    found = acquisition.predictive_entropy_search(gp, at, best)
    expected = acquisition.predictive_entropy_search(gp, at, best, conditions="candidate")
    np.testing.assert_array_equal(found, expected)
    assert np.all(found > 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda gp: acquisition.predictive_entropy_search(gp, gp.inputs, np.zeros((0, 2))),
            "maximizers must hold at least one sample",
        ),
        (
            lambda gp: acquisition.predictive_entropy_search(
                gp, gp.inputs, gp.inputs, conditions="all"
            ),
            "conditions must be one of",
        ),
        (
            lambda gp: acquisition.predictive_entropy_search(
                gp, gp.inputs, gp.inputs, bounds=jnp.ones((2, 2))
            ),
            r"bounds must be finite, bounds\[0\] below",
        ),
        (
            lambda gp: acquisition.sample_maximizers(
                jax.random.key(0), gp, np.zeros((0, 2)), jnp.array([[0.0, 0.0], [1.0, 1.0]]), 1
            ),
            "points must hold at least one point",
        ),
        (
            lambda gp: acquisition.sample_maximizers(
                jax.random.key(0), gp, gp.inputs, jnp.array([[0.0, 0.0], [1.0, 1.0]]), 0
            ),
            "n must be at least 1",
        ),
    ],
)
def test_faults(call, message):
    with pytest.raises(ValueError, match=message):
        call(small())

"""The search in one program: it finds optima, repeats itself, and says what is wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh

from infojax import optimize
from infojax.optimize.search_rules import RULES

_BOUNDS = [(-2.0, 2.0)]
_LITTLE = {"raw": 32, "starts": 2, "steps": 8, "fit_starts": 1, "fit_steps": 8}


def _wave(key, x):
    """On [-2, 2] least at -.8977 with -1.3806 (and a second minimum near 1.1)."""
    del key
    return jnp.sin(3 * x[0]) * jnp.cos(x[0] / 2) + 0.5 * x[0] - 0.0 * x[0] ** 2


def _minimum():
    x = np.linspace(-2, 2, 400_001)
    values = np.sin(3 * x) * np.cos(x / 2) + 0.5 * x
    return values.min()


def _search(key, objective=_wave, **keywords):
    given = {"maximize": False, "evaluations": 10, **_LITTLE} | keywords
    return optimize.bayesian_optimization(key, objective, _BOUNDS, **given)


def test_replicates_find_the_minimum_and_are_what_they_are_alone():
    keys = jax.random.split(jax.random.key(0), 3)
    trace = _search(keys)
    assert trace.points.shape == (3, 10, 1) and trace.incumbents.shape == (3, 10, 1)
    np.testing.assert_allclose(trace.best_values()[:, -1], _minimum(), atol=5e-3)
    np.testing.assert_allclose(trace.recommended, trace.incumbents[:, -1])
    lowest = jnp.take_along_axis(trace.points[..., 0], jnp.argmin(trace.values, 1)[:, None], 1)
    np.testing.assert_array_equal(trace.recommended, lowest)
    assert np.all(np.diff(trace.best_values(), axis=1) <= 0)
    # The same bits again; the same first points without neighbours.
    np.testing.assert_array_equal(_search(keys).points, trace.points)
    devices = Mesh(np.asarray(jax.devices()[:1]), ("replicate",))
    spread = _search(keys, mesh=devices)
    np.testing.assert_allclose(spread.points[:, :5], trace.points[:, :5], atol=1e-3)


def test_maximizing_is_minimizing_the_negative():
    key = jax.random.key(1)
    low = _search(key, evaluations=6)
    high = _search(key, lambda key, x: -_wave(key, x), evaluations=6, maximize=True)
    np.testing.assert_array_equal(low.points, high.points)
    np.testing.assert_array_equal(low.best_values(), -high.best_values())


def test_noise_and_constraints_and_batches_at_once():
    def noisy(key, x):
        return _wave(key, x) + 0.05 * jax.random.normal(key)

    def right_half(key, x):
        del key
        return -x[0]

    trace = _search(
        jax.random.key(2),
        noisy,
        constraints=right_half,
        acquisition="constrained_expected_improvement",
        noisy=True,
        evaluations=12,
        initial=4,
        batch_size=2,
    )
    assert trace.constraint_values.shape == (12, 1)
    np.testing.assert_allclose(trace.constraint_values, -trace.points, rtol=1e-6)
    # Least where x is positive: near 1.5, with -.03.
    assert trace.recommended[0] >= -0.05
    after = trace.points[4:, 0]
    assert np.mean(after > -0.1) > 0.5
    finite = np.isfinite(trace.best_values())
    assert np.all(np.diff(finite.astype(int)) >= 0)


def test_failures_are_told_or_dropped():
    def broken(key, x):
        return jnp.where(x[0] > 0, jnp.nan, _wave(key, x))

    with pytest.raises(ValueError, match="objective and constraints must return finite values; "):
        _search(jax.random.key(0), broken)
    trace = _search(jax.random.key(0), broken, drop_failed=True)
    failed = np.isnan(trace.values)
    assert failed.any() and not failed.all()
    assert np.isfinite(trace.best_values()[-1]) and trace.recommended[0] <= 0
    # A place that failed is not chosen again and again.
    assert len(np.unique(np.round(trace.points[failed], 3))) == failed.sum()
    with pytest.raises(ValueError, match="finite value somewhere"):
        _search(
            jax.random.key(0),
            lambda key, x: jnp.nan * x[0],
            acquisition="random",
            drop_failed=True,
        )


def test_blind_searches_and_constant_objectives():
    for name in ("random", "sobol"):
        trace = _search(jax.random.key(0), acquisition=name)
        assert trace.points.shape == (10, 1) and np.all(np.abs(trace.points) <= 2)
    flat = _search(jax.random.key(0), lambda key, x: 3.0 + 0 * x[0], evaluations=6)
    np.testing.assert_array_equal(flat.values, 3.0)
    assert len(np.unique(flat.points)) == 6


@pytest.mark.parametrize("name", sorted(set(RULES) - {"constrained_expected_improvement"}))
def test_every_rule_makes_a_step(name):
    trace = _search(jax.random.key(0), acquisition=name, evaluations=5, initial=4, steps=2)
    assert np.all(np.isfinite(trace.points)) and np.all(np.isfinite(trace.values))


def test_a_rule_of_ones_own():
    def greedy(key, model):
        del key
        gp = model.gp
        return lambda x: optimize.gaussian_process.marginals(gp, x[None])[0][0]

    trace = _search(jax.random.key(0), acquisition=greedy, evaluations=5)
    assert np.isfinite(trace.values).all()


@pytest.mark.parametrize(
    ("keywords", "error", "pattern"),
    [
        ({"evaluations": 0}, ValueError, "evaluations"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"batch_size": 1.5}, TypeError, "batch_size"),
        ({"initial": 20}, ValueError, "evaluations must be initial plus a multiple"),
        ({"initial": 5, "batch_size": 2}, ValueError, "evaluations must be initial plus"),
        ({"acquisition": "best"}, ValueError, "acquisition must be one of .*sobol.*got 'best'"),
        ({"acquisition": 3}, TypeError, "acquisition must be a name or a rule"),
        ({"acquisition": "constrained_expected_improvement"}, ValueError, "needs constraints"),
        ({"maximize": "no"}, TypeError, "maximize must be True or False"),
        ({"objective": 3.0}, TypeError, "objective must be a function"),
        ({"constraints": 3.0}, TypeError, "constraints must be a function"),
        ({"kernel": "cubic"}, ValueError, "kernel"),
        ({"objective": lambda key, x: x}, ValueError, "objective must return one number"),
        ({"mesh": 1}, ValueError, 'mesh must be a Mesh with an axis "replicate"'),
        ({"raw": 0}, ValueError, "raw"),
    ],
)
def test_mistakes(keywords, error, pattern):
    with pytest.raises(error, match=pattern):
        _search(jax.random.key(0), **keywords)


def test_a_key_must_be_one():
    with pytest.raises(TypeError, match="key must be a key"):
        _search(jnp.zeros(2, jnp.uint32))

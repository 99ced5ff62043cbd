"""The search in one program: it finds optima, repeats itself, and says what is wrong.

Programs are compiled without optimisation: they run once.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh

from infojax import optimize
from infojax.optimize.box_search import box
from infojax.optimize.proposals import Effort
from infojax.optimize.search_model import empty, fit_model, write
from infojax.optimize.search_plan import Bench, checked_plan
from infojax.optimize.search_rules import RULES, expected_rise

_BOUNDS = [(-2.0, 2.0)]
_LITTLE = {"raw": 32, "starts": 2, "steps": 8, "fit_starts": 1, "fit_steps": 8}
_compiled = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def _wave(key, x):
    """On [-2, 2] least near -.57 with -1.24; among x >= 0 at 0."""
    del key
    return jnp.sin(3 * x[0]) * jnp.cos(x[0] / 2) + 0.5 * x[0]


def _minimum():
    x = np.linspace(-2, 2, 400_001)
    return (np.sin(3 * x) * np.cos(x / 2) + 0.5 * x).min()


def _search(key, objective=_wave, **keywords):
    given = {"maximize": False, "evaluations": 10, **_LITTLE} | keywords
    return optimize.bayesian_optimization(key, objective, _BOUNDS, **given)


def test_replicates_find_the_minimum_and_repeat_themselves():
    run, keys = _compiled(_search), jax.random.split(jax.random.key(0), 3)
    trace = run(keys)
    assert trace.points.shape == (3, 10, 1) and trace.incumbents.shape == (3, 10, 1)
    np.testing.assert_allclose(trace.best_values()[:, -1], _minimum(), atol=5e-3)
    lowest = jnp.take_along_axis(trace.points[..., 0], jnp.argmin(trace.values, 1)[:, None], 1)
    np.testing.assert_array_equal(trace.recommended, lowest)
    np.testing.assert_array_equal(trace.incumbents[:, -1], trace.recommended)
    assert np.all(np.diff(trace.best_values(), axis=1) <= 0)
    np.testing.assert_array_equal(run(keys).points, trace.points)


def test_points_of_ones_own_come_first():
    """Before those of a rule that looks at nothing; before a model's in `test_a_batch_at_once`."""
    mine, keys = jnp.array([[1.5], [-0.6], [2.0]]), jax.random.split(jax.random.key(0), 2)
    for name in ("random", "sobol"):
        search = functools.partial(_search, acquisition=name)
        others, eager = search(keys).points, search(keys, initial_points=mine, initial=3).points
        np.testing.assert_allclose(eager[:, :3], jnp.stack([mine, mine]), atol=1e-6)
        np.testing.assert_array_equal(eager[:, 3:], others[:, :7])
    traced = jax.jit(lambda keys, points: search(keys, initial_points=points))
    np.testing.assert_allclose(traced(keys, mine).points, eager, atol=1e-6)
    alone = traced(keys[0], mine)
    np.testing.assert_allclose(alone.points, eager[0], atol=1e-6)
    # What is not valid and not checked leaves nothing that could be taken for a result.
    outside = traced(keys[0], mine.at[1].set(3.0))
    assert all(np.isnan(leaf).all() for leaf in jax.tree.leaves(outside))


def test_noise_constraints_and_batches_at_once():
    def noisy(key, x):
        return _wave(key, x) + 0.05 * jax.random.normal(key)

    def negative(key, x):
        del key
        return -x[0]

    search = functools.partial(
        _search,
        objective=noisy,
        constraints=negative,
        acquisition="constrained_expected_improvement",
        noisy=True,
        evaluations=12,
        initial=4,
        batch_size=2,
    )
    trace = _compiled(search)(jax.random.key(2))
    np.testing.assert_allclose(trace.constraint_values, -trace.points, rtol=1e-6)
    assert trace.recommended[0] >= -0.05
    assert np.mean(trace.points[4:, 0] > -0.1) > 0.5
    finite = np.isfinite(trace.best_values())
    assert np.all(np.diff(finite.astype(int)) >= 0)
    # The two points of a round differ.
    assert np.abs(trace.points[4::2] - trace.points[5::2]).min() > 1e-4


def test_failures_may_be_dropped():
    def broken(key, x):
        return jnp.where(x[0] > 0, jnp.nan, _wave(key, x))

    trace = _compiled(functools.partial(_search, objective=broken, drop_failed=True))(
        jax.random.key(0)
    )
    failed = np.isnan(trace.values)
    assert failed.any() and not failed.all()
    assert np.isfinite(trace.best_values()[-1]) and trace.recommended[0] <= 0
    # A place that failed is not chosen again and again.
    assert len(np.unique(np.round(trace.points[failed], 3))) == failed.sum()


def test_failures_are_told():
    def broken(key, x):
        return jnp.where(x[0] > 0, jnp.nan, _wave(key, x))

    with pytest.raises(ValueError, match=r"\d of 10 evaluations did not, the first at .*drop_fail"):
        _search(jax.random.key(0), broken, acquisition="random")
    with pytest.raises(ValueError, match="finite value somewhere"):
        _search(
            jax.random.key(0),
            lambda key, x: jnp.nan * x[0],
            acquisition="random",
            drop_failed=True,
        )


def test_every_rule_makes_steps_also_on_a_constant():
    names = sorted(name for name in RULES if not RULES[name].joint and "constrained" not in name)

    def one(which, scale):
        def rule(key, model):
            functions = [RULES[name].build(key, model) for name in names]
            return lambda x: jnp.stack([function(x) for function in functions])[which]

        return _search(
            jax.random.key(0),
            lambda key, x: 3.0 + scale * _wave(key, x),
            acquisition=rule,
            evaluations=7,
            steps=3,
        )

    which, scale = jnp.meshgrid(jnp.arange(len(names)), jnp.array([0.0, 1.0]))
    trace = _compiled(jax.vmap(one))(which.ravel(), scale.ravel())
    assert np.isfinite(trace.points).all()
    flat, wave = trace.values[: len(names)], trace.values[len(names) :]
    np.testing.assert_array_equal(flat, 3.0)
    assert len(np.unique(np.round(trace.points[len(names) :, 4:, 0], 4))) > len(names)
    # Every rule but chance itself finds better than the first four points, or as good.
    assert np.all(wave[:, 4:].min(1) <= wave[:, :4].min(1) + 0.5)


def test_the_maximum_is_above_what_is_known():
    """A draw of it below the best value would make that point the best to look at once more."""
    rng = np.random.default_rng(2)
    with jax.enable_x64(True):
        points, values = jnp.asarray(rng.random((20, 6))), jnp.zeros(20).at[2].set(30.0)
        data = write(empty(23, 6, 0, jnp.float64), 0, points, values, jnp.zeros((20, 0)))
        options = {"kernel": "matern52", "noisy": False, "believes": False}
        model = fit_model(jax.random.key(0), data, starts=1, steps=8, **options)
        elsewhere = jnp.asarray(rng.random((300, 6)))

        @_compiled
        def entropies(key, points):
            return jax.vmap(RULES["max_value_entropy_search"].build(key, model))(points)

        for seed in range(3):
            key = jax.random.key(seed)
            known, others = entropies(key, points[2:3]), entropies(key, elsewhere)
            assert known[0] < 0.1 * jnp.max(others)


def test_rules_of_entropy_know_the_noise_and_the_box():
    rng = np.random.default_rng(0)
    points = jnp.asarray(rng.random((8, 2)), jnp.float32)
    values = jnp.sin(5 * points[:, 0]) + 0.5 * jnp.asarray(rng.normal(size=8), jnp.float32)
    data = write(empty(8, 2, 0, jnp.float32), 0, points, values, jnp.zeros((8, 0)))
    options = {"kernel": "matern52", "believes": False, "starts": 1, "steps": 2}

    @_compiled
    def told(key, data, at):
        model = fit_model(key, data, noisy=True, **options)
        clean = dataclasses.replace(model, noisy=False)

        def rule(name, model):
            return RULES[name].build(key, model)(at)

        key_points, key_paths = jax.random.split(key)
        spread = optimize.sobol_points(key_points, 512, 2)
        starts = jnp.concatenate([spread, data.points[jnp.argsort(-data.values)]])
        cube = jnp.array([[0.0, 0.0], [1.0, 1.0]])
        places, _ = optimize.acquisition.sample_maximizers(key_paths, model.gp, starts, cube, 16)
        # The rule's beliefs, worked out once, are those of the function.
        by_function = optimize.acquisition.predictive_entropy_search(
            model.gp, at[None], places, bounds=cube
        )
        return (
            rule("max_value_entropy_search", model),
            rule("max_value_entropy_search", clean),
            rule("predictive_entropy_search", model),
            by_function[0],
        )

    noisy, clean, by_rule, by_function = told(jax.random.key(0), data, jnp.array([0.4, 0.7]))
    assert 0 < noisy < clean
    np.testing.assert_allclose(by_rule, by_function, rtol=1e-3)
    assert by_rule > 0.01


def test_a_batch_at_once():
    search = functools.partial(
        _search,
        acquisition="q_expected_improvement",
        evaluations=10,
        batch_size=3,
        maximize=True,
    )
    mine = jnp.array([[-1.9], [-0.7], [0.1], [1.2]])
    trace = _compiled(lambda points: search(jax.random.key(0), initial_points=points))(mine)
    np.testing.assert_allclose(trace.points[:4], mine, atol=1e-6)
    rounds = np.sort(np.asarray(trace.points[4:, 0]).reshape(2, 3), 1)
    assert np.diff(rounds, axis=1).min() > 1e-3
    # The maximum is near 2 or .6; the search came near to it.
    x = np.linspace(-2, 2, 4001)
    top = (np.sin(3 * x) * np.cos(x / 2) + 0.5 * x).max()
    assert trace.best_values()[-1] > top - 0.3


def test_signs_and_blind_searches_over_devices():
    mesh = Mesh(np.asarray(jax.devices()[:1]), ("replicate",))
    keys = jax.random.split(jax.random.key(0), 2)
    for name in ("random", "sobol"):
        low = _search(keys, acquisition=name)
        high = _search(keys, acquisition=name, maximize=True, mesh=mesh)
        np.testing.assert_array_equal(low.points, high.points)
        np.testing.assert_array_equal(low.values, high.values)
        assert np.all(np.abs(low.points) <= 2)
        np.testing.assert_array_equal(high.best_values()[:, -1], high.values.max(1))
        np.testing.assert_array_equal(low.best_values()[:, -1], low.values.min(1))

    def evaluated(maximize):
        plan = checked_plan(
            1,
            _wave,
            maximize=maximize,
            evaluations=3,
            initial=None,
            batch_size=1,
            acquisition="random",
            constraints=None,
            noisy=False,
            drop_failed=False,
            kernel="matern52",
            effort=Effort(),
        )
        return Bench(plan, box(_BOUNDS)).evaluate(jax.random.key(0), jnp.array([[0.3], [0.6]]))[0]

    # What the model sees is to be maximised.
    np.testing.assert_array_equal(evaluated(True), -evaluated(False))


def test_the_rise_of_lines_is_near_the_exact_one():
    keys = jax.random.split(jax.random.key(0), 2)
    heights = jax.random.normal(keys[0], (200, 20)) * 0.5
    scales = jnp.logspace(-1, 0.5, 200)
    slopes = jax.random.normal(keys[1], (200, 20)) * scales[:, None]
    exact = optimize.acquisition.expected_maximum_gain(heights, slopes)
    rise = jax.vmap(expected_rise)(heights, slopes)
    assert np.all(rise >= exact * (1 - 1e-4))
    for share, most in ((0.01, 1.03), (1e-6, 1.1)):
        seen = exact > share * scales
        assert np.max(rise[seen] / exact[seen]) < most
    assert expected_rise(jnp.zeros(2), jnp.array([1.0, -1.0])) == pytest.approx(0.7979, rel=5e-3)


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
        ({"initial_points": [0.5]}, ValueError, r"initial_points must have shape \(I, 1\)"),
        ({"initial_points": np.zeros((0, 1))}, ValueError, "initial_points must have shape"),
        ({"initial_points": "here"}, TypeError, "initial_points must be an array"),
        (
            {"initial_points": [[0.0], [2.5]]},
            ValueError,
            r"bounds; got initial_points\[1, 0\] = 2.5",
        ),
        ({"initial_points": [[np.nan]]}, ValueError, "initial_points must be finite"),
        ({"initial_points": [[0.0]], "initial": 2}, ValueError, "number of initial_points, 1"),
        ({"initial_points": np.zeros((11, 1))}, ValueError, "evaluations must be initial plus"),
    ],
)
def test_mistakes(keywords, error, pattern):
    with pytest.raises(error, match=pattern):
        _search(jax.random.key(0), **keywords)


def test_a_key_must_be_one():
    with pytest.raises(TypeError, match="key must be a key"):
        _search(jnp.zeros(2, jnp.uint32))

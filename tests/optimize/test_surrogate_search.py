"""Bayesian optimisation of a surrogate: better than its starts, the best of all, within bounds."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax import optimize

_KEY = jax.random.key(0)
_STARTS = jnp.array([[-1.5, -1.0], [-1.0, 0.5], [0.5, -1.5], [-0.5, -0.5], [-2.0, 1.5]])
_LITTLE = {"raw": 64, "climbs": 2, "steps": 10, "fit_steps": 12}


def _bowl(center, x):
    return -jnp.sum(jnp.square(x - center))


def _search(score_fn, starts=_STARTS, **keywords):
    given = {"lower": -2.0, "upper": [2.0, 1.5], "evaluations": 10, "batch_size": 2, **_LITTLE}
    return optimize.surrogate_bayesian_optimization(_KEY, score_fn, starts, **given | keywords)


def test_the_best_of_all_points_is_proposed():
    """The second summit is outside; parameters of the score are traced, and mapped over."""
    centers = jnp.array([[0.8, 0.6], [5.0, 5.0]])

    def one(center):
        return _search(functools.partial(_bowl, center), proposals=15)

    # Without optimisation: the program runs once.
    options = {"xla_backend_optimization_level": 0}
    found = jax.jit(jax.vmap(one), compiler_options=options)(centers)
    assert found.points.shape == (2, 15, 2) and found.history.shape == (2, 5)
    assert found.points.min() >= -2 and np.all(found.points <= jnp.array([2, 1.5]))
    scores = jax.vmap(lambda center, x: jax.vmap(functools.partial(_bowl, center))(x))
    np.testing.assert_allclose(found.scores, scores(centers, found.points), 1e-5, atol=1e-6)
    assert np.all(np.diff(found.scores) <= 0)
    np.testing.assert_allclose(found.points[0, 0], centers[0], atol=0.2)
    np.testing.assert_allclose(found.points[1, 0], [2, 1.5], atol=0.05)
    # All starts are among all points; the others came in rounds of two.
    for points in found.points:
        assert np.abs(points[:, None] - _STARTS).sum(-1).min(0).max() < 1e-5
    late = found.scores.sum(1) - scores(centers, jnp.stack([_STARTS] * 2)).sum(1)
    np.testing.assert_allclose(2 * found.history.sum(1), late, 1e-4)


def test_scores_and_starts_that_are_not_finite_or_outside():
    """By a rule that looks at nothing."""

    @functools.partial(jax.jit, static_argnames="proposals")
    def search(starts, proposals=15):
        def score(x):
            return jnp.where(x[0] > 0, jnp.nan, x[0])

        return _search(score, starts, acquisition="random", proposals=proposals)

    found = search(9 * _STARTS)
    known = np.isfinite(found.scores)
    assert 0 < known.sum() < 15 and np.all(np.diff(known.astype(int)) <= 0)
    assert found.points.min() == -2 and np.all(np.diff(found.scores[known]) <= 0)
    half = search(_STARTS.astype(jnp.bfloat16), None)
    assert half.points.shape == _STARTS.shape
    assert half.points.dtype == half.history.dtype == jnp.bfloat16
    assert all(np.isnan(part).all() for part in search(_STARTS.at[0, 0].set(jnp.nan)))


@pytest.mark.parametrize(
    ("keywords", "error", "pattern"),
    [
        ({"starts": jnp.zeros((0, 2))}, ValueError, "starts must hold a point"),
        ({"starts": jnp.full((1, 2), jnp.nan)}, ValueError, "starts must hold finite"),
        ({"starts": jnp.zeros((1, 2), int)}, TypeError, "starts must have a floating type"),
        ({"lower": -jnp.inf}, ValueError, "lower must be finite"),
        ({"upper": [jnp.inf, 1.0]}, ValueError, r"finite and above lower; got upper\[0\] = inf"),
        ({"upper": -2.0}, ValueError, "upper must be finite and above lower"),
        ({"upper": [1.0] * 3}, ValueError, "upper must have shape"),
        ({"evaluations": 9}, ValueError, "evaluations must be a multiple of batch_size; got 9"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"proposals": 16}, ValueError, "proposals must be at most starts and evaluations, 15"),
        ({"climbs": 0}, ValueError, "climbs must be at least 1"),
        ({"acquisition": "best"}, ValueError, "acquisition must be one of"),
        ({"kernel": "cubic"}, ValueError, "kernel"),
    ],
)
def test_mistakes(keywords, error, pattern):
    with pytest.raises(error, match=pattern):
        _search(lambda x: x[0], **keywords)

"""The tasks against the published package, against Monte Carlo, and their maps' inverses."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from experiments.mutual_information_benchmark import transforms
from experiments.mutual_information_benchmark.laws import (
    AdditiveNoise,
    Normal,
    Student,
    dense_correlation,
    pair_correlation,
)
from experiments.mutual_information_benchmark.tasks import GROUPS, all_tasks

_GOLDEN = json.loads(
    (pathlib.Path(__file__).parents[2] / "golden/beyond_normal/tasks.json").read_text()
)
TASKS = all_tasks()


def test_forty_tasks_with_the_published_information():
    assert len(TASKS) == len(_GOLDEN["tasks"]) == 40
    assert len({task.name for task in TASKS}) == 40
    assert {task.group for task in TASKS} == set(GROUPS)
    for task, golden in zip(TASKS, _GOLDEN["tasks"], strict=True):
        assert list(task.dimensions()) == golden["dims"], (task.name, golden["id"])
        # The package computes additive noise in float32.
        np.testing.assert_allclose(task.truth, golden["nats"], rtol=1e-6, err_msg=golden["id"])


@pytest.mark.parametrize(
    ("name", "transform"),
    [
        ("spiral_x", transforms.spiral((0, 1))),
        ("spiral_y", transforms.spiral((1, 2))),
        ("half_cube", transforms.half_cube),
        ("normal_cdf", transforms.normal_cdf),
        ("wiggly_x", transforms.wiggly_x),
        ("wiggly_y", transforms.wiggly_y),
        ("bimodal_x", transforms.to_mixture(0.3, 0.0, 5.0)),
        ("bimodal_y", transforms.to_mixture(0.5, -1.0, 3.0)),
        ("swiss_roll", lambda x: transforms.swiss_roll(transforms.normal_cdf(x))),
    ],
)
def test_maps_of_fixed_points(name, transform):
    points = jnp.asarray(_GOLDEN["points"])
    golden = np.asarray(_GOLDEN["images"][name])
    made = transform(points if name.startswith("spiral") else points[:, :1])
    np.testing.assert_allclose(np.asarray(made).reshape(golden.shape), golden, atol=2e-4)


LAWS = {
    "normal": Normal(dense_correlation(4), 2),
    "pairs": Normal(pair_correlation(3, 2, 0.8), 3),
    "cauchy": Student(pair_correlation(1, 0, 0.0), 1, 1),
    "student": Student(dense_correlation(5), 3, 3),
    "narrow noise": AdditiveNoise(0.1),
    "wide noise": AdditiveNoise(0.75),
}


@pytest.mark.parametrize("name", LAWS)
def test_information_is_the_mean_log_ratio(name):
    """The draws and the closed form are tied by the density: a mean of 20,000 log ratios."""
    law = LAWS[name]
    x, y = law.sample(jax.random.key(0), 20_000)
    ratio = law.log_ratio(np.asarray(x), np.asarray(y))
    error = ratio.std() / np.sqrt(len(ratio))
    assert abs(ratio.mean() - law.mutual_information()) < 4 * error
    assert error < 0.02
    # Its exponential's mean under independent draws is one, whatever the law.
    shuffled = law.log_ratio(np.asarray(x)[::2], np.asarray(y)[1::2])
    np.testing.assert_allclose(np.exp(shuffled).mean(), 1, atol=0.08)


def test_log_ratios_are_those_of_scipy():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(7, 3)), rng.normal(size=(7, 2))
    xy, s = np.concatenate([x, y], 1), dense_correlation(5)
    student = stats.multivariate_t(shape=s, df=3).logpdf(xy)
    student -= stats.multivariate_t(shape=s[:3, :3], df=3).logpdf(x)
    student -= stats.multivariate_t(shape=s[3:, 3:], df=3).logpdf(y)
    np.testing.assert_allclose(LAWS["student"].log_ratio(x, y), student, rtol=1e-9)
    normal = stats.multivariate_normal(cov=s).logpdf(xy)
    normal -= stats.multivariate_normal(cov=s[:3, :3]).logpdf(x)
    normal -= stats.multivariate_normal(cov=s[3:, 3:]).logpdf(y)
    np.testing.assert_allclose(Normal(s, 3).log_ratio(x, y), normal, rtol=1e-9)


def test_marginals_after_the_maps():
    tasks = {task.name: task for task in TASKS}
    x, y = tasks["normal_cdf_normal_1"].sample(jax.random.key(1), 4000)
    assert stats.kstest(np.asarray(x)[:, 0], "uniform").pvalue > 1e-3
    assert stats.kstest(np.asarray(y)[:, 0], "uniform").pvalue > 1e-3
    x, y = tasks["bimodal_normal_1"].sample(jax.random.key(1), 4000)

    def mixture(t):
        return 0.3 * stats.norm.cdf(t) + 0.7 * stats.norm.cdf(t - 5)

    assert stats.kstest(np.asarray(x)[:, 0], mixture).pvalue > 1e-3


def test_maps_are_invertible():
    x = jnp.linspace(-6, 6, 2001)[:, None]
    for rising in (
        transforms.wiggly_x,
        transforms.wiggly_y,
        transforms.half_cube,
        transforms.to_mixture(0.3, 0.0, 5.0),
        jnp.arcsinh,
    ):
        assert np.all(np.diff(np.asarray(rising(x))[:, 0]) > 0)
    # A spiral keeps norms, so that turning back by the same angle undoes it.
    points = jnp.asarray(_GOLDEN["points"])
    turned = transforms.spiral((0, 1))(points)
    angle = np.sum(np.asarray(points) ** 2, 1) / 3
    back = (turned[:, 0] + 1j * turned[:, 1]) * np.exp(-1j * angle)
    np.testing.assert_allclose(back, points[:, 0] + 1j * points[:, 1], atol=1e-5)
    # Rolls do not touch: the distance from the centre rises with the angle.
    radius = np.linalg.norm(
        np.asarray(transforms.swiss_roll(jnp.linspace(0, 1, 99)[:, None])), axis=1
    )
    assert np.all(np.diff(radius) > 0)

"""Asking and telling: pending and failed points, files, resuming to the last bit."""

import json

import jax
import numpy as np
import pytest

from infojax import optimize
from infojax.optimize import ask_tell
from infojax.optimize.proposals import propose
from infojax.optimize.search_model import fit_model

_BOUNDS = [(-2.0, 2.0), (1.0, 3.0)]
_LITTLE = {"raw": 32, "starts": 2, "steps": 8, "fit_starts": 1, "fit_steps": 8}


@pytest.fixture(autouse=True, scope="module")
def _quickly_compiled():
    """Programs are compiled without optimisation: they run a few times."""
    given = {"compiler_options": {"xla_backend_optimization_level": 0}}
    usual = ask_tell._propose, ask_tell._fit
    names = ("entry", "batch_size", "kernel", "noisy", "believes", "effort")
    ask_tell._propose = jax.jit(propose, static_argnames=names, **given)
    names = ("kernel", "noisy", "believes", "starts", "steps")
    ask_tell._fit = jax.jit(fit_model, static_argnames=names, **given)
    yield
    ask_tell._propose, ask_tell._fit = usual


def _start(**keywords):
    given = {"maximize": False, "initial": 4, **_LITTLE} | keywords
    return optimize.start_search(jax.random.key(0), _BOUNDS, **given)


def _bowl(points):
    return np.sum((np.asarray(points) - [0.5, 2.0]) ** 2, -1)


def _told(search, count):
    while len(search.values) < count:
        search, points = search.ask()
        search = search.tell(points, _bowl(points))
    return search


@pytest.fixture(scope="module")
def eight():
    return _told(_start(), 8)


def test_it_finds_the_minimum(eight):
    point, value = _told(eight, 12).recommend()
    assert value < 0.02 and value == pytest.approx(_bowl(point))


def test_a_stored_search_goes_on_to_the_last_bit(eight, tmp_path):
    path = tmp_path / "search.json"
    search, points = eight.ask()
    optimize.save_search(path, search)
    assert json.loads(path.read_text())["format"] == "infojax search"
    again = optimize.load_search(path)
    np.testing.assert_array_equal(again.pending, points)
    assert again.settings == search.settings
    value = _bowl(points)
    _, ours = search.tell(points, value).ask()
    _, theirs = again.tell(again.pending, value).ask()
    np.testing.assert_array_equal(ours, theirs)
    assert [file.name for file in tmp_path.iterdir()] == ["search.json"]


def test_a_file_is_written_whole_or_not_at_all(eight, tmp_path, monkeypatch):
    path = tmp_path / "search.json"
    optimize.save_search(path, _start())
    before = path.read_bytes()

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        optimize.save_search(path, eight)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["search.json"]


def test_pending_points_are_not_asked_again(eight):
    search, first = eight.ask()
    search, second = search.ask()
    assert np.abs(first - second).max() > 1e-3
    assert len(search.pending) == 2
    search = search.tell(second[0], _bowl(second)[0])
    np.testing.assert_array_equal(search.pending, first)
    assert len(search.withdraw(first).pending) == 0
    # Points that nobody asked for are welcome.
    search = search.tell([[0.5, 2.0]], [0.0])
    assert search.recommend()[1] == 0 and len(search.pending) == 1


def test_batches_are_of_different_points(eight):
    search, points = eight.ask(3)
    assert points.shape == (3, 2) and len(search.pending) == 3
    distances = np.abs(points[:, None] - points[None]).max(-1) + np.eye(3)
    assert distances.min() > 1e-4


def test_failures():
    search, points = _start(drop_failed=True).ask(4)
    search = search.tell(points, [np.nan, np.inf, 3.0, 1.0])
    assert np.isnan(search.values[:2]).all() and search.recommend()[1] == 1
    search, more = search.ask()
    assert np.abs(more - points).max(1).min() > 1e-4
    search, points = _start().ask()
    with pytest.raises(ValueError, match=r"got values\[0\] = nan .*drop_failed=True"):
        search.tell(points, [np.nan])


def test_nothing_told_gives_even_points_for_ever():
    search, points = _start().ask(10)
    np.testing.assert_array_equal(points[:4], _start().ask(4)[1])
    with pytest.raises(ValueError, match="none was told"):
        search.recommend()


def test_noise_constraints_and_other_rules():
    search, points = _start(noisy=True, constraints=1, acquisition="random").ask(6)
    search = search.tell(points, _bowl(points), points[:, :1])
    point, _ = search.recommend()
    assert point[0] <= 0
    high, _ = _start(maximize=True, acquisition="sobol").ask(2)
    high = high.tell(high.pending, [1.0, 2.0])
    assert high.recommend()[1] == 2


@pytest.mark.parametrize(
    ("points", "values", "pattern"),
    [
        ([[0.0, 2.0]], [1.0, 2.0], r"values must have shape \(1,\)"),
        ([[0.0, 2.0, 1.0]], [1.0], r"points must have shape \(N, 2\)"),
        ([[9.0, 2.0]], [1.0], r"points must lie inside the bounds; got points\[0, 0\] = 9"),
        ([[np.nan, 2.0]], [1.0], "points must lie inside the bounds"),
        ([[0.0, 2.0]], [[1.0]], "values must have shape"),
    ],
)
def test_what_cannot_be_told(points, values, pattern):
    with pytest.raises(ValueError, match=pattern):
        _start().tell(points, values)


def test_constraints_must_be_told():
    with pytest.raises(ValueError, match=r"constraint_values must have shape \(1, 2\); got none"):
        _start(constraints=2).tell([0.0, 2.0], 1.0)


@pytest.mark.parametrize(
    ("keywords", "error", "pattern"),
    [
        ({"maximize": None}, TypeError, "maximize must be True or False"),
        ({"acquisition": "best"}, ValueError, "acquisition must be one of"),
        ({"acquisition": min}, TypeError, "acquisition must be a name"),
        ({"kernel": "cubic"}, ValueError, "kernel"),
        ({"kernel": 3}, TypeError, "kernel must be a name"),
        ({"constraints": -1}, ValueError, "constraints"),
        ({"acquisition": "constrained_expected_improvement"}, ValueError, "needs constraints"),
        ({"initial": -3}, ValueError, "initial"),
        ({"fit_steps": 0}, ValueError, "fit_steps"),
    ],
)
def test_mistakes_at_the_start(keywords, error, pattern):
    with pytest.raises(error, match=pattern):
        _start(**keywords)
    with pytest.raises(TypeError, match="key must be a key"):
        optimize.start_search(0, _BOUNDS, maximize=True)
    with pytest.raises(ValueError, match="count"):
        _start().ask(0)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": "other"}', '{"format": "infojax search", "version": 99}'],
)
def test_files_that_are_no_search(tmp_path, text):
    path = tmp_path / "search.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="path must name a file of save_search"):
        optimize.load_search(path)
    with pytest.raises(OSError, match="none"):
        optimize.load_search(tmp_path / "none.json")

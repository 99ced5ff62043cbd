"""Loops, checkpoints and stages of a run, in one process."""

import json
import shutil
import threading
from typing import NamedTuple

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest

from experiments import runner
from experiments.runner import stages

CONFIG = ml_collections.ConfigDict({"n": 3})


class State(NamedTuple):
    x: jax.Array
    key: jax.Array
    old_key: jax.Array
    half: jax.Array
    weak: jax.Array
    empty: jax.Array
    host: np.ndarray
    scalar: np.float32
    count: int
    share: float
    name: str
    flag: bool
    nothing: None


def make_state():
    return State(
        x=jnp.arange(6.0).reshape(2, 3),
        key=jax.random.key(1),
        old_key=jax.random.PRNGKey(2),
        half=jnp.asarray([0.1, 3e38], jnp.bfloat16),
        weak=jnp.asarray(1.5),
        empty=jnp.zeros((0, 4), jnp.int8),
        host=np.asarray([1 << 40, 2]),
        scalar=np.float32(0.1),
        count=3,
        share=float("nan"),
        name="ü",
        flag=True,
        nothing=None,
    )


def open_run(path, **keywords):
    return runner.open_run(
        experiment="e", config=CONFIG, workdir=path, **{"quiet": True, **keywords}
    )


def rows(path):
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


def count_up(path, num_steps=10, stop_before=None, every=2):
    def step(state, index):
        if index == stop_before:
            raise KeyError("stop")
        return state + index, {"state": state}

    with open_run(path) as run:
        return run.loop("x", jnp.int32(0), step, num_steps=num_steps, checkpoint_every=every)


def steps(path):
    return sorted(p.name for p in (path / "checkpoints/x").iterdir())


def test_every_kind_of_leaf_comes_back_as_it_was(tmp_path):
    def once(step):
        with open_run(tmp_path) as run:
            return run.loop("x", make_state(), step, num_steps=1)

    first = once(lambda state, _: state)
    again = once(lambda *_: pytest.fail("restored, so no step is taken"))
    assert jax.random.key_impl(again.key) == jax.random.key_impl(first.key)
    for name, ours, theirs in zip(State._fields, again, first, strict=True):
        assert type(ours) is type(theirs), name
        if isinstance(ours, jax.Array) and jnp.issubdtype(ours.dtype, jax.dtypes.prng_key):
            ours, theirs = jax.random.key_data(ours), jax.random.key_data(theirs)
        if hasattr(ours, "dtype"):
            assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), name
        np.testing.assert_array_equal(ours, theirs, name)
    assert not first.weak.weak_type and not again.weak.weak_type


def test_a_loop_logs_checkpoints_and_goes_on(tmp_path):
    with pytest.raises(KeyError):
        count_up(tmp_path, stop_before=7)
    assert steps(tmp_path) == ["step_00000004", "step_00000006"]
    assert count_up(tmp_path) == 45
    assert [row["step"] for row in rows(tmp_path)] == list(range(1, 11))
    assert rows(tmp_path)[3] == {"loop": "x", "step": 4, "state": 3}
    assert steps(tmp_path) == ["step_00000008", "step_00000010"]


def test_donated_state(tmp_path):
    step = jax.jit(lambda state, index: state + index, donate_argnums=0)
    with open_run(tmp_path) as run:
        state = run.loop("x", jnp.zeros(3), step, num_steps=4, checkpoint_every=1)
    np.testing.assert_array_equal(state, [6, 6, 6])


def damage(path, how):
    file = next(f for f in sorted((path / "state").rglob("*")) if f.is_file() and f.stat().st_size)
    if how == "truncated":
        file.write_bytes(file.read_bytes()[:-1])
    elif how == "garbage":
        file.write_bytes(bytes(len(file.read_bytes())))
    elif how == "lost":
        file.unlink()
    elif how == "manifest":
        (path / "manifest.sha256").write_bytes(b"\xff\x00")
    elif how == "directory":
        shutil.rmtree(path / "state")


@pytest.mark.parametrize("how", ["truncated", "garbage", "lost", "manifest", "directory"])
def test_a_damaged_checkpoint_is_passed_over_with_a_warning(tmp_path, capsys, how):
    with pytest.raises(KeyError):
        count_up(tmp_path, stop_before=7)
    damage(tmp_path / "checkpoints/x/step_00000006", how)
    capsys.readouterr()
    assert count_up(tmp_path) == 45
    warning = capsys.readouterr().err.strip()
    assert warning.startswith("warning: checkpoint step_00000006 in ")
    assert warning.endswith("is damaged; going on from step_00000004")
    assert [row["step"] for row in rows(tmp_path)] == list(range(1, 11))
    assert steps(tmp_path) == ["step_00000008", "step_00000010"]


def test_metrics_beyond_the_restored_checkpoint_are_cut(tmp_path):
    with pytest.raises(KeyError):
        count_up(tmp_path, stop_before=7)
    # The seventh waits for a checkpoint, or for a second to pass.
    assert len(rows(tmp_path)) in (6, 7)
    damage(tmp_path / "checkpoints/x/step_00000006", "garbage")
    with pytest.raises(KeyError):
        count_up(tmp_path, stop_before=4)
    assert [row["step"] for row in rows(tmp_path)] == [1, 2, 3, 4]


def test_no_intact_checkpoint_is_an_error_and_nothing_is_overwritten(tmp_path):
    with pytest.raises(KeyError):
        count_up(tmp_path, stop_before=7)
    for path in (tmp_path / "checkpoints/x").iterdir():
        damage(path, "garbage")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(runner.StorageError) as error:
        count_up(tmp_path)
    assert f"delete {tmp_path}/checkpoints/x to start this loop again" in str(error.value)
    assert "\n" not in str(error.value)
    assert before == {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    shutil.rmtree(tmp_path / "checkpoints/x")
    assert count_up(tmp_path) == 45


def test_a_checkpoint_of_another_program_is_refused(tmp_path):
    count_up(tmp_path)
    with open_run(tmp_path) as run, pytest.raises(runner.StorageError, match="another version"):
        run.loop("x", {"a": jnp.int32(0)}, lambda s, _: s, num_steps=10)
    with pytest.raises(runner.UserError, match="at step 10, beyond its 4 steps"):
        count_up(tmp_path, num_steps=4)


@pytest.mark.parametrize(
    "init",
    [(jnp.zeros(2), {"a": jnp.zeros(1)}), {"a": jnp.zeros(1)}, jnp.zeros(()), (jnp.zeros(1), {})],
)
@pytest.mark.parametrize("metrics", [None, {"m": 1.0}])
def test_state_and_metrics_are_told_apart(tmp_path, init, metrics):
    with open_run(tmp_path) as run:
        end = run.loop("x", init, lambda s, _: (s, metrics) if metrics else s, num_steps=2)
    assert jax.tree.structure(end) == jax.tree.structure(init)
    assert len(rows(tmp_path)) == (2 if metrics else 0)


def test_a_step_that_returns_something_else_is_a_bug(tmp_path):
    with open_run(tmp_path) as run, pytest.raises(TypeError, match="the step function returns"):
        run.loop("x", jnp.zeros(2), lambda s, _: (s, s), num_steps=2)


def test_names_are_unique_and_plain(tmp_path):
    with open_run(tmp_path) as run:
        run.stage("a", lambda: 1)
        with pytest.raises(ValueError, match="'a' comes twice"):
            run.loop("a", 0, lambda s, _: s, num_steps=1)
        with pytest.raises(ValueError, match=r"got '\.\./b'"):
            run.stage("../b", lambda: 1)


RESULT = {
    "array": np.arange(6, dtype=np.int16).reshape(2, 3),
    "half": np.asarray(jnp.asarray([[0.1]], jnp.bfloat16)),
    "scalar": np.float32(0.1),
    "words": np.asarray(["a", "üü"]),
    "empty": np.zeros((0, 2)),
    "nested": {"list": [1, 2.5, "x", None, True, float("inf")], "tuple": (1, [2, (3,)])},
}


def test_a_stage_is_computed_once_and_read_back_the_same(tmp_path):
    def read():
        with open_run(tmp_path) as run:
            return run.stage("s", lambda: pytest.fail("computed twice"))

    with open_run(tmp_path) as run:
        first = run.stage("s", lambda: {**RESULT, "jax": jnp.ones(2)})
    assert type(first["jax"]) is np.ndarray
    for result in (first, read()):
        assert result["nested"] == RESULT["nested"]
        for name in ("array", "half", "scalar", "words", "empty"):
            assert type(result[name]) is type(RESULT[name]), name
            assert result[name].dtype == RESULT[name].dtype, name
            np.testing.assert_array_equal(result[name], RESULT[name])


def test_stages_side_by_side_are_computed_once_and_in_threads(tmp_path):
    meet = threading.Barrier(2, timeout=30)

    def waits(value):
        meet.wait()  # in vain if the other one is not called at the same time
        return {"x": np.full(2, value)}

    def fails():
        raise ValueError("no result")

    with open_run(tmp_path) as run:
        both = {"a": lambda: waits(1), "b": lambda: waits(2)}
        assert [result["x"][0] for result in run.stages(both).values()] == [1, 2]
    with open_run(tmp_path) as run, pytest.raises(ValueError, match="no result"):
        run.stages({"a": lambda: pytest.fail("computed twice"), "c": fails})
    with open_run(tmp_path) as run:
        never = {name: lambda: pytest.fail("computed twice") for name in ("b", "a")}
        found = run.stages(never | {"c": lambda: {"x": np.array([3])}})
        assert {name: result["x"][0] for name, result in found.items()} == {"b": 2, "a": 1, "c": 3}
        with pytest.raises(ValueError, match="'c' comes twice"):
            run.stages({"c": fails})


@pytest.mark.parametrize("file", ["s.npz", "s.json"])
@pytest.mark.parametrize("content", [None, b"", b"{}", bytes(200)])
def test_a_damaged_stage_is_computed_again_with_a_warning(tmp_path, capsys, file, content):
    with open_run(tmp_path) as run:
        run.stage("s", lambda: {"x": np.arange(3)})
    path = tmp_path / "stages" / file
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with open_run(tmp_path) as run:
        np.testing.assert_array_equal(run.stage("s", lambda: {"x": np.arange(3)})["x"], [0, 1, 2])
    error = capsys.readouterr().err
    if (file, content) != ("s.json", None):  # without its JSON file a stage was never finished
        assert error.startswith("warning: stage s is computed again: ")


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"a": {1: 2}}, r"result\['a'\] has the key 1"),
        ([object()], r"result\[0\] is object"),
        (np.asarray([None]), "an array of Python objects"),
    ],
)
def test_stages_refuse_what_files_cannot_hold(result, message):
    with pytest.raises(TypeError, match=message):
        stages.to_host(result)


def test_tables_figures_and_claims_are_files(tmp_path):
    import matplotlib.pyplot as plt

    from experiments.runner import figures

    kept = plt.get_fignums()
    figure, ax = figures.subplots()
    line = figures.line_with_interval(ax, [0, 1], [0, 1], [0, np.nan], [1, 2], "curve")
    figures.finish(ax, title="t", x="x", y="y")
    assert ax.get_legend() is not None and line.get_color() == figures.COLORS[0]
    claim = runner.claim(name="c", statement="s", source="p", value=2, threshold=">= 1")
    with open_run(tmp_path) as run:
        run.save_table("t", [{"a": np.float32(0.1), "b": "x,y"}, {"a": jnp.int32(2), "c": None}])
        run.save_figure("f", figure)
        run.save_claims([claim])
        with pytest.raises(ValueError, match="unique"):
            run.save_claims([claim, claim])
    assert (tmp_path / "t.csv").read_text() == 'a,b,c\n0.1,"x,y",\n2,,\n'
    png = (tmp_path / "f.png").read_bytes()
    assert png.startswith(b"\x89PNG") and b"Software" not in png and b"tEXt" not in png
    assert plt.get_fignums() == kept, "pyplot must not hold on to a figure of an experiment"
    content = json.loads((tmp_path / "claims.json").read_text())
    assert content["claims"][0]["interval"] is None and content["claims"][0]["holds"] is True


def test_keys_follow_seed_and_name(tmp_path):
    def keys(seed):
        with open_run(tmp_path / str(seed), seed=seed) as run:
            made = (run.key(), run.key("a"), run.key("b"))
        return {tuple(jax.random.key_data(key).tolist()) for key in made}

    assert len(keys(0) | keys(1)) == 6
    assert keys(0) == keys(0)


def test_nothing_is_a_pickle(tmp_path):
    count_up(tmp_path)
    with open_run(tmp_path) as run:
        run.stage("s", lambda: RESULT)
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or not file.read_bytes().startswith(b"\x80"), file
    np.load(tmp_path / "stages/s.npz", allow_pickle=False)["000"]

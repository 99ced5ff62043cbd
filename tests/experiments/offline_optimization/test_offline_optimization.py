"""Offline optimisation's experiment at a tiny size: arms, files, the user's data, faults."""

import csv
import json
import shutil
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import runner
from experiments.offline_optimization import (
    arms,
    black_boxes,
    datasets,
    ledger,
    searches,
    training,
)
from experiments.offline_optimization.config import get_config
from infojax import optimize
from tests.experiments.runner import children

_MODULE = "experiments.offline_optimization"
_SMALL = [
    "--config.seeds=2",
    "--config.surrogate.hidden=(8,)",
    "--config.surrogate.epochs=2",
    "--config.search.proposals=4",
    "--config.search.steps=4",
    "--config.search.record_every=2",
]
_TINY = [*_SMALL, "--config.points=80", "--config.tasks=('styblinski_tang','ackley')"]


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("offline") / "run"
    done = children.finish(children.start(_MODULE, f"--workdir={workdir}", *_TINY), timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return workdir, done.stdout


def test_files_and_output(whole_run):
    workdir, printed = whole_run
    claims = json.loads((workdir / "claims.json").read_text())["claims"]
    assert {claim["name"] for claim in claims} == {
        *(
            f"{name}_{task}"
            for task in ("styblinski_tang", "ackley")
            for name in (
                "sharpness_is_monotone",
                "sharpness_falls_at_p01",
                "sharpness_falls_at_p3",
                "fit_is_kept",
                "default_does_no_harm",
            )
        ),
        "ackley_improves",
    }
    for name in ("lambda", "ascent", "dual", "searches"):
        assert (workdir / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader((workdir / "results.csv").open()))
    # Five arms on two tasks, two of which have a second search.
    assert len(rows) == 2 * (5 + 2)
    assert {row["optimizer"] for row in rows} == {"gradient_ascent", "reinforce"}
    worse = list(csv.DictReader((workdir / "where_it_hurts.csv").open()))
    assert printed.count("is worse than that of the plain surrogate") == len(worse)


def test_a_run_that_lost_its_last_stages_ends_with_the_same_bits(whole_run, tmp_path):
    workdir, _ = whole_run
    again = tmp_path / "again"
    shutil.copytree(workdir, again)
    lost = ("claims.json", "results.csv", "stages/ackley_ignite.json", "stages/ackley_ignite.npz")
    for name in lost:
        (again / name).unlink()
    done = children.finish(children.start(_MODULE, f"--workdir={again}", *_TINY), timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    children.assert_same_outputs(again, workdir)


def test_black_boxes_have_their_maxima():
    best = jnp.full(8, -2.903534)
    assert black_boxes.styblinski_tang(best) == pytest.approx(39.16617, abs=1e-4)
    np.testing.assert_allclose(jax.grad(black_boxes.styblinski_tang)(best), 0, atol=1e-4)
    assert black_boxes.ackley(jnp.zeros(8)) == pytest.approx(0, abs=1e-5)
    assert black_boxes.ackley(jnp.ones(8)) == pytest.approx(-3.6254, abs=1e-4)


def test_offline_data_are_the_lower_half():
    task = black_boxes.make("ackley", jax.random.key(0), 100)
    assert len(task.y) == 50 and task.y.max() < task.highest and task.y.min() == task.lowest
    np.testing.assert_allclose(task.evaluate(task.normalize(task.x)), task.y, atol=1e-4)
    diabetes = black_boxes.make("diabetes", jax.random.key(0), 100)
    assert diabetes.x.shape == (221, 10) and diabetes.y.max() <= 140.5 < diabetes.highest
    with pytest.raises(runner.UserError, match="there are styblinski_tang, ackley, diabetes"):
        black_boxes.make("branin", jax.random.key(0), 100)


def test_what_learns_cannot_ask_the_oracle():
    task = black_boxes.make("ackley", jax.random.key(0), 20)
    with pytest.raises(AssertionError, match="asked the oracle"):
        training.stack([task]).evaluate(jnp.zeros((1, 8)))


def test_methods_of_the_configuration():
    found = arms.methods(get_config("desk"))
    assert [m.name for m in found] == [
        "base",
        "ignite2_0.01",
        "ignite2_0.3",
        "ignite2_3",
        "ignite",
    ]
    assert found[0].multiplier == 0 and found[3].rate == 0 < found[4].rate
    config = get_config("desk")
    config.search.steps = 15
    with pytest.raises(runner.UserError, match="no multiple"):
        training.plan_of(config, "gradient_ascent")


def test_sizes_of_bayesian_optimisation_fit():
    for size in ("desk", "full"):
        training.check_evaluations(get_config(size))
    for change, fault in (
        ({"at_once": 7}, "evaluations=96 is no multiple of config.search.at_once=7"),
        ({"proposals": 161}, r"proposals=161 is more than observed and evaluations, 64 \+ 96"),
    ):
        config = get_config("desk")
        config.search.update(change)
        with pytest.raises(runner.UserError, match=fault):
            training.check_evaluations(config)


def _arm(sharpness, best, error, seeds=8):
    noise = np.linspace(-0.01, 0.01, seeds)
    values = np.broadcast_to(best + noise[:, None, None], (seeds, 2, 5)) - np.arange(5.0)
    search = {"values": values, "scores": values[:, -1, :3], "sharpness": sharpness + noise}
    return {
        "gradient_ascent": search,
        "training_error": error + noise,
        "held_out_error": error + noise,
        "training_sharpness": sharpness + noise,
        "multiplier": np.zeros((seeds, 3)),
    }


def test_claims_follow_the_numbers():
    def judged(some, strong):
        found = {"base": _arm(1.0, 0.0, 1.0), "ignite2_0.01": some, "ignite2_0.3": strong}
        claims = ledger.sharpness_claims("ackley", found, 0)
        claims += ledger.score_claims({"ackley": found})
        return {claim.name: claim for claim in claims}, ledger.where_it_hurts({"ackley": found})

    good, worse = judged(_arm(0.95, 0.0, 1.0), _arm(0.7, 1.0, 1.1))
    assert len(good) == 6 and all(claim.holds for claim in good.values()) and not worse
    assert good["sharpness_falls_at_p3_ackley"].value == pytest.approx(0.3)
    assert good["fit_is_kept_ackley"].value == pytest.approx(0.1)
    bad, worse = judged(_arm(0.98, -1.0, 1.0), _arm(0.99, -1.0, 1.2))
    assert not any(claim.holds for claim in bad.values())
    assert [row["percentile"] for row in worse] == 2 * [100, 80, 50]
    assert worse[0]["change"] == pytest.approx(-1)


def test_bayesian_optimisation_of_symbols_takes_the_range_of_the_data():
    x = jax.random.randint(jax.random.key(0), (20, 3), 0, 3).at[:, 2].set(1)
    task = optimize.offline_task(x, x.sum(1).astype(jnp.float32), lambda x: x.sum(1), vocabulary=3)
    name = "bayesian_optimization"
    sizes = {"hidden": (8,), "epochs": 1, "proposals": 6}
    sizes |= {"observed": 5, "evaluations": 4, "at_once": 2}
    plan = training.plan_of(get_config("desk"), name)._replace(**sizes)
    tasks, keys = training.stack([task]), jax.random.split(jax.random.key(1), (1, 1))
    parameters, _ = training.train(tasks, keys, jnp.array([0.0, 0.0, 0.0, 0.2]), plan)
    # Without optimisation: the program runs once.
    search = jax.jit(
        searches.search.__wrapped__,
        static_argnames=("optimizer", "plan"),
        compiler_options={"xla_backend_optimization_level": 0},
    )
    found = search(parameters, tasks, keys[0], optimizer=name, plan=plan)
    assert found["path"].shape == (1, 1, 6, 9) and np.isfinite(found["sharpness"]).all()
    z = task.normalize(x)
    # Features that are constant may move by 1.
    high = jnp.where(z.max(0) > z.min(0), z.max(0), z.min(0) + 1)
    assert np.all((found["path"] >= z.min(0) - 1e-5) & (found["path"] <= high + 1e-5))
    assert np.all(np.diff(found["predicted"][0, 0]) <= 0)


def _save(folder, **files):
    for name, arrays in files.items():
        np.savez(folder / f"{name}.npz", **arrays)


def test_symbols_of_the_user_with_a_table(tmp_path):
    designs = np.stack(np.unravel_index(np.arange(27), (3, 3, 3)), 1).astype(np.int32)
    values = designs.sum(1).astype(np.float32)
    low = values < 4
    _save(
        tmp_path,
        toy={"x": designs[low], "y": values[low, None], "vocabulary": 3, "highest": 6.0},
        toy_oracle={"x": designs, "y": values},
    )
    line = [f"--dataset_dir={tmp_path}", "--task=toy", "--optimizer=reinforce", "--method=ignite2"]
    done = children.run(_MODULE, f"--workdir={tmp_path / 'run'}", *line, *_SMALL)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = list(csv.DictReader((tmp_path / "run/results.csv").open()))
    assert [row["method"] for row in rows] == ["ignite2_0.01", "ignite2_0.3", "ignite2_3"]
    assert all(0 <= float(row["score_100"]) <= 1 for row in rows)


def test_an_external_scorer_is_asked(tmp_path):
    x = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    _save(tmp_path, robot={"x": x, "y": x[:, 0]})
    code = "import sys, numpy as n; n.save(sys.argv[2], n.load(sys.argv[1])[:, 0] * 2)"
    scorer = f'{sys.executable} -c "{code}" {{designs}} {{values}}'
    task = datasets.load(str(tmp_path), "robot", scorer)
    np.testing.assert_allclose(task.evaluate(task.normalize(task.x)), 2 * x[:, 0], 1e-4)
    with pytest.raises(runner.UserError, match=r"ended with status 3: no simulator"):
        fails = f"{sys.executable} -c \"import sys; print('no simulator', file=sys.stderr); "
        fails += 'sys.exit(3)" {designs} {values}'
        datasets.load(str(tmp_path), "robot", fails).evaluate(task.normalize(task.x))
    with pytest.raises(runner.UserError, match=r"needs \{designs\} and \{values\}"):
        datasets.load(str(tmp_path), "robot", "score")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.ones((3, 2))}, "no array 'y'"),
        ({"x": np.ones((2, 1)), "y": np.array([0.0, np.nan])}, r"y must be finite; got y\[1\]"),
        ({"x": np.ones((2, 1), int), "y": np.ones(2)}, "'vocabulary' must say"),
        ({"x": np.zeros((0, 2)), "y": np.zeros(0)}, "x must hold designs"),
        ({"x": np.array([["a"]]), "y": np.ones(1)}, "must be numbers"),
    ],
)
def test_faults_of_files_are_named(tmp_path, arrays, message):
    _save(tmp_path, toy=arrays)
    with pytest.raises(runner.UserError, match=message):
        datasets.load(str(tmp_path), "toy", "score {designs} {values}")


def test_missing_files_and_lone_flags_are_named(tmp_path):
    with pytest.raises(runner.UserError, match=r"there is no .*toy\.npz"):
        datasets.load(str(tmp_path), "toy", None)
    with pytest.raises(runner.UserError, match="is not a directory"):
        datasets.load(str(tmp_path / "none"), "toy", None)

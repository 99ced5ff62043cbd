"""The experiment at a tiny size, a user's objective that crashes, and the pieces by hand."""

import csv
import json
import re
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import runner
from experiments.bayesian_optimization import ledger, own_objective, problems
from experiments.bayesian_optimization.config import get_config
from tests.experiments.runner import children

_MODULE = "experiments.bayesian_optimization"
_LITTLE = {"raw": 16, "starts": 2, "steps": 2, "fit_starts": 1, "fit_steps": 2}
_TINY = _LITTLE | {
    "replicates": 2,
    "branin.acquisitions": "('random','expected_improvement')",
    "branin.evaluations": 8,
    "hartmann6.acquisitions": "()",
    "ackley.acquisitions": "()",
    "noisy.acquisitions": "()",
    "batch.acquisitions": "()",
    "constrained.acquisitions": "()",
    "gradients.evaluations": 0,
    "fidelity.evaluations": 0,
    "svm.acquisitions": "('random',)",
    "svm.evaluations": 3,
    "svm.images": 60,
    "svm.replicates": 1,
}


def _flags(workdir, config, *more):
    return [f"--workdir={workdir}", *(f"--config.{k}={v}" for k, v in config.items()), *more]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("bayesian_optimization") / "run"
    done = children.run(_MODULE, *_flags(workdir, _TINY))
    assert done.returncode == 0, done.stdout + done.stderr
    return workdir


def test_files(finished):
    claims = json.loads((finished / "claims.json").read_text())["claims"]
    assert [claim["name"] for claim in claims] == ["branin_expected_improvement", "branin_random"]
    assert [claim["threshold"] for claim in claims] == ["<= 0.05", ">= 0.3"]
    rows = list(csv.DictReader((finished / "regret.csv").open()))
    assert [row["acquisition"] for row in rows] == ["random", "expected improvement"]
    assert all(float(row["least"]) <= float(row["median_regret"]) for row in rows)
    assert len(list(csv.DictReader((finished / "svm.csv").open()))) == 3
    for name in ("regret", "landscapes", "svm"):
        assert (finished / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_that_lost_its_last_stages_ends_with_the_same(finished, tmp_path):
    again = tmp_path / "again"
    shutil.copytree(finished, again)
    for lost in ("claims.json", "svm.csv", "stages/svm_random.json"):
        (again / lost).unlink()
    done = children.run(_MODULE, *_flags(again, _TINY))
    assert done.returncode == 0, done.stdout + done.stderr
    children.assert_same_outputs(again, finished)


_OBJECTIVE = """
import pathlib

def bowl(x):
    (pathlib.Path(__file__).parent / "calls").open("a").write(".")
    if CRASH.exists() and (pathlib.Path(__file__).parent / "calls").stat().st_size == 5:
        CRASH.unlink()
        raise RuntimeError("the machine is on fire")
    return (x[0] - 1) ** 2 + (x[1] + 1) ** 2

CRASH = pathlib.Path(__file__).parent / "crash"

def nothing(x):
    return float("nan")
"""


def test_an_objective_that_crashes_goes_on_as_if_it_had_not(tmp_path):
    (tmp_path / "mine.py").write_text(_OBJECTIVE)
    # That a search with a model goes on to the last bit is tested with `ask_tell`.
    config = _LITTLE | {"objective.evaluations": 8, "objective.acquisition": "sobol"}
    mine = (f"--objective={tmp_path / 'mine.py'}:bowl", "--bounds=-2:2,-3:0")
    whole = children.run(_MODULE, *_flags(tmp_path / "whole", config, *mine))
    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert "best point" in whole.stdout
    (tmp_path / "calls").unlink()
    (tmp_path / "crash").touch()
    flags = _flags(tmp_path / "broken", config, *mine)
    broken = children.run(_MODULE, *flags)
    assert broken.returncode == 2
    assert "the objective raised RuntimeError: the machine is on fire" in broken.stderr
    assert "4 evaluations are stored" in broken.stderr
    again = children.run(_MODULE, *flags)
    assert again.returncode == 0, again.stdout + again.stderr
    # The point that crashed is evaluated again, the others are not.
    assert len((tmp_path / "calls").read_text()) == 9
    children.assert_same_outputs(tmp_path / "broken", tmp_path / "whole")


@pytest.mark.parametrize(
    ("flags", "pattern"),
    [
        (("--objective=none.py:f",), "--objective needs --bounds"),
        (("--bounds=0:1",), "--bounds belongs to --objective"),
        (("--objective=none.py:f", "--bounds=0:1"), "there is no file none.py"),
        (("--config.branin.acquisitions=('best',)",), "acquisitions must name acquisitions out of"),
    ],
)
def test_mistakes_are_one_line(tmp_path, flags, pattern):
    done = children.run(_MODULE, f"--workdir={tmp_path / 'run'}", *flags)
    assert done.returncode == 2
    assert re.search(pattern, children.only_line(done.stderr)), done.stderr


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("0:1,2", "got '2' for dimension 1"),
        ("1:0", "lo < hi, both finite; got '1:0' for dimension 0"),
        ("0:inf", "both finite"),
        ("a:b", "with numbers; got 'a:b'"),
        ("", "got '' for dimension 0"),
    ],
)
def test_bounds_that_are_none(text, pattern):
    with pytest.raises(runner.UserError, match=pattern):
        own_objective.read_bounds(text)


def test_bounds_and_functions_are_read(tmp_path):
    assert own_objective.read_bounds("-5:10,1e-3:2.5") == ((-5.0, 10.0), (1e-3, 2.5))
    path = tmp_path / "mine.py"
    path.write_text(_OBJECTIVE)
    assert own_objective.load_function(f"{path}:bowl")(np.array([1.0, 0.0])) == 1
    for wrong, pattern in (
        (f"{path}", r"path\.py:function"),
        (f"{path}:cup", "has no function cup; it has bowl, nothing"),
    ):
        with pytest.raises(runner.UserError, match=pattern):
            own_objective.load_function(wrong)
    path.write_text("1 / 0")
    with pytest.raises(runner.UserError, match="ZeroDivisionError"):
        own_objective.load_function(f"{path}:f")


def test_problems_have_their_minima():
    for place in ((-np.pi, 12.275), (np.pi, 2.275), (9.42478, 2.475)):
        assert problems.branin(jnp.array(place)) == pytest.approx(0.397887, abs=1e-5)
    inside = [problems.outside_disk(jnp.array(p)) <= 0 for p in ((np.pi, 2.275), (9.42, 2.475))]
    assert inside == [True, False]
    place = [0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573]
    assert problems.hartmann6(jnp.array(place)) == pytest.approx(-3.32237, abs=1e-5)
    assert problems.ackley(jnp.zeros(5)) == pytest.approx(0, abs=1e-5)
    at = jnp.array([1.0, 2.0])
    assert problems.augmented_branin(at, 1.0) == pytest.approx(float(problems.branin(at)))
    slopes = jax.grad(problems.ackley)(jnp.zeros(3))
    assert np.isfinite(slopes).all()


def test_what_is_spent_by_hand():
    regrets = np.array([[1.0, 0.04, 0.2, 0.01], [1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    np.testing.assert_array_equal(
        ledger.spent_until(regrets, np.array([1.0, 2.0, 3.0, 4.0])), [4.0, np.inf, 1.0]
    )
    np.testing.assert_array_equal(
        own_objective.best_so_far([np.nan, 3.0, np.nan, 2.0], False), [np.nan, 3.0, 3.0, 2.0]
    )


def test_claims_tell_good_from_bad():
    def regret(last):
        return np.array([[9.0, last]] * 5)

    def judged(good, random, mine):
        claims = ledger.regret_claims(
            "branin",
            {"knowledge_gradient": regret(good), "random": regret(random)},
            "<= 0.05",
            ">= 0.3",
            0,
        )
        claims += ledger.noisy_claims(
            {"expected_improvement": np.full(5, 0.2), "knowledge_gradient": np.full(5, mine)}, 0
        )
        spent = np.arange(1.0, 6.0)
        claims.append(ledger.saving_claim("s", "s", mine * spent, spent, "<= 0.6", 0))
        return [claim.holds for claim in claims]

    assert judged(0.01, 0.5, 0.1) == [True] * 4
    assert judged(0.06, 0.2, 0.9) == [False] * 4
    never = np.full(5, np.inf)
    assert not ledger.saving_claim("s", "s", never, np.ones(5), "<= 0.6", 0).holds


def test_both_sizes_name_acquisitions_that_there_are():
    from experiments.bayesian_optimization import searches

    for size in ("desk", "full"):
        config = get_config(size)
        searches.check_names(config)
        config.batch.acquisitions = ("guess",)
        with pytest.raises(runner.UserError, match=r"config\.batch\.acquisitions .* got guess"):
            searches.check_names(config)

"""The experiment at a tiny size: files, claims, resuming, and judging good from bad."""

import csv
import json

import jax
import numpy as np
import pytest

from experiments import runner
from experiments.mutual_information_benchmark import ledger, measure, pictures, pixels
from experiments.mutual_information_benchmark.__main__ import main, ranking_rows
from experiments.mutual_information_benchmark.config import get_config
from experiments.mutual_information_benchmark.estimators import REGISTRY, canonical_correlation
from experiments.mutual_information_benchmark.measure import Cell
from experiments.mutual_information_benchmark.tasks import all_tasks
from experiments.runner import figures, stages
from tests.experiments.runner import children

TASKS = {task.name: task for task in all_tasks()}


def _tiny():
    config = get_config("desk")
    config.tasks = ("normal_1", "half_cube_normal_1", "student_1_dof1")
    config.estimators = ("cca", "gaussian_copula", "ksg_1", "info_nce")
    config.samples = (60, 120)
    config.seeds = 2
    config.neighbors = 3
    config.critic.tasks = ("normal_1",)
    config.critic.hidden = (8,)
    config.critic.max_epochs = 2
    config.digits.repetitions = 1
    return config


def _run(workdir):
    with runner.open_run(
        experiment="mutual_information_benchmark", config=_tiny(), workdir=workdir, quiet=True
    ) as run:
        main(run)
        run.finish()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("benchmark") / "run"
    _run(workdir)
    return workdir


def test_files(finished):
    rows = list(csv.DictReader((finished / "estimates.csv").open()))
    # Three estimators at two sizes on three tasks; the learned one at one size on one task.
    assert len(rows) == 3 * 2 * 3 + 1
    assert all(
        float(r["low"]) <= float(r["estimate_minus_truth"]) <= float(r["high"]) for r in rows
    )
    for name in ("bias", "ranking", "samples", "pixels"):
        assert (finished / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(csv.DictReader((finished / "pixels.csv").open()))) == 64
    ranked = list(csv.DictReader((finished / "ranking.csv").open()))
    assert {row["estimator"] for row in ranked} == {"CCA", "Gaussian copula", "KSG 1", "InfoNCE"}
    claims = json.loads((finished / "claims.json").read_text())["claims"]
    holds = {claim["name"]: claim["holds"] for claim in claims}
    assert holds["copula_blind_to_marginals"]
    assert holds["pixels_ranked_as_by_counts"]


def test_a_run_that_lost_its_end_comes_to_the_same(finished):
    before = children.outputs(finished)
    for path in (finished / "stages").glob("gaussian_copula_*"):
        path.unlink()
    for path in finished.glob("*.csv"):
        path.unlink()
    _run(finished)
    assert children.outputs(finished) == before


def test_three_devices_give_the_results_of_one(finished, tmp_path):
    done = children.run(
        "experiments.mutual_information_benchmark",
        f"--workdir={tmp_path / 'run'}",
        "--size=full",
        "--config.tasks=('normal_1',)",
        "--config.estimators=('ksg_1','info_nce')",
        "--config.samples=(120,)",
        "--config.seeds=2",
        "--config.neighbors=3",
        "--config.critic.hidden=(8,)",
        "--config.critic.embedding=16",
        "--config.critic.learning_rate=0.003",
        "--config.critic.max_epochs=2",
        "--config.digits.repetitions=0",
        devices=3,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ranking at 120 samples" in done.stdout
    for name in ("ksg_1", "info_nce"):
        stage = f"{name}_one-dimensional_120"
        many, one = (
            stages.read(workdir / "stages", stage).result["normal_1"]
            for workdir in (tmp_path / "run", finished)
        )
        np.testing.assert_allclose(many, one, rtol=1e-5, atol=1e-6)


def test_unknown_names_are_refused():
    with pytest.raises(runner.UserError, match=r"config\.tasks has no 'normal_7'"):
        measure.chosen_tasks(("normal_7",))
    with pytest.raises(runner.UserError, match=r"config\.estimators has no 'ksg'"):
        measure.chosen_estimators(("ksg",))


def test_sizes_of_the_configuration():
    desk, full = get_config("desk"), get_config("full")
    assert desk.seeds == full.seeds == 10
    assert max(full.samples) == 10_000
    assert set(desk.critic.tasks) <= set(TASKS)
    blocks = measure._blocks(full, all_tasks(), REGISTRY)
    assert len({block.name for block in blocks}) == len(blocks)
    learned = [block for block in blocks if REGISTRY[block.estimator].family == "learned"]
    assert {block.samples for block in learned} == {10_000}
    assert sum(len(block.tasks) for block in learned) == 6 * 40


def test_canonical_correlation_is_that_of_the_sample_covariance():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 50, 2))
    y = x[..., :1] + rng.normal(size=(2, 50, 3))
    found = canonical_correlation(x.astype(np.float32), y.astype(np.float32))
    for i in range(2):
        s = np.cov(np.concatenate([x[i], y[i]], 1).T)
        dets = [np.linalg.slogdet(m)[1] for m in (s[:2, :2], s[2:, 2:], s)]
        np.testing.assert_allclose(found[i], 0.5 * (dets[0] + dets[1] - dets[2]), rtol=1e-4)


def test_table_of_counts():
    images = np.array([[0, 0], [0, 0], [1, 0], [1, 1]], np.float32)
    labels = np.array([0, 0, 1, 1], np.int32)
    # Entropies and occupied cells by hand: log 2 and 2, log 2 and 2, log 2 and 2.
    first = np.log(2) + (1 + 1 - 1) / 8
    uneven = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    second = np.log(2) + uneven - 1.5 * np.log(2) + (1 + 1 - 2) / 8
    np.testing.assert_allclose(pixels.table_map(images, labels), [first, second], atol=1e-6)


def _cells(errors):
    """Cells whose estimates are truth plus what `errors` says of the estimator and task."""
    rng = np.random.default_rng(0)
    noise = 0.001 * rng.normal(size=10)
    return [
        Cell(task, name, 2000, task.truth + errors(name, task) + noise)
        for task in TASKS.values()
        for name in ("gaussian_copula", "ksg_1", "ksg_2", "info_nce")
    ]


def _as_published(name, task):
    hard = task.name.startswith(("half_cube", "student", "spiral"))
    if name == "gaussian_copula":
        return -task.truth if "student" in task.name else (-0.3 if "spiral" in task.name else 0.0)
    if name == "ksg_1":
        wide = task.name.endswith(("_25", "_50"))
        return -0.6 * task.truth if wide else (-0.2 if hard else 0.01)
    return -0.2 if hard else {"info_nce": 0.02, "ksg_2": 0.05}[name]


def test_claims_tell_a_good_table_from_a_bad_one():
    good = {c.name: c.holds for c in ledger.benchmark_claims(_cells(_as_published))}
    assert len(good) == 9
    assert all(good.values()), good
    bad = {c.name: c.holds for c in ledger.benchmark_claims(_cells(lambda name, task: 0.3))}
    assert not any(held for name, held in bad.items() if name != "copula_blind_to_marginals"), bad


def test_ranking_counts_places_among_those_measured():
    cells = _cells(_as_published)
    kept = [c for c in cells if c.estimator != "info_nce" or c.task.name == "normal_2pair_25"]
    rows = {row["estimator"]: row for row in ranking_rows(kept)}
    assert rows["InfoNCE"]["tasks"] == 1
    assert rows["InfoNCE"]["mean_place"] == pytest.approx(1 / 3)
    assert rows["KSG 1"]["tasks"] == 40


def test_figures_of_one_size_and_one_estimator():
    cells = [c for c in _cells(_as_published) if c.estimator == "info_nce"][:3]
    for picture in (pictures.heat_map, pictures.ranking):
        assert figures.to_png(picture(cells)).startswith(b"\x89PNG")


def test_pixels_by_scikit_learn_and_ours(finished):
    rows = list(csv.DictReader((finished / "pixels.csv").open()))
    ours, peer = (np.array([float(r[f"{n}_nats"]) for r in rows]) for n in ("ours", "scikit-learn"))
    assert np.max(np.abs(ours - peer)) < 0.08
    assert jax.tree.all([ours[0] > 0.3, ours[-1] < 0.05])

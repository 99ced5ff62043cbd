"""Attention entropy's experiment at a tiny size: files, resuming, users' slides, faults."""

import csv
import json
import shutil

import h5py
import numpy as np
import pytest

from tests.experiments.runner import children

_MODULE = "experiments.aem_mil"
_TINY = [
    "--config.network.embedding=8",
    "--config.network.gate=4",
    "--config.network.epochs=2",
    "--config.digits.instances=12",
    "--config.digits.training_bags=4",
    "--config.digits.test_bags=6",
    "--config.digits.seeds=2",
    "--config.digits.lambdas=(0.0,0.05,0.1,0.5,20.0)",
    "--config.correlation.data_sets=2",
    "--config.correlation.initializations=2",
    "--config.tissue.training_bags=4",
    "--config.tissue.test_bags=4",
    "--config.tissue.seeds=2",
    "--config.tissue.lambdas=(0.0,0.1)",
]
_FEW = [
    "--config.slides.epochs=2",
    "--config.slides.seeds=2",
    "--config.slides.subsampling=0.7",
    "--config.slides.embedding=8",
    "--config.slides.gate=4",
    "--config.slides.smallest_bucket=8",
]


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("aem") / "run"
    done = children.finish(children.start(_MODULE, f"--workdir={workdir}", *_TINY), timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return workdir, done.stdout


def test_files_and_output(whole_run):
    workdir, printed = whole_run
    claims = json.loads((workdir / "claims.json").read_text())["claims"]
    assert {claim["name"] for claim in claims} == {
        "entropy_helps",
        "likelihood_gains",
        "steadier_over_seeds",
        "entropy_rises_with_lambda",
        "too_much_hurts",
        "too_much_hurts_constant",
        "annealing_steadies",
        "entropy_goes_with_success",
    }
    assert all(claim["interval"] for claim in claims)
    for name in ("curve", "annealing", "correlation", "tissue"):
        assert (workdir / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader((workdir / "curve.csv").open()))
    assert [row["weights"] for row in rows] == ["annealed"] * 5 + ["constant"] * 5
    assert rows[0]["auc"] == rows[5]["auc"], "at 0 both are one run"
    assert len(list(csv.DictReader((workdir / "correlation.csv").open()))) == 4
    maps = np.load(workdir / "attention.npz")
    assert maps["logits"].shape == maps["softmax"].shape == (2, 2, 32, 32)
    np.testing.assert_allclose(maps["softmax"].sum((2, 3)), 1, rtol=1e-4)
    assert maps["min_max"].min() == 0 and maps["min_max"].max() == 1
    assert "claims" in printed


def test_a_run_that_lost_its_last_stages_ends_with_the_same_bits(whole_run, tmp_path):
    workdir, _ = whole_run
    again = tmp_path / "again"
    shutil.copytree(workdir, again)
    for lost in ("claims.json", "stages/tissue_metrics.json", "curve.csv"):
        (again / lost).unlink()
    # As if it had been killed after the first of two epochs on tissue.
    shutil.rmtree(again / "checkpoints/tissue/step_00000002")
    done = children.finish(children.start(_MODULE, f"--workdir={again}", *_TINY), timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    children.assert_same_outputs(again, workdir)


def _slides(path, count=16):
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for number in range(count):
            patches = int(rng.integers(3, 13))
            group = file.create_group(f"slide_{number:02d}")
            group["feat"] = rng.normal(size=(patches, 6)).astype(np.float32) + 2 * (number % 2)
            group["coords"] = 256 * np.stack([np.arange(patches) % 4, np.arange(patches) // 4], 1)
            group.attrs["label"] = number % 2
    return path


def test_slides_of_the_user_on_several_devices(tmp_path):
    path = _slides(tmp_path / "slides.h5")
    workdir = tmp_path / "run"
    arguments = [f"--workdir={workdir}", f"--features={path}", "--config.arch=acmil", *_FEW]
    # Two seeds on three devices: the third one's is padding.
    child = children.start(_MODULE, "--size=full", *arguments, devices=3)
    done = children.finish(child, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    seeds = list(csv.DictReader((workdir / "seeds.csv").open()))
    assert [row["seed"] for row in seeds] == ["0", "1"]
    slides = list(csv.DictReader((workdir / "slides.csv").open()))
    for row in slides:
        assert float(row["probability_0"]) + float(row["probability_1"]) == pytest.approx(1)
    attention = np.load(workdir / "attention.npz")
    with h5py.File(path) as file:
        for row in slides:
            name = row["slide"]
            patches = len(file[name]["feat"])
            assert attention[f"{name}/logits"].shape == (5, patches)
            np.testing.assert_allclose(attention[f"{name}/softmax"].sum(-1), 1, rtol=1e-5)
            np.testing.assert_array_equal(attention[f"{name}/coords"], file[name]["coords"])
    for name in ("slides", "attention"):
        assert (workdir / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "16 slides (" in done.stdout and "test AUC" in done.stdout


def test_faults_are_one_line(tmp_path):
    path = _slides(tmp_path / "slides.h5")
    arguments = [f"--workdir={tmp_path / 'run'}", f"--features={path}", "--config.arch=abmill"]
    done = children.run(_MODULE, *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "unknown arch 'abmill'; did you mean abmil" in children.only_line(done.stderr)

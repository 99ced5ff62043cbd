"""Diffusion spectral entropy's experiment at a tiny size: training, measures, files, faults."""

import csv
import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import runner
from experiments.diffusion_spectral_entropy import features, ledger, measures, noise_arm
from experiments.diffusion_spectral_entropy.measures import Kernel
from experiments.diffusion_spectral_entropy.perceptron import Data, Settings, train
from experiments.diffusion_spectral_entropy.training_arms import ARMS
from tests.experiments.runner import children

_MODULE = "experiments.diffusion_spectral_entropy"
_TINY = [
    "--config.held_out=0.05",
    "--config.repetitions=2",
    "--config.measured_points=60",
    "--config.training.width=8",
    "--config.training.epochs=2",
    "--config.training.random_label_epochs=2",
    "--config.training.record_every=2",
    "--config.training.seeds=2",
    "--config.models.widths=(4,8)",
    "--config.models.learning_rates=(1e-3,1e-2)",
    "--config.models.epochs=(1,2)",
    "--config.models.seeds=1",
    "--config.initialization.gains=(0.1,1.0)",
    "--config.initialization.epochs=1",
    "--config.initialization.seeds=2",
    "--config.noise.shapes=('tree',)",
    "--config.noise.dimensions=(1,3)",
    "--config.noise.ambient_dimensions=(20,)",
    "--config.noise.levels=(0.0,1.0)",
    "--config.noise.points=40",
    "--config.noise.seeds=2",
]
_KERNEL = Kernel(sigma=10.0, diffusion_time=1, repetitions=2)


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("entropy") / "run"
    done = children.finish(children.start(_MODULE, f"--workdir={workdir}", *_TINY), timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return workdir, done.stdout


def test_files_and_output(whole_run):
    workdir, printed = whole_run
    claims = json.loads((workdir / "claims.json").read_text())["claims"]
    assert {claim["name"] for claim in claims} >= {
        "dse_rises",
        "dsmi_labels_rises_when_learning",
        "dsmi_labels_flat_when_memorising",
        "dsmi_inputs_rises",
        "dsmi_labels_predicts_accuracy",
    }
    for name in ("training", "models", "initializations", "noise"):
        assert (workdir / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert list(csv.DictReader((workdir / f"{name}.csv").open()))
    rows = list(csv.DictReader((workdir / "models.csv").open()))
    assert len(rows) == 2 * 2 * 2
    assert "claims" in printed


def test_a_run_that_lost_its_last_stages_ends_with_the_same_bits(whole_run, tmp_path):
    workdir, _ = whole_run
    again = tmp_path / "again"
    shutil.copytree(workdir, again)
    for lost in ("claims.json", "stages/models_8.json", "stages/random_labels.npz", "noise.csv"):
        (again / lost).unlink()
    done = children.finish(children.start(_MODULE, f"--workdir={again}", *_TINY), timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    children.assert_same_outputs(again, workdir)


def test_networks_side_by_side_learn_as_one_alone():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(64, 5)).astype(np.float32)
    labels = (images[:, 0] > 0).astype(np.int32)
    data = Data(*map(jnp.asarray, (images, labels, images[:16], labels[:16])))
    keys = jax.random.split(jax.random.key(0), 2)

    def last(chosen):
        settings = Settings(keys[chosen], jnp.full(2, 1e-2)[chosen], jnp.ones(2)[chosen])
        options = {"width": 8, "classes": 2, "batch": 16, "epochs": 40}
        return list(train(settings, data, **options))

    both, alone = last(slice(None)), last(slice(1, 2))
    assert [snapshot.epoch for snapshot in both] == list(range(41))
    np.testing.assert_allclose(both[-1].test_hidden[1], alone[-1].test_hidden[0], atol=1e-4)
    assert both[-1].train_accuracy.min() > 0.9 > both[0].train_accuracy.min()


def test_random_labels_are_each_networks_own():
    images = np.eye(8, dtype=np.float32)
    labels = np.stack([np.arange(8) % 2, np.arange(8) // 4]).astype(np.int32)
    data = Data(*map(jnp.asarray, (images, labels, images, labels[0])))
    settings = Settings(jax.random.split(jax.random.key(1), 2), jnp.full(2, 3e-2), jnp.ones(2))
    *_, end = train(settings, data, width=16, classes=2, batch=8, epochs=60)
    np.testing.assert_array_equal(end.train_accuracy, 1)
    np.testing.assert_array_equal(end.test_accuracy, [1, 0.5])


def test_standardised_units():
    rng = np.random.default_rng(0)
    x = rng.normal(3, 5, (50, 4))
    x[:, 2] = 7.0
    z = measures.standardize(x)
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(z.std(0), [1, 1, 0, 1], atol=1e-6)


def test_measures_of_separated_classes():
    centers = 1e3 * np.eye(4)
    labels = np.repeat(np.arange(4), 10)
    layer = centers[labels]
    near = Kernel(sigma=0.1, diffusion_time=1, repetitions=2)
    assert measures.entropy(layer, near) == pytest.approx(2, abs=1e-3)
    told = measures.information(layer, labels, 4, jax.random.key(0), near)
    # Subsamples of ten points meet all four clusters, nearly evenly.
    assert 1.6 < told <= 2 + 1e-3
    assert measures.entropy(np.ones((10, 3)), _KERNEL) == pytest.approx(0, abs=1e-3)


def test_clusters_of_inputs():
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(3), 20)
    points = 20 * np.eye(3)[truth] + rng.normal(size=(60, 3))
    found = measures.input_clusters(points, 3, 0)
    assert len(set(zip(truth, found, strict=True))) == 3


def test_rank_correlations_pool_seeds_and_take_constants_for_none():
    rising = np.arange(5.0)[:, None] + np.zeros((5, 3))
    values = np.stack([rising, -rising, np.ones((5, 3))])
    np.testing.assert_allclose(noise_arm.rank_correlations(values), [1, -1, 0], atol=1e-12)


def test_claims_follow_the_numbers():
    def arm(rise):
        levels = np.linspace(0, 1, 4)
        seeds = np.array([[1.0], [1.1], [0.9]])
        return {
            "dse": 2 * seeds * levels,
            "dsmi_inputs": seeds * levels,
            "dsmi_labels": rise * seeds * levels,
        }

    good = {c.name: c for c in ledger.training_claims({ARMS[0]: arm(1.5), ARMS[1]: arm(0.1)})}
    assert all(claim.holds for claim in good.values())
    bad = {c.name: c for c in ledger.training_claims({ARMS[0]: arm(0.5), ARMS[1]: arm(0.4)})}
    assert not bad["dsmi_labels_rises_when_learning"].holds
    assert not bad["dsmi_labels_flat_when_memorising"].holds
    models = {
        "width": np.repeat([4, 8], 4),
        "learning_rate": np.tile([0.1, 0.2], 4),
        "seed": np.repeat([0, 0], 4),
        "dsmi_labels": np.arange(8.0),
        "accuracy": np.arange(8.0) ** 2,
    }
    (claim,) = ledger.model_claims(models, 0)
    assert claim.holds and claim.value == pytest.approx(1)
    shape = (1, 1, 5, 3)
    up, flat = np.arange(5.0)[:, None] + np.zeros(shape), np.ones(shape)
    (claim,) = ledger.noise_claims({"tree": {"dse": up, "cse": flat}}, 0)
    assert claim.holds
    assert ledger.noise_claims({"tree": {"dse": up, "cse": up}}, 0) == []


def _save(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_layers_of_the_user(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "layers"
    folder.mkdir()
    x = rng.normal(size=(30, 6))
    _save(folder / "a.npz", features=x, labels=np.arange(30) % 3, accuracy=np.float32(0.5))
    _save(folder / "b.npz", features=x[:, :2])
    done = children.run(_MODULE, f"--workdir={tmp_path / 'run'}", f"--features={folder}")
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = csv.DictReader((tmp_path / "run/layers.csv").open())
    assert (first["file"], first["points"], first["accuracy"]) == ("a", "30", "0.5")
    assert second["dsmi_labels_bits"] == ""
    assert (tmp_path / "run/layers.png").exists()
    assert "a: 30 points, entropy" in done.stdout


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.ones((3, 2))}, "no array 'features'"),
        ({"features": np.ones(3)}, r"shape \(N, D\); got float64 \(3,\)"),
        ({"features": np.array([[np.nan, 1.0]])}, "NaN"),
        ({"features": np.ones((3, 2)), "labels": np.ones(3)}, "whole numbers"),
        ({"features": np.ones((3, 2)), "labels": np.ones(2, int)}, r"got int64 \(2,\)"),
        ({"features": np.array([[None]])}, "cannot read"),
    ],
)
def test_faults_of_files_are_named(tmp_path, arrays, message):
    path = _save(tmp_path / "layer.npz", **arrays)
    with pytest.raises(runner.UserError, match=message):
        features.measure(path, _KERNEL, jax.random.key(0))


def test_a_directory_without_files_is_named(tmp_path):
    with pytest.raises(runner.UserError, match=r"holds no \.npz file"):
        features.files(str(tmp_path))
    with pytest.raises(runner.UserError, match="is not a directory"):
        features.files(str(tmp_path / "none"))

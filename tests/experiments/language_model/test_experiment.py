"""The language model's experiment at a tiny size: files, kills, devices, reuse, faults."""

import csv
import json
import shutil

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest

from experiments import runner
from experiments.language_model import evaluation, ledger, load, trained_model, training
from experiments.language_model.config import get_config
from experiments.language_model.prediction import bits_of, merge, new_model
from infojax.nn import language
from tests.experiments.runner import children

_MODULE = "experiments.language_model"
_TINY = {
    "context": 16,
    "model.width": 16,
    "model.num_layers": 2,
    "model.num_heads": 2,
    "training.steps": 6,
    "training.batch": 4,
    "training.learning_rate": 3e-3,
    "training.records": 2,
    "training.warmup": 2,
    "samples.new_tokens": 8,
}
_TEXT = "the cat sat on the mat, and the dog sat on the log. " * 60


def _flags(*extra):
    return [*(f"--config.{key}={value}" for key, value in _TINY.items()), *extra]


def _run(*arguments, devices=1):
    return children.finish(children.start(_MODULE, *arguments, devices=devices), timeout=600)


def _config(**changes):
    config = get_config("desk")
    config.update_from_flattened_dict(_TINY | changes)
    return config


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    root = tmp_path_factory.mktemp("language")
    (root / "text.txt").write_text(_TEXT)
    workdir = root / "run"
    done = _run(f"--workdir={workdir}", f"--data={root / 'text.txt'}", *_flags())
    assert done.returncode == 0, done.stdout + done.stderr
    return workdir, done.stdout


def test_files_and_output(whole_run):
    workdir, printed = whole_run
    (claim,) = json.loads((workdir / "claims.json").read_text())["claims"]
    assert claim["name"] == "bits_per_byte" and claim["threshold"] == "<= 1.9"
    assert claim["interval"][0] < claim["value"] < claim["interval"][1]
    for name in ("learning", "attention_entropies"):
        assert (workdir / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader((workdir / "training.csv").open()))
    assert [row["step"] for row in rows] == ["0", "3", "6"]
    assert all(0 < float(row["entropy_layer_1_head_1"]) < np.log(16) for row in rows)
    assert float(rows[-1]["held_out_bits"]) < float(rows[0]["held_out_bits"])
    (row,) = csv.DictReader((workdir / "held_out.csv").open())
    assert int(row["bytes"]) == round(0.1 * len(_TEXT))
    assert "model>" in printed and "model>" in (workdir / "samples.md").read_text()


def test_a_killed_run_ends_with_the_same_bits(whole_run, tmp_path):
    """The checkpoint of step 5, without the last, is what a kill between the two leaves."""
    workdir, _ = whole_run
    again = tmp_path / "again"
    shutil.copytree(workdir, again)
    steps = sorted((again / "checkpoints/train").iterdir())
    shutil.rmtree(steps[-1])
    shutil.rmtree(again / "stages")
    (again / "claims.json").unlink()
    text = workdir.parent / "text.txt"
    done = _run(f"--workdir={again}", f"--data={text}", *_flags())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 of 6 steps were done before" in done.stdout
    children.assert_same_outputs(again, workdir)


def test_four_devices_learn_what_one_does(whole_run, tmp_path):
    workdir, _ = whole_run
    text = workdir.parent / "text.txt"
    many = tmp_path / "many"
    done = _run(
        f"--workdir={many}", "--size=full", "--config.model.dtype=float32",
        f"--data={text}", *_flags("--config.model.num_key_value_heads=2"), devices=4,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 x" in done.stdout

    def held_out(directory):
        return [float(row["held_out_bits"]) for row in csv.DictReader(directory.open())]

    one = held_out(workdir / "training.csv")
    np.testing.assert_allclose(held_out(many / "training.csv"), one, rtol=1e-3)


def test_other_experiments_reuse_the_model(whole_run, tmp_path):
    workdir, _ = whole_run
    model = load(workdir)
    assert isinstance(model, language.LanguageModel) and model.config.width == 16
    text = np.frombuffer(_TEXT.encode(), np.uint8)[-round(0.1 * len(_TEXT)) :]
    windows, _ = evaluation.windows_of(text, 16)
    expected = json.loads((workdir / "claims.json").read_text())["claims"][0]["value"]
    assert abs(float(bits_of(model, jnp.asarray(windows))[:, 8:].mean()) - expected) < 0.1
    same = trained_model(workdir)
    np.testing.assert_array_equal(same.embedding[...], model.embedding[...])
    fresh = tmp_path / "fresh"
    trained = trained_model(fresh, config=_config(), quiet=True)
    stamp = (fresh / "metrics.jsonl").stat().st_mtime_ns
    again = trained_model(fresh, quiet=True)
    assert (fresh / "metrics.jsonl").stat().st_mtime_ns == stamp, "not trained twice"
    for one in (again, load(fresh)):
        np.testing.assert_array_equal(one.embedding[...], trained.embedding[...])


def test_what_is_no_trained_model_is_refused(whole_run, tmp_path):
    workdir, _ = whole_run
    with pytest.raises(runner.UserError, match="holds no trained language model; train one by"):
        load(tmp_path)
    unfinished = tmp_path / "unfinished"
    shutil.copytree(workdir, unfinished)
    shutil.rmtree(sorted((unfinished / "checkpoints/train").iterdir())[-1])
    with pytest.raises(runner.UserError, match="at step 5 of 6; finish it by"):
        load(unfinished)


def test_a_short_text_and_uneven_devices_are_refused(tmp_path):
    config = ml_collections.FrozenConfigDict(_config(**{"training.batch": 3}))
    mesh = runner.data_mesh(np.array(jax.devices() * 2))
    with pytest.raises(runner.UserError, match="batch is 3, not a multiple of the 2 devices"):
        training.make_step(config, mesh, np.zeros(50, np.uint8), jax.random.key(0))
    (tmp_path / "short.txt").write_text("too short to learn from, is it not?")
    done = _run(f"--workdir={tmp_path / 'run'}", f"--data={tmp_path / 'short.txt'}", *_flags())
    assert done.returncode == 2
    assert "each must be at least the context, 16" in children.only_line(done.stderr)


def test_tuning_leaves_the_end_alone():
    whole, part = (training.corpus_of(_config(tuning=tuning)) for tuning in (False, True))
    assert len(part.held_out) == len(whole.held_out)
    together = np.concatenate([part.train, part.held_out])
    np.testing.assert_array_equal(together, whole.train)


@pytest.mark.parametrize("length", [16, 24, 37, 40])
def test_every_byte_is_predicted_once_from_half_a_context(length):
    config = ml_collections.FrozenConfigDict(_config())
    model = new_model(config, jax.random.key(1))
    text = np.random.default_rng(length).integers(0, 256, length).astype(np.uint8)
    found = evaluation.byte_bits(config, training.nnx.to_pure_dict(training.nnx.state(model)), text)
    assert found["bits"].shape == (length,) and found["by_context"].shape == (16,)
    starts = list(range(0, length - 15, 8))
    starts += [length - 16] if (length - 16) % 8 else []
    expected, done = np.zeros(length), 0
    for start in starts:
        window = jnp.asarray(text[None, start : start + 16].astype(np.int32))
        bits = np.asarray(bits_of(model, window))[0]
        expected[done : start + 16] = bits[done - start :]
        done = start + 16
    np.testing.assert_allclose(found["bits"], expected, atol=1e-4)


def test_weights_make_the_same_model_again():
    config = ml_collections.FrozenConfigDict(_config())
    model = new_model(config, jax.random.key(1))
    parameters = training.nnx.to_pure_dict(training.nnx.state(model))
    tokens = np.arange(8)[None]
    np.testing.assert_array_equal(merge(config, parameters)(tokens), model(tokens))


def test_records_and_intervals():
    config = ml_collections.ConfigDict({"steps": 10, "records": 4})
    assert training.record_steps(config) == [0, 2, 5, 8, 10]
    bits = np.concatenate([np.full(4096, 2.0), np.full(4096, 1.0), np.full(100, 9.0)])
    estimate = ledger.bits_per_byte(bits)
    assert estimate.value == pytest.approx(bits.mean())
    # Eight blocks, four of 2 and four of 1: deviation .5345, Student's quantile 2.3646.
    assert estimate.high - estimate.low == pytest.approx(2 * 2.3646 * 0.5345 / 8**0.5, rel=1e-3)
    assert ledger.claims(np.full(4096, 1.9), "x")[0].holds
    assert not ledger.claims(np.full(4096, 1.91), "x")[0].holds

"""The comparison of samplers at a tiny size: files, measures by hand, resuming, faults."""

import csv
import json
import re
import shutil

import numpy as np
import pytest

from experiments import runner
from experiments.top_h import bound, ledger, measures, samplers
from experiments.top_h.config import get_config
from infojax.nn import language
from tests.experiments.runner import children

_MODULE = "experiments.top_h"
_TINY_MODEL = {
    "context": 32,
    "model.width": 16,
    "model.num_layers": 1,
    "model.num_heads": 2,
    "training.steps": 2,
    "training.batch": 2,
    "training.records": 1,
    "training.warmup": 1,
    "samples.new_tokens": 4,
}
_TINY = {
    "seeds": 2,
    "prompts": 4,
    "prompt_bytes": 6,
    "new_tokens": 12,
    "temperatures": "(2.0,)",
    "samplers": "('top_p','min_p','top_h')",
    "rows": 8,
    "small_laws.tokens": 5,
    "small_laws.count": 6,
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp("top_h")
    model = root / "model"
    flags = [f"--config.{key}={value}" for key, value in _TINY_MODEL.items()]
    done = children.run("experiments.language_model", f"--workdir={model}", *flags)
    assert done.returncode == 0, done.stdout + done.stderr
    done = children.run(_MODULE, *_flags(root / "run", model))
    assert done.returncode == 0, done.stdout + done.stderr
    return root, done.stdout


def _flags(workdir, model):
    config = (f"--config.{key}={value}" for key, value in _TINY.items())
    return [f"--workdir={workdir}", f"--writer={model}", f"--judge={model}", *config]


def test_files(finished):
    root, printed = finished
    claims = json.loads((root / "run/claims.json").read_text())["claims"]
    assert [claim["name"] for claim in claims] == [
        "words_over_min_p",
        "words_over_top_p",
        "diversity",
        "entropy_bound",
    ]
    bound_claim = claims[-1]
    # Two seeds, four prompts, twelve bytes.
    assert "out of 96" in bound_claim["statement"] and bound_claim["value"] == 0
    rows = list(csv.DictReader((root / "run/samplers.csv").open()))
    assert [row["sampler"] for row in rows] == ["top-p .9", "min-p .1", "top-H .4"]
    for name in ("trade_off", "temperature", "entropy", "optimum"):
        assert (root / f"run/{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "top-H .4:" in printed and "top-H .4:" in (root / "run/samples.md").read_text()
    (row,) = csv.DictReader((root / "run/optimum.csv").open())
    assert 0 < float(row["least"]) <= float(row["mean_share"]) <= 1 + 1e-6


def test_a_run_that_lost_its_last_stages_ends_with_the_same(finished, tmp_path):
    root, _ = finished
    again = tmp_path / "again"
    shutil.copytree(root / "run", again)
    for lost in ("claims.json", "samplers.csv", "stages/bound_2.json", "stages/top_h_2.json"):
        (again / lost).unlink()
    done = children.run(_MODULE, *_flags(again, root / "model"))
    assert done.returncode == 0, done.stdout + done.stderr
    children.assert_same_outputs(again, root / "run")


@pytest.mark.parametrize(
    ("extra", "pattern"),
    [
        ("--config.samplers=('best_p',)", "config.samplers must name samplers out of.*best_p"),
        ("--config.prompts=100000000", "config.prompts must be at most"),
        ("--writer=/no/such/run", "holds no trained language model"),
    ],
)
def test_mistakes_are_one_line(finished, tmp_path, extra, pattern):
    root, _ = finished
    done = children.run(_MODULE, *_flags(tmp_path / "run", root / "model"), extra)
    assert done.returncode == 2
    assert re.search(pattern, done.stderr), done.stderr
    assert "Traceback" not in done.stderr


def test_measures_by_hand():
    assert measures.words_of("The 'cat', sat -- on 42!") == ["the", "cat", "sat", "on", "42"]
    assert measures.whole_words("and the ca") == ["and", "the"]
    texts = [["a", "b", "a", "b"], ["a", "b", "c"]]
    assert measures.real_word_rate(texts, {"a", "b"}) == pytest.approx(6 / 7)
    assert measures.distinct(texts, 2) == pytest.approx(3 / 5)
    assert measures.distinct(texts, 9) == 0
    assert measures.repetition(texts) == pytest.approx((1 / 3 + 0) / 2)
    assert measures.real_word_rate([], set()) == 0


def test_claims_tell_good_from_bad():
    def values(rate, diversity):
        return {
            name: np.array([rate, rate + 0.01, rate])
            if name == "word_rate"
            else np.full(3, diversity)
            for name in ledger.MEASURES
        }

    def judged(mine, excess):
        found = {
            ("top_h", 2.0): mine,
            ("min_p", 2.0): values(0.6, 0.9),
            ("top_p", 2.0): values(0.3, 0.9),
        }
        within = {2.0: {"excess": np.array(excess), "steps": 1000}}
        return {claim.name: claim.holds for claim in ledger.claims(found, within)}

    good = judged(values(0.8, 0.85), [-0.1, 1e-6])
    assert all(good.values()) and len(good) == 4
    bad = judged(values(0.4, 0.5), [-0.1, 1e-3])
    assert not any(bad.values())


def test_entropies_of_laws():
    logits = np.array([[0.0, 0.0, -np.inf], [800.0, 0.0, -np.inf]])
    np.testing.assert_allclose(bound._entropy(logits), [np.log(2), 0], atol=1e-12)


def test_every_sampler_keeps_something_at_every_temperature():
    logits = np.random.default_rng(0).normal(size=(3, 256)).astype(np.float32)
    samplers.check_names(get_config("desk").samplers)
    for sampler in samplers.REGISTRY.values():
        kept = np.isfinite(np.asarray(sampler.function(np.float32(2.0), logits))).sum(-1)
        assert np.all((kept >= 1) & (kept <= 256))
    with pytest.raises(runner.UserError, match="got none"):
        samplers.check_names(())
    assert language.decode_text(np.array([104, 105])) == "hi"

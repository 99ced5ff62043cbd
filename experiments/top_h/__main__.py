"""Compares samplers on a byte-level model: real words, diversity, and the bound on the entropy.

`python -m experiments.top_h --workdir=runs/top_h` trains a writer and a judge first, once; with
`--writer=DIR` it takes the model of a run of `experiments.language_model`, with `--judge=DIR` the
judge likewise.
"""

from typing import Any

import numpy as np
from absl import flags

from experiments import runner
from experiments.top_h import bound, ledger, measures, models, pictures, samplers, writing
from experiments.top_h.config import get_config
from infojax.nn import language

_WRITER = flags.DEFINE_string("writer", None, "Work directory of a trained language model.")
_JUDGE = flags.DEFINE_string("judge", None, "Work directory of the one that judges the texts.")
_SHOWN = 2  # prompts whose continuations the report has


def _write(run: runner.Run, writer, prompts: np.ndarray) -> dict[writing.Setting, Any]:
    judge = models.judge(run, _JUDGE.value)
    made = {}
    settings = writing.settings(run.config)
    with run.progress("settings", len(settings)) as bar:
        for setting in settings:
            name, t = setting
            made[setting] = run.stage(
                f"{name}_{t:g}".replace(".", "_"),
                lambda setting=setting: writing.continuations(run, writer, judge, prompts, setting),
            )
            bar.advance()
    return made


def _check_bound(run: runner.Run, writer, prompts, made) -> dict[float, dict[str, Any]]:
    found = {}
    for (name, t), texts in made.items():
        if name == "top_h":
            found[t] = run.stage(
                f"bound_{t:g}".replace(".", "_"),
                lambda t=t, texts=texts: bound.steps_within_bound(
                    writer, prompts, texts["tokens"], t, 50
                ),
            )
    return found


def _small_laws(run: runner.Run, writer, prompts) -> dict[float, np.ndarray]:
    shares = {}
    for t in run.config.temperatures:
        shares[t] = run.stage(
            f"optimum_{t:g}".replace(".", "_"),
            lambda t=t: bound.shares_of_optimum(writer, prompts, run.config, t),
        )
    rows = []
    for t, values in shares.items():
        low, middle = np.quantile(values, (0.05, 0.5))
        rows.append(
            {"temperature": t, "laws": len(values), "mean_share": values.mean()}
            | {"quantile_0.05": low, "median": middle, "least": values.min()}
        )
    run.save_table("optimum", rows)
    run.save_figure("optimum", pictures.optimum(shares, run.config.small_laws.tokens))
    return shares


def _report(prompts: np.ndarray, made: dict[writing.Setting, Any]) -> str:
    hottest = max(t for _, t in made)
    lines = [f"# Continuations at temperature {hottest:g}", ""]
    for number in range(min(_SHOWN, len(prompts))):
        lines += [f"## prompt: {language.decode_text(prompts[number])}", "", "```text"]
        for (name, t), texts in made.items():
            if t == hottest:
                text = " ".join(language.decode_text(texts["tokens"][0, number]).split())
                lines.append(f"{samplers.REGISTRY[name].title + ':':<23}{text}")
        lines += ["```", ""]
    return "\n".join(lines)


def main(run: runner.Run) -> None:
    """Trains what is missing, writes, measures, draws, judges.

    Args:
        run: the run.
    """
    samplers.check_names(run.config.samplers)
    writer = models.writer(run, _WRITER.value)
    prompts, text = models.prompts(run.config)
    vocabulary = set(measures.words_of(text.tobytes().decode(errors="replace")))
    made = _write(run, writer, prompts)
    within = _check_bound(run, writer, prompts, made)
    found = {setting: ledger.measure(texts, vocabulary) for setting, texts in made.items()}
    run.save_table("samplers", ledger.table(found))
    if within:
        rows = [
            {"temperature": t, "steps": each["steps"], "mean_kept": each["kept"]}
            | {"greatest_excess_nats": float(np.max(each["excess"], initial=-np.inf))}
            for t, each in within.items()
        ]
        run.save_table("bound", rows)
    _small_laws(run, writer, prompts)
    run.save_figure("trade_off", pictures.trade_off(found))
    run.save_figure("temperature", pictures.by_temperature(found))
    entropies = {setting: texts["entropy"] for setting, texts in made.items()}
    run.save_figure("entropy", pictures.along_text(entropies))
    report = _report(prompts, made)
    run.save_file("samples.md", report.encode())
    run.print(report)
    run.save_claims(ledger.claims(found, within))


if __name__ == "__main__":
    runner.main(main, get_config, experiment="top_h", locked_flags=("writer", "judge"))

"""The table of what each sampler writes, and the claims."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments import runner
from experiments.top_h import measures
from experiments.top_h.samplers import ALPHA, REGISTRY
from experiments.top_h.writing import Setting
from infojax.nn import language

_HOTTEST = 2.0
_SOURCE = "Baghaei Potraghloo et al. 2025; the thresholds are ours"
MEASURES = ("word_rate", "distinct_2", "distinct_4", "repetition", "likelihood")


def measure(made: Mapping[str, Any], vocabulary: set[str]) -> dict[str, np.ndarray]:
    """What is measured of one setting's texts.

    Args:
        made: from `writing.continuations`.
        vocabulary: the words that are real.

    Returns:
        For each of `MEASURES` an array (S,), one number a seed.
    """
    rows: dict[str, list[float]] = {name: [] for name in MEASURES}
    for tokens, likelihood in zip(made["tokens"], made["likelihood"], strict=True):
        texts = [measures.whole_words(language.decode_text(row)) for row in tokens]
        rows["word_rate"].append(measures.real_word_rate(texts, vocabulary))
        rows["distinct_2"].append(measures.distinct(texts, 2))
        rows["distinct_4"].append(measures.distinct(texts, 4))
        rows["repetition"].append(measures.repetition(texts))
        rows["likelihood"].append(float(np.mean(likelihood)))
    return {name: np.asarray(values) for name, values in rows.items()}


def table(found: Mapping[Setting, Mapping[str, np.ndarray]]) -> list[dict[str, Any]]:
    """A row for each sampler and temperature: means over seeds with their intervals.

    Args:
        found: from `measure`, by setting.

    Returns:
        The rows.
    """
    rows = []
    for (name, t), values in found.items():
        row: dict[str, Any] = {"sampler": REGISTRY[name].title, "temperature": t}
        for key, per_seed in values.items():
            estimate = runner.mean_interval(per_seed)
            row |= {key: estimate.value, f"{key}_low": estimate.low, f"{key}_high": estimate.high}
        rows.append(row)
    return rows


def _difference(found, other: str, threshold: str) -> runner.Claim | None:
    mine, theirs = (found.get((name, _HOTTEST)) for name in ("top_h", other))
    if mine is None or theirs is None:
        return None
    estimate = runner.mean_interval(mine["word_rate"] - theirs["word_rate"])
    return runner.claim(
        name=f"words_over_{other}",
        statement=f"Real words at temperature 2: share by top-H .4 above that by "
        f"{REGISTRY[other].title}, paired seeds",
        source=_SOURCE,
        value=estimate.value,
        interval=estimate.interval,
        threshold=threshold,
    )


def _diversity(found) -> runner.Claim | None:
    mine, theirs = (found.get((name, _HOTTEST)) for name in ("top_h", "min_p"))
    if mine is None or theirs is None:
        return None
    estimate = runner.mean_interval(mine["distinct_4"] / np.maximum(theirs["distinct_4"], 1e-9))
    return runner.claim(
        name="diversity",
        statement="Distinct-4 at temperature 2: top-H .4 over min-p .1, paired seeds",
        source=_SOURCE,
        value=estimate.value,
        interval=estimate.interval,
        threshold=">= 0.8",
    )


def _bound(within: Mapping[float, Mapping[str, Any]]) -> runner.Claim | None:
    if not within:
        return None
    excess = np.concatenate([found["excess"] for found in within.values()])
    steps = sum(found["steps"] for found in within.values())
    # What float32 can tell: both sides are sums of numbers below 6 nats.
    above = int(np.sum(excess > 1e-5))
    rate = runner.wilson_interval(above, max(steps, 1))
    return runner.claim(
        name="entropy_bound",
        statement=f"Steps out of {steps:,} at which the law that top-H keeps has more than "
        f"{ALPHA} of the entropy (by 1e-5 nats, in float64)",
        source=_SOURCE,
        value=above,
        interval=(rate.low * steps, rate.high * steps),
        threshold="<= 0",
    )


def claims(
    found: Mapping[Setting, Mapping[str, np.ndarray]], within: Mapping[float, Mapping[str, Any]]
) -> list[runner.Claim]:
    """The claims of a run.

    Args:
        found: from `measure`, by setting.
        within: from `bound.steps_within_bound`, by temperature.

    Returns:
        Those whose samplers and temperature the configuration has.
    """
    made = (
        _difference(found, "min_p", ">= 0.05"),
        _difference(found, "top_p", ">= 0.2"),
        _diversity(found),
        _bound(within),
    )
    return [claim for claim in made if claim is not None]

"""The claims that are measured again, with the thresholds of the plan, and what got worse."""

import numpy as np

from experiments import runner
from experiments.offline_optimization.arms import BASE, ignite2
from experiments.offline_optimization.names import GRADIENT_ASCENT

_PAPER = "arXiv 2503.04242"
DEFAULT, STRONG = 0.01, 0.3
PERCENTILES = (100, 80, 50)

Found = dict[str, dict]


def at_percentiles(found: dict, optimizer: str = GRADIENT_ASCENT) -> np.ndarray:
    """True values of the proposals in the task's units.

    Args:
        found: of one arm.
        optimizer: whose proposals.

    Returns:
        (seeds, 3): maximum, 80th percentile and median.
    """
    return np.percentile(found[optimizer]["values"][:, -1], PERCENTILES, axis=-1).T


def _sharpness(found: dict) -> np.ndarray:
    return found[GRADIENT_ASCENT]["sharpness"]


def _ratio_claim(name, statement, source, changed, base, threshold, seed, sign=1.0):
    """A relative change of means over paired seeds, its interval by the bootstrap."""

    def change(pairs, axis):
        means = pairs.mean(axis)
        return sign * (means[0] / means[1] - 1)

    pairs = np.stack([changed, base], 1)
    estimate = runner.bootstrap_interval(pairs, change, seed=seed)
    return runner.claim(
        name=name,
        statement=statement,
        source=source,
        value=float(estimate.value),
        interval=estimate.interval,
        threshold=threshold,
    )


def sharpness_claims(task: str, arms: Found, seed: int) -> list[runner.Claim]:
    """Claims on sharpness and training error of one task.

    Args:
        task: its name.
        arms: results by method.
        seed: of the bootstrap.

    Returns:
        The claims whose arms are there.
    """
    base, some, strong = (arms.get(n) for n in (BASE, ignite2(DEFAULT), ignite2(STRONG)))
    where = f"at the proposals on {task}"
    claims = []
    if base and some and strong:
        steps = np.diff([_sharpness(found) for found in (strong, some, base)], axis=0)
        least = steps[np.argmin(steps.mean(1))]
        estimate = runner.mean_interval(least)
        claims.append(
            runner.claim(
                name=f"sharpness_is_monotone_{task}",
                statement=f"Sharpness {where} falls from lambda 0 to .01 and from .01 to .3: the "
                "smaller fall (in standard deviations of y)",
                source=f"{_PAPER}, figure on sharpness of unseen candidates",
                value=float(estimate.value),
                interval=estimate.interval,
                threshold="> 0",
            )
        )
    for found, label, weight, threshold in (
        (some, "p01", ".01", ">= 0.03"),
        (strong, "p3", ".3", ">= 0.25"),
    ):
        if base and found:
            claims.append(
                _ratio_claim(
                    f"sharpness_falls_at_{label}_{task}",
                    f"Relative fall of the sharpness {where} at lambda {weight}",
                    f"{_PAPER}, figure on sharpness of unseen candidates",
                    _sharpness(found),
                    _sharpness(base),
                    threshold,
                    seed,
                    sign=-1.0,
                )
            )
    if base and strong:
        claims.append(
            _ratio_claim(
                f"fit_is_kept_{task}",
                f"Relative rise of the mean squared error on the training data of {task} at "
                "lambda .3",
                f"{_PAPER}, the bound on sharpness leaves the fit",
                strong["training_error"],
                base["training_error"],
                "< 0.15",
                seed,
            )
        )
    return claims


def score_claims(arms: dict[str, Found]) -> list[runner.Claim]:
    """Claims on true values of the best proposals.

    Args:
        arms: results by task and method.

    Returns:
        The claims whose arms are there.
    """
    claims = []
    ackley = arms.get("ackley", {})
    if BASE in ackley and ignite2(STRONG) in ackley:
        gain = at_percentiles(ackley[ignite2(STRONG)])[:, 0] - at_percentiles(ackley[BASE])[:, 0]
        rate = runner.wilson_interval(int(np.sum(gain > 0)), len(gain))
        claims.append(
            runner.claim(
                name="ackley_improves",
                statement="Share of seeds whose best proposal on Ackley is better at lambda .3 "
                "than at 0",
                source=f"{_PAPER}, tables of results",
                value=float(rate.value),
                interval=rate.interval,
                threshold=">= 0.7",
            )
        )
    for task in ("styblinski_tang", "ackley"):
        found = arms.get(task, {})
        if BASE in found and ignite2(DEFAULT) in found:
            base = at_percentiles(found[BASE])[:, 0]
            gain = (at_percentiles(found[ignite2(DEFAULT)])[:, 0] - base) / np.std(base, ddof=1)
            estimate = runner.mean_interval(gain)
            claims.append(
                runner.claim(
                    name=f"default_does_no_harm_{task}",
                    statement=f"Best proposal on {task} at lambda .01 minus that at 0, in standard "
                    "deviations of the latter over seeds",
                    source=f"{_PAPER}, tables of results",
                    value=float(estimate.value),
                    interval=estimate.interval,
                    threshold=">= -0.5",
                )
            )
    return claims


def where_it_hurts(arms: dict[str, Found]) -> list[dict[str, object]]:
    """Percentiles at which a method's proposals are worse than those of the plain surrogate.

    Args:
        arms: results by task and method.

    Returns:
        Rows of a table: the mean difference over paired seeds is negative.
    """
    rows = []
    for task, found in arms.items():
        if BASE not in found:
            continue
        for method, of_method in found.items():
            for optimizer in _searches(of_method, found[BASE]):
                base = at_percentiles(found[BASE], optimizer)
                change = at_percentiles(of_method, optimizer) - base
                for place, percentile in enumerate(PERCENTILES):
                    estimate = runner.mean_interval(change[:, place])
                    if method != BASE and estimate.value < 0:
                        rows.append(
                            {
                                "task": task,
                                "optimizer": optimizer,
                                "method": method,
                                "percentile": percentile,
                                "base": float(base[:, place].mean()),
                                "change": estimate.value,
                                "change_low": estimate.low,
                                "change_high": estimate.high,
                            }
                        )
    return rows


def _searches(found: dict, base: dict) -> list[str]:
    return [name for name, value in found.items() if isinstance(value, dict) and name in base]


def result_rows(arms: dict[str, Found]) -> list[dict[str, object]]:
    """A row for each task, method and search, with intervals over seeds.

    Args:
        arms: results by task and method.

    Returns:
        The rows.
    """
    rows = []
    for task, by_method in arms.items():
        for method, found in by_method.items():
            for optimizer in _searches(found, found):
                row: dict[str, object] = {"task": task, "method": method, "optimizer": optimizer}
                values = at_percentiles(found, optimizer)
                columns = {f"value_{p}": values[:, i] for i, p in enumerate(PERCENTILES)}
                scores = found[optimizer]["scores"]
                columns |= {f"score_{p}": scores[:, i] for i, p in enumerate(PERCENTILES)}
                columns["sharpness"] = found[optimizer]["sharpness"]
                for key in ("training_sharpness", "training_error", "held_out_error"):
                    columns[key] = found[key]
                columns["multiplier"] = found["multiplier"][:, -1]
                for key, samples in columns.items():
                    estimate = runner.mean_interval(samples)
                    row |= {key: estimate.value, f"{key}_low": estimate.low}
                    row[f"{key}_high"] = estimate.high
                rows.append(row)
    return rows

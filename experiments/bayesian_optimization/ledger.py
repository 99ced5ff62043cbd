"""Tables and claims; the thresholds are those that were set before the first run."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments import runner
from experiments.bayesian_optimization.searches import TITLES

SOURCE = "Frazier 2018, arXiv 1807.02811; the thresholds are ours"
GOAL = 0.05  # regret on Branin
_GOOD = (
    "expected_improvement",
    "log_expected_improvement",
    "knowledge_gradient",
    "max_value_entropy_search",
)


def _median(samples: np.ndarray, seed: int) -> runner.Estimate:
    return runner.bootstrap_interval(samples, np.median, seed=seed)


def regret_rows(arms: Mapping[str, Mapping[str, np.ndarray]], seed: int) -> list[dict[str, Any]]:
    """A row for each problem and acquisition: final regret.

    Args:
        arms: by problem, by acquisition: regrets (R, N).
        seed: of the bootstrap.

    Returns:
        The rows.
    """
    rows = []
    for problem, curves in arms.items():
        for name, regrets in curves.items():
            last = regrets[:, -1]
            estimate = _median(last, seed)
            rows.append(
                {
                    "problem": problem,
                    "acquisition": TITLES[name],
                    "evaluations": regrets.shape[1],
                    "replicates": len(last),
                    "median_regret": estimate.value,
                    "low": estimate.low,
                    "high": estimate.high,
                    "least": last.min(),
                    "most": last.max(),
                }
            )
    return rows


def regret_claims(
    arm: str, curves: Mapping[str, np.ndarray], good: str, random: str, seed: int
) -> list[runner.Claim]:
    """Claims on the median regret of the good acquisitions, and of random points.

    Args:
        arm: the problem's name.
        curves: by acquisition: regrets (R, N).
        good: threshold of the good ones.
        random: threshold of random points.
        seed: of the bootstrap.

    Returns:
        The claims on those that were run.
    """
    claims = []
    for name in (*_GOOD, "random"):
        if name in curves:
            estimate = _median(curves[name][:, -1], seed)
            claims.append(
                runner.claim(
                    name=f"{arm}_{name}",
                    statement=f"Median regret of {TITLES[name]} on {arm} after "
                    f"{curves[name].shape[1]} evaluations",
                    source=SOURCE,
                    value=estimate.value,
                    interval=estimate.interval,
                    threshold=random if name == "random" else good,
                )
            )
    return claims


def noisy_claims(final: Mapping[str, np.ndarray], seed: int) -> list[runner.Claim]:
    """Claims that what knows of noise ends no worse than what does not.

    Args:
        final: by acquisition: regret of the recommended point, (R,).
        seed: of the bootstrap.

    Returns:
        The claims on those that were run.
    """
    claims, plain = [], final.get("expected_improvement")
    for name in ("noisy_expected_improvement", "knowledge_gradient"):
        if name in final and plain is not None:
            pairs = np.stack([final[name], plain], 1)
            estimate = runner.bootstrap_interval(
                pairs, lambda p, axis: np.diff(np.median(p[:, ::-1], axis))[0], seed=seed
            )
            claims.append(
                runner.claim(
                    name=f"noisy_{name}",
                    statement=f"Noisy Branin (deviation 5): median regret of the recommended point "
                    f"by {TITLES[name]} less that by expected improvement over the best value seen",
                    source=SOURCE,
                    value=estimate.value,
                    interval=estimate.interval,
                    threshold="<= 0",
                )
            )
    return claims


def final_claim(
    name: str, statement: str, final: np.ndarray, threshold: str, seed: int
) -> runner.Claim:
    """A claim on the median of a final number over replicates.

    Args:
        name: of the claim.
        statement: what is claimed.
        final: (R,).
        threshold: the condition.
        seed: of the bootstrap.

    Returns:
        The claim.
    """
    estimate = _median(final, seed)
    return runner.claim(
        name=name,
        statement=statement,
        source=SOURCE,
        value=estimate.value,
        interval=estimate.interval,
        threshold=threshold,
    )


def spent_until(regrets: np.ndarray, spent: np.ndarray, goal: float = GOAL) -> np.ndarray:
    """What each replicate had spent when its regret came within a goal to stay.

    Args:
        regrets: (R, N).
        spent: (N,) or (R, N), rising.
        goal: the regret.

    Returns:
        (R,); inf where it never did.
    """
    spent = np.broadcast_to(spent, regrets.shape)
    # A recommended point can get worse again.
    stays = np.logical_and.accumulate((regrets <= goal)[:, ::-1], 1)[:, ::-1]
    first = np.argmax(stays, 1)
    return np.where(stays.any(1), spent[np.arange(len(spent)), first], np.inf)


def saving_claim(
    name: str, statement: str, mine: np.ndarray, other: np.ndarray, threshold: str, seed: int
) -> runner.Claim:
    """A claim on the ratio of medians of what was spent until the goal.

    Args:
        name: of the claim.
        statement: what is claimed.
        mine: (R,).
        other: (R,), of the same replicates.
        threshold: on the ratio of the medians, mine over other.
        seed: of the bootstrap.

    Returns:
        The claim.
    """

    def ratio(pairs, axis):
        top, bottom = np.median(pairs, axis)
        return top / bottom if np.isfinite(top) else np.inf

    estimate = runner.bootstrap_interval(np.stack([mine, other], 1), ratio, seed=seed)
    return runner.claim(
        name=name,
        statement=statement,
        source=SOURCE,
        value=estimate.value,
        interval=estimate.interval,
        threshold=threshold,
    )

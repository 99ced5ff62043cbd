"""The claims of the Markov coding game: what must come out, measured with its intervals."""

import numpy as np

from experiments import runner
from experiments.markov_coding_game.comparisons import PAPER_MEC_TABLE
from experiments.markov_coding_game.play import Point

_PAPER = "arXiv 2410.21666"


def _select(points: list[Point], **wanted) -> list[Point]:
    return [p for p in points if all(getattr(p, key) == value for key, value in wanted.items())]


def _slope(points: list[Point], values: str, seed: int) -> runner.Estimate:
    """Least squares slope against log beta, episodes resampled within each temperature."""
    x = np.array([p.log_beta for p in points])
    weights = (x - x.mean()) / np.sum((x - x.mean()) ** 2)
    episodes = np.stack([getattr(p, values) for p in points], 1).astype(np.float64)
    return runner.bootstrap_interval(
        episodes, lambda rows, axis: weights @ rows.mean(axis), seed=seed, resamples=1000
    )


def _trend_claims(points: list[Point], seed: int) -> list[runner.Claim]:
    claims = []
    if len({p.log_beta for p in points}) < 2:  # one temperature has no trend
        return claims
    for rate in sorted({p.compression_rate for p in points}):
        chosen = _select(points, encoder="search", compression_rate=rate)
        for values, word, threshold in (
            ("correct", "accuracy rises", "> 0"),
            ("reward", "reward falls", "< 0"),
        ):
            slope = _slope(chosen, values, seed)
            claims.append(
                runner.claim(
                    name=f"{values}_slope_rate_{rate:g}",
                    statement=f"With beta the {word} (search, compression rate {rate:g}; slope "
                    "per unit of log beta)",
                    source=f"{_PAPER}, figure 4",
                    value=slope.value,
                    interval=slope.interval,
                    threshold=threshold,
                    by="interval",
                )
            )
    return claims


def _gain(points: list[Point], log_beta: float, rate: float) -> runner.Estimate:
    """Paired difference of accuracy, search minus uniform, on common messages and seeds."""
    arms = [
        _select(points, encoder=e, log_beta=log_beta, compression_rate=rate)[0].correct
        for e in ("search", "uniform")
    ]
    difference = arms[0].astype(float) - arms[1].astype(float)
    if not np.any(difference):
        return runner.Estimate(0.0, 0.0, 0.0)
    return runner.mean_interval(difference)


def _encoder_claims(points: list[Point]) -> list[runner.Claim]:
    pairs = sorted({(p.log_beta, p.compression_rate) for p in points})
    gains = {pair: _gain(points, *pair) for pair in pairs}
    worst = min(gains.values(), key=lambda estimate: estimate.value)
    claims = [
        runner.claim(
            name="search_never_below_uniform",
            statement="Accuracy of the search encoder minus uniform quantisation, smallest over "
            "all temperatures and rates",
            source=f"{_PAPER}, figure 4",
            value=worst.value,
            interval=worst.interval,
            threshold=">= 0",
        )
    ]
    middle = {k: v for k, v in gains.items() if k[0] in (-5.0, -4.0) and k[1] in (2.0, 4.0)}
    if middle:
        least = min(middle.values(), key=lambda estimate: estimate.value)
        claims.append(
            runner.claim(
                name="search_gain",
                statement="Accuracy of the search encoder minus uniform quantisation at log beta "
                "-5 and -4, compression rates 2 and 4, smallest of the four",
                source=f"{_PAPER}, figure 4",
                value=least.value,
                interval=least.interval,
                threshold=">= 0.3",
            )
        )
    return claims


def _reward_claim(points: list[Point]) -> runner.Claim:
    apart, widest, gap = 0, None, -1.0
    for pair in sorted({(p.log_beta, p.compression_rate) for p in points}):
        arms = [
            _select(points, encoder=e, log_beta=pair[0], compression_rate=pair[1])[0].reward
            for e in ("search", "uniform")
        ]
        estimates = [runner.mean_interval(arm) for arm in arms]
        apart += max(e.low for e in estimates) > min(e.high for e in estimates)
        difference = runner.mean_interval(arms[0] - arms[1])
        if abs(difference.value) > gap:
            gap, widest = abs(difference.value), difference
    return runner.claim(
        name="reward_independent_of_encoder",
        statement="Reward at a fixed beta and rate: pairs of encoders whose 95 % intervals do not "
        f"overlap (largest difference of means {widest.value:+.3f}, interval {widest.low:+.3f} to "
        f"{widest.high:+.3f})",
        source=f"{_PAPER}, section 5",
        value=apart,
        threshold="== 0",
    )


def game_claims(points: list[Point], seed: int) -> list[runner.Claim]:
    """The claims on games.

    Args:
        points: the points of the figure; claims are made on the first message size and grid.
        seed: seed of the bootstrap.

    Returns:
        The claims.
    """
    first = _select(points, message_bits=points[0].message_bits, side=points[0].side)
    return [*_trend_claims(first, seed), *_encoder_claims(first), _reward_claim(first)]


def mec_claims(table: dict[str, np.ndarray]) -> list[runner.Claim]:
    """The claims on couplings of random pairs.

    Args:
        table: joint entropies in bits of each method, paired.

    Returns:
        The claims.
    """
    claims = []
    order = (
        ("independent", "successive linearisation", "> 0"),
        ("successive linearisation", "max-seeking greedy", "> 0"),
        ("max-seeking greedy", "zero-seeking greedy", ">= 0"),
    )
    for above, below, threshold in order:
        estimate = runner.mean_interval(table[above] - table[below])
        claims.append(
            runner.claim(
                name=f"mec_{above}_over_{below}".replace(" ", "_").replace("-", "_"),
                statement=f"Joint entropy in bits, {above} minus {below}, 100 random pairs",
                source=f"{_PAPER}, table 1",
                value=estimate.value,
                interval=estimate.interval,
                threshold=threshold,
            )
        )
    mean, half = PAPER_MEC_TABLE["max-seeking greedy"]
    greedy = runner.mean_interval(table["max-seeking greedy"])
    bound = float(table["lower bound"].mean())
    claims.append(
        runner.claim(
            name="mec_greedy_as_published",
            statement="Joint entropy in bits of the max-seeking greedy coupling lies in the "
            "paper's interval (marginals of 8 symbols match its independent entropy; no coupling "
            f"of these pairs can average below {bound:.3f})",
            source=f"{_PAPER}, table 1",
            value=greedy.value,
            interval=greedy.interval,
            threshold=f"in [{mean - half:.3f}, {mean + half:.3f}]",
        )
    )
    return claims


def code_claims(
    curve: dict[str, np.ndarray],
    encoders: dict[str, dict[str, np.ndarray]],
    stochastic: dict[str, np.ndarray],
) -> list[runner.Claim]:
    """The claims on codes: figure 2, figure 9 and figure 10.

    Args:
        curve: from `code_curve`.
        encoders: from `encoder_comparison`.
        stochastic: from `stochasticity`.

    Returns:
        The claims.
    """
    missed = np.max(np.abs(curve["best_at_map_rate"] - curve["map_rate"]))
    away = np.min(np.abs(curve["rate"][:, None] - curve["map_rate"]), 1) > 0.02
    inside = away & (curve["rate"] < curve["map_rate"].max())
    loss = np.min((curve["rate"] - curve["best"])[inside])
    claims = [
        runner.claim(
            name="curve_meets_the_rate_at_maps",
            statement="I(X;T) = R at the rate of every deterministic map of (.7, .2, .1): largest "
            "difference in bits",
            source=f"{_PAPER}, figure 2",
            value=float(missed),
            threshold="<= 0.001",
        ),
        runner.claim(
            name="curve_below_the_rate_between_maps",
            statement="I(X;T) < R between those rates: smallest difference in bits, 0.02 away "
            "from them",
            source=f"{_PAPER}, Theorem 3",
            value=float(loss),
            threshold="> 0",
        ),
    ]
    for name, values in encoders.items():
        gain = values["search"] - values["log-loss code"]
        half = len(gain) // 2
        label = "binomial" if name.startswith("Binomial") else "geometric"
        claims += [
            runner.claim(
                name=f"search_above_log_loss_{label}",
                statement=f"I(X;T) in bits, search minus log-loss code, smallest: {name}",
                source=f"{_PAPER}, figure 9",
                value=float(gain.min()),
                threshold=">= 0",
            ),
            runner.claim(
                name=f"gain_largest_at_low_rates_{label}",
                statement="The mean gain over the lower half of the rates minus that over the "
                f"upper half, in bits: {name}",
                source=f"{_PAPER}, figure 9",
                value=float(gain[:half].mean() - gain[half:].mean()),
                threshold="> 0",
            ),
        ]
    rises = np.diff(stochastic["conditional_entropy"])
    claims.append(
        runner.claim(
            name="couplings_become_stochastic",
            statement="H(Y|X) in bits of uniform couplings rises with the compression rate: "
            "smallest rise between neighbouring rates",
            source=f"{_PAPER}, figure 10",
            value=float(rises.min()),
            threshold="> 0",
        )
    )
    return claims

"""The figures: curves over lambda, annealing, entropy against success, results on slides."""

import numpy as np

from experiments import runner
from experiments.aem_mil.arms import ANNEALED, CONSTANT
from experiments.runner import figures


def _ticks(ax, lambdas) -> np.ndarray:
    """Evenly spaced places for lambdas, which span 0 and several decades."""
    places = np.arange(len(lambdas))
    ax.set_xticks(places, [f"{value:g}" for value in lambdas])
    return places


def curves(found: dict[str, dict[str, np.ndarray]], instances: int):
    """Draws AUC, likelihood and entropy against lambda, annealed and constant.

    Args:
        found: of the arm.
        instances: of a bag; the logarithm bounds the entropy.

    Returns:
        The figure.
    """
    figure, axes = figures.subplots(1, 3, panel=(3.9, 3.0))
    labels = {
        "auc": ("Test AUC", "AUC"),
        "nll": ("Negative log-likelihood", "nats"),
        "entropy": ("Attention entropy on test bags", "nats"),
    }
    for ax, (key, (title, y)) in zip(axes, labels.items(), strict=True):
        for name in (ANNEALED, CONSTANT):
            places = _ticks(ax, found[name]["lambda"])
            estimate = runner.mean_interval(found[name][key])
            # An interval of ten seeds may reach beyond what an AUC can be.
            ceiling = 1 if key == "auc" else np.inf
            high = np.minimum(estimate.high, ceiling)
            figures.line_with_interval(ax, places, estimate.value, estimate.low, high, name)
        if key == "entropy":
            most = np.log(instances)
            ax.axhline(most, color="0.4", linestyle="--", linewidth=1)
            text = f"log {instances}: mean pooling"
            ax.text(0, 1.012 * most, text, fontsize=8, color="0.3", va="bottom")
            ax.set_ylim(top=most * 1.1)
        figures.finish(ax, title=title, x="$\\lambda_0$", y=y)
    return figure


def annealing(found: dict[str, dict[str, np.ndarray]]):
    """Draws every seed's AUC at the compared lambdas, and its range over them.

    Args:
        found: of the arm, at the lambdas to compare.

    Returns:
        The figure.
    """
    figure, axes = figures.subplots(1, 2, panel=(4.4, 3.1), width_ratios=(1.6, 1))
    lambdas = found[ANNEALED]["lambda"]
    places = _ticks(axes[0], lambdas)
    for number, (name, shift) in enumerate(((ANNEALED, -0.14), (CONSTANT, 0.14))):
        auc, color = found[name]["auc"], figures.COLORS[number]
        jitter = np.linspace(-0.07, 0.07, len(auc))
        for place, column in zip(places, auc.T, strict=True):
            axes[0].scatter(
                place + shift + jitter, column, s=16, color=color, alpha=0.55, linewidths=0
            )
        axes[0].plot(
            places + shift,
            auc.mean(0),
            linestyle="",
            marker="_",
            markersize=20,
            markeredgewidth=2.2,
            color=color,
            label=f"{name}: each seed, mean",
        )
    axes[0].set_xlim(-0.5, len(lambdas) - 0.5)
    figures.finish(axes[0], title="Test AUC", x="$\\lambda_0$", y="AUC")
    axes[0].legend(loc="lower right")
    ranges = np.stack([np.ptp(found[name]["auc"], axis=1) for name in (ANNEALED, CONSTANT)])
    axes[1].plot([0, 1], ranges, color="0.7", linewidth=1, zorder=1)
    for number, row in enumerate(ranges):
        color = figures.COLORS[number]
        axes[1].scatter(np.full(len(row), number), row, s=18, color=color, zorder=2)
        axes[1].hlines(row.mean(), number - 0.18, number + 0.18, color=color, linewidth=2.2)
    axes[1].set_xticks([0, 1], [ANNEALED, CONSTANT])
    axes[1].set_xlim(-0.4, 1.4)
    axes[1].set_ylim(bottom=0)
    figures.finish(axes[1], title="Range over $\\lambda_0$, by seed", y="AUC", legend=False)
    return figure


def correlation(found: dict[str, np.ndarray], value: float, within: list[float]):
    """Draws AUC against attention entropy, a point for each run without the penalty.

    Args:
        found: of the arm, (data sets, initialisations).
        value: the rank correlation of all runs.
        within: that of each data set's.

    Returns:
        The figure.
    """
    figure, ax = figures.subplots(panel=(5.2, 3.5))
    for number, (entropy, auc) in enumerate(zip(found["entropy"], found["auc"], strict=True)):
        ax.scatter(
            entropy,
            auc,
            s=24,
            alpha=0.8,
            linewidths=0,
            color=figures.COLORS[number % len(figures.COLORS)],
            marker=figures.MARKERS[number % len(figures.MARKERS)],
            label=f"data set {number}: {within[number]:.2f}",
        )
    figures.finish(
        ax,
        title=f"{found['auc'].size} runs at $\\lambda = 0$: rank correlation {value:.2f}",
        x="attention entropy on test bags [nats]",
        y="test AUC",
    )
    return figure


def slides(found: dict[str, np.ndarray], classes: int):
    """Draws the metrics of each seed on the user's test slides.

    Args:
        found: of the arm.
        classes: how many classes there are: the AUC of chance is one half, F1's is about 1/C.

    Returns:
        The figure.
    """
    figure, axes = figures.subplots(1, 2, width_ratios=(1.4, 1))
    seeds = np.arange(1, len(found["auc"]) + 1)
    for number, (key, label) in enumerate((("auc", "AUC (macro)"), ("f1", "F1 (macro)"))):
        shift = 0.18 * (2 * number - 1)
        axes[0].bar(seeds + shift, found[key], 0.34, label=label)
    axes[0].axhline(0.5, color="0.4", linestyle="--", linewidth=1)
    axes[0].set_xticks(seeds)
    axes[0].set_ylim(0, 1.25)
    axes[0].set_yticks(np.arange(0, 1.01, 0.2))
    figures.finish(axes[0], title=f"Test slides, {classes} classes", x="seed")
    axes[0].legend(loc="upper right", ncols=2)
    axes[1].bar(seeds, found["entropy"], 0.5, color=figures.COLORS[2])
    axes[1].set_xticks(seeds)
    figures.finish(axes[1], title="Attention entropy", x="seed", y="nats")
    return figure

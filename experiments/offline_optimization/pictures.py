"""The figures: scores and sharpness against lambda, the ascent, the dual variable, searches."""

import numpy as np

from experiments import runner
from experiments.offline_optimization.arms import BASE, IGNITE, ignite2
from experiments.offline_optimization.ledger import at_percentiles
from experiments.offline_optimization.names import GRADIENT_ASCENT
from experiments.runner import figures

TITLES = {
    "styblinski_tang": "Styblinski-Tang, 8 features",
    "ackley": "Ackley, 8 features",
    "diabetes": "Diabetes, forest's oracle",
}


def _multipliers(found: dict[str, dict]) -> list[tuple[float, str]]:
    weights = [(0.0, BASE)]
    prefix = ignite2(0.0)[:-1]
    weights += [(float(n[len(prefix) :]), n) for n in found if n.startswith(prefix)]
    return sorted(weights)


def over_lambda(arms: dict[str, dict[str, dict]]):
    """Draws true values and sharpness of the proposals against a constant lambda.

    Args:
        arms: results by task and method.

    Returns:
        The figure: a column for each task.
    """
    figure, axes = figures.subplots(2, len(arms), panel=(3.9, 2.9), squeeze=False, sharex=False)
    for column, (task, found) in enumerate(arms.items()):
        weights = _multipliers(found)
        places = np.arange(len(weights))
        values = np.stack([at_percentiles(found[name]) for _, name in weights], 1)
        ax = axes[0, column]
        for index, label in enumerate(("best of the proposals", "80th percentile", "median")):
            figures.line_with_interval(ax, places, *runner.mean_interval(values[..., index]), label)
        start = found[BASE][GRADIENT_ASCENT]["values"][:, 0].max(-1).mean()
        ax.axhline(start, color="0.4", linestyle="--", linewidth=1, label="best of the data")
        figures.finish(
            ax, title=TITLES.get(task, task), y="true value" if column == 0 else "", legend=False
        )
        ax = axes[1, column]
        for key, label in (("sharpness", "at the proposals"), ("training", "at the training data")):
            rows = [
                found[name][GRADIENT_ASCENT]["sharpness"]
                if key == "sharpness"
                else found[name]["training_sharpness"]
                for _, name in weights
            ]
            figures.line_with_interval(ax, places, *runner.mean_interval(np.stack(rows, 1)), label)
        ax.set_ylim(bottom=0)
        figures.finish(
            ax,
            x="$\\lambda$ (constant)",
            y="sharpness [std of y]" if column == 0 else "",
            legend=column == 0,
        )
        for row in (0, 1):
            axes[row, column].set_xticks(places, [f"{weight:g}" for weight, _ in weights])
    _legend_above(figure, axes[0, 0])
    return figure


def _legend_above(figure, ax) -> None:
    """One legend for all panels, where it hides no curve."""
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))


def ascent(arms: dict[str, dict[str, dict]], every: int):
    """Draws what the surrogate predicts along the ascent, and what is true.

    Args:
        arms: results by task and method.
        every: steps between records.

    Returns:
        The figure: a column for each task, a row for predictions and for true values.
    """
    figure, axes = figures.subplots(2, len(arms), panel=(3.9, 2.9), squeeze=False)
    for column, (task, found) in enumerate(arms.items()):
        for name in (BASE, *[n for _, n in _multipliers(found) if n != BASE], IGNITE):
            if name not in found:
                continue
            of_search = found[name][GRADIENT_ASCENT]
            steps = every * np.arange(of_search["values"].shape[1])
            for row, key in enumerate(("predicted", "values")):
                median = np.median(of_search[key], -1)
                figures.line_with_interval(
                    axes[row, column],
                    steps,
                    *runner.mean_interval(median),
                    _label(name),
                    markevery=5,
                )
        title = TITLES.get(task, task)
        figures.finish(
            axes[0, column], title=title, y="predicted, median" if column == 0 else "", legend=False
        )
        figures.finish(
            axes[1, column],
            x="steps of the ascent",
            y="true value, median" if column == 0 else "",
            legend=False,
        )
    _legend_above(figure, axes[0, 0])
    return figure


def _label(name: str) -> str:
    if name == BASE:
        return "$\\lambda = 0$"
    return "dual variable" if name == IGNITE else f"$\\lambda = {name.split('_')[1]}$"


def dual(arms: dict[str, dict[str, dict]], threshold: float):
    """Draws the dual variable along training.

    Args:
        arms: results by task and method.
        threshold: of the sharpness.

    Returns:
        The figure.
    """
    figure, ax = figures.subplots(panel=(4.8, 3.1))
    for task, found in arms.items():
        if IGNITE in found:
            multiplier = found[IGNITE]["multiplier"]
            epochs = 1 + np.arange(multiplier.shape[1])
            figures.line_with_interval(
                ax,
                epochs,
                *runner.mean_interval(multiplier),
                TITLES.get(task, task),
                markevery=max(len(epochs) // 8, 1),
            )
    figures.finish(
        ax,
        title=f"The dual variable, threshold {threshold:g}",
        x="epoch",
        y="$\\lambda$",
    )
    return figure


def searches(arms: dict[str, dict[str, dict]]):
    """Draws the normalised score of the best proposal by search and method.

    Args:
        arms: results by task and method.

    Returns:
        The figure: a panel for each task.
    """
    figure, axes = figures.subplots(1, len(arms), panel=(3.9, 3.0), squeeze=False)
    for column, (task, found) in enumerate(arms.items()):
        ax = axes[0, column]
        names = [name for name, value in found[BASE].items() if isinstance(value, dict)]
        compared = [m for m in found if all(name in found[m] for name in names)]
        width = 0.8 / len(compared)
        for number, method in enumerate(compared):
            scores = np.stack([found[method][name]["scores"][:, 0] for name in names], 1)
            estimate = runner.mean_interval(scores)
            places = np.arange(len(names)) + (number - (len(compared) - 1) / 2) * width
            ax.errorbar(
                places,
                estimate.value,
                yerr=[estimate.value - estimate.low, estimate.high - estimate.value],
                linestyle="",
                marker=figures.MARKERS[number],
                capsize=2,
                label=_label(method),
            )
        ax.set_xticks(np.arange(len(names)), [name.replace("_", "\n") for name in names])
        ax.set_xlim(-0.6, len(names) - 0.4)
        figures.finish(
            ax,
            title=TITLES.get(task, task),
            y="normalised score, best proposal" if column == 0 else "",
            legend=False,
        )
    _legend_above(figure, axes[0, 0])
    return figure

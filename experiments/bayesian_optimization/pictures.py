"""The figures: regret curves, landscapes of acquisition functions, a user's search."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from experiments import runner
from experiments.bayesian_optimization.searches import TITLES
from experiments.runner import figures

_LEAST = 1e-5  # regret at which curves end


def _style(number: int) -> dict[str, object]:
    """A colour and a line of its own for each of 14 curves."""
    colors = figures.COLORS
    return {
        "color": colors[number % len(colors)],
        "linestyle": "-" if number < len(colors) else "--",
        "marker": figures.MARKERS[number % len(figures.MARKERS)],
    }


def _curve(ax, x: np.ndarray, samples: np.ndarray, label: str, style: Mapping, band: bool) -> None:
    """The median over replicates with the bootstrap interval of the median."""
    clipped = np.maximum(samples, _LEAST)
    estimate = runner.bootstrap_interval(clipped, np.median, seed=0, resamples=300)
    every = max(1, len(x) // 8)
    (line,) = ax.plot(x, estimate.value, label=label, markevery=every, **style)
    if band:
        ax.fill_between(
            x, estimate.low, estimate.high, color=line.get_color(), alpha=0.15, linewidth=0
        )


def regret_curves(
    arms: Mapping[str, Mapping[str, np.ndarray]], initial: Mapping[str, int]
) -> Figure:
    """Median simple regret of each acquisition, a panel a problem.

    Args:
        arms: by title of the problem, by acquisition: regrets (R, N).
        initial: by title, how many points came before the first model.

    Returns:
        The figure.
    """
    names = [name for name in TITLES if any(name in curves for curves in arms.values())]
    figure, axes = figures.subplots(1, len(arms), panel=(4.4, 4.2), squeeze=False)
    for ax, (title, curves) in zip(axes[0], arms.items(), strict=True):
        for number, name in enumerate(names):
            if name in curves:
                x = np.arange(1, curves[name].shape[1] + 1)
                shown = x >= initial[title]
                _curve(ax, x[shown], curves[name][:, shown], TITLES[name], _style(number), True)
        ax.set_yscale("log")
        figures.finish(
            ax,
            title=title,
            x="evaluations",
            y="simple regret, median" if ax is axes[0][0] else "",
            legend=False,
        )
    found: dict[str, object] = {}
    for ax in axes[0]:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    figure.legend(
        list(found.values()),
        list(found),
        loc="outside lower center",
        ncols=3,
        frameon=False,
        handlelength=4,  # long enough for dashes to be seen
    )
    return figure


def settings_curves(panels: Sequence[tuple[str, str, Mapping[str, tuple]]]) -> Figure:
    """Regret in the settings beyond the plain one, a panel each.

    Args:
        panels: title, label of the horizontal axis, and by label (positions, regrets (R, N)).

    Returns:
        The figure.
    """
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    figure, axes = figures.subplots(rows, columns, panel=(4.2, 3.4), squeeze=False)
    for ax in axes.flat[len(panels) :]:
        ax.set_visible(False)
    for ax, (title, label, curves) in zip(axes.flat, panels, strict=False):
        for number, (name, (x, samples)) in enumerate(curves.items()):
            _curve(ax, np.asarray(x), samples, name, _style(number), True)
        ax.set_yscale("log")
        figures.finish(ax, title=title, x=label, y="regret, median")
    return figure


def landscapes(maps: Mapping[str, np.ndarray], problem, points: np.ndarray) -> Figure:
    """The function, the model's mean and deviation, and acquisition functions over a plane.

    Args:
        maps: by title (G, G), rows along the second coordinate; and `next:TITLE` the point (2,)
            that is chosen.
        problem: the problem, of two dimensions.
        points: what was evaluated, (N, 2).

    Returns:
        The figure.
    """
    # What comes out of a compiled function has its keys sorted.
    first = (problem.title, "posterior mean", "posterior deviation")
    rest = [name for name in maps if not name.startswith("next:") and name not in first]
    titles = [*first, *rest]
    columns = 4
    rows = -(-len(titles) // columns)
    figure, axes = figures.subplots(rows, columns, panel=(3.1, 2.7), squeeze=False)
    (x0, x1), (y0, y1) = problem.bounds
    for ax in axes.flat[len(titles) :]:
        ax.set_visible(False)
    for ax, title in zip(axes.flat, titles, strict=False):
        values = maps[title]
        picture = ax.imshow(
            values, origin="lower", extent=(x0, x1, y0, y1), aspect="auto", interpolation="bilinear"
        )
        ax.plot(*points.T, "o", color="white", markersize=3, markeredgecolor="black", mew=0.5)
        chosen = maps.get(f"next:{title}")
        if chosen is not None:
            ax.plot(*chosen, "X", color="#D55E00", markersize=9, markeredgecolor="white")
        ax.grid(False)
        figure.colorbar(picture, ax=ax, shrink=0.85)
        figures.finish(ax, title=title, legend=False)
    figure.suptitle(
        f"{problem.title} after {len(points)} evaluations (dots); cross: the next point",
        fontsize=10,
    )
    return figure


def accuracy(found: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """The SVM's best accuracy so far, and where the searches looked.

    Args:
        found: by acquisition, from `digits_svm.search`.

    Returns:
        The figure.
    """
    figure, axes = figures.subplots(1, 1 + len(found), panel=(3.9, 3.2))
    for number, (name, result) in enumerate(found.items()):
        best = np.maximum.accumulate(result["values"], 1)
        x = np.arange(1, best.shape[1] + 1)
        axes[0].plot(x, best.mean(0), label=TITLES[name], markevery=3, **_style(number))
        axes[0].fill_between(
            x, best.min(0), best.max(0), color=_style(number)["color"], alpha=0.15, linewidth=0
        )
    low = min(np.maximum.accumulate(result["values"], 1)[:, 2:].min() for result in found.values())
    axes[0].set_ylim(low - 0.01, 1)
    figures.finish(
        axes[0],
        title="Best five-fold accuracy; band: all searches",
        x="evaluations",
        y="accuracy",
    )
    least = min(result["values"].min() for result in found.values())
    for ax, (name, result) in zip(axes[1:], found.items(), strict=True):
        points = result["points"].reshape(-1, 2)
        picture = ax.scatter(
            *points.T,
            c=result["values"].ravel(),
            s=18,
            vmin=least,
            vmax=1,
            edgecolors="0.4",
            lw=0.4,
        )
        figures.finish(ax, title=TITLES[name], x="log10 C", y="log10 gamma", legend=False)
    figure.colorbar(picture, ax=axes[-1], label="accuracy")
    return figure


def own_search(points: np.ndarray, values: np.ndarray, best: np.ndarray, maximize: bool) -> Figure:
    """A user's search: values and the best so far, and the value against each coordinate.

    Args:
        points: (N, D).
        values: (N,), NaN where failed.
        best: (N,).
        maximize: whether great values are good.

    Returns:
        The figure; of more than eight coordinates the first eight.
    """
    shown = min(points.shape[1], 8)
    columns = min(1 + shown, 3)
    rows = -(-(1 + shown) // columns)
    figure, axes = figures.subplots(rows, columns, panel=(3.8, 3.0), squeeze=False)
    x = np.arange(1, len(values) + 1)
    first = axes.flat[0]
    first.plot(x, values, "o", color=figures.COLORS[0], label="value")
    first.step(x, best, where="post", color=figures.COLORS[1], label="best so far")
    figures.finish(first, title="Search", x="evaluations", y="value")
    top = (np.nanargmax if maximize else np.nanargmin)(values)
    for number, ax in enumerate(axes.flat[1:]):
        if number >= shown:
            ax.set_visible(False)
            continue
        picture = ax.scatter(points[:, number], values, c=x, s=16)
        ax.plot(points[top, number], values[top], "X", color="#D55E00", markersize=9)
        figures.finish(ax, title=f"x{number}; cross: best", x=f"x{number}", legend=False)
    figure.colorbar(picture, ax=list(axes.flat), label="evaluation", shrink=0.7)
    return figure

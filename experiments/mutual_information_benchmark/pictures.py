"""The figures of the benchmark; each takes measured values and returns a figure."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from experiments.mutual_information_benchmark.estimators import REGISTRY
from experiments.mutual_information_benchmark.ledger import Book
from experiments.mutual_information_benchmark.measure import Cell
from experiments.runner import figures

_WORST = 1.0  # nats at which the colours end
_ERRORS = (1e-3, 10.0)  # nats between which errors are drawn


def _names(book: Book) -> tuple[list[str], list[str]]:
    """Estimators in the registry's order, and tasks in the benchmark's."""
    estimators = [name for name in REGISTRY if any(name == key[0] for key in book.cells)]
    return estimators, list(dict.fromkeys(task for _, task in book.cells))


def heat_map(cells: Sequence[Cell]) -> Figure:
    """A row a task, a column an estimator: the number is the estimate, the colour its bias.

    Args:
        cells: what was measured.

    Returns:
        The figure, of the largest sample size.
    """
    book = Book(cells)
    estimators, tasks = _names(book)
    truths = {key[1]: cell.task for key, cell in book.cells.items()}
    bias = np.full((len(tasks), len(estimators)), np.nan)
    for (name, task), cell in book.cells.items():
        # Clipped, because an infinite bias would have no colour.
        bias[tasks.index(task), estimators.index(name)] = np.clip(
            cell.bias.value, -2 * _WORST, 2 * _WORST
        )
    panel = (3.2 + 0.62 * len(estimators), 1.9 + 0.22 * len(tasks))
    figure, ax = figures.subplots(1, 1, panel=panel)
    norm = TwoSlopeNorm(0, -_WORST, _WORST)
    picture = ax.imshow(bias, cmap="RdBu_r", norm=norm, aspect="auto", interpolation="nearest")
    for row, task in enumerate(tasks):
        for column, name in enumerate(estimators):
            cell = book.cells.get((name, task))
            if cell is not None:
                mean = cell.estimates.mean()
                strong = abs(bias[row, column]) > 0.6 * _WORST
                ax.text(
                    column,
                    row,
                    f"{mean:.2f}" if abs(mean) < 10 else f"{mean:.0f}",
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="white" if strong else "black",
                )
    ax.xaxis.tick_top()
    titles = [REGISTRY[name].title for name in estimators]
    ax.set_xticks(
        range(len(estimators)),
        titles,
        rotation=40,
        ha="left",
        va="baseline",
        rotation_mode="anchor",
    )
    ax.set_yticks(
        range(len(tasks)), [f"{truths[task].title}   {truths[task].truth:.2f}" for task in tasks]
    )
    ax.tick_params(length=0)
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    for row in range(1, len(tasks)):
        if truths[tasks[row]].group != truths[tasks[row - 1]].group:
            ax.axhline(row - 0.5, color="0.3", linewidth=0.8)
    figures.finish(ax, legend=False)
    figure.colorbar(
        picture,
        ax=ax,
        label="estimate minus truth [nats]",
        orientation="horizontal",
        shrink=0.5,
        aspect=40,
        pad=0.01,
        extend="both",
    )
    seeds = max(cell.estimates.size for cell in book.cells.values())
    figure.suptitle(
        f"Mean estimate [nats] of {seeds} samples of {book.samples} pairs; truth beside the task; "
        "white: not measured",
        fontsize=10,
    )
    return figure


def ranking(cells: Sequence[Cell]) -> Figure:
    """Errors of each estimator over its tasks, a point a task, by group.

    Args:
        cells: what was measured.

    Returns:
        The figure, of the largest sample size.
    """
    book = Book(cells)
    estimators, _ = _names(book)
    by_name = {
        name: [cell for (other, _), cell in book.cells.items() if other == name]
        for name in estimators
    }
    order = sorted(estimators, key=lambda n: np.median([c.error for c in by_name[n]]))
    groups = list(dict.fromkeys(cell.task.group for cell in book.cells.values()))
    figure, ax = figures.subplots(1, 1, panel=(7.2, 1.3 + 0.32 * len(order)))
    for row, name in enumerate(order):
        for g, group in enumerate(groups):
            errors = [c.error for c in by_name[name] if c.task.group == group]
            ax.plot(
                np.clip(errors, *_ERRORS),
                np.full(len(errors), row + 0.14 * (g - (len(groups) - 1) / 2)),
                figures.MARKERS[g],
                color=figures.COLORS[g],
                markersize=3.5,
                alpha=0.75,
                markeredgewidth=0,
                label=group if row == 0 else None,
            )
        middle = np.clip(np.median([c.error for c in by_name[name]]), *_ERRORS)
        ax.plot([middle, middle], [row - 0.38, row + 0.38], color="black", linewidth=1.6)
    titles = [f"{REGISTRY[name].title} ({len(by_name[name])})" for name in order]
    ax.set_yticks(range(len(order)), titles)
    ax.set_xscale("log")
    ax.invert_yaxis()
    handles, labels = ax.get_legend_handles_labels()
    figures.finish(
        ax,
        title=f"Error by task at {book.samples} samples; bar: median; in brackets: tasks measured",
        x=f"mean absolute error [nats], larger ones at {_ERRORS[1]:g}",
        legend=False,
    )
    # The legend needs every group once, also those that the first row lacks.
    seen = dict(zip(labels, handles, strict=True))
    figure.legend(
        seen.values(), seen.keys(), loc="outside lower center", ncols=len(seen), frameon=False
    )
    return figure


def by_samples(cells: Sequence[Cell]) -> Figure:
    """Mean absolute error against the sample size, a panel a group.

    Args:
        cells: what was measured.

    Returns:
        The figure; estimators that were measured at one size alone are left out.
    """
    groups = list(dict.fromkeys(cell.task.group for cell in cells))
    sizes = sorted({cell.samples for cell in cells})
    figure, axes = figures.subplots(1, len(groups), panel=(3.1, 3.2), sharey=True, squeeze=False)
    for ax, group in zip(axes[0], groups, strict=True):
        for number, name in enumerate(REGISTRY):
            mine = [c for c in cells if c.task.group == group and c.estimator == name]
            errors = [[c.error for c in mine if c.samples == n] for n in sizes]
            if all(errors):
                ax.plot(
                    sizes,
                    [np.mean(e) for e in errors],
                    label=REGISTRY[name].title,
                    color=figures.COLORS[number % len(figures.COLORS)],
                    marker=figures.MARKERS[number % len(figures.MARKERS)],
                    linestyle="-" if number < len(figures.COLORS) else "--",
                )
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xticks(sizes, [str(n) for n in sizes])
        ax.minorticks_off()
        figures.finish(
            ax,
            title=group,
            x="samples",
            y="mean absolute error [nats]" if ax is axes[0][0] else "",
            legend=False,
        )
    found = {}
    for ax in axes[0]:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    figure.legend(found.values(), found.keys(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def pixel_maps(maps: dict[str, np.ndarray]) -> Figure:
    """Information on the class of each pixel, three ways on one scale.

    Args:
        maps: from `pixels.information_maps`.

    Returns:
        The figure.
    """
    titles = {
        "ours": "infojax (Ross 2014)",
        "scikit-learn": "mutual_info_classif",
        "table": "table of counts",
    }
    means = {name: maps[name].mean(0).reshape(8, 8) for name in titles}
    top = max(values.max() for values in means.values())
    figure, axes = figures.subplots(1, 3, panel=(2.9, 3.0))
    for ax, (name, values) in zip(axes, means.items(), strict=True):
        picture = ax.imshow(values, vmin=0, vmax=top, interpolation="nearest")
        ax.grid(False)
        ax.set_xticks([])
        ax.set_yticks([])
        for (row, column), value in np.ndenumerate(values):
            ax.text(
                column,
                row,
                f"{max(value, 0):.2f}".removeprefix("0"),
                ha="center",
                va="center",
                fontsize=6,
                color="black" if value > 0.6 * top else "white",
            )
        figures.finish(ax, title=titles[name], legend=False)
    figure.colorbar(picture, ax=axes, label="I(pixel; class) [nats]", shrink=0.75)
    return figure

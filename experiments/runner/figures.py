"""The house style of figures, and their form on disk.

figure, axes = figures.subplots(1, 2)
figures.line_with_interval(axes[0], x, mean, low, high, "MEC")
figures.finish(axes[0], title="Reward", x="compression rate [nats]", y="return")
run.save_figure("reward", figure)
"""

import io
from typing import Any

import matplotlib
from matplotlib.figure import Figure

DPI = 150
PANEL = (4.2, 3.1)  # inches
# Okabe and Ito's palette, which colour-blind readers can tell apart; yellow, too pale, is left out.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

STYLE = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": 9,
    "axes.prop_cycle": matplotlib.cycler(color=COLORS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same picture on every machine
    "font.size": 9,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.6,
    "image.cmap": "viridis",
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 4,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}


def subplots(rows: int = 1, columns: int = 1, *, panel=PANEL, **keywords) -> tuple[Figure, Any]:
    """Returns a figure in the house style and its axes, as `matplotlib.pyplot.subplots`.

    The figure is its holder's alone: pyplot, which keeps what is not closed, knows nothing of it.

    Args:
      rows: Rows of panels.
      columns: Columns of panels.
      panel: Width and height of one panel in inches.
      **keywords: For `matplotlib.figure.Figure.subplots`, as `sharey=True`.
    """
    matplotlib.rcParams.update(STYLE)
    figure = Figure(figsize=(panel[0] * columns, panel[1] * rows))
    return figure, figure.subplots(rows, columns, **keywords)


def line_with_interval(ax, x, mean, low, high, label: str, **keywords):
    """Draws a curve with markers and its interval as a band.

    Args:
      ax: The axes.
      x: Positions.
      mean: Heights of the curve.
      low: Lower ends of the interval; points with nan have no band.
      high: Upper ends.
      label: For the legend.
      **keywords: For `ax.plot`, as `color=`.

    Returns:
      The line.
    """
    keywords.setdefault("marker", MARKERS[len(ax.get_lines()) % len(MARKERS)])
    (line,) = ax.plot(x, mean, label=label, **keywords)
    ax.fill_between(x, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
    return line


def finish(ax, *, title: str = "", x: str = "", y: str = "", legend: bool | None = None) -> None:
    """Sets the title, the axis labels (with units) and, where several things are drawn, a legend.

    Args:
      ax: The axes.
      title: What is shown.
      x: Label of the horizontal axis.
      y: Label of the vertical axis.
      legend: Whether to draw a legend; by default if anything has a label.
    """
    ax.set(title=title, xlabel=x, ylabel=y)
    if legend if legend is not None else ax.get_legend_handles_labels()[0]:
        ax.legend()


def to_png(figure: Figure) -> bytes:
    """Returns the figure as PNG.

    The bytes depend on the picture alone: neither date nor software version is stored.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()

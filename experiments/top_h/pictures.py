"""The figures: coherence against diversity, words by temperature, entropy along the text."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments import runner
from experiments.runner import figures
from experiments.top_h.samplers import REGISTRY
from experiments.top_h.writing import Setting

_COLORS = (*figures.COLORS, "0.55", "#8C564B", "#BCBD22")
_MARKERS = (*figures.MARKERS, "*", "<", ">")
_STYLES = {name: (_COLORS[i], _MARKERS[i]) for i, name in enumerate(REGISTRY)}


def _names(found: Mapping[Setting, Any]) -> list[str]:
    return list(dict.fromkeys(name for name, _ in found))


def _temperatures(found: Mapping[Setting, Any]) -> list[float]:
    return sorted({t for _, t in found})


def trade_off(found: Mapping[Setting, Mapping[str, np.ndarray]]) -> Figure:
    """Real words against distinct-2: a panel a temperature, a point a sampler.

    Args:
        found: measures by setting.

    Returns:
        The figure.
    """
    temperatures = _temperatures(found)
    columns = min(len(temperatures), 2)
    rows = -(-len(temperatures) // columns)
    figure, axes = figures.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for ax, t in zip(axes.flat, temperatures, strict=False):
        for name in _names(found):
            x = runner.mean_interval(found[name, t]["distinct_2"])
            y = runner.mean_interval(found[name, t]["word_rate"])
            color, marker = _STYLES[name]
            ax.errorbar(
                x.value,
                y.value,
                xerr=[[x.value - x.low], [x.high - x.value]],
                yerr=[[y.value - y.low], [y.high - y.value]],
                color=color,
                marker=marker,
                markersize=7,
                linewidth=1,
                label=REGISTRY[name].title,
            )
        figures.finish(
            ax,
            title=f"temperature {t:g}",
            x="distinct-2 [share of pairs of words]",
            y="real words [share]",
            legend=False,
        )
    for ax in axes.flat[len(temperatures) :]:
        ax.set_visible(False)
    _legend(figure, axes.flat[0])
    return figure


def _legend(figure: Figure, ax) -> None:
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)


def by_temperature(found: Mapping[Setting, Mapping[str, np.ndarray]]) -> Figure:
    """Real words, and the judge's likelihood, by temperature: a line a sampler.

    Args:
        found: measures by setting.

    Returns:
        The figure.
    """
    temperatures = _temperatures(found)
    figure, axes = figures.subplots(1, 2)
    for ax, (key, label) in zip(
        axes,
        (
            ("word_rate", "real words [share]"),
            ("likelihood", "judge's log likelihood [nats a byte]"),
        ),
        strict=True,
    ):
        for name in _names(found):
            estimates = [runner.mean_interval(found[name, t][key]) for t in temperatures]
            color, marker = _STYLES[name]
            figures.line_with_interval(
                ax,
                temperatures,
                [e.value for e in estimates],
                [e.low for e in estimates],
                [e.high for e in estimates],
                REGISTRY[name].title,
                color=color,
                marker=marker,
            )
        figures.finish(ax, x="temperature", y=label, legend=False)
    _legend(figure, axes[0])
    return figure


def along_text(entropies: Mapping[Setting, np.ndarray]) -> Figure:
    """The entropy of the writer's law along its own text, at the least and greatest temperature.

    Args:
        entropies: nats at each place, by setting.

    Returns:
        The figure; means over ten places.
    """
    temperatures = _temperatures(entropies)
    shown = list(dict.fromkeys((temperatures[0], temperatures[-1])))
    figure, axes = figures.subplots(1, len(shown), sharey=True, squeeze=False)
    for ax, t in zip(axes.flat, shown, strict=True):
        for name in _names(entropies):
            values = np.asarray(entropies[name, t]) / np.log(2)
            width = min(10, len(values))
            smooth = np.convolve(values, np.ones(width) / width, mode="valid")
            color, _ = _STYLES[name]
            places = np.arange(len(smooth)) + (width + 1) / 2
            ax.plot(places, smooth, color=color, label=REGISTRY[name].title)
        figures.finish(
            ax,
            title=f"temperature {t:g}",
            x="place in the continuation [bytes]",
            y="entropy of the model's law [bits]",
            legend=False,
        )
    _legend(figure, axes.flat[0])
    return figure


def optimum(shares: Mapping[float, np.ndarray], tokens: int) -> Figure:
    """How much of the greatest mass within the bound top-H keeps.

    Args:
        shares: of small laws, by temperature.
        tokens: of each law.

    Returns:
        The figure: cumulative distributions.
    """
    figure, ax = figures.subplots(1, 1)
    for t, values in shares.items():
        ordered = np.sort(values)
        ax.step(ordered, np.arange(1, len(ordered) + 1) / len(ordered), label=f"temperature {t:g}")
    figures.finish(
        ax,
        title=f"laws of {tokens} tokens",
        x="mass kept by top-H over the optimum",
        y="share of laws at most so",
    )
    return figure

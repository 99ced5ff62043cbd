"""The figures: training, models, beginnings, noise, and the user's own layers."""

import numpy as np

from experiments import runner
from experiments.diffusion_spectral_entropy.noise_arm import rank_correlations
from experiments.diffusion_spectral_entropy.training_arms import ARMS
from experiments.runner import figures


def training(arms: dict[str, dict[str, np.ndarray]]):
    """Draws the measures along training, true labels above random ones.

    Args:
        arms: results by name.

    Returns:
        The figure.
    """
    figure, axes = figures.subplots(2, 3, panel=(3.9, 2.7), sharey="col")
    columns = (
        ("dse", "entropy [bits]"),
        ("dsmi", "information [bits]"),
        ("accuracy", "accuracy"),
    )
    for row, name in zip(axes, ARMS, strict=True):
        result = arms[name]
        for ax, (kind, label) in zip(row, columns, strict=True):
            for key, text in _curves(kind, name):
                estimate = runner.mean_interval(result[key])
                figures.line_with_interval(
                    ax,
                    result["epochs"],
                    estimate.value,
                    estimate.low,
                    estimate.high,
                    text,
                    markevery=max(1, len(result["epochs"]) // 8),
                )
            figures.finish(ax, title=f"trained on {name}", x="epoch", y=label)
    return figure


def _curves(kind: str, arm: str) -> list[tuple[str, str]]:
    trained = "label" if arm == ARMS[0] else "random label"
    return {
        "dse": [("dse", "held out"), ("dse_train", "training images")],
        "dsmi": [
            ("dsmi_labels", "on label, held out"),
            ("dsmi_labels_train", f"on {trained}, training"),
            ("dsmi_inputs", "on input, held out"),
        ],
        "accuracy": [("accuracy", "held out"), ("accuracy_train", f"{trained}, training")],
    }[kind]


def models(result: dict[str, np.ndarray]):
    """Draws accuracy against information on the label, a point for each model and epoch.

    Args:
        result: of the models.

    Returns:
        The figure.
    """
    figure, axes = figures.subplots(1, 2, sharey=True)
    for ax, key, label in zip(
        axes,
        ("dsmi_labels", "dse"),
        ("information on the label [bits]", "entropy [bits]"),
        strict=True,
    ):
        for number, width in enumerate(np.unique(result["width"])):
            chosen = result["width"] == width
            ax.scatter(
                result[key][chosen],
                result["accuracy"][chosen],
                s=14,
                alpha=0.7,
                color=figures.COLORS[number % len(figures.COLORS)],
                marker=figures.MARKERS[number % len(figures.MARKERS)],
                linewidths=0,
                label=f"width {width}",
            )
        y = "accuracy, held out" if ax is axes[0] else ""
        figures.finish(ax, title="Models at several epochs", x=label, y=y)
    return figure


def initializations(result: dict[str, np.ndarray]):
    """Draws the entropy before training and the accuracy after it, against the gain.

    Args:
        result: of the initialisations.

    Returns:
        The figure.
    """
    figure, axes = figures.subplots(1, 2)
    gains = result["gain"][:, 0]
    for ax, key, label in zip(
        axes,
        ("dse", "accuracy"),
        ("entropy before training [bits]", "accuracy after training"),
        strict=True,
    ):
        estimate = runner.mean_interval(result[key], axis=1)
        figures.line_with_interval(ax, gains, estimate.value, estimate.low, estimate.high, "")
        ax.set_xscale("log")
        figures.finish(ax, title="Scaled initial weights", x="gain", y=label, legend=False)
    return figure


def noise(results: dict[str, dict[str, np.ndarray]], config):
    """Draws rank correlations with the dimension against the level of noise.

    Args:
        results: `dse` and `cse` by shape.
        config: the arm's configuration.

    Returns:
        The figure.
    """
    shapes, ambient = list(results), config.ambient_dimensions
    figure, axes = figures.subplots(
        len(shapes), len(ambient), panel=(3.0, 2.5), sharex=True, sharey=True, squeeze=False
    )
    for row, shape in zip(axes, shapes, strict=True):
        for number, ax in enumerate(row):
            for key, label in (("dse", "diffusion spectral"), ("cse", "binned")):
                correlation = rank_correlations(results[shape][key])[number]
                marker = figures.MARKERS[len(ax.get_lines())]
                ax.plot(config.levels, correlation, marker=marker, label=label)
            ax.set_ylim(-1.05, 1.05)
            figures.finish(
                ax,
                title=f"{shape.replace('_', ' ')}, {ambient[number]} dimensions",
                x="noise" if shape == shapes[-1] else "",
                y="rank correlation with d" if number == 0 else "",
                legend=number == 0 and shape == shapes[0],
            )
    return figure


def layers(rows: list[dict[str, object]]):
    """Draws the measures of the user's own layers.

    Args:
        rows: of the table.

    Returns:
        The figure.
    """
    figure, ax = figures.subplots(panel=(6.0, max(2.0, 0.3 * len(rows) + 1.2)))
    places = np.arange(len(rows))
    ax.barh(places + 0.2, [row["dse_bits"] for row in rows], 0.4, label="entropy")
    told = [row["dsmi_labels_bits"] for row in rows]
    if any(value is not None for value in told):
        ax.barh(places - 0.2, [value or 0 for value in told], 0.4, label="information on label")
    ax.set_yticks(places, [str(row["file"]) for row in rows])
    ax.invert_yaxis()
    figures.finish(ax, title="Your layers", x="bits")
    return figure

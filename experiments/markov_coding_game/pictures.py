"""The figures of the Markov coding game; each takes measured values and returns a figure."""

import numpy as np
from matplotlib.figure import Figure

from experiments import runner
from experiments.markov_coding_game.comparisons import METHODS, PAPER_MEC_TABLE
from experiments.markov_coding_game.grid_world import GridWorld
from experiments.markov_coding_game.play import Point
from experiments.runner import figures

_ENCODER_NAMES = {"search": "search (EBIM)", "uniform": "uniform quantisation"}
_ARROWS = ((0, -1), (1, 0), (0, 1), (-1, 0))  # up, right, down, left in picture coordinates


def _arms(points: list[Point]):
    """Points of one curve each: (encoder, compression rate, points by rising temperature)."""
    rates = sorted({p.compression_rate for p in points})
    for encoder in ("search", "uniform"):
        for rate in rates:
            if rate <= 1 and encoder == "uniform":
                continue
            chosen = [p for p in points if (p.encoder, p.compression_rate) == (encoder, rate)]
            yield encoder, rate, sorted(chosen, key=lambda p: p.log_beta)


def _label(encoder: str, rate: float) -> str:
    return "no rate limit" if rate <= 1 else f"{_ENCODER_NAMES[encoder]}, rate {rate:g}"


def accuracy_and_reward(points: list[Point]) -> Figure:
    """Figure 4: accuracy and reward against the temperature, a curve an encoder and rate.

    Args:
        points: the points of one game.

    Returns:
        The figure.
    """
    figure, axes = figures.subplots(1, 3, panel=(4.4, 3.5))
    colors = {rate: figures.COLORS[i] for i, rate in enumerate((1.0, 2.0, 4.0))}
    for encoder, rate, chosen in _arms(points):
        x = [p.log_beta for p in chosen]
        style = {
            "color": colors.get(rate),
            "linestyle": "-" if encoder == "search" else "--",
            "marker": "o" if encoder == "search" else "s",
        }
        accuracy = [runner.wilson_interval(int(p.correct.sum()), p.correct.size) for p in chosen]
        reward = [runner.mean_interval(p.reward) for p in chosen]
        for ax, estimates in ((axes[0], accuracy), (axes[1], reward)):
            ax.fill_between(
                x,
                [e.low for e in estimates],
                [e.high for e in estimates],
                color=style["color"],
                alpha=0.12,
                linewidth=0,
            )
            ax.plot(x, [e.value for e in estimates], label=_label(encoder, rate), **style)
        axes[2].plot(
            [e.value for e in accuracy],
            [e.value for e in reward],
            **style,
            label=_label(encoder, rate),
        )
    figures.finish(
        axes[0], title="Message decoded", x="log beta of the policy", y="accuracy", legend=False
    )
    figures.finish(
        axes[1], title="Reward of the game", x="log beta of the policy", y="discounted reward"
    )
    figures.finish(axes[2], title="Trade-off", x="accuracy", y="discounted reward", legend=False)
    bits, side = points[0].message_bits, points[0].side
    figure.suptitle(
        f"Markov coding game: {2**bits} messages, {side} x {side} grid, "
        f"{points[0].reward.size} episodes a point, 95 % intervals",
        fontsize=10,
    )
    return figure


def over_time(points: list[Point]) -> Figure:
    """Belief of the true message and information of an action, step by step.

    Args:
        points: the points of one game.

    Returns:
        The figure: a column a temperature.
    """
    betas = sorted({p.log_beta for p in points})
    betas = [betas[i] for i in np.unique(np.linspace(0, len(betas) - 1, 4).astype(int))]
    figure, axes = figures.subplots(2, len(betas), panel=(3.2, 2.5), sharex=True, squeeze=False)
    colors = {rate: figures.COLORS[i] for i, rate in enumerate((1.0, 2.0, 4.0))}
    for column, beta in enumerate(betas):
        here = [p for p in points if p.log_beta == beta]
        for encoder, rate, (point,) in _arms(here):
            style = {"color": colors.get(rate), "linestyle": "-" if encoder == "search" else "--"}
            steps = np.arange(1, point.belief_over_time.size + 1)
            axes[0, column].plot(
                steps, point.belief_over_time, **style, label=_label(encoder, rate)
            )
            axes[1, column].plot(steps, point.information, **style)
        last, first = column == len(betas) - 1, column == 0
        figures.finish(
            axes[0, column],
            title=f"log beta = {beta:g}",
            x="",
            y="belief of the true message" if first else "",
            legend=last,
        )
        figures.finish(
            axes[1, column],
            title="",
            x="step",
            y="I(message; action) [bits]" if first else "",
            legend=False,
        )
        axes[0, column].set_ylim(-0.03, 1.03)
    return figure


def mec_table(table: dict[str, np.ndarray]) -> Figure:
    """Joint entropies of random pairs by method, beside the paper's.

    Args:
        table: joint entropies in bits of each method.

    Returns:
        The figure.
    """
    figure, ax = figures.subplots(1, 1, panel=(6.4, 3.2))
    names = [name for name in METHODS if name in table]
    for row, name in enumerate(names):
        estimate = runner.mean_interval(table[name])
        ax.boxplot(
            table[name],
            positions=[row],
            orientation="horizontal",
            widths=0.5,
            showfliers=False,
            medianprops={"color": figures.COLORS[0]},
        )
        ax.plot(
            estimate.value,
            row,
            "o",
            color=figures.COLORS[0],
            label="measured mean" if row == 0 else None,
        )
        if name in PAPER_MEC_TABLE:
            mean, half = PAPER_MEC_TABLE[name]
            ax.errorbar(
                mean,
                row + 0.33,
                xerr=half,
                fmt="D",
                color=figures.COLORS[1],
                capsize=2,
                label="paper" if row == 0 else None,
            )
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    figures.finish(
        ax,
        title=f"Couplings of {table[names[0]].size} random pairs of marginals",
        x="joint entropy [bits]",
        y="",
    )
    return figure


def code_curve(curve: dict[str, np.ndarray]) -> Figure:
    """Figure 2: the best information at each rate for p = (.7, .2, .1).

    Args:
        curve: from `comparisons.code_curve`.

    Returns:
        The figure.
    """
    figure, ax = figures.subplots(1, 1, panel=(4.8, 3.6))
    ax.plot(curve["rate"], curve["rate"], ":", color="0.5", label="I(X;T) = R")
    ax.plot(curve["rate"], curve["best"], label="best encoder found")
    ax.step(curve["rate"], curve["greedy"], where="mid", label="greedy search", linestyle="--")
    ax.plot(curve["map_rate"], curve["map_rate"], "o", color="k", label="deterministic maps")
    figures.finish(
        ax,
        title="Entropy-bounded codes of p = (.7, .2, .1)",
        x="rate R [bits]",
        y="I(X;T) [bits]",
    )
    return figure


def encoders(results: dict[str, dict[str, np.ndarray]]) -> Figure:
    """Figure 9: the encoders on a binomial and a truncated geometric input.

    Args:
        results: from `comparisons.encoder_comparison`.

    Returns:
        The figure.
    """
    figure, axes = figures.subplots(1, len(results), panel=(4.4, 3.4), sharey=True)
    for ax, (name, values) in zip(axes, results.items(), strict=True):
        ax.plot(values["rate"], values["rate"], ":", color="0.5", label="I(X;T) = R")
        for label, marker in (("search", "o"), ("log-loss code", "s"), ("uniform", "^")):
            ax.plot(values["rate"], values[label], marker=marker, markersize=3, label=label)
        figures.finish(
            ax,
            title=name,
            x="rate R [bits]",
            y="I(X;T) [bits]" if ax is axes[0] else "",
            legend=ax is axes[0],
        )
    return figure


def stochasticity(values: dict[str, np.ndarray]) -> Figure:
    """Figure 10: joint laws of uniform marginals at rising compression rates.

    Args:
        values: from `comparisons.stochasticity`.

    Returns:
        The figure.
    """
    rates = values["compression_rate"]
    figure, axes = figures.subplots(1, len(rates), panel=(2.4, 2.9), sharey=True)
    for ax, rate, joint, hidden in zip(
        axes, rates, values["joint"], values["conditional_entropy"], strict=True
    ):
        # Cells spread over the code's cells: their scale differs by orders of magnitude.
        picture = ax.imshow(
            np.log10(np.maximum(joint, 1e-6)), vmin=-6, vmax=-2, interpolation="nearest"
        )
        ax.grid(False)
        figures.finish(
            ax,
            title=f"rate {rate:g}: H(Y|X) = {hidden:.2f} bits",
            x="y",
            y="x" if ax is axes[0] else "",
            legend=False,
        )
    figure.colorbar(picture, ax=axes, label="log10 p(x, y)", shrink=0.75)
    figure.suptitle("Couplings of uniform laws through a bottleneck", fontsize=10)
    return figure


def draw_grid(ax, world: GridWorld, policy: np.ndarray | None = None) -> None:
    """Draws the grid: obstacles, goal, trap, and the policy's mean direction in each cell.

    Args:
        ax: the axes.
        world: the grid world.
        policy: action probabilities, (S, 4).
    """
    side = world.side
    ax.set_xlim(-0.5, side - 0.5)
    ax.set_ylim(side - 0.5, -0.5)
    ax.set_xticks(np.arange(side + 1) - 0.5, [])
    ax.set_yticks(np.arange(side + 1) - 0.5, [])
    ax.tick_params(length=0)
    ax.set_aspect("equal")
    for state, color in (
        *((s, "0.35") for s in world.obstacles),
        (world.goal, "#b7e4c7"),
        (world.trap, "#f4b6b6"),
    ):
        row, column = divmod(state, side)
        ax.add_patch(
            _rectangle(column - 0.5, row - 0.5, facecolor=color, edgecolor="none", zorder=1)
        )
    for state, text in ((world.goal, "+1"), (world.trap, "-1")):
        row, column = divmod(state, side)
        ax.text(column, row, text, ha="center", va="center", fontsize=9)
    if policy is not None and side <= 16:
        free = [s for s in range(side * side) if not world.terminal[s] and s not in world.obstacles]
        mean = policy[free] @ np.array(_ARROWS)
        rows, columns = np.divmod(free, side)
        ax.quiver(
            columns, rows, mean[:, 0], -mean[:, 1], color="0.7", pivot="mid", scale=18, zorder=2
        )


def _rectangle(x: float, y: float, **style):
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), 1, 1, **style)

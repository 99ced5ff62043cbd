"""The figures: learning, what context is worth, and where heads attend along training."""

import itertools

import numpy as np

from experiments.runner import figures


def learning(
    steps: list[int],
    held_out: np.ndarray,
    train: np.ndarray,
    by_context: np.ndarray,
    bytes_per_step: int,
):
    """Draws bits per byte along training, and of the trained model by the length of context.

    Args:
        steps: at which the model was looked at.
        held_out: (R,) bits per byte then.
        train: (steps,) mean bits of each step's windows.
        by_context: (T,) bits by bytes of context.
        bytes_per_step: bytes that a step trains on.

    Returns:
        The figure.
    """
    figure, (left, right) = figures.subplots(1, 2)
    seen = bytes_per_step / 1e6
    width = max(1, len(train) // 50)
    smooth = np.convolve(train, np.ones(width) / width, mode="valid")
    left.plot(seen * (np.arange(len(smooth)) + (width + 1) / 2), smooth, label="trained on")
    left.plot(seen * np.asarray(steps), held_out, marker="o", label="held out")
    left.set_ylim(bottom=0, top=min(8.5, max(held_out.max(), smooth.max()) * 1.05))
    figures.finish(left, title="Learning", x="bytes seen [millions]", y="bits per byte")
    right.plot(np.arange(len(by_context)), by_context, linewidth=0.7, alpha=0.5, label="each")
    edges = np.unique(np.geomspace(1, len(by_context), 12).astype(int))
    means = [by_context[a:b].mean() for a, b in itertools.pairwise(edges)]
    middles = [(a + b - 1) / 2 for a, b in itertools.pairwise(edges)]
    right.plot(middles, means, marker="s", label="mean of a range")
    right.set_xscale("symlog", linthresh=1)
    figures.finish(right, title="Worth of context, held out", x="bytes of context", y="bits")
    return figure


def attention(steps: list[int], entropies: np.ndarray, context: int):
    """Draws the mean attention entropy of each head along training, a panel a layer.

    Args:
        steps: at which the model was looked at.
        entropies: (R, L, N) in nats.
        context: T, whose logarithm bounds them.

    Returns:
        The figure.
    """
    layers, heads = entropies.shape[1:]
    columns = min(layers, 4)
    rows = -(-layers // columns)
    figure, axes = figures.subplots(
        rows, columns, panel=(2.9, 2.6), sharex=True, sharey=True, squeeze=False
    )
    # Tokens of the second half of a window see three quarters of it on average.
    uniform = np.log(np.arange(context // 2, context) + 1).mean()
    for layer, ax in enumerate(axes.flat):
        if layer >= layers:
            ax.set_visible(False)
            continue
        for head in range(heads):
            ax.plot(
                steps,
                entropies[:, layer, head],
                marker=figures.MARKERS[head % len(figures.MARKERS)],
                color=figures.COLORS[head % len(figures.COLORS)],
                markevery=max(1, len(steps) // 8),
                label=f"head {head}",
            )
        ax.axhline(uniform, color="0.5", linestyle=":", linewidth=1, label="uniform attention")
        ax.set_ylim(bottom=0)
        figures.finish(
            ax,
            title=f"layer {layer}",
            x="steps" if layer >= layers - columns else "",
            y="attention entropy [nats]" if layer % columns == 0 else "",
            legend=layer == 0,
        )
    return figure

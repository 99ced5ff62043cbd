"""Attention for the eye: over the tissue image and over users' slides, and as arrays for others."""

import io
from typing import Any

import numpy as np

from experiments.aem_mil.arms import maps_of
from experiments.data import Slide, Tissue
from experiments.runner import figures

_TITLES = {"logits": "raw logits", "softmax": "softmax", "min_max": "min-max"}
_MOST_SLIDES = 4
_MOST_PIXELS = 4_000_000


def to_npz(arrays: dict[str, np.ndarray]) -> bytes:
    """Returns arrays as an npz file; equal arrays give equal bytes.

    Args:
        arrays: by name.

    Returns:
        The file's content.
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _bare(ax, title: str = "") -> None:
    ax.set(xticks=[], yticks=[], title=title)
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(False)


def over_tissue(found: dict[str, np.ndarray], tissue: Tissue):
    """Draws the first seed's attention over the image, a row for each lambda.

    Args:
        found: of the tissue arm.
        tissue: the image.

    Returns:
        The figure.
    """
    lambdas = found["lambda"]
    rows = max(len(lambdas), 3)
    figure, axes = figures.subplots(rows, 4, panel=(2.75, 2.55))
    for ax in axes[:, 0]:
        _bare(ax)
    axes[0, 0].imshow(tissue.image)
    axes[0, 0].axvline(tissue.image.shape[1] / 2, color="black", linewidth=1, linestyle="--")
    axes[0, 0].set_title("image: trained on the left half")
    shown = axes[1, 0].imshow(tissue.stained, cmap="cividis", vmin=0, vmax=1)
    axes[1, 0].set_title("share of stained pixels")
    figure.colorbar(shown, ax=axes[1, 0], shrink=0.8)
    _summary(axes[2, 0], found)
    for ax in axes[3:, 0]:
        ax.set_visible(False)
    for row, weight in zip(axes[:, 1:], lambdas, strict=False):
        place = int(np.flatnonzero(lambdas == weight)[0])
        maps = maps_of(found["attention"][0, place])
        for ax, (kind, title) in zip(row, _TITLES.items(), strict=True):
            _overlay(figure, ax, tissue.image, getattr(maps, kind))
            _bare(ax, f"$\\lambda_0$ = {weight:g}: {title}")
    return figure


def _overlay(figure, ax, image: np.ndarray, heat: np.ndarray) -> None:
    extent = (0, image.shape[1], image.shape[0], 0)
    ax.imshow(image.mean(-1), cmap="gray", vmin=0, vmax=1)
    shown = ax.imshow(heat, cmap="inferno", alpha=0.72, extent=extent, interpolation="nearest")
    bar = figure.colorbar(shown, ax=ax, shrink=0.8)
    bar.ax.tick_params(labelsize=7)
    bar.formatter.set_powerlimits((-2, 3))
    bar.ax.yaxis.get_offset_text().set_fontsize(7)


def _summary(ax, found: dict[str, np.ndarray]) -> None:
    """Areas under the ROC curve over seeds: of bags, and of patches by their attention."""
    ax.set_axis_on()
    ax.grid(True)
    for name in ("left", "bottom"):
        ax.spines[name].set_visible(True)
    places = np.arange(len(found["lambda"]))
    for number, (key, label) in enumerate((("auc", "bags"), ("patch_auc", "patches"))):
        values = found[key]
        ax.errorbar(
            places + 0.08 * (2 * number - 1),
            values.mean(0),
            [values.mean(0) - values.min(0), values.max(0) - values.mean(0)],
            marker=figures.MARKERS[number],
            linestyle="",
            capsize=2,
            label=label,
        )
    ax.set_xticks(places, [f"{value:g}" for value in found["lambda"]])
    ax.set_xlim(-0.5, len(places) - 0.5)
    ax.yaxis.get_major_locator().set_params(nbins=5)
    ax.ticklabel_format(axis="y", useOffset=False)
    ax.yaxis.set_tick_params(labelleft=True)
    ax.set_yticks(np.linspace(np.floor(20 * min(found["patch_auc"].min(), 0.95)) / 20, 1, 3))
    figures.finish(ax, title="AUC: mean and range over seeds", x="$\\lambda_0$")


def tissue_arrays(found: dict[str, np.ndarray], tissue: Tissue) -> dict[str, np.ndarray]:
    """The attention of every run over the image, for other programs.

    Args:
        found: of the tissue arm.
        tissue: the image.

    Returns:
        `lambda` (L,), the three normalisations, (seeds, L, rows, columns) each, and `stained`.
    """
    maps = maps_of(found["attention"])._asdict()
    return {"lambda": found["lambda"], "stained": tissue.stained, **maps}


def slide_arrays(attention: dict[str, np.ndarray], slides: list[Slide]) -> dict[str, np.ndarray]:
    """The attention over users' slides, for other programs.

    Args:
        attention: logits by slide, (K, N).
        slides: the slides.

    Returns:
        For each slide `NAME/logits`, `NAME/softmax` and `NAME/min_max`, (K, N) each, and
        `NAME/coords` where the file has them.
    """
    arrays: dict[str, np.ndarray] = {}
    for slide in slides:
        maps = maps_of(attention[slide.name][:, None])
        for kind, values in maps._asdict().items():
            arrays[f"{slide.name}/{kind}"] = values[:, 0]
        if slide.coords is not None:
            arrays[f"{slide.name}/coords"] = slide.coords
    return arrays


def over_slides(arrays: dict[str, np.ndarray], slides: list[Slide]) -> Any | None:
    """Draws the attention of a few slides where their patches lie.

    Args:
        arrays: of `slide_arrays`; of several rows the mean is drawn.
        slides: the slides.

    Returns:
        The figure, or None if no slide has coordinates.
    """
    drawn = [slide for slide in slides if slide.coords is not None][:_MOST_SLIDES]
    if not drawn:
        return None
    figure, axes = figures.subplots(len(drawn), 3, panel=(3.0, 2.7), squeeze=False)
    for row, slide in zip(axes, drawn, strict=True):
        assert slide.coords is not None
        for ax, (kind, title) in zip(row, _TITLES.items(), strict=True):
            shown = _place(ax, slide.coords, arrays[f"{slide.name}/{kind}"].mean(0))
            figure.colorbar(shown, ax=ax, shrink=0.8).ax.tick_params(labelsize=7)
            _bare(ax, f"{slide.name} (label {slide.label}): {title}")
    return figure


def _place(ax, coords: np.ndarray, heat: np.ndarray):
    """Draws patches as the pixels of an image, or as points if they lie on no grid."""
    cells = [_cells(axis) for axis in coords.T]
    width, height = (int(axis.max()) + 1 for axis in cells)
    if width * height <= _MOST_PIXELS:
        image = np.full((height, width), np.nan)
        image[cells[1], cells[0]] = heat
        return ax.imshow(image, cmap="inferno", interpolation="nearest")
    ax.set_aspect("equal")
    ax.invert_yaxis()
    return ax.scatter(*coords.T, c=heat, s=4, cmap="inferno", linewidths=0)


def _cells(axis: np.ndarray) -> np.ndarray:
    """The numbers of the grid's rows or columns; the least distance is its pitch."""
    steps = np.diff(np.unique(axis))
    pitch = steps.min() if steps.size else 1
    return np.round((axis - axis.min()) / pitch).astype(int)

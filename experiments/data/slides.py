"""Users' slides: patch features of whole-slide images in one HDF5 file, a slide an entry.

    FILE.h5
        slide_1/feat    (N, D) numbers: a row for each patch
        slide_1/label   a whole number from 0; may be an attribute of slide_1 instead
        slide_1/coords  (N, 2), optional: where the patches lie, for heat maps
        slide_1/split   optional: "train", "val" or "test"; may be an attribute

A dataset `slide_1` of shape (N, D) with an attribute `label` is taken as well.
"""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.runner.errors import UserError

SPLITS = ("train", "val", "test")
_EXPECTED = "expected for each slide 'feat' (N, D) and 'label'"


class Slide(NamedTuple):
    """One slide.

    Attributes:
        name: of its entry in the file.
        features: (N, D) float32.
        label: its class, from 0.
        coords: (N, 2) float32, or None.
        split: one of `SPLITS`, or None.
    """

    name: str
    features: np.ndarray
    label: int
    coords: np.ndarray | None = None
    split: str | None = None


def load_slides(path: str | os.PathLike, *, num_classes: int | None = None) -> list[Slide]:
    """Loads all slides of a file into memory.

    Args:
        path: the file.
        num_classes: how many classes there are, if labels are to be checked against it.

    Returns:
        The slides by name; all of one D, and with a split each or none.

    Raises:
        UserError: h5py is not installed, the file cannot be read, or a slide lacks what is needed
            or holds something else; the message names the file, what was found and what was
            expected.
    """
    try:
        import h5py
    except ImportError as error:
        raise UserError('slides are read by h5py: pip install "infojax[experiments]"') from error
    path = Path(path)
    if not path.is_file():
        raise UserError(f"--features={path} is not a file")
    try:
        with h5py.File(path, "r") as file:
            slides = [_slide(path, name, file[name], num_classes) for name in sorted(file)]
    except OSError as error:
        raise UserError(f"cannot read {path} as HDF5: {error}") from error
    _check_all(path, slides)
    return slides


def _slide(path: Path, name: str, entry: Any, num_classes: int | None) -> Slide:
    is_group = hasattr(entry, "keys")
    feat = entry.get("feat") if is_group else entry
    label = _scalar(entry, "label")
    if feat is None or hasattr(feat, "keys") or label is None:
        found = sorted(entry) if is_group else [f"a dataset {entry.shape}"]
        found += [f"attribute {key}" for key in sorted(entry.attrs)]
        raise UserError(f"{path}: {name} holds {', '.join(found) or 'nothing'}; {_EXPECTED}")
    if feat.ndim != 2 or 0 in feat.shape or feat.dtype.kind not in "fiu":
        raise UserError(
            f"{path}: {name}/feat is {feat.dtype} {feat.shape}; {_EXPECTED}, as numbers with a "
            "patch and a feature"
        )
    features = feat[:].astype(np.float32)
    if not np.isfinite(features).all():
        raise UserError(f"{path}: {name}/feat holds NaN or infinite numbers")
    coords = entry.get("coords") if is_group else None
    if coords is not None:
        coords = coords[:]
        if coords.shape != (len(features), 2) or coords.dtype.kind not in "fiu":
            raise UserError(
                f"{path}: {name}/coords is {coords.dtype} {coords.shape}; expected numbers "
                f"({len(features)}, 2)"
            )
        coords = coords.astype(np.float32)
    return Slide(
        name,
        features,
        _label(path, name, label, num_classes),
        coords,
        _split(path, name, _scalar(entry, "split")),
    )


def _scalar(entry: Any, name: str) -> Any:
    """A value that is a dataset of a group or an attribute; None if it is neither."""
    if hasattr(entry, "keys") and name in entry:
        value = entry[name]
        return None if hasattr(value, "keys") else value[()]
    return entry.attrs.get(name)


def _label(path: Path, name: str, value: Any, num_classes: int | None) -> int:
    array = np.asarray(value)
    most = "" if num_classes is None else f" to {num_classes - 1}"
    whole = array.size == 1 and array.dtype.kind in "iuf" and float(array.flat[0]).is_integer()
    number = int(array.flat[0]) if whole else -1
    if number < 0 or (num_classes is not None and number >= num_classes):
        shown = array.flat[0] if array.size == 1 else f"{array.dtype} {array.shape}"
        raise UserError(f"{path}: {name}/label is {shown}; expected a whole number from 0{most}")
    return number


def _split(path: Path, name: str, value: Any) -> str | None:
    if value is None:
        return None
    text = value.decode() if isinstance(value, bytes) else str(value)
    if text not in SPLITS:
        raise UserError(f"{path}: {name}/split is {text!r}; expected {', '.join(SPLITS)}")
    return text


def _check_all(path: Path, slides: list[Slide]) -> None:
    if not slides:
        raise UserError(f"{path} holds no slide; {_EXPECTED}")
    first = slides[0]
    for slide in slides:
        if slide.features.shape[1] != first.features.shape[1]:
            raise UserError(
                f"{path}: {slide.name}/feat has {slide.features.shape[1]} features and "
                f"{first.name}/feat {first.features.shape[1]}; expected the same number"
            )
        if (slide.split is None) != (first.split is None):
            with_split = slide.name if first.split is None else first.name
            raise UserError(
                f"{path}: {with_split} has a split and others have none; expected all or none"
            )

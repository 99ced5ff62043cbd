"""Slides in HDF5 files: the layouts that are read, and the faults that are named."""

import sys

import h5py
import numpy as np
import pytest

from experiments.data import load_slides
from experiments.runner import UserError


def _write(path, **slides):
    with h5py.File(path, "w") as file:
        for name, content in slides.items():
            group = file.create_group(name)
            for key, value in content.items():
                if key.startswith("@"):
                    group.attrs[key[1:]] = value
                else:
                    group[key] = value
    return path


def test_layouts(tmp_path):
    path = tmp_path / "slides.h5"
    _write(
        path,
        b={"feat": np.ones((3, 2), np.float64), "label": 1, "coords": [[0, 0], [0, 1], [1, 0]]},
        a={"feat": np.zeros((5, 2), np.float16), "@label": np.array([0])},
    )
    with h5py.File(path, "a") as file:
        file["c"] = np.full((1, 2), 2.0)
        file["c"].attrs["label"] = 1.0
    a, b, c = load_slides(path, num_classes=2)
    assert [slide.name for slide in (a, b, c)] == ["a", "b", "c"]
    assert (a.label, b.label, c.label) == (0, 1, 1)
    assert a.features.shape == (5, 2) and a.features.dtype == np.float32 and a.coords is None
    np.testing.assert_array_equal(b.coords, [[0, 0], [0, 1], [1, 0]])
    np.testing.assert_array_equal(c.features, [[2, 2]])
    assert a.split is None


def test_splits(tmp_path):
    rows = np.ones((2, 2))
    path = _write(
        tmp_path / "s.h5",
        a={"feat": rows, "label": 0, "split": "val"},
        b={"feat": rows, "label": 1, "@split": "test"},
    )
    assert [slide.split for slide in load_slides(path)] == ["val", "test"]


_ROWS = np.ones((4, 3))


@pytest.mark.parametrize(
    ("slides", "message"),
    [
        ({}, r"holds no slide; expected for each slide 'feat' \(N, D\) and 'label'"),
        ({"a": {"features": _ROWS, "@y": 1}}, r"a holds features, attribute y; expected"),
        ({"a": {"feat": _ROWS}}, r"a holds feat; expected for each slide 'feat'"),
        ({"a": {}}, "a holds nothing"),
        ({"a": {"feat": np.ones(3), "label": 0}}, r"a/feat is float64 \(3,\)"),
        ({"a": {"feat": np.ones((0, 3)), "label": 0}}, r"\(0, 3\).*with a patch"),
        ({"a": {"feat": [[np.nan]], "label": 0}}, "a/feat holds NaN"),
        ({"a": {"feat": _ROWS, "label": 2}}, "a/label is 2; expected a whole number from 0 to 1"),
        ({"a": {"feat": _ROWS, "label": -1}}, "a/label is -1"),
        ({"a": {"feat": _ROWS, "label": 0.5}}, r"a/label is 0\.5"),
        ({"a": {"feat": _ROWS, "label": "x"}}, "a/label is "),
        ({"a": {"feat": _ROWS, "label": 0, "coords": np.ones((4, 3))}}, r"a/coords.*\(4, 2\)"),
        ({"a": {"feat": _ROWS, "label": 0, "split": "dev"}}, "a/split is 'dev'; expected train"),
        (
            {"a": {"feat": _ROWS, "label": 0}, "b": {"feat": np.ones((2, 5)), "label": 0}},
            "b/feat has 5 features and a/feat 3",
        ),
        (
            {"a": {"feat": _ROWS, "label": 0}, "b": {"feat": _ROWS, "label": 0, "split": "val"}},
            "b has a split and others have none",
        ),
    ],
)
def test_faults_of_files(tmp_path, slides, message):
    path = _write(tmp_path / "slides.h5", **slides)
    with pytest.raises(UserError, match=message) as caught:
        load_slides(path, num_classes=2)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="is not a file"):
        load_slides(tmp_path / "none.h5")
    text = tmp_path / "text.h5"
    text.write_text("feat, label")
    with pytest.raises(UserError, match=r"cannot read .*text\.h5 as HDF5"):
        load_slides(text)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(UserError, match="h5py"):
        load_slides(text)

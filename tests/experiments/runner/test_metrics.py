import json

import numpy as np
import pytest

from experiments.runner.errors import StorageError
from experiments.runner.metrics import MetricsFile


def write(path, rows):
    metrics = MetricsFile(path)
    for row in rows:
        metrics.add({"i": row})
    metrics.finish()
    metrics.close()


def numbers(path):
    return [json.loads(line)["i"] for line in path.read_text().splitlines()]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.jsonl"


def test_replaying_the_same_rows_doubles_none(path):
    write(path, range(4))
    before = path.read_bytes()
    write(path, range(4))
    assert path.read_bytes() == before
    write(path, range(6))
    assert numbers(path) == [0, 1, 2, 3, 4, 5]


def test_a_torn_last_line_is_dropped(path):
    write(path, range(3))
    with open(path, "a") as file:
        file.write('{"i": 3')
    MetricsFile(path).close()
    assert numbers(path) == [0, 1, 2]
    write(path, range(5))
    assert numbers(path) == [0, 1, 2, 3, 4]


def test_a_loop_in_its_middle_cuts_what_follows_and_a_finished_one_does_not(path):
    write(path, range(6))
    metrics = MetricsFile(path)
    metrics.add({"i": 0})
    metrics.skip(2, cut=False)
    assert numbers(path) == [0, 1, 2, 3, 4, 5]
    metrics.skip(1, cut=True)
    assert numbers(path) == [0, 1, 2, 3]
    metrics.add({"i": 9})
    metrics.finish()
    assert numbers(path) == [0, 1, 2, 3, 9]


def test_a_row_that_differs_takes_the_place_of_the_old_one(path):
    write(path, range(4))
    metrics = MetricsFile(path)
    metrics.add({"i": 0})
    metrics.add({"i": 100})
    metrics.skip(2, cut=False)
    metrics.add({"i": 4})
    metrics.finish()
    assert numbers(path) == [0, 100, 2, 3, 4]


def test_rows_that_nobody_stands_behind_are_dropped_at_the_end(path):
    write(path, range(6))
    write(path, range(2))
    assert numbers(path) == [0, 1]


def test_a_file_that_is_too_short_is_an_error_and_untouched(path):
    write(path, range(2))
    metrics = MetricsFile(path)
    with pytest.raises(StorageError, match="has 2 lines where the stored results rest on 5"):
        metrics.skip(5, cut=True)
    assert numbers(path) == [0, 1]


def test_values_are_strict_json(path):
    metrics = MetricsFile(path)
    row = {"f": np.float32(0.1), "nan": float("nan"), "inf": np.float32("inf"), "n": np.int8(3)}
    metrics.add({**row, "a": np.eye(2, dtype=np.float32), "b": np.bool_(True), "s": "ü", "o": None})
    metrics.finish()
    text = path.read_text()
    assert json.loads(text, parse_constant=pytest.fail) == {
        "f": 0.1,
        "nan": "nan",
        "inf": "inf",
        "n": 3,
        "a": [[1.0, 0.0], [0.0, 1.0]],
        "b": True,
        "s": "ü",
        "o": None,
    }


def test_a_process_that_does_not_write_counts(path):
    metrics = MetricsFile(path, enabled=False)
    metrics.add({"i": 0})
    metrics.flush()
    metrics.skip(3, cut=True)
    assert len(metrics) == 4
    assert not path.exists()

"""No public function of the room's namespaces is left without a test."""

import inspect
import pathlib

import pytest

from infojax.optimize import acquisition, covariance, gaussian_process
from tests.optimize.cases import CASES


@pytest.mark.parametrize("namespace", [acquisition, covariance, gaussian_process])
def test_every_function_is_called_by_a_test(namespace):
    conforming = {case.function for case in CASES}
    short = namespace.__name__.rsplit(".", 1)[1]
    texts = [path.read_text() for path in pathlib.Path(__file__).parent.glob("test_*.py")]
    for name in namespace.__all__:
        value = getattr(namespace, name)
        if inspect.isroutine(value) and value not in conforming:
            assert any(f"{short}.{name}(" in text for text in texts), name

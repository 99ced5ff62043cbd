"""Every public function of every room, taken through jit, vmap, grad, precision and bad input."""

import importlib
import inspect
import pkgutil

import pytest

import tests
from tests.conformance import check_case

_TABLES = [
    f"tests.{package.name}.cases"
    for package in pkgutil.iter_modules(tests.__path__)
    if package.ispkg
    and any(
        module.name == "cases"
        for module in pkgutil.iter_modules([f"{tests.__path__[0]}/{package.name}"])
    )
]
_MODULES = [importlib.import_module(name) for name in _TABLES]
_CASES = [case for module in _MODULES for case in module.CASES]


@pytest.mark.parametrize("case", _CASES, ids=str)
def test_conforms(case):
    check_case(case)
    assert case.function.__doc__


@pytest.mark.parametrize("module", _MODULES, ids=lambda module: module.__name__.split(".")[1])
def test_no_public_function_is_left_out(module):
    room = importlib.import_module(f"infojax.{module.__name__.split('.')[1]}")
    tested = {case.function.__name__ for case in module.CASES}
    elsewhere = set(getattr(module, "TESTED_ELSEWHERE", ()))
    functions = {name for name in room.__all__ if inspect.isroutine(getattr(room, name))}
    assert functions - tested - elsewhere == set()
    assert elsewhere <= functions - tested

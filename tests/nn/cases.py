"""The functions of `infojax.nn` return several parts: tests/nn/test_fit_critic.py."""

from tests.conformance import Case

TESTED_ELSEWHERE = ("fit_critic",)
CASES: list[Case] = []

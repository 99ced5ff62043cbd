"""How every public function of `infojax.optimize` is called by the conformance test."""

from tests.optimize import cases_offline

CASES = (*cases_offline.CASES,)
TESTED_ELSEWHERE = (*cases_offline.TESTED_ELSEWHERE,)

"""How the divergence from nearest neighbours is called by the conformance test."""

import numpy as np

from infojax import divergences
from tests.conformance import Case

_SET = np.array([[0.0], [1.0], [5.0], [7.0], [8.5]])
_NAN = np.where(_SET == 7, np.nan, _SET)

CASES = [
    Case(
        divergences.kl_divergence_from_samples,
        lambda rng, batch: (rng.normal(size=(*batch, 5, 2)), rng.normal(size=(*batch, 7, 2)) + 1),
        options,
        label,
        differentiable=(0, 1),
        half_tolerance=0.3,
        extremes=[(1e4 * np.repeat(_SET, 2, 1), np.repeat(_SET, 2, 1) + 0.5)],
        invalid=[
            ((_NAN, _SET + 0.5), r"x\[3, 0\] = nan"),
            ((_SET, _NAN), r"y\[3, 0\] = nan"),
            ((_SET, _SET), "no more than k equal"),
        ],
    )
    for options, label in (({}, ""), ({"k": (1, 2, 3), "metric": "chebyshev"}, "median"))
]
CASES[1:] = [type(CASES[1])(**{**vars(CASES[1]), "invalid": ()})]

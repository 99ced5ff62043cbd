"""How bounds, binning, copulas and resampling are called by the conformance test."""

import numpy as np

from infojax import information
from tests.conformance import Case

# Tested in test_variational_bounds.py: their derivatives are by design not those of their values.
TESTED_ELSEWHERE: tuple[str, ...] = ("jensen_shannon_nwj_bound", "mine_bound")


def _scores(rng, batch):
    return (rng.normal(size=(*batch, 4, 4)),)


_EXTREMES = [
    (1e4 * np.eye(3),),
    (np.array([[0.0, -50.0, -1e4], [-1e4, 0.0, -30.0], [-20.0, -20.0, 5.0]]),),
]
# Exponentials beyond float32.
_OVERFLOWS = [(1e4 * (1 - np.eye(3)),)]
_INVALID = [
    ((np.array([[0.0, np.nan], [1.0, 0.0]]),), "nan"),
    ((np.array([[0.0, np.inf], [1.0, 0.0]]),), "inf"),
]


def _bound(function, options=None, label="", overflows=False, **more):
    return Case(
        function,
        _scores,
        options or {},
        label,
        extremes=_EXTREMES if overflows else (*_EXTREMES, *_OVERFLOWS),
        infinite=_OVERFLOWS if overflows else (),
        invalid=_INVALID,
        **more,
    )


CASES = [
    _bound(information.donsker_varadhan_bound),
    _bound(information.nwj_bound, overflows=True),
    _bound(information.info_nce_bound, {"base": 2}),
    _bound(information.smile_bound, {"clip": 0.7}),
    _bound(information.jensen_shannon_bound),
    _bound(information.interpolated_bound, {"alpha": 0.3}),
    _bound(information.club_bound),
    _bound(information.leave_one_out_bound),
]

"""How bounds, binning, copulas and resampling are called by the conformance test."""

import numpy as np

from infojax import information
from tests.conformance import Case

# The first two have derivatives that are by design not those of their values:
# test_variational_bounds.py. The others take functions or return whole numbers:
# test_resampling.py and test_binning.py.
TESTED_ELSEWHERE = (
    "jensen_shannon_nwj_bound",
    "mine_bound",
    "bootstrap",
    "discretize",
    "jackknife",
    "subsample_interval",
)


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


def _samples(function, count, options=None, **more):
    def draw(rng, batch):
        return tuple(rng.normal(size=(*batch, 12, size)) for size in (2, 1, 2)[:count])

    return Case(
        function, draw, options or {}, differentiable=(), smooth=False, half_tolerance=0.5, **more
    )


_BAD_SAMPLES = [((np.array([[0.0], [bad], [1.0]]),), str(bad)) for bad in (np.nan, np.inf)]

CASES = [
    _bound(information.donsker_varadhan_bound),
    _bound(information.nwj_bound, overflows=True),
    _bound(information.info_nce_bound, {"base": 2}),
    _bound(information.smile_bound, {"clip": 0.7}),
    _bound(information.jensen_shannon_bound),
    _bound(information.interpolated_bound, {"alpha": 0.3}),
    _bound(information.club_bound),
    _bound(information.leave_one_out_bound),
    # Piecewise constant: the derivative is zero. Half precision moves samples across edges.
    _samples(information.binned_entropy, 1, {"bins": 3, "base": 2}, invalid=_BAD_SAMPLES),
    _samples(information.binned_mutual_information, 2, {"bins": 2, "correction": "chao_shen"}),
    _samples(information.copula_transform, 1, invalid=_BAD_SAMPLES),
    _samples(information.gaussian_copula_mutual_information, 2),
    _samples(information.gaussian_copula_conditional_mutual_information, 3),
]

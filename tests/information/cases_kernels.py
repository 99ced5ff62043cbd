"""How kernel and distance statistics of samples are called by the conformance test."""

import numpy as np

from infojax import information
from tests.conformance import Case

# It returns several parts: test_independence_test.py.
TESTED_ELSEWHERE: tuple[str, ...] = ("hsic_test",)


# Of one shape, as many compilations.
_SET = np.array([[0.0], [1.0], [5.0], [7.0], [8.0]])
_NAN = np.array([[0.0], [np.nan], [1.0], [2.0], [3.0]])
_CONSTANT = np.zeros((5, 1))
_TIED = np.array([[0.0], [1.0], [0.0], [1.0], [1.0]])
_INVALID = [((_NAN, _SET), r"x\[1, 0\] = nan"), ((_SET, _NAN), r"y\[1, 0\] = nan")]
_EXTREMES = [
    (_CONSTANT, _SET),
    (_CONSTANT, _CONSTANT),
    (_SET, 1e4 * _SET),
    (_TIED, _TIED),
]


def _paired(rng, batch):
    x, y = rng.normal(size=(*batch, 5, 1)), rng.normal(size=(*batch, 5, 1))
    return x, y + x**2


def _one(rng, batch):
    return (rng.normal(size=(*batch, 5, 1)),)


_WIDTHS = {"sigma_x": 0.9, "sigma_y": 0.7}


def _of_pair(function, options=None, label="", **more):
    return Case(
        function,
        _paired,
        options or {},
        label,
        differentiable=(0, 1),
        half_tolerance=0.1,
        **{"extremes": _EXTREMES, "invalid": _INVALID, **more},
    )


CASES = [
    _of_pair(information.hsic, _WIDTHS),
    _of_pair(information.centered_kernel_alignment),
    _of_pair(
        information.cauchy_schwarz_mutual_information,
        {**_WIDTHS, "normalized": True},
    ),
    _of_pair(information.distance_correlation),
    *(
        Case(
            information.kernel_density_entropy,
            _one,
            {"sigma": 0.6, "leave_one_out": leave_one_out},
            f"leave_one_out={leave_one_out}",
            half_tolerance=0.1,
            extremes=[(_CONSTANT,), (1e4 * _SET,)],
            invalid=[((_NAN,), r"x\[1, 0\] = nan")],
        )
        for leave_one_out in (False, True)
    ),
    Case(
        information.kernel_density_quadratic_entropy,
        _one,
        {"sigma": 0.6, "base": 2},
        half_tolerance=0.1,
        extremes=[(_CONSTANT,), (1e4 * _SET,)],
        invalid=[((_NAN,), r"x\[1, 0\] = nan")],
    ),
]

"""How estimators from nearest neighbours are called by the conformance test."""

import numpy as np

from infojax import information
from tests.conformance import Case

# They take integers or a key: tests/information/test_neighbors.py.
TESTED_ELSEWHERE: tuple[str, ...] = (
    "directed_information_from_symbols",
    "jitter",
    "transfer_entropy_from_symbols",
)

_SET = np.array([[0.0], [1.0], [5.0], [7.0], [8.5], [3.25], [2.1], [9.9]])
_NAN = np.where(_SET == 7, np.nan, _SET)
_CONSTANT = np.zeros((8, 1))
_TIED = (_SET > 3).astype(float)
_INVALID = [((_NAN, _SET), r"x\[3, 0\] = nan"), ((_SET, _NAN), r"y\[3, 0\] = nan")]
_TIES = ((_CONSTANT, _CONSTANT), "no more than k equal")


def _two(rng, batch):
    x = rng.normal(size=(*batch, 8, 1))
    return x, x + rng.normal(size=x.shape)


def _of_two(function, options=None, label="", **more):
    # Counts of points: bfloat16 moves points across radii.
    return Case(
        function,
        _two,
        {"k": 2, **(options or {})},
        label,
        differentiable=(0, 1),
        half_tolerance=0.6,
        **{
            "extremes": [(_CONSTANT, _SET), (_SET, 1e4 * _SET)],
            "invalid": [*_INVALID, _TIES],
            **more,
        },
    )


CASES = [
    Case(
        information.kozachenko_leonenko_entropy,
        lambda rng, batch: (rng.normal(size=(*batch, 8, 2)),),
        {"k": 2},
        half_tolerance=0.1,
        extremes=[(1e4 * np.repeat(_SET, 2, 1),)],
        infinite=[(np.zeros((8, 2)),)],
        invalid=[((_NAN,), r"x\[3, 0\] = nan")],
    ),
    Case(
        information.kozachenko_leonenko_entropy,
        lambda rng, batch: (rng.normal(size=(*batch, 8, 1)),),
        {"k": (1, 3), "metric": "chebyshev", "base": 2},
        "median",
        half_tolerance=0.2,
    ),
    _of_two(information.ksg_mutual_information),
    _of_two(information.ksg_mutual_information, {"variant": 2, "k": (2, 3)}, "second"),
    Case(
        information.ksg_conditional_mutual_information,
        lambda rng, batch: tuple(rng.normal(size=(3, *batch, 8, 1))),
        {"k": 2},
        differentiable=(0, 1, 2),
        half_tolerance=0.6,
        extremes=[(_CONSTANT, _SET, _SET)],
        invalid=[((_SET, _SET, _NAN), r"z\[3, 0\] = nan")],
    ),
    Case(
        information.discrete_continuous_mutual_information,
        lambda rng, batch: (
            rng.normal(size=(*batch, 8, 1)),
            np.broadcast_to(np.array([0, 1, 0, 1, 1, 0, 0, 2], np.int32), (*batch, 8)),
        ),
        {"num_classes": 3, "k": 2},
        smooth=False,
        half_tolerance=0.6,
        invalid=[
            ((_NAN, np.arange(8) % 2), r"x\[3, 0\] = nan"),
            ((_SET, np.arange(8)), "from 0 to 2; got labels.3. = 3"),
            ((_CONSTANT, np.arange(8) % 2), "no more than k equal"),
        ],
    ),
    _of_two(
        information.mixed_mutual_information,
        invalid=_INVALID,
        extremes=[(_CONSTANT, _CONSTANT), (_TIED, _TIED), (_TIED, _SET)],
    ),
    _of_two(
        information.local_nonuniformity_mutual_information,
        {"k": 4},
        smooth=False,
        extremes=[(_CONSTANT, _SET), (_SET, 1e4 * _SET)],
    ),
    *(
        Case(
            function,
            _two,
            {"k": 2},
            differentiable=(0, 1),
            half_tolerance=0.8,
            invalid=[((_NAN, _SET), r"source\[3, 0\] = nan")],
        )
        for function in (information.transfer_entropy, information.directed_information)
    ),
]

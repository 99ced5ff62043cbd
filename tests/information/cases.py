"""How every public function of `infojax.information` is called by the conformance test."""

import numpy as np

from infojax import information
from tests.conformance import Case, joint_table, one_hot, simplex
from tests.information import cases_bounds, cases_kernels, cases_neighbors

# They return several parts: tests/information/test_bottleneck.py and test_rate_distortion.py.
TESTED_ELSEWHERE = (
    "information_bottleneck",
    "information_bottleneck_curve",
    "rate_distortion_curve",
    *cases_bounds.TESTED_ELSEWHERE,
    *cases_kernels.TESTED_ELSEWHERE,
    *cases_neighbors.TESTED_ELSEWHERE,
)


def _two(rng, _):
    return (joint_table(rng, (3, 4)),)


def _three(rng, _):
    return (joint_table(rng, (2, 3, 2)),)


_BAD = [
    ((np.full((2, 2), 0.2),), "sum of 0.8"),
    ((np.array([[0.5, np.nan], [0.25, 0.25]]),), "nan"),
    ((np.array([[0.5, -0.25], [0.5, 0.25]]),), r"= -0\.25"),
    ((np.zeros((0, 2)),), "empty support"),
]
_BAD_THREE = [((bad[0][:, :, None],), pattern) for bad, pattern in _BAD]
_DIAGONAL = (np.eye(2) / 2,)
_POINT = (one_hot(6).reshape(2, 3),)
_ONE_CONSTANT = (np.array([[0.5, 0.5]]),)
_SPARSE = (np.array([[0.5, 0.0, 0.0], [0.25, 0.25, 0.0], [0.0, 0.0, 0.0]]),)
_TINY = (np.array([[1.0, 1e-30], [1e-40, 1e-36]]),)
_EDGES = [_DIAGONAL, _POINT, _ONE_CONSTANT, _SPARSE, _TINY]
_EDGES_THREE = [
    (np.einsum("ij,jk->ijk", np.eye(2), np.eye(2)) / 2,),
    (one_hot(8).reshape(2, 2, 2),),
    (np.stack([_DIAGONAL[0], np.zeros((2, 2))]),),
]


def _of_two(function, options=None, label="", **more):
    return Case(
        function,
        _two,
        options or {},
        label,
        batched=False,
        half_tolerance=0.1,
        **{"extremes": _EDGES, "invalid": _BAD, **more},
    )


def _of_three(function, options=None, label="", **more):
    return Case(
        function,
        _three,
        options or {},
        label,
        batched=False,
        half_tolerance=0.1,
        extremes=_EDGES_THREE,
        **{"invalid": _BAD_THREE, **more},
    )


CASES = [
    _of_two(information.mutual_information),
    _of_three(information.mutual_information, {"x": (0, 2), "y": 1}, "groups"),
    _of_three(information.conditional_mutual_information, {"x": 0, "y": 2, "given": 1}),
    _of_two(
        information.pointwise_mutual_information,
        extremes=[_ONE_CONSTANT, _POINT],
        infinite=[_DIAGONAL, _SPARSE, _TINY],
    ),
    _of_two(information.variation_of_information, {"base": 2}),
    _of_three(information.total_correlation),
    _of_three(information.dual_total_correlation),
    _of_three(information.o_information, invalid=()),
    _of_three(information.interaction_information, invalid=()),
    *(
        _of_two(
            information.normalized_mutual_information,
            {"normalization": normalization},
            normalization,
            invalid=_BAD if normalization == "geometric" else (),
        )
        for normalization in ("geometric", "max", "joint")
    ),
    _of_two(information.uncertainty_coefficient),
    # The envelope theorem's derivative is that of a converged capacity along the simplex:
    # tests/information/test_capacity.py compares it with differences there.
    Case(
        information.channel_capacity,
        lambda rng, _: (simplex(rng, (3, 3)) / 2 + np.eye(3) / 2,),
        {"tolerance": 1e-6},
        batched=False,
        smooth=False,
        half_tolerance=0.1,
        result=lambda result: result.capacity,
        extremes=[
            (np.eye(3),),
            (np.full((3, 2), 0.5),),
            (np.array([[1.0, 0.0], [0.5, 0.5]]),),
            (np.ones((1, 1)),),
            (np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.5, 0.0]]),),
        ],
        invalid=[
            ((np.array([[0.5, 0.5], [0.5, 0.6]]),), "sum of 1.1"),
            ((np.array([[0.5, 0.5], [np.nan, 0.5]]),), "nan"),
        ],
    ),
    *(
        Case(
            function,
            lambda rng, _, number=number: (
                simplex(rng, (3,)),
                rng.uniform(0.2, 1, (3, 4)),
                np.array(number),
            ),
            {"tolerance": 1e-5},
            label,
            batched=False,
            differentiable=(0, 1, 2),
            smooth=False,
            half=False,
            tolerance=5e-5,
            result=lambda result: result.rate,
            extremes=[
                (np.full(2, 0.5), np.zeros((2, 2)), np.array(0.5)),
                (one_hot(2), 1 - np.eye(2), np.array(0.25)),
                (np.full(2, 0.5), 1 - np.eye(2), np.array(0.0)),
                (np.ones(1), np.ones((1, 1)), np.array(1.0)),
            ],
            invalid=[
                ((np.full(2, 0.6), np.eye(2), np.array(0.1)), "source"),
                ((np.full(2, 0.5), -np.eye(2), np.array(0.1)), "distortion"),
                ((np.full(2, 0.5), np.eye(2), np.array(-0.1)), "must be non-negative"),
                ((np.full(2, 0.5), np.eye(2), np.array(np.nan)), "must be non-negative"),
            ],
        )
        for function, number, label in (
            (information.rate_distortion, 3.0, "slope"),
            (information.rate_distortion_function, 0.45, "level"),
        )
    ),
    *cases_bounds.CASES,
    *cases_kernels.CASES,
    *cases_neighbors.CASES,
]

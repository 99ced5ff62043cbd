"""How every public function of `infojax.couplings` is called by the conformance test."""

import numpy as np

from infojax import couplings
from tests.conformance import Case, bad_distributions, one_hot, simplex


def _pq(rng, batch):
    return simplex(rng, (*batch, 6)), simplex(rng, (*batch, 4))


def _p(rng, batch):
    return (simplex(rng, (*batch, 6)),)


_THIRDS = np.array([1 / 3, 1 / 3, 1 / 3])
# Of few shapes: each one compiles anew.
_EDGES = [
    (one_hot(3), _THIRDS),
    (_THIRDS, one_hot(3)),
    (np.ones(1), np.ones(1)),
    (np.array([0.5, 0.0, 0.5]), one_hot(3, 1)),
    (np.array([1.0, 1e-40, 0.0]), np.array([0.5, 0.5, 0.0])),
]
_BAD = (*bad_distributions(0, _THIRDS), *bad_distributions(1, _THIRDS))
_BAD_SOURCE = bad_distributions()
_NEGATIVE_RATE = ((_THIRDS, np.array(-1.0)), "rate must be a non-negative number")
_NAN_RATE = ((_THIRDS, np.array(np.nan)), "rate must be a non-negative number")


def _encoders():
    for function in (
        couplings.greedy_ebim,
        couplings.log_loss_code,
        couplings.uniform_quantizer,
    ):
        yield Case(
            function,
            lambda rng, batch: (simplex(rng, (*batch, 6)), np.full(batch, 1.2)),
            differentiable=(0,),
            result=lambda code: code.entropy,
            extremes=[
                (one_hot(3), np.array(0.5)),
                (_THIRDS, np.array(0.0)),
                (_THIRDS, np.array(50.0)),
                (np.array([0.5, 0.0, 0.5]), np.array(0.1)),
                (np.ones(1), np.array(0.0)),
            ],
            half_tolerance=0.15,
            invalid=[
                *(((*bad, np.array(1.0)), pattern) for bad, pattern in _BAD_SOURCE),
                _NEGATIVE_RATE,
                _NAN_RATE,
            ],
        )


CASES = [
    Case(
        couplings.greedy_mec,
        _pq,
        differentiable=(0, 1),
        on_simplex=True,
        result=lambda coupling: coupling.entropy(),
        extremes=_EDGES,
        invalid=_BAD,
    ),
    Case(
        couplings.greedy_mec,
        _pq,
        {"implementation": "reference"},
        "reference",
        differentiable=(0, 1),
        on_simplex=True,
        result=lambda coupling: coupling.masses,
    ),
    Case(
        couplings.zero_seeking_mec,
        _pq,
        differentiable=(),
        result=lambda coupling: coupling.entropy(),
        extremes=_EDGES,
        invalid=_BAD,
    ),
    Case(
        couplings.majorization_coupling,
        _pq,
        differentiable=(0, 1),
        on_simplex=True,
        result=lambda coupling: coupling.entropy(),
        extremes=_EDGES,
        invalid=_BAD,
    ),
    Case(
        couplings.majorization_meet,
        _pq,
        differentiable=(0, 1),
        on_simplex=True,
        extremes=_EDGES,
        invalid=_BAD,
    ),
    Case(
        couplings.mec_lower_bound,
        _pq,
        differentiable=(0, 1),
        on_simplex=True,
        extremes=_EDGES,
        invalid=_BAD,
    ),
    *_encoders(),
    Case(
        couplings.mec_bottleneck,
        _pq,
        {"rate": 1.0, "base": 2},
        differentiable=(0, 1),
        on_simplex=True,
        result=lambda chain: chain.mutual_information(),
        extremes=_EDGES,
        invalid=[((one_hot(3), np.array([0.5, 0.6])), "p_y"), ((np.ones(2), one_hot(2)), "p_x")],
        half_tolerance=0.15,
    ),
    Case(
        couplings.ebim_curve,
        lambda rng, batch: (simplex(rng, (4,)), np.array([0.3, 0.9])),
        batched=False,
        differentiable=(),
        result=lambda curve: curve.information,
        half=False,
        invalid=[
            ((np.array([0.5, 0.6]), np.ones(1)), "sum of 1.1"),
            ((_THIRDS, -np.ones(1)), "rate"),
        ],
    ),
]

# A sequence of arrays, integer labels and a host-side solver do not fit a `Case`.
TESTED_ELSEWHERE = ("greedy_mec_many", "perturb_mapping", "successive_linearization_mec")

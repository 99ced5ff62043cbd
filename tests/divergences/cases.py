"""How every public function of `infojax.divergences` is called by the conformance test."""

import numpy as np

from infojax import divergences
from tests.conformance import Case, bad_distributions, one_hot, simplex
from tests.divergences import cases_neighbors, cases_samples

# They take a function: tests/divergences/test_f_divergences.py and test_bregman.py.
TESTED_ELSEWHERE = ("bregman_divergence", "f_divergence", *cases_samples.TESTED_ELSEWHERE)


def _pair(rng, batch):
    return simplex(rng, (*batch, 7)), simplex(rng, (*batch, 7))


def _logits(rng, batch):
    return rng.normal(size=(*batch, 7)), rng.normal(size=(*batch, 7))


def _stack(rng, _):
    return simplex(rng, (3, 7)), simplex(rng, (3,))


def _covariance(rng, batch):
    factor = rng.normal(size=(*batch, 3, 6))
    return factor @ np.swapaxes(factor, -1, -2) / 3 + np.eye(3) / 4


def _gaussians(rng, batch):
    return (
        rng.normal(size=(*batch, 3)),
        _covariance(rng, batch),
        rng.normal(size=(*batch, 3)),
        _covariance(rng, batch),
    )


_BAD = (*bad_distributions(0, None), *bad_distributions(1, None))
_HALF = np.array([0.5, 0.0, 0.5])
_EQUAL = (_HALF, _HALF)
_WIDER = (one_hot(3), _HALF)
_NARROWER = (_HALF, one_hot(3))
_DISJOINT = (one_hot(3), one_hot(3, 1))
_SINGLE = (np.array([1.0]), np.array([1.0]))
_TINY = (np.array([1.0, 1e-30, 1e-40]), np.array([1.0, 1e-40, 1e-30]))


def _always_finite(function, options=None, label="", **more):
    return Case(
        function,
        _pair,
        options or {},
        label,
        differentiable=(0, 1),
        masked=more.pop("masked", True),
        extremes=[_EQUAL, _WIDER, _NARROWER, _DISJOINT, _SINGLE, _TINY],
        invalid=_BAD,
        **more,
    )


def _infinite(function, options=None, label="", finite=(), infinite=(), **more):
    return Case(
        function,
        _pair,
        options or {},
        label,
        differentiable=(0, 1),
        masked=True,
        half_tolerance=more.pop("half_tolerance", 0.05),
        extremes=[_EQUAL, _SINGLE, *finite],
        infinite=[_DISJOINT, _TINY, *infinite],
        **{"invalid": _BAD, **more},
    )


def _orders():
    for order in (0.0, 0.999, 1.0, 3.0, np.inf):
        yield _infinite(
            divergences.renyi_divergence,
            {"order": order},
            f"order={order}",
            finite=[_WIDER, *([_NARROWER] if order < 1 else [])],
            infinite=[_NARROWER],
            smooth=order != 0,
            half_tolerance=0.1,
            invalid=_BAD if order == 3 else (),
        )
    for alpha in (-1.0, 0.998, 1.0, 5.0):
        yield _infinite(
            divergences.alpha_divergence,
            {"alpha": alpha},
            f"alpha={alpha}",
            infinite=[_NARROWER, _WIDER],
            half_tolerance=0.1,
            invalid=_BAD if alpha == 5 else (),
        )


_ONE = np.eye(1)
_BAD_COVARIANCES = [
    ((np.zeros(2), -np.eye(2), np.zeros(2), np.eye(2)), "covariance_p"),
    ((np.zeros(2), np.eye(2), np.zeros(2), np.zeros((2, 2))), "covariance_q"),
    ((np.zeros(2), np.eye(2), np.zeros(2), np.array([[1, 0.5], [0, 1.0]])), "symmetric"),
    ((np.array([0, np.nan]), np.eye(2), np.zeros(2), np.eye(2)), "mean_p"),
]


def _gaussian(function, options=None, label="", **more):
    return Case(
        function,
        _gaussians,
        options or {},
        label,
        differentiable=(0, 1, 2, 3),
        half_tolerance=0.15,
        extremes=[
            (np.zeros(2), np.eye(2), np.zeros(2), np.eye(2)),
            (np.zeros(1), 1e-6 * _ONE, np.zeros(1), 1e6 * _ONE),
        ],
        invalid=_BAD_COVARIANCES,
        **more,
    )


CASES = [
    _infinite(divergences.kl_divergence, finite=[_WIDER], infinite=[_NARROWER]),
    _infinite(divergences.kl_divergence, {"base": 2}, "bits", invalid=()),
    _infinite(divergences.jeffreys_divergence, infinite=[_WIDER, _NARROWER]),
    Case(
        divergences.kl_divergence_from_logits,
        _logits,
        differentiable=(0, 1),
        masked=True,
        extremes=[
            (np.array([0.0, 1.0, -np.inf]), np.array([2.0, 5.0, -np.inf])),
            (np.array([0.0, -np.inf, -np.inf]), np.array([2.0, 5.0, -np.inf])),
            (np.array([1e4, -1e4, 0.0]), np.array([-1e4, 1e4, 0.0])),
            (np.full(3, 3e4), np.full(3, -3e4)),
        ],
        infinite=[(np.array([0.0, 1.0]), np.array([-np.inf, 0.0]))],
        invalid=[
            ((np.array([0.0, np.nan]), np.zeros(2)), "p_logits"),
            ((np.zeros(2), np.array([0.0, np.inf])), "q_logits"),
            ((np.zeros(2), np.full(2, -np.inf)), "q_logits"),
            ((np.zeros(0), np.zeros(0)), "finite"),
        ],
    ),
    Case(
        divergences.kl_divergence_from_log_probabilities,
        lambda rng, batch: tuple(np.log(p) for p in _pair(rng, batch)),
        differentiable=(0, 1),
        extremes=[
            (np.array([0.0, -np.inf]), np.log(np.array([0.5, 0.5]))),
            (np.array([0.0, -np.inf]), np.array([0.0, -np.inf])),
            (np.array([0.0, -200.0]), np.array([-200.0, 0.0])),
        ],
        infinite=[(np.log(np.array([0.5, 0.5])), np.array([0.0, -np.inf]))],
        invalid=[
            ((np.array([0.0, 0.0]), np.array([0.0, -np.inf])), r"exp\(log_p\)"),
            ((np.array([0.0, -np.inf]), np.array([np.nan, 0.0])), r"exp\(log_q\)"),
        ],
    ),
    _always_finite(divergences.jensen_shannon_divergence),
    _always_finite(divergences.jensen_shannon_distance),
    Case(
        divergences.jensen_shannon_divergence_many,
        _stack,
        batched=False,
        differentiable=(0, 1),
        extremes=[
            (np.eye(3), np.full(3, 0.25) + 0.25 * one_hot(3)),
            (np.eye(3), one_hot(3)),
            (np.stack(_TINY), np.array([0.5, 0.5])),
            (np.ones((1, 1)), np.ones(1)),
        ],
        invalid=[
            ((np.full((2, 2), 0.6), np.array([0.5, 0.5])), "ps"),
            ((np.eye(2), np.array([0.5, 0.6])), "weights"),
            ((np.zeros((0, 2)), np.zeros(0)), "weights"),
        ],
    ),
    *_orders(),
    _always_finite(divergences.bhattacharyya_coefficient),
    _infinite(divergences.bhattacharyya_distance, finite=[_WIDER, _NARROWER]),
    _infinite(divergences.cauchy_schwarz_divergence, finite=[_WIDER, _NARROWER]),
    _always_finite(divergences.total_variation),
    _always_finite(divergences.hellinger_distance),
    _infinite(divergences.chi_squared_divergence, finite=[_WIDER], infinite=[_NARROWER]),
    Case(
        divergences.itakura_saito_divergence,
        lambda rng, batch: tuple(rng.uniform(0.5, 2, (2, *batch, 5))),
        differentiable=(0, 1),
        masked=True,
        half_tolerance=0.1,
        extremes=[(np.ones(3), np.ones(3)), (np.array([1e-10, 1e10]), np.array([1.0, 1.0]))],
        invalid=[
            ((np.array([1.0, -1.0]), np.ones(2)), r"x\[1\]"),
            ((np.ones(2), np.array([1.0, 0.0])), r"y\[1\]"),
            ((np.ones(2), np.array([1.0, np.nan])), r"y\[1\]"),
        ],
    ),
    Case(
        divergences.wasserstein_1,
        lambda rng, batch: (rng.normal(size=(*batch, 5)), rng.normal(size=(*batch, 8))),
        differentiable=(0, 1),
        half_tolerance=0.1,
        extremes=[(np.zeros(3), np.zeros(2)), (np.array([1e30, -1e30]), np.array([0.0]))],
        invalid=[
            ((np.array([0.0, np.nan]), np.zeros(2)), r"x\[1\]"),
            ((np.zeros(2), np.array([np.inf])), r"y\[0\]"),
        ],
    ),
    Case(
        divergences.wasserstein_1_on_grid,
        _pair,
        differentiable=(0, 1),
        half_tolerance=0.1,
        extremes=[_EQUAL, _WIDER, _NARROWER, _DISJOINT, _SINGLE],
        invalid=_BAD,
    ),
    Case(
        divergences.wasserstein_1_on_grid,
        lambda rng, _: (*_pair(rng, ()), np.sort(rng.normal(size=7))),
        label="support",
        batched=False,
        differentiable=(0, 1, 2),
        half_tolerance=0.1,
        invalid=[
            ((*_EQUAL, np.array([0.0, 2.0, 1.0])), "ascending"),
            ((*_EQUAL, np.array([0.0, np.nan, 1.0])), "ascending"),
        ],
    ),
    _gaussian(divergences.gaussian_kl_divergence),
    *(
        _gaussian(divergences.gaussian_renyi_divergence, {"order": order}, f"order={order}")
        for order in (0.5, 1.0)
    ),
    _gaussian(divergences.gaussian_bhattacharyya_distance),
    _gaussian(divergences.gaussian_hellinger_distance),
    _gaussian(divergences.gaussian_cauchy_schwarz_divergence),
    _gaussian(divergences.gaussian_wasserstein_2),
    *cases_neighbors.CASES,
    *cases_samples.CASES,
]

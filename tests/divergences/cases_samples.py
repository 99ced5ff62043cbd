"""How divergences and distances of sample sets are called by the conformance test."""

import jax
import numpy as np

from infojax import divergences
from tests.conformance import Case

# They return several parts or take ott-jax: test_permutation_tests.py, test_sinkhorn.py.
TESTED_ELSEWHERE: tuple[str, ...] = ("maximum_mean_discrepancy_test", "sinkhorn_divergence")

_KEY = jax.random.key  # made when it is called: an import makes no array


# Of one shape, as many compilations.
_SET = np.array([[0.0], [1.0], [5.0], [7.0]])
_NAN = np.array([[0.0], [np.nan], [1.0], [2.0]])
_CONSTANT = np.zeros((4, 1))
_INVALID = [((_NAN, _SET), r"x\[1, 0\] = nan"), ((_SET, _NAN), r"y\[1, 0\] = nan")]
_EXTREMES = [
    (_CONSTANT, _CONSTANT),
    (_CONSTANT, 1e4 + _SET),
    (_SET, _SET),
]


def _two(features):
    def draw(rng, batch):
        x, y = (rng.normal(size=(*batch, 4, features)) for _ in range(2))
        return x, y + 0.5

    return draw


def _predicted(rng, batch):
    x, y = rng.normal(size=(*batch, 4, 1)), rng.normal(size=(*batch, 4, 1))
    return x, y, y + 0.3 * rng.normal(size=y.shape)


def _observed_twice(rng, batch):
    return tuple(rng.normal(size=(*batch, 4, 1)) for _ in range(4))


def _of_two(function, options=None, label="", *, features=1, **more):
    return Case(
        function,
        more.pop("draw", _two(features)),
        options or {},
        label,
        differentiable=(0, 1),
        half_tolerance=0.1,
        **{"extremes": _EXTREMES, "invalid": _INVALID, **more},
    )


def _sliced(x, y, **options):
    return divergences.sliced_wasserstein(x, y, key=_KEY(0), **options)


_sliced.__name__, _sliced.__doc__ = "sliced_wasserstein", divergences.sliced_wasserstein.__doc__

CASES = [
    _of_two(divergences.squared_maximum_mean_discrepancy, {"sigma": (0.5, 2.0)}),
    _of_two(
        divergences.linear_time_maximum_mean_discrepancy,
        {"sigma": 1.5},
    ),
    _of_two(divergences.cauchy_schwarz_divergence_from_samples, {"sigma": 0.7, "base": 2}),
    Case(
        divergences.conditional_cauchy_schwarz_divergence_of_predictions,
        _predicted,
        {"sigma_x": 0.9, "sigma_y": 0.7},
        differentiable=(0, 1, 2),
        half_tolerance=0.1,
        extremes=[(_SET, _SET, _SET), (_SET, 1e4 * _SET, _SET)],
        invalid=[((_SET, _SET, _NAN), r"predictions\[1, 0\] = nan")],
    ),
    Case(
        divergences.conditional_cauchy_schwarz_divergence_from_samples,
        _observed_twice,
        {"sigma_x": 0.9, "sigma_y": 0.7},
        differentiable=(0, 1, 2, 3),
        half_tolerance=0.15,
        extremes=[(_SET, _SET, _SET, _SET), (_SET, _SET, 1e4 * _SET, _SET)],
        invalid=[((_SET, _SET, _SET, _NAN), r"other_y\[1, 0\] = nan")],
    ),
    _of_two(
        divergences.energy_distance, features=2, extremes=[(np.eye(4, 2), np.eye(4, 2))], invalid=()
    ),
    _of_two(divergences.energy_distance, {"squared": True}, "line"),
    _of_two(_sliced, {"num_projections": 5}),
    Case(
        divergences.wasserstein_on_line,
        lambda rng, batch: (rng.normal(size=(*batch, 5)), rng.normal(size=(*batch, 8)) + 1),
        differentiable=(0, 1),
        half_tolerance=0.1,
        extremes=[(np.zeros(3), np.zeros(2)), (np.array([1e30, -1e30]), np.array([0.0]))],
        invalid=[
            ((np.array([0.0, np.nan]), np.zeros(2)), r"x\[1\]"),
            ((np.zeros(2), np.array([np.inf])), r"y\[0\]"),
        ],
    ),
]

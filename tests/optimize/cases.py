"""How public functions of `infojax.optimize` are called by the conformance test."""

import dataclasses

import numpy as np

from infojax.optimize import acquisition, covariance, gaussian_process
from tests.conformance import Case
from tests.optimize import cases_offline

# What needs more than arrays, and what the shared test of the room's own functions leaves out.
TESTED_ELSEWHERE = (
    *cases_offline.TESTED_ELSEWHERE,
    "bayesian_optimization",
    "load_search",
    "maximize_acquisition",
    "save_search",
    "sobol_points",
    "start_search",
)


@dataclasses.dataclass(frozen=True)
class Conditioned(Case):
    """A function of a Gaussian process, called with the process's own arrays first."""

    def __call__(self, inputs, values, *arguments):
        parameters = gaussian_process.Parameters(0.6, 1.2, 0.05, 0.1)
        gp = gaussian_process.condition(inputs, values, parameters)
        return self.result(self.function(gp, *arguments, **self.options))


def _marginals(*more):
    def draw(rng, batch):
        mean, std = rng.normal(size=(*batch, 3)), rng.uniform(0.5, 1.5, (*batch, 3))
        return (mean, std, *(np.full((*batch, 3), number) for number in more))

    return draw


_EDGES = [
    (np.array([-50.0, 0.0, 50.0]), np.ones(3), np.zeros(3)),
    (np.array([-1.0, 0.5, 1.0]), np.array([1e-6, 1e-3, 1e4]), np.zeros(3)),
]
_KNOWN = (np.array([1.0, 2.0, 3.0]), np.array([0.0, 1e-30, 1.0]), np.zeros(3))
_BAD = [
    ((np.array([0.0, np.nan, 1.0]), np.ones(3), np.zeros(3)), r"mean\[1\] = nan"),
    ((np.zeros(3), np.array([1.0, 1.0, -1.0]), np.zeros(3)), r"std\[2\] = -1"),
]


def _one_bad(bad):
    """A fault in one row makes that row NaN: the shared test wants all of them."""
    return [
        (tuple(np.full_like(a, a[row]) for a in arguments), pattern.replace(f"[{row}\\]", "[0\\]"))
        for (arguments, pattern), row in zip(bad, (1, 2), strict=True)
    ]


def _joint(rng, _):
    root = rng.normal(size=(3, 3))
    return rng.normal(size=3), root @ root.T + np.eye(3), np.array(0.1)


def _process(*shapes):
    def draw(rng, _):
        return (
            rng.uniform(size=(4, 2)),
            rng.normal(size=4),
            *(rng.uniform(size=shape) for shape in shapes),
        )

    return draw


_NAN_PROCESS = [
    ((np.array([[0.0, np.nan]] * 4), np.ones(4), np.ones((2, 2))), r"inputs\[0, 1\] = nan"),
]


def _of_process(function, *shapes, **more):
    more = {"differentiable": (1, 2), "invalid": _NAN_PROCESS if len(shapes) == 1 else (), **more}
    return Conditioned(
        function, _process(*shapes), batched=False, half=False, tolerance=1e-3, **more
    )


def _scaled(rng, _):
    return rng.normal(size=(2, 2)), rng.normal(size=(3, 2))


CASES = [
    *cases_offline.CASES,
    *(
        Case(
            function,
            _marginals(0.3),
            differentiable=(0, 1, 2),
            half_tolerance=0.1,
            extremes=[*_EDGES, *([] if is_log else [_KNOWN])],
            infinite=[_KNOWN] if is_log else [],
            invalid=_one_bad(_BAD),
        )
        for function, is_log in (
            (acquisition.expected_improvement, False),
            (acquisition.log_expected_improvement, True),
            (acquisition.probability_of_improvement, False),
        )
    ),
    Case(
        acquisition.upper_confidence_bound,
        _marginals(),
        {"beta": 2.0},
        differentiable=(0, 1),
        half_tolerance=0.1,
        invalid=[(arguments[:2], pattern) for arguments, pattern in _one_bad(_BAD)],
    ),
    *(
        Case(
            acquisition.max_value_entropy_search,
            lambda rng, batch: (*_marginals()(rng, batch), np.array([1.0, 2.0])),
            options,
            label=label,
            batched=False,
            differentiable=(0, 1, 2),
            half_tolerance=0.1,
            extremes=[(mean, std, np.array([0.0, 100.0])) for mean, std, _ in _EDGES],
            invalid=[
                ((*arguments[:2], np.ones(2)), pattern) for arguments, pattern in _one_bad(_BAD)
            ],
        )
        for options, label in (({}, ""), ({"noise_variance": 0.3}, "noisy"))
    ),
    Case(
        acquisition.expected_maximum_gain,
        lambda rng, batch: (rng.normal(size=(*batch, 4)), rng.normal(size=(*batch, 4))),
        differentiable=(0, 1),
        half_tolerance=0.1,
        extremes=[
            (np.zeros(4), np.zeros(4)),
            (np.zeros(4), np.array([1.0, 1.0, -1.0, -1.0])),
            (np.array([1e6, 0.0, -1e6, 0.0]), np.array([0.0, 1.0, 1e6, 1e-30])),
        ],
        invalid=[((np.array([0.0, np.nan, 0.0, 0.0]), np.ones(4)), r"a\[1\] = nan")],
    ),
    Case(
        acquisition.knowledge_gradient_discrete,
        _joint,
        batched=False,
        smooth=False,
        half=False,
        extremes=[(np.zeros(3), np.zeros((3, 3)), np.array(0.0))],
        invalid=[((np.zeros(3), np.eye(3), np.array(-0.1)), "noise_variance")],
    ),
    Case(
        acquisition.q_expected_improvement,
        lambda rng, batch: (*_joint(rng, batch)[:2], np.array(0.2), rng.normal(size=(64, 3))),
        batched=False,
        differentiable=(0, 2),
        half=False,
        extremes=[(np.zeros(3), np.zeros((3, 3)), np.array(0.0), np.ones((64, 3)))],
        invalid=[((np.zeros(3), np.eye(3), np.array(np.nan), np.ones((64, 3))), "best")],
    ),
    *(
        Case(
            function,
            lambda rng, batch: (rng.normal(size=(*batch, 2)), rng.uniform(1, 2, (*batch, 2))),
            differentiable=(0, 1),
            half_tolerance=0.1,
            extremes=[(np.array([0.0, 30.0]), np.array([0.0, 1.0]))],
            invalid=[((np.array([np.nan, 0.0]), np.ones(2)), r"mean\[0\] = nan")],
        )
        for function in (
            acquisition.log_probability_of_feasibility,
            acquisition.probability_of_feasibility,
        )
    ),
    *(
        Case(
            function,
            lambda rng, batch: (
                *_marginals(0.3)(rng, batch),
                rng.normal(size=(*batch, 3, 2)),
                rng.uniform(1, 2, (*batch, 3, 2)),
            ),
            differentiable=(0, 1, 3, 4),
            half_tolerance=0.1,
        )
        for function in (
            acquisition.constrained_expected_improvement,
            acquisition.log_constrained_expected_improvement,
        )
    ),
    _of_process(gaussian_process.marginals, (2, 2), result=lambda both: both[0] + both[1]),
    _of_process(gaussian_process.posterior, (2, 2), result=lambda both: both[0] + both[1]),
    _of_process(acquisition.knowledge_gradient, (2, 2), (3, 2)),
    _of_process(acquisition.noisy_expected_improvement, (2, 2)),
    *(
        _of_process(
            acquisition.predictive_entropy_search,
            (2, 2),
            (3, 2),
            options={"conditions": conditions},
            label=conditions,
        )
        for conditions in ("candidate", "stationarity")
    ),
    *(
        Case(function, _scaled, batched=False, differentiable=(0, 1), half_tolerance=0.1)
        for function in (covariance.squared_exponential, covariance.matern)
    ),
]

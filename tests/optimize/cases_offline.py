"""Cases of offline optimisation; what takes functions or trains is tested in test_*.py here."""

import functools

import jax.numpy as jnp
import numpy as np

from infojax import optimize
from tests.conformance import Case

TESTED_ELSEWHERE = (
    "cma_es",
    "conditioning_by_adaptive_sampling",
    "conservative_loss",
    "fit_conservative",
    "fit_surrogate",
    "gradient_ascent",
    "ignite",
    "ignite_gradient",
    "ignite_penalty",
    "offline_task",
    "reinforce",
    "reinforce_categorical",
    "surrogate_bayesian_optimization",
)
_ONE = np.array([0.5])
_NAN = np.array([np.nan])


@functools.wraps(optimize.surrogate_sharpness)
def _sharpness(weights, x, rho):
    return optimize.surrogate_sharpness(lambda w, x: jnp.tanh(x @ w), weights, x, rho)


CASES = (
    Case(
        _sharpness,
        lambda rng, _: (rng.normal(size=3), rng.normal(size=(4, 3)), rng.uniform(0.1, 1)),
        differentiable=(0, 1, 2),
        batched=False,
        half=False,
        # tanh' of saturated units is 0: no gradient, and none of the norm.
        extremes=[(np.full(3, 1e4), np.ones((2, 3)), np.array(0.1))],
        invalid=[((np.ones(2), np.ones((1, 2)), np.array(-1.0)), "rho must be at least 0")],
    ),
    Case(
        optimize.gaussian_negative_log_likelihood,
        lambda rng, batch: tuple(rng.normal(size=(3, *batch, 5))),
        differentiable=(0, 1, 2),
        extremes=[(np.array([1e3]), np.array([-1e3]), np.array([0.0]))],
        invalid=[((_NAN, _ONE, _ONE), "y must be numbers"), ((_ONE, _ONE, _NAN), "log_std must")],
    ),
    *(
        Case(
            optimize.ensemble_prediction,
            lambda rng, _: (rng.normal(size=(3, 5)),),
            options={"reduction": reduction},
            label=reduction,
            batched=False,
            extremes=[(np.zeros((2, 2)),), (np.ones((1, 3)),)],
            invalid=[((np.array([[np.nan]]),), "predictions must be numbers")],
        )
        for reduction in ("mean", "minimum")
    ),
    Case(
        optimize.percentile_scores,
        lambda rng, _: (rng.normal(size=7),),
        options={"low": -2, "high": 3},
        batched=False,
        extremes=[(np.ones(4),), (np.ones(1),)],
        invalid=[((np.array([np.inf, 1.0]),), "values must be finite")],
        result=lambda scores: jnp.stack(scores),
    ),
)

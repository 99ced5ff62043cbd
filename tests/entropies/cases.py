"""How every public function of `infojax.entropies` is called by the conformance test."""

import numpy as np

from infojax import entropies
from tests.conformance import Case, bad_distributions, joint_table, one_hot, simplex


def _p(rng, batch):
    return (simplex(rng, (*batch, 7)),)


def _pq(rng, batch):
    return simplex(rng, (*batch, 7)), simplex(rng, (*batch, 7))


def _logits(rng, batch):
    return (rng.normal(size=(*batch, 7)),)


def _positive(rng, batch):
    return (rng.uniform(0.5, 3.0, batch),)


def _two_positive(rng, batch):
    return rng.uniform(0.5, 3.0, batch), rng.uniform(0.5, 3.0, batch)


def _covariance(rng, batch):
    factor = rng.normal(size=(*batch, 3, 5))
    return (factor @ np.swapaxes(factor, -1, -2),)


def _transition(rng, batch):
    return (simplex(rng, (*batch, 4, 4)),)


_BAD = bad_distributions()
_BAD_SCALES = (
    ((np.array(-1.0),), "positive"),
    ((np.array(np.nan),), "positive"),
    ((np.array(0.0),), "positive"),
)
_EDGES = [(one_hot(5, 2),), (np.array([0.5, 0.0, 0.5, 0.0, 0.0]),), (np.array([1.0]),)]
# Subnormal masses: compared as positive on some hardware, flushed to zero by its logarithm.
_SUBNORMAL = (np.array([1.0, 1e-40, 1e-44, 0.0, 0.0]),)


def _orders():
    for order in (0.0, 0.3, 1.0, 1.0001, 7.5, np.inf):
        yield Case(
            entropies.renyi_entropy,
            _p,
            {"order": order},
            f"order={order}",
            masked=True,
            smooth=order != 0,
            extremes=[*_EDGES, _SUBNORMAL],
            invalid=_BAD,
        )
    for order in (1.0, 3.0):
        yield Case(
            entropies.tsallis_entropy,
            _p,
            {"order": order},
            f"order={order}",
            masked=True,
            extremes=[*_EDGES, _SUBNORMAL],
            invalid=_BAD,
        )


CASES = [
    Case(entropies.entropy, _p, masked=True, extremes=[*_EDGES, _SUBNORMAL], invalid=_BAD),
    Case(entropies.entropy, _p, {"base": 2}, "bits", masked=True, extremes=_EDGES),
    Case(entropies.perplexity, _p, masked=True, extremes=_EDGES, invalid=_BAD, half_tolerance=0.1),
    Case(
        entropies.cross_entropy,
        _pq,
        differentiable=(0, 1),
        masked=True,
        extremes=[(one_hot(3), np.array([0.5, 0.5, 0.0]))],
        infinite=[(np.array([0.5, 0.5, 0.0]), one_hot(3))],
        invalid=(*bad_distributions(0, None), *bad_distributions(1, None)),
    ),
    Case(
        entropies.cross_entropy_from_logits,
        lambda rng, batch: (_p(rng, batch)[0], _logits(rng, batch)[0]),
        differentiable=(0, 1),
        masked=True,
        extremes=[
            (one_hot(3), np.array([3.0, -np.inf, 1.0])),
            (one_hot(3), np.array([1e4, -1e4, 0.0])),
        ],
        infinite=[(one_hot(2), np.array([-np.inf, 0.0]))],
        invalid=bad_distributions(0, None),
    ),
    Case(
        entropies.entropy_from_logits,
        _logits,
        masked=True,
        extremes=[
            (np.array([1e4, -1e4, 0.0]),),
            (np.array([-np.inf, 0.0, 1.0]),),
            (np.array([-np.inf, 5.0, -np.inf]),),
            (np.full(4, -3e4),),
        ],
        invalid=[
            ((np.array([np.nan, 0.0]),), "finite"),
            ((np.array([np.inf, 0.0]),), "finite"),
            ((np.array([-np.inf, -np.inf]),), "finite"),
            ((np.zeros(0),), "finite"),
        ],
    ),
    *(
        Case(
            entropies.cross_entropy_and_entropy_from_logits,
            lambda rng, batch: (_logits(rng, batch)[0], rng.integers(0, 7, batch)),
            label=label,
            # A shift changes nothing, so that directions of sum zero are all that there are.
            on_simplex=True,
            result=lambda found, label=label: getattr(found, label),
            extremes=[
                (np.array([1e4, -1e4, 0.0]), np.array(1)),
                (np.array([-np.inf, 0.0, 1.0]), np.array(2)),
                (np.array([-np.inf, 5.0, -np.inf]), np.array(1)),
                (np.full(4, -3e4), np.array(0)),
            ],
            infinite=[(np.array([-np.inf, 5.0, -np.inf]), np.array(0))],
            invalid=[
                ((np.array([np.nan, 0.0]), np.array(0)), "finite"),
                ((np.array([np.inf, 0.0]), np.array(0)), "finite"),
                ((np.array([-np.inf, -np.inf]), np.array(0)), "finite"),
                *labels,
            ],
        )
        for label, labels in (
            (
                "cross_entropy",
                [
                    ((np.zeros(3), np.array(3)), "labels = 3"),
                    ((np.zeros(3), np.array(-1)), "labels = -1"),
                ],
            ),
            ("entropy", []),
        )
    ),
    Case(
        entropies.binary_entropy,
        lambda rng, batch: (rng.uniform(0.1, 0.9, batch),),
        extremes=[(np.array([0.0, 1.0, 1e-38, 1e-45]),)],
        invalid=[
            ((np.array(-0.1),), "between 0 and 1"),
            ((np.array(1.5),), "between 0 and 1"),
            ((np.array(np.nan),), "between 0 and 1"),
        ],
    ),
    *_orders(),
    *(
        Case(
            entropies.entropy_from_counts,
            lambda rng, batch: (rng.integers(0, 9, (*batch, 12)).astype(float) + np.eye(12)[0],),
            {"correction": correction},
            correction,
            differentiable=(),
            masked=True,
            half_tolerance=0.1,
            extremes=[(np.ones(4),), (one_hot(4) * 9,), (one_hot(4),), (np.array([1e6, 1, 0]),)],
            invalid=[
                ((np.array([1.0, -1.0]),), "counts"),
                ((np.array([1.5, 2.0]),), "counts"),
                ((np.array([np.nan, 2.0]),), "counts"),
                ((np.zeros(3),), "counts"),
                ((np.zeros(0),), "counts"),
            ],
        )
        for correction in ("none", "miller_madow", "grassberger", "chao_shen", "shrinkage")
    ),
    *(
        Case(
            function,
            lambda rng, batch: (joint_table(rng, (3, 4, 2)),),
            options,
            label,
            batched=False,
            extremes=[
                (np.eye(2)[:, :, None] / 2 * np.ones(3) / 3,),
                (one_hot(8).reshape(2, 2, 2),),
            ],
            invalid=[
                ((np.full((2, 2, 2), 0.2),), "sum of 1.6"),
                ((np.full((2, 2, 2), np.nan),), "nan"),
            ],
        )
        for function, options, label in (
            (entropies.joint_entropy, {}, "all"),
            (entropies.joint_entropy, {"axis": (0, 2)}, "two"),
            (entropies.conditional_entropy, {"axis": 0, "given": (1,)}, "one"),
            (entropies.conditional_entropy, {"axis": (2, 0), "given": 1}, "two"),
        )
    ),
    Case(
        entropies.entropy_rate,
        _transition,
        half_tolerance=0.1,
        extremes=[(np.array([[0.0, 1.0], [1.0, 0.0]]),)],
        invalid=[((np.array([[0.5, 0.5], [0.5, 0.6]]),), "sum of 1.1")],
    ),
    Case(
        entropies.stationary_distribution,
        _transition,
        half_tolerance=0.1,
        extremes=[(np.array([[0.0, 1.0], [1.0, 0.0]]),)],
        invalid=[((np.array([[0.5, 0.5], [0.5, 0.6]]),), "sum of 1.1")],
    ),
    Case(
        entropies.gaussian_entropy,
        _covariance,
        half_tolerance=0.1,
        extremes=[(np.diag([1e-12, 1e12]),)],
        invalid=[
            ((-np.eye(2),), "positive definite"),
            ((np.full((2, 2), np.nan),), "positive definite"),
            ((np.array([[1.0, 0.5], [0.0, 1.0]]),), "symmetric"),
        ],
    ),
    Case(
        entropies.uniform_entropy,
        lambda rng, batch: (rng.uniform(-2, 0, batch), rng.uniform(1, 3, batch)),
        differentiable=(0, 1),
        invalid=[((np.array(1.0), np.array(1.0)), "positive")],
    ),
    *(
        Case(function, _positive, extremes=[(np.array([1e-20, 1e20]),)], invalid=_BAD_SCALES)
        for function in (
            entropies.exponential_entropy,
            entropies.laplace_entropy,
            entropies.logistic_entropy,
            entropies.cauchy_entropy,
        )
    ),
    Case(entropies.student_t_entropy, _positive, invalid=_BAD_SCALES, half_tolerance=0.1),
    Case(entropies.log_normal_entropy, _two_positive, differentiable=(0, 1)),
    Case(entropies.gamma_entropy, _two_positive, differentiable=(0, 1), half_tolerance=0.1),
    Case(entropies.beta_entropy, _two_positive, differentiable=(0, 1), half_tolerance=0.1),
    Case(
        entropies.dirichlet_entropy,
        lambda rng, batch: (rng.uniform(0.5, 4.0, (*batch, 5)),),
        half_tolerance=0.15,
        invalid=[((np.array([1.0, -1.0]),), r"concentration\[1\]")],
    ),
    Case(
        entropies.von_mises_entropy,
        _positive,
        extremes=[(np.array([0.0, 1e-6, 700.0, 1e4]),)],
        invalid=[((np.array(-1.0),), "non-negative")],
    ),
]

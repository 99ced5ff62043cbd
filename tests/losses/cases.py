"""How every public function of `infojax.losses` is called by the conformance test."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from infojax import losses
from tests.conformance import Case

_KEY = jax.random.key(3)
_BAD = np.array([[0.0, np.nan, 1.0]])
_INFINITE = np.array([[np.inf, 0.0]])
_EMPTY = np.full((1, 3), -np.inf)
_INVALID = [((_BAD,), "nan"), ((_INFINITE,), "inf"), ((_EMPTY,), "an instance that counts")]
_EXTREMES = [
    (np.array([[1e4, -1e4, 0.0]]),),
    (np.array([[0.0, -np.inf]]),),
    (np.full((2, 3), 1e4),),
    (np.zeros((1, 1)),),
]


def _rows(rng, _):
    return (rng.normal(size=(2, 3, 7)),)


def _row(rng, batch):
    return (rng.normal(size=(*batch, 7)),)


def _rows_and_weight(rng, _):
    return rng.normal(size=(2, 3, 7)), rng.uniform(0.1, 1, ())


def _row_and_temperature(rng, batch):
    return rng.normal(size=(*batch, 7)), rng.uniform(0.5, 2, (*batch, 1))


@functools.wraps(losses.attention_entropy_penalty)
def _weighted(logits, weight, **options):
    return losses.attention_entropy_penalty(logits, weight=weight, **options)


@functools.wraps(losses.attention_entropy_schedule)
def _schedule(count, **options):
    return losses.attention_entropy_schedule(**options)(count)


def _finite(logits):
    """Masked logits as a number that can be compared."""
    return jnp.where(logits == -jnp.inf, -3.0, logits).astype(logits.dtype)


def _mass(logits):
    return jnp.sum(jnp.where(logits == -jnp.inf, 0, 2 + jnp.tanh(logits)), -1)


CASES = (
    Case(
        losses.attention_entropy_penalty,
        _rows,
        {"weight": 0.3},
        batched=False,
        masked=True,
        extremes=_EXTREMES,
        invalid=_INVALID,
    ),
    Case(
        _weighted,
        _rows_and_weight,
        label="weight",
        batched=False,
        differentiable=(0, 1),
        invalid=[
            ((np.zeros((1, 3)), np.array(-0.5)), r"weight = -0\.5"),
            ((np.zeros((1, 3)), np.array(np.nan)), "weight = nan"),
        ],
    ),
    Case(
        _weighted,
        _rows_and_weight,
        {"allow_minimise": True},
        label="minimise",
        batched=False,
        differentiable=(0, 1),
        extremes=[(np.zeros((1, 3)), np.array(-0.5))],
        invalid=[((np.zeros((1, 3)), np.array(np.inf)), "weight = inf")],
    ),
    Case(
        _schedule,
        lambda rng, _: (rng.uniform(1, 9, ()),),
        {"initial_weight": 0.5, "total_steps": 10, "final_weight": 0.1},
        batched=False,
        half=False,
        extremes=[(np.array(0.0),), (np.array(1e6),)],
    ),
    Case(
        losses.attention_temperature,
        _row_and_temperature,
        differentiable=(0, 1),
        extremes=[(np.array([1e4, -1e4, 0.0]), np.ones(1))],
        invalid=[
            ((np.zeros(3), np.zeros(1)), r"temperature\[0\] = 0"),
            ((np.array([np.nan, 0.0]), np.ones(1)), "nan"),
        ],
    ),
    *(
        Case(
            function,
            _rows,
            {"key": _KEY, **options},
            batched=False,
            masked=masked,
            extremes=_EXTREMES,
            invalid=_INVALID,
            result=result,
        )
        for function, options, masked, result in (
            (losses.attention_dropout, {"rate": 0.4}, False, _finite),
            (losses.stochastic_top_k_masking, {"k": 4, "rate": 0.5}, True, _mass),
        )
    ),
    Case(
        losses.attention_diversity_penalty,
        _rows,
        batched=False,
        masked=True,
        extremes=_EXTREMES,
        invalid=_INVALID,
    ),
)

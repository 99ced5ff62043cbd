"""How every public function of `infojax.decoding` is called by the conformance test."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from infojax import decoding
from tests.conformance import Case

# They give tokens, functions or several parts: the other files of this folder.
TESTED_ELSEWHERE = (
    "beam_search",
    "chain",
    "greedy",
    "heaviest_bounded_entropy_set",
    "mirostat_sample",
    "sample",
    "to_transformers",
    "token_counts",
)


def _logits(rng, batch):
    """Apart enough that rounding moves no token over an edge."""
    steps = np.linspace(0, 4, 9) + rng.uniform(-0.02, 0.02, (*batch, 9))
    return (rng.permuted(steps, axis=-1),)


def _pair(rng, batch):
    return _logits(rng, batch) + _logits(rng, batch)


_COUNTS = np.array([2, 0, 1, 0, 0, 3, 0, 1, 0])


def _of_counts(penalty):
    @functools.wraps(penalty)
    def call(logits):
        counts = jnp.broadcast_to(jnp.asarray(_COUNTS[: logits.shape[-1]]), logits.shape)
        return penalty(logits, counts, 1.7)

    return call


_EXTREMES = [
    (np.array([1e4, -1e4, 0.0]),),
    (np.array([0.0, -np.inf]),),
    (np.zeros(1),),
    (np.full(5, 3.0),),
]
_INVALID = [
    ((np.array([0.0, np.nan, 1.0]),), "nan"),
    ((np.array([np.inf, 0.0]),), "inf"),
    ((np.full(3, -np.inf),), "a row without"),
    ((np.zeros(0),), "a token"),
]


def _case(function, **keywords):
    keywords = {"extremes": _EXTREMES, "invalid": _INVALID, "half_tolerance": 0.1} | keywords
    return Case(function, keywords.pop("draw", _logits), result=jax.nn.softmax, **keywords)


CASES = (
    _case(decoding.temperature, options={"t": 0.7}, invalid=_INVALID[3:]),
    _case(decoding.min_p, options={"p": 0.1}),
    _case(decoding.epsilon, options={"cutoff": 0.05}),
    _case(decoding.eta, options={"cutoff": 0.3}),
    _case(decoding.top_n_sigma, options={"n": 1.1}),
    _case(decoding.top_k, options={"k": 4}),
    _case(decoding.top_p, options={"p": 0.75}),
    _case(decoding.typical, options={"mass": 0.6}),
    _case(decoding.top_h, options={"alpha": 0.7, "temperature": 1.5}),
    _case(decoding.top_h, options={"rule": "reference", "top_n": 6}, label="reference"),
    _case(decoding.top_h, options={"rule": "transformers", "top_n": 6}, label="transformers"),
    _case(decoding.mirostat, options={"max_surprise": 2.5}),
    _case(
        decoding.contrastive,
        draw=_pair,
        differentiable=(0, 1),
        extremes=[(_EXTREMES[0][0], np.zeros(3)), (np.zeros(2), np.array([0.0, -np.inf]))],
        invalid=[((row, np.zeros_like(row)), text) for (row,), text in _INVALID],
        half_tolerance=0.2,
    ),
    *(
        _case(_of_counts(penalty), invalid=_INVALID[3:])
        for penalty in (
            decoding.repetition_penalty,
            decoding.frequency_penalty,
            decoding.presence_penalty,
        )
    ),
)

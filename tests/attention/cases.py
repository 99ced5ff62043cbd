"""How every public function of `infojax.attention` is called by the conformance test."""

import functools

import numpy as np

from infojax import attention
from tests.conformance import Case

# Inside shard_map alone: tests/kernels/test_attention_statistics.py.
TESTED_ELSEWHERE = ("combine_attention_over_devices",)


def _logits(rng, batch):
    return (rng.normal(size=(*batch, 7)),)


def _attention(rng, batch):
    return tuple(rng.normal(size=(*batch, *shape)) for shape in ((5, 2, 4), (6, 1, 4), (6, 1, 3)))


def _parts(rng, _):
    return rng.normal(size=(3, 5, 2)), rng.uniform(0.1, 1, (3, 5)), rng.normal(size=(3, 5))


@functools.wraps(attention.gated_attention_pooling)
def _pool(instances, logits, **options):
    return attention.gated_attention_pooling(instances, logits=logits, **options)


@functools.wraps(attention.gated_attention_pooling)
def _pool_by_gates(instances, *gates, **options):
    gates = attention.AttentionGates(*gates)
    return attention.gated_attention_pooling(instances, gates=gates, **options)


def _bag(rng, batch):
    return rng.normal(size=(*batch, 7, 3)), rng.normal(size=(*batch, 2, 7))


def _bag_and_gates(rng, _):
    shapes = (7, 3), (3, 4), (4,), (3, 4), (4,), (4, 2), (2,)
    return tuple(rng.normal(size=shape) for shape in shapes)


_PEAKED = np.array([1e4, -1e4, 0.0])
_BAD = np.array([0.0, np.nan, 1.0])
_EXTREME_BAGS = [
    (np.ones((3, 2)), _PEAKED),
    (np.full((1, 2), 1e4), np.zeros(1)),
    (np.ones((2, 2)), np.array([-np.inf, -1e4])),
    (np.ones((3, 2)), np.full(3, 1e4)),
]
_BAD_BAGS = [
    ((np.ones((3, 2)), _BAD), "nan"),
    ((np.ones((2, 2)), np.array([np.inf, 0.0])), "inf"),
    ((np.ones((0, 2)), np.zeros(0)), "an instance"),
]

CASES = (
    Case(
        attention.attention_entropy,
        _logits,
        masked=True,
        extremes=[(_PEAKED,), (np.array([0.0, -np.inf]),), (np.full(3, -np.inf),), (np.zeros(1),)],
        invalid=[((_BAD,), "nan"), ((np.array([np.inf, 0.0]),), "inf")],
    ),
    Case(attention.attention_entropy, _logits, {"base": 2}, label="bits", half=False),
    *(
        Case(
            attention.attention_with_entropy,
            _attention,
            {"is_causal": causal, "implementation": implementation},
            label=f"{implementation}-{part}",
            differentiable=(0, 1, 2),
            forward_mode=implementation == "xla",
            # The entropy stays float32, see tests/kernels/test_attention_with_entropy.py.
            half=part == 0,
            result=lambda parts, part=part: parts[part],
        )
        for implementation, part, causal in ((None, 0, True), (None, 1, False), ("xla", 1, True))
    ),
    *(
        Case(
            attention.combine_attention,
            _parts,
            label=name,
            batched=False,
            differentiable=(0, 1, 2),
            half=False,
            result=lambda parts, number=number: parts[number],
        )
        for number, name in enumerate(("output", "entropy", "log_normalizer"))
    ),
    *(
        Case(
            function,
            draw,
            {"implementation": implementation},
            label=f"{function.__code__.co_name.strip('_')}-{implementation}-{part}",
            batched=draw is _bag,
            differentiable=tuple(range(2 if draw is _bag else 7)),
            forward_mode=implementation == "reference",
            # The entropy stays float32: tests/kernels/test_gated_attention_pooling.py.
            half=part == "pooled",
            half_tolerance=0.1,
            extremes=extremes,
            invalid=invalid,
            result=lambda found, part=part: getattr(found, part),
        )
        for function, draw, extremes, invalid in (
            (_pool, _bag, _EXTREME_BAGS, _BAD_BAGS),
            (_pool_by_gates, _bag_and_gates, (), ()),
        )
        for implementation, part in (
            (None, "pooled"),
            (None, "entropy"),
            ("reference", "entropy"),
        )
    ),
)

"""How every public function of `infojax.attention` is called by the conformance test."""

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


_PEAKED = np.array([1e4, -1e4, 0.0])
_BAD = np.array([0.0, np.nan, 1.0])

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
)

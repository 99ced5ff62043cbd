"""From logits to tokens: samplers that compose, sampling, beam search, bounded entropy."""

from infojax.decoding.beam import BeamSearch, beam_search
from infojax.decoding.bounded_entropy import (
    BoundedEntropySet,
    heaviest_bounded_entropy_set,
    top_h,
)
from infojax.decoding.contrast import contrastive
from infojax.decoding.hugging_face import to_transformers
from infojax.decoding.mirostat import MirostatStep, mirostat, mirostat_sample
from infojax.decoding.penalties import (
    frequency_penalty,
    presence_penalty,
    repetition_penalty,
    token_counts,
)
from infojax.decoding.prefixes import top_k, top_p, typical
from infojax.decoding.sampling import greedy, sample
from infojax.decoding.temperatures import chain, temperature
from infojax.decoding.thresholds import epsilon, eta, min_p, top_n_sigma

__all__ = [
    "BeamSearch",
    "BoundedEntropySet",
    "MirostatStep",
    "beam_search",
    "chain",
    "contrastive",
    "epsilon",
    "eta",
    "frequency_penalty",
    "greedy",
    "heaviest_bounded_entropy_set",
    "min_p",
    "mirostat",
    "mirostat_sample",
    "presence_penalty",
    "repetition_penalty",
    "sample",
    "temperature",
    "to_transformers",
    "token_counts",
    "top_h",
    "top_k",
    "top_n_sigma",
    "top_p",
    "typical",
]

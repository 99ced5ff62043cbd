"""infojax: information theory for JAX programs.

Entropies, divergences, information measures and couplings as pure functions that compose with
jit, vmap and grad. The rooms load when they are first used.
"""

import importlib
from typing import TYPE_CHECKING

from infojax.version import __version__

if TYPE_CHECKING:
    from infojax import (
        attention,
        couplings,
        decoding,
        divergences,
        entropies,
        information,
        losses,
        nn,
        optimize,
        spectra,
    )
    from infojax.attention import attention_entropy, attention_with_entropy
    from infojax.couplings import greedy_ebim, greedy_mec, mec_bottleneck
    from infojax.decoding import top_h
    from infojax.divergences import kl_divergence
    from infojax.entropies import entropy
    from infojax.information import mutual_information
    from infojax.spectra import diffusion_spectral_entropy

_ROOMS = (
    "attention",
    "couplings",
    "decoding",
    "divergences",
    "entropies",
    "information",
    "losses",
    "nn",
    "optimize",
    "spectra",
)
_FUNCTIONS = {
    "attention_entropy": "attention",
    "attention_with_entropy": "attention",
    "diffusion_spectral_entropy": "spectra",
    "entropy": "entropies",
    "greedy_ebim": "couplings",
    "greedy_mec": "couplings",
    "kl_divergence": "divergences",
    "mec_bottleneck": "couplings",
    "mutual_information": "information",
    "top_h": "decoding",
}

__all__ = [
    "__version__",
    "attention",
    "attention_entropy",
    "attention_with_entropy",
    "couplings",
    "decoding",
    "diffusion_spectral_entropy",
    "divergences",
    "entropies",
    "entropy",
    "greedy_ebim",
    "greedy_mec",
    "information",
    "kl_divergence",
    "losses",
    "mec_bottleneck",
    "mutual_information",
    "nn",
    "optimize",
    "spectra",
    "top_h",
]


def __getattr__(name: str):
    if name in _ROOMS:
        return importlib.import_module(f"infojax.{name}")
    if name in _FUNCTIONS:
        value = getattr(importlib.import_module(f"infojax.{_FUNCTIONS[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'infojax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

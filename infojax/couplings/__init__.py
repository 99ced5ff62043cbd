"""Couplings of given marginals: minimum-entropy, majorisation, and through a bottleneck."""

from infojax.couplings.bottleneck import BottleneckCoupling, mec_bottleneck
from infojax.couplings.bounds import mec_lower_bound
from infojax.couplings.ebim import EntropyBoundedCode, greedy_ebim
from infojax.couplings.encoders import log_loss_code, uniform_quantizer
from infojax.couplings.greedy import greedy_mec, greedy_mec_many, zero_seeking_mec
from infojax.couplings.linearization import successive_linearization_mec
from infojax.couplings.majorization import majorization_coupling, majorization_meet
from infojax.couplings.perturbation import (
    EntropyBoundedCurve,
    PerturbedCode,
    ebim_curve,
    perturb_mapping,
)
from infojax.couplings.sparse import SparseCoupling

__all__ = [
    "BottleneckCoupling",
    "EntropyBoundedCode",
    "EntropyBoundedCurve",
    "PerturbedCode",
    "SparseCoupling",
    "ebim_curve",
    "greedy_ebim",
    "greedy_mec",
    "greedy_mec_many",
    "log_loss_code",
    "majorization_coupling",
    "majorization_meet",
    "mec_bottleneck",
    "mec_lower_bound",
    "perturb_mapping",
    "successive_linearization_mec",
    "uniform_quantizer",
    "zero_seeking_mec",
]

"""Entropies of probabilities, logits, counts, joint tables and continuous families."""

from infojax.entropies.actions import (
    CrossEntropyAndEntropy,
    cross_entropy_and_entropy_from_logits,
)
from infojax.entropies.differential import (
    cauchy_entropy,
    exponential_entropy,
    gaussian_entropy,
    laplace_entropy,
    log_normal_entropy,
    logistic_entropy,
    uniform_entropy,
)
from infojax.entropies.from_counts import entropy_from_counts
from infojax.entropies.from_logits import entropy_from_logits
from infojax.entropies.gamma_families import (
    beta_entropy,
    dirichlet_entropy,
    gamma_entropy,
    student_t_entropy,
)
from infojax.entropies.generalized import renyi_entropy, tsallis_entropy
from infojax.entropies.joint import conditional_entropy, joint_entropy
from infojax.entropies.markov import entropy_rate, stationary_distribution
from infojax.entropies.shannon import (
    binary_entropy,
    cross_entropy,
    cross_entropy_from_logits,
    entropy,
    perplexity,
)
from infojax.entropies.von_mises import von_mises_entropy

__all__ = [
    "CrossEntropyAndEntropy",
    "beta_entropy",
    "binary_entropy",
    "cauchy_entropy",
    "conditional_entropy",
    "cross_entropy",
    "cross_entropy_and_entropy_from_logits",
    "cross_entropy_from_logits",
    "dirichlet_entropy",
    "entropy",
    "entropy_from_counts",
    "entropy_from_logits",
    "entropy_rate",
    "exponential_entropy",
    "gamma_entropy",
    "gaussian_entropy",
    "joint_entropy",
    "laplace_entropy",
    "log_normal_entropy",
    "logistic_entropy",
    "perplexity",
    "renyi_entropy",
    "stationary_distribution",
    "student_t_entropy",
    "tsallis_entropy",
    "uniform_entropy",
    "von_mises_entropy",
]

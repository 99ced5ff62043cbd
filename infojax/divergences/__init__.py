"""Divergences and distances of distributions: discrete, on a line, Gaussian, Bregman's."""

from infojax.divergences.bregman import bregman_divergence, itakura_saito_divergence
from infojax.divergences.cauchy_schwarz import cauchy_schwarz_divergence
from infojax.divergences.f_divergences import (
    alpha_divergence,
    chi_squared_divergence,
    f_divergence,
    hellinger_distance,
    total_variation,
)
from infojax.divergences.gaussian import (
    gaussian_bhattacharyya_distance,
    gaussian_cauchy_schwarz_divergence,
    gaussian_hellinger_distance,
    gaussian_kl_divergence,
    gaussian_renyi_divergence,
    gaussian_wasserstein_2,
)
from infojax.divergences.jensen_shannon import (
    jensen_shannon_distance,
    jensen_shannon_divergence,
    jensen_shannon_divergence_many,
)
from infojax.divergences.kullback_leibler import (
    jeffreys_divergence,
    kl_divergence,
    kl_divergence_from_log_probabilities,
    kl_divergence_from_logits,
)
from infojax.divergences.renyi import (
    bhattacharyya_coefficient,
    bhattacharyya_distance,
    renyi_divergence,
)
from infojax.divergences.wasserstein import wasserstein_1, wasserstein_1_on_grid

__all__ = [
    "alpha_divergence",
    "bhattacharyya_coefficient",
    "bhattacharyya_distance",
    "bregman_divergence",
    "cauchy_schwarz_divergence",
    "chi_squared_divergence",
    "f_divergence",
    "gaussian_bhattacharyya_distance",
    "gaussian_cauchy_schwarz_divergence",
    "gaussian_hellinger_distance",
    "gaussian_kl_divergence",
    "gaussian_renyi_divergence",
    "gaussian_wasserstein_2",
    "hellinger_distance",
    "itakura_saito_divergence",
    "jeffreys_divergence",
    "jensen_shannon_distance",
    "jensen_shannon_divergence",
    "jensen_shannon_divergence_many",
    "kl_divergence",
    "kl_divergence_from_log_probabilities",
    "kl_divergence_from_logits",
    "renyi_divergence",
    "total_variation",
    "wasserstein_1",
    "wasserstein_1_on_grid",
]

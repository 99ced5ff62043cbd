"""Divergences and distances of distributions: discrete, on a line, Gaussian, Bregman's."""

from infojax.divergences.bregman import bregman_divergence, itakura_saito_divergence
from infojax.divergences.cauchy_schwarz import cauchy_schwarz_divergence
from infojax.divergences.cauchy_schwarz_samples import (
    cauchy_schwarz_divergence_from_samples,
    conditional_cauchy_schwarz_divergence_from_samples,
    conditional_cauchy_schwarz_divergence_of_predictions,
)
from infojax.divergences.energy import energy_distance
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
from infojax.divergences.maximum_mean_discrepancy import (
    linear_time_maximum_mean_discrepancy,
    maximum_mean_discrepancy_test,
    squared_maximum_mean_discrepancy,
)
from infojax.divergences.neighbor_divergence import kl_divergence_from_samples
from infojax.divergences.permutation_tests import PermutationTest
from infojax.divergences.renyi import (
    bhattacharyya_coefficient,
    bhattacharyya_distance,
    renyi_divergence,
)
from infojax.divergences.sinkhorn import sinkhorn_divergence
from infojax.divergences.wasserstein import wasserstein_1, wasserstein_1_on_grid
from infojax.divergences.wasserstein_orders import sliced_wasserstein, wasserstein_on_line

__all__ = [
    "PermutationTest",
    "alpha_divergence",
    "bhattacharyya_coefficient",
    "bhattacharyya_distance",
    "bregman_divergence",
    "cauchy_schwarz_divergence",
    "cauchy_schwarz_divergence_from_samples",
    "chi_squared_divergence",
    "conditional_cauchy_schwarz_divergence_from_samples",
    "conditional_cauchy_schwarz_divergence_of_predictions",
    "energy_distance",
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
    "kl_divergence_from_samples",
    "linear_time_maximum_mean_discrepancy",
    "maximum_mean_discrepancy_test",
    "renyi_divergence",
    "sinkhorn_divergence",
    "sliced_wasserstein",
    "squared_maximum_mean_discrepancy",
    "total_variation",
    "wasserstein_1",
    "wasserstein_1_on_grid",
    "wasserstein_on_line",
]

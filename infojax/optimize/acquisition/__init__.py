"""Acquisition functions: what an evaluation at a point is worth. All are to be maximised."""

from infojax.optimize.acquisition.batches import (
    constant_liar,
    q_expected_improvement,
    q_knowledge_gradient,
)
from infojax.optimize.acquisition.constrained_knowledge import constrained_knowledge_gradient
from infojax.optimize.acquisition.constraints import (
    best_feasible,
    constrained_expected_improvement,
    log_constrained_expected_improvement,
    log_probability_of_feasibility,
    probability_of_feasibility,
)
from infojax.optimize.acquisition.continuous_knowledge import (
    knowledge_gradient_ascent,
    simulated_knowledge_gradient,
)
from infojax.optimize.acquisition.entropy_search import (
    entropy_search_discrete,
    predictive_entropy_search_discrete,
)
from infojax.optimize.acquisition.environments import (
    environment_knowledge_gradient,
    integrate_environment,
)
from infojax.optimize.acquisition.improvement import (
    expected_improvement,
    log_expected_improvement,
    probability_of_improvement,
    upper_confidence_bound,
)
from infojax.optimize.acquisition.knowledge import (
    knowledge_gradient,
    knowledge_gradient_per_cost,
    noisy_expected_improvement,
)
from infojax.optimize.acquisition.max_values import (
    gumbel_maxima,
    max_value_entropy_search,
)
from infojax.optimize.acquisition.maximum_gains import (
    expected_maximum_gain,
    knowledge_gradient_discrete,
)
from infojax.optimize.acquisition.one_shot_knowledge import (
    one_shot_knowledge_gradient,
    one_shot_knowledge_gradient_ascent,
)
from infojax.optimize.acquisition.predictive_entropy import (
    predictive_entropy_search,
    sample_maximizers,
)

__all__ = [
    "best_feasible",
    "constant_liar",
    "constrained_expected_improvement",
    "constrained_knowledge_gradient",
    "entropy_search_discrete",
    "environment_knowledge_gradient",
    "expected_improvement",
    "expected_maximum_gain",
    "gumbel_maxima",
    "integrate_environment",
    "knowledge_gradient",
    "knowledge_gradient_ascent",
    "knowledge_gradient_discrete",
    "knowledge_gradient_per_cost",
    "log_constrained_expected_improvement",
    "log_expected_improvement",
    "log_probability_of_feasibility",
    "max_value_entropy_search",
    "noisy_expected_improvement",
    "one_shot_knowledge_gradient",
    "one_shot_knowledge_gradient_ascent",
    "predictive_entropy_search",
    "predictive_entropy_search_discrete",
    "probability_of_feasibility",
    "probability_of_improvement",
    "q_expected_improvement",
    "q_knowledge_gradient",
    "sample_maximizers",
    "simulated_knowledge_gradient",
    "upper_confidence_bound",
]

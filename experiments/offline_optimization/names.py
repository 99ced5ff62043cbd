"""Names of the searches, as `--optimizer` takes them."""

GRADIENT_ASCENT = "gradient_ascent"
ENSEMBLE_MEAN, ENSEMBLE_MINIMUM = "ensemble_mean", "ensemble_minimum"
REINFORCE, CMA_ES, CBAS, CONSERVATIVE = "reinforce", "cma_es", "cbas", "coms"
BAYESIAN_OPTIMIZATION = "bayesian_optimization"

ENSEMBLES = (ENSEMBLE_MEAN, ENSEMBLE_MINIMUM)
OPTIMIZERS = (
    GRADIENT_ASCENT,
    *ENSEMBLES,
    REINFORCE,
    CMA_ES,
    BAYESIAN_OPTIMIZATION,
    CBAS,
    CONSERVATIVE,
)
# Those that search on the surrogate of gradient ascent, without training of their own.
SHARING = (REINFORCE, CMA_ES, BAYESIAN_OPTIMIZATION, CBAS)

"""Sizes of the searches: ten replicates on two cores, or 64 in twenty dimensions."""

import ml_collections

_RULES = (
    "random",
    "sobol",
    "probability_of_improvement",
    "upper_confidence_bound",
    "thompson_sampling",
    "expected_improvement",
    "log_expected_improvement",
    "knowledge_gradient",
    "max_value_entropy_search",
)


def get_config(size: str) -> ml_collections.ConfigDict:
    """Returns the configuration of a size.

    Args:
        size: `desk` or `full`.

    Returns:
        The configuration; every entry can be overridden by `--config.KEY=VALUE`.
    """
    full = size == "full"
    config = ml_collections.ConfigDict()
    # Searches of each kind, side by side in one program; spread over all devices at full size.
    config.replicates = 64 if full else 10
    # Accelerators work in float32.
    config.float64 = not full
    config.raw = 4096 if full else 512
    config.starts = 16 if full else 4
    config.steps = 60 if full else 25
    config.fit_starts = 4 if full else 2
    config.fit_steps = 60 if full else 15
    config.branin = _problem(_RULES, 30)
    config.hartmann6 = _problem(
        (
            "random",
            "expected_improvement",
            "log_expected_improvement",
            "knowledge_gradient",
            "max_value_entropy_search",
        ),
        60,
    )
    config.ackley = _problem(
        ("random", "log_expected_improvement", "max_value_entropy_search"),
        500 if full else 60,
        8 if full else 1,
    )
    config.ackley.dimensions = 20 if full else 5
    config.noisy = _problem(
        ("expected_improvement", "noisy_expected_improvement", "knowledge_gradient"), 40
    )
    config.noisy.deviation = 5.0
    config.batch = _problem(("q_expected_improvement",), 38, 4)
    config.constrained = _problem(("random", "constrained_expected_improvement"), 40)
    config.gradients = ml_collections.ConfigDict({"evaluations": 30})
    config.fidelity = ml_collections.ConfigDict({"cheap_cost": 0.1, "evaluations": 64})
    config.svm = _problem(("random", "log_expected_improvement"), 60 if full else 20)
    config.svm.images = 1797 if full else 600
    config.svm.replicates = 10 if full else 3
    # With --objective.
    config.objective = ml_collections.ConfigDict(
        {
            "evaluations": 40,
            "batch": 1,
            "acquisition": "log_expected_improvement",
            "noisy": False,
            "drop_failed": False,
        }
    )
    return config


def _problem(
    acquisitions: tuple[str, ...], evaluations: int, batch: int = 1
) -> ml_collections.ConfigDict:
    # No acquisition: the arm is left out.
    return ml_collections.ConfigDict(
        {"acquisitions": acquisitions, "evaluations": evaluations, "batch": batch}
    )

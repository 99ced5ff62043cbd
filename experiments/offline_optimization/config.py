"""Sizes of the offline optimisation experiment; `full` has the paper's networks and seeds."""

import ml_collections


def get_config(size: str) -> ml_collections.ConfigDict:
    """Returns the configuration of a size.

    Args:
        size: `desk` or `full`.

    Returns:
        The configuration; every entry can be overridden by `--config.KEY=VALUE`.
    """
    full = size == "full"
    config = ml_collections.ConfigDict()
    config.seeds = 16 if full else 8
    config.tasks = ("styblinski_tang", "ackley", "diabetes")
    # Drawn in the box of a simulated task; the lower half by value is what is offline.
    config.points = 4000
    config.surrogate = ml_collections.ConfigDict(
        {
            "hidden": (2048, 2048) if full else (128, 128),
            "epochs": 100 if full else 60,
            "batch": 128,
            "learning_rate": 3e-4 if full else 1e-3,
            "loss": "gaussian" if full else "squared_error",
            "held_out": 200,
            "slope": 0.3,
        }
    )
    # Constant multipliers (IGNITE-2) beside 0, with their radius.
    config.ignite2 = ml_collections.ConfigDict({"multipliers": (0.01, 0.3, 3.0), "rho": 0.2})
    config.ignite = ml_collections.ConfigDict(
        {"multiplier": 1e-3, "multiplier_rate": 1e-3, "threshold": 0.1, "rho": 0.05}
    )
    config.exact = True
    config.search = ml_collections.ConfigDict(
        {
            "proposals": 128,
            "steps": 200,
            # Times the root of the number of features.
            "step_size": 0.01,
            "record_every": 10,
            "ensemble": 5 if full else 3,
            "generations": 100 if full else 50,
            "population": 16,
            # Of Bayesian optimisation, as design-baselines has them at full size. A round costs
            # with the third power of all its points, and there are evaluations / at_once rounds.
            "observed": 500 if full else 64,
            "evaluations": 320 if full else 96,
            "at_once": 32 if full else 8,
            "rounds": 10,
        }
    )
    # Conservative models climb as far in a search as their particles do in training.
    config.conservative = ml_collections.ConfigDict({"steps": 50, "step_size": 0.05})
    # Searches that the desk run compares besides gradient ascent, on the surrogates it has.
    config.compared = ("reinforce",)
    return config

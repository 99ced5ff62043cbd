"""Sizes of the diffusion spectral entropy experiment; `full` has more seeds, models and epochs."""

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
    config.sigma = 10.0
    config.diffusion_time = 1
    config.repetitions = 5
    config.held_out = 0.25
    # At most so many of the training images and of those held out are measured: at desk size all
    # of the latter, and as many of the former, so that the two compare.
    config.measured_points = 10_000 if full else 450
    config.training = ml_collections.ConfigDict(
        {
            "width": 128,
            "epochs": 200 if full else 60,
            # True labels are learned in a few epochs; random ones take longer to memorise.
            "random_label_epochs": 400 if full else 120,
            "record_every": 1 if full else 2,
            "batch": 64,
            "learning_rate": 1e-3,
            "seeds": 10 if full else 3,
        }
    )
    config.models = ml_collections.ConfigDict(
        {
            "widths": (16, 32, 64, 128, 256) if full else (16, 64, 256),
            "learning_rates": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2),
            "epochs": (1, 2, 4, 8, 16, 32),
            "seeds": 5 if full else 2,
        }
    )
    config.initialization = ml_collections.ConfigDict(
        {
            "gains": (0.03, 0.1, 0.2, 0.4, 0.7, 1.0, 1.4, 2.0, 4.0, 8.0),
            "epochs": 4,
            "seeds": 10 if full else 3,
        }
    )
    config.noise = ml_collections.ConfigDict(
        {
            "shapes": ("tree", "swiss_roll"),
            "dimensions": (1, 2, 3, 4, 5),
            "ambient_dimensions": (20, 100, 500),
            "levels": (0.0, 0.1, 0.2, 0.5, 1.0),
            "points": 1000 if full else 400,
            "bins": 2,
            "seeds": 20 if full else 5,
        }
    )
    return config

"""Configuration of the tiny experiment."""

import ml_collections


def get_config(size: str) -> ml_collections.ConfigDict:
    """Returns the configuration; `full` differs by its number of steps alone."""
    return ml_collections.ConfigDict(
        {
            "steps": {"desk": 30, "full": 40}[size],
            "checkpoint_every": 5,
            "points": 16,
            "rate": 0.1,
            "shuffle": True,
            "sections": {"widths": (1, 2), "label": "sgd"},
            "pause": 0.0,
        }
    )

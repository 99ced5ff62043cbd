"""Sizes of the Markov coding game: `desk` is the paper's own setting, `full` goes beyond it."""

import ml_collections

_LOG_BETAS = (-6.0, -5.0, -4.0, -3.0)


def get_config(size: str) -> ml_collections.ConfigDict:
    """Returns the configuration of a size.

    Args:
        size: `desk` or `full`.

    Returns:
        The configuration; every entry can be overridden by `--config.KEY=VALUE`.
    """
    full = size == "full"
    config = ml_collections.ConfigDict()
    config.game = ml_collections.ConfigDict(
        {
            # One game a pair: bits of the message, side of the grid.
            "message_bits": (10, 12, 14, 16, 10, 10, 10) if full else (9,),
            "grid_sides": (8, 8, 8, 8, 16, 32, 64) if full else (8,),
            "log_betas": tuple(-6.0 + 3.0 * i / 19 for i in range(20)) if full else _LOG_BETAS,
            "compression_rates": (1.0, 2.0, 4.0),
            "episodes": 10_000 if full else 200,
            "noise": 0.1,
            "discount": 0.95,
            "max_steps": 1000,
            "soft_q_sweeps": 100,
            # Lanes play side by side; shards are their groups, each with its own queue of
            # episodes, so that the devices must divide them.
            "shards": 32 if full else 8,
            "lanes_per_shard": 32 if full else 16,
            "checkpoints": 50 if full else 10,
            "recorded_steps": 100,
        }
    )
    config.tables = ml_collections.ConfigDict(
        {
            "pairs": 100,
            "symbols": 8,
            "curve_rates": 200,
            "encoder_rates": 40,
            "stochasticity_symbols": 128,
            "stochasticity_rates": (1.0, 1.5, 2.0, 3.0, 4.0),
        }
    )
    config.message = ml_collections.ConfigDict(
        {
            "log_beta": -4.0,
            "bytes_per_episode": 2,
            "max_steps": 400,
            "episodes_at_once": 64,
            "frames": 60,
            "compression_rate": 1.0,
        }
    )
    return config

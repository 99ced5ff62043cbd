"""Sizes of the benchmark: `desk` takes minutes on two cores, `full` the paper's 10,000 samples."""

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
    # Empty means all of them. Estimators are named in `estimators.REGISTRY`, tasks in `tasks.py`.
    config.estimators = ("",)
    config.tasks = ("",)
    config.seeds = 10
    # The first n of the largest sample serve as the sample of size n.
    config.samples = (1000, 5000, 10_000) if full else (500, 2000)
    config.neighbors = 10
    config.bins = 10
    config.critic = ml_collections.ConfigDict(
        {
            # Learned estimators see the largest sample alone; at desk size only some tasks.
            "tasks": ("",) if full else _DESK_CRITIC_TASKS,
            "critic": "separable",
            "hidden": (128, 128) if full else (64, 64),
            "embedding": 32 if full else 16,
            "max_epochs": 200 if full else 60,
            "patience": 20 if full else 10,
            "learning_rate": 1e-3 if full else 3e-3,
        }
    )
    # Repetitions of the random jitter that breaks ties; 0 leaves the digits out.
    config.digits = ml_collections.ConfigDict({"neighbors": 3, "repetitions": 10})
    return config


_DESK_CRITIC_TASKS = (
    "normal_1",
    "additive_0p1",
    "half_cube_normal_1",
    "student_1_dof1",
    "asinh_student_1_dof1",
    "normal_dense_5",
    "normal_dense_25",
    "normal_2pair_5",
    "normal_2pair_25",
    "spiral_normal_2pair_5",
    "half_cube_normal_2pair_5",
)

"""Sizes of the comparison of samplers: a small model's texts on two cores, or many long ones."""

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
    config.seeds = 3
    config.prompts = 1000 if full else 200
    config.prompt_bytes = 48
    config.new_tokens = 400 if full else 100
    config.temperatures = (0.7, 1.0, 1.5, 2.0)
    # Named in `samplers.REGISTRY`.
    config.samplers = (
        "temperature",
        "top_k",
        "top_p",
        "min_p",
        "typical",
        "top_n_sigma",
        "top_h",
        "top_h_reference",
    )
    # Continuations that are drawn at once.
    config.rows = 600
    # The writer learns the standard library's reference, the judge another text.
    config.writer_steps = 20_000 if full else 1200
    config.judge_steps = 20_000 if full else 800
    config.judge_corpus = "docstrings"
    # Laws of at most 20 tokens on which top-H is compared with the optimum.
    config.small_laws = ml_collections.ConfigDict({"tokens": 16, "count": 2000 if full else 400})
    return config

"""Sizes of the language model: minutes on two cores, or as large as the devices allow."""

import ml_collections

from infojax.nn import language


def get_config(size: str) -> ml_collections.ConfigDict:
    """Returns the configuration of a size.

    Args:
        size: `desk` or `full`.

    Returns:
        The configuration; every entry can be overridden by `--config.KEY=VALUE`.
    """
    full = size == "full"
    config = ml_collections.ConfigDict()
    config.seed = 0
    # "python" (the standard library's reference), "bible", or a path, which --data gives too.
    config.corpus = "python"
    config.held_out = 0.1
    config.context = 1024 if full else 128
    config.model = ml_collections.ConfigDict(
        {
            "width": 512 if full else 128,
            "num_layers": 8 if full else 4,
            "num_heads": 8 if full else 4,
            "num_key_value_heads": 2,
            "activation": "relu_squared",
            "normalization": "rms_norm",
            "normalize_queries_and_keys": True,
            "tied_embeddings": True,
            "dtype": "bfloat16" if full else "float32",
        }
    )
    config.training = ml_collections.ConfigDict(
        {
            "steps": 20_000 if full else 600,
            "batch": 64 if full else 32,
            "optimizer": "muon",
            # Of matrices by Muon, and of everything by AdamW.
            "muon_rate": 0.02,
            "adam_rate": 3e-3,
            "weight_decay": 0.0,
            "warmup": 200 if full else 30,
            "records": 40 if full else 15,
        }
    )
    config.samples = ml_collections.ConfigDict({"new_tokens": 300, "top_p": 0.95})
    return config


def model_config(config) -> language.LanguageModelConfig:
    """The model that a configuration describes.

    Args:
        config: from `get_config`.

    Returns:
        Its sizes and parts.
    """
    return language.LanguageModelConfig(**dict(config.model))

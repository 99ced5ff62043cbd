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
    # For choosing among configurations: what is held out is then the end of the training part, and
    # the text's own end is not looked at.
    config.tuning = False
    config.context = 1024 if full else 256
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
            # Small batches: after 0.6 million bytes eight windows a step of 128 bytes cost 1.88
            # bits by AdamW, 32 windows 2.66 by Muon (on the end of the training part).
            "steps": 20_000 if full else 1200,
            "batch": 64 if full else 4,
            "learning_rate": 1e-3 if full else 3e-3,
            "weight_decay": 0.1,
            "warmup": 500 if full else 50,
            "records": 40 if full else 15,
        }
    )
    config.samples = ml_collections.ConfigDict({"new_tokens": 200, "top_p": 0.95})
    return config


def model_config(config) -> language.LanguageModelConfig:
    """The model that a configuration describes.

    Args:
        config: from `get_config`.

    Returns:
        Its sizes and parts.
    """
    return language.LanguageModelConfig(**dict(config.model))

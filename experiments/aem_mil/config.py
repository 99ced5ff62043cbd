"""Sizes of the attention entropy experiment; `full` has more seeds, weights and initialisations."""

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
    config.arch = "abmil"
    # Negative weights of the entropy are an ablation that has to be asked for.
    config.allow_minimise = False
    config.network = ml_collections.ConfigDict(
        {
            "embedding": 64,
            "gate": 32,
            "learning_rate": 1e-3,
            "weight_decay": 1e-5,
            "epochs": 60,
        }
    )
    config.digits = ml_collections.ConfigDict(
        {
            "positive_digit": 9,
            "most_positives": 8,
            "instances": 50,
            "training_images": 700,
            "training_bags": 40,
            "test_bags": 1000 if full else 200,
            "seeds": 50 if full else 10,
            # Each annealed and constant; 0, 0.1 and 20 are what the claims are about.
            "lambdas": (0.0, 0.003, 0.01, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 20.0)
            if full
            else (0.0, 0.01, 0.05, 0.1, 0.5, 2.0, 20.0),
            # Over these the range of AUC with and without annealing is compared.
            "compared_lambdas": (0.05, 0.5, 2.0),
        }
    )
    # At lambda 0: initial weights drawn anew on each of a few data sets.
    config.correlation = ml_collections.ConfigDict(
        {"data_sets": 10 if full else 4, "initializations": 200 if full else 16}
    )
    config.tissue = ml_collections.ConfigDict(
        {
            "patch": 16,
            "stained": 0.5,
            "clean": 0.1,
            "most_positives": 5,
            "instances": 50,
            "training_bags": 40,
            "test_bags": 400 if full else 100,
            "seeds": 20 if full else 5,
            "lambdas": (0.0, 0.1, 0.5),
        }
    )
    # What `--features=FILE.h5` trains, with `arch` above.
    config.slides = ml_collections.ConfigDict(
        {
            "epochs": 50,
            "lambda0": 0.1,
            "anneal": True,
            "subsampling": 1.0,
            "seeds": 5,
            "learning_rate": 1e-4,
            "weight_decay": 1e-5,
            # 0 takes the number of classes from the labels, and the embedding from D.
            "classes": 0,
            "embedding": 0,
            "gate": 128,
            "validation_share": 0.1,
            "test_share": 0.3,
            "smallest_bucket": 64,
        }
    )
    return config

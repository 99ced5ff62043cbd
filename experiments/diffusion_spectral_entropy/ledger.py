"""The claims of the paper that this experiment measures again, with the thresholds of the plan."""

import numpy as np

from experiments import runner
from experiments.diffusion_spectral_entropy.noise_arm import rank_correlations
from experiments.diffusion_spectral_entropy.training_arms import ARMS

_PAPER = "arXiv 2312.04823"


def rise(result: dict[str, np.ndarray], name: str) -> np.ndarray:
    """How much a measure rose in training.

    Args:
        result: of an arm.
        name: of a measure, (seeds, epochs).

    Returns:
        (seeds,): its last value minus the one before training.
    """
    return result[name][:, -1] - result[name][:, 0]


def training_claims(arms: dict[str, dict[str, np.ndarray]]) -> list[runner.Claim]:
    """Claims on what happens while a network trains.

    Args:
        arms: results by the names of `ARMS`.

    Returns:
        The claims.
    """
    learned, memorized = (arms[name] for name in ARMS)
    labels = rise(learned, "dsmi_labels")
    ratio = rise(memorized, "dsmi_labels") / labels
    statements = [
        (
            "dse_rises",
            "The entropy of the layer before the last rises in training on true labels (bits)",
            rise(learned, "dse"),
            "> 0",
            "interval",
        ),
        (
            "dsmi_labels_rises_when_learning",
            "Its information on the label rises in training on true labels (bits, images held out)",
            labels,
            ">= 1",
            "value",
        ),
        (
            "dsmi_labels_flat_when_memorising",
            "Trained on random labels, its information on the true label rises by a small part of "
            "that (images held out)",
            ratio,
            "< 0.3",
            "value",
        ),
        (
            "dsmi_inputs_rises",
            "Its information on the input rises in training on digits, as on MNIST (bits)",
            rise(learned, "dsmi_inputs"),
            "> 0",
            "interval",
        ),
    ]
    claims = []
    for name, statement, samples, threshold, by in statements:
        estimate = runner.mean_interval(samples)
        claims.append(
            runner.claim(
                name=name,
                statement=statement,
                source=f"{_PAPER}, section on training dynamics",
                value=estimate.value,
                interval=estimate.interval,
                threshold=threshold,
                by=by,
            )
        )
    return claims


def model_claims(models: dict[str, np.ndarray], seed: int) -> list[runner.Claim]:
    """The claim that the information on the label tells the accuracy.

    Args:
        models: a number for each model and epoch.
        seed: of the bootstrap.

    Returns:
        One claim; its interval resamples models with all their epochs.
    """
    from scipy import stats

    keys = np.stack([models[name] for name in ("width", "learning_rate", "seed")], 1)
    _, model = np.unique(keys, axis=0, return_inverse=True)
    pairs = np.stack([models["dsmi_labels"], models["accuracy"]], 1)
    grouped = np.stack([pairs[model.ravel() == number] for number in range(model.max() + 1)])

    def correlation(rows, axis):
        flat = rows.reshape(-1, 2)
        return stats.spearmanr(flat[:, 0], flat[:, 1])[0]

    estimate = runner.bootstrap_interval(grouped, correlation, seed=seed, resamples=1000)
    return [
        runner.claim(
            name="dsmi_labels_predicts_accuracy",
            statement=f"Rank correlation of information on the label with test accuracy, over "
            f"{len(grouped)} models at {grouped.shape[1]} epochs",
            source=f"{_PAPER}, section on downstream accuracy",
            value=estimate.value,
            interval=estimate.interval,
            threshold="> 0.7",
        )
    ]


def noise_claims(results: dict[str, dict[str, np.ndarray]], seed: int) -> list[runner.Claim]:
    """The claim that the spectral entropy resists noise where the binned one is lost.

    Args:
        results: `dse` and `cse` by shape.
        seed: of the bootstrap.

    Returns:
        One claim: the worst rank correlation with the dimension among the settings where that of
        the binned entropy is below one half.
    """
    dse = np.concatenate([result["dse"] for result in results.values()])
    cse = np.concatenate([result["cse"] for result in results.values()])
    lost = rank_correlations(cse) < 0.5

    def worst(seeds, axis):
        return rank_correlations(np.moveaxis(seeds, 0, -1)[lost]).min()

    if not lost.any():
        return []
    estimate = runner.bootstrap_interval(np.moveaxis(dse, -1, 0), worst, seed=seed, resamples=200)
    return [
        runner.claim(
            name="dse_resists_noise",
            statement="Rank correlation of spectral entropy with the dimension of a noisy "
            f"manifold, worst of the {lost.sum()} settings (of {lost.size}) where that of binned "
            "entropy is below .5",
            source=f"{_PAPER}, figure on toy manifolds",
            value=estimate.value,
            interval=estimate.interval,
            threshold="> 0.9",
        )
    ]

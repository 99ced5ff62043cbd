"""The arms: curves over lambda, annealed and constant, entropy against success, tissue."""

import jax
import numpy as np

from experiments import runner
from experiments.aem_mil import bags as bags_of
from experiments.aem_mil import metrics
from experiments.aem_mil.architectures import Build, builder
from experiments.aem_mil.training import Bags, Runs, check_lambdas, train
from infojax.nn import mil

ANNEALED, CONSTANT = "annealed", "constant"


def _builder(run: runner.Run, features: int) -> Build:
    network = run.config.network
    return builder(
        run.config.arch,
        features=features,
        classes=2,
        embedding=network.embedding,
        gate=network.gate,
    )


def _runs(run: runner.Run, seeds: int, lambdas, annealed) -> Runs:
    """Runs that share their seed's initial weights, so that lambdas are compared in pairs."""
    check_lambdas(lambdas, run.config.allow_minimise)
    keys = jax.random.split(run.key("initial weights"), seeds)
    shape = seeds, len(lambdas)
    return Runs(
        jax.numpy.repeat(keys[:, None], len(lambdas), axis=1),
        np.broadcast_to(np.asarray(lambdas, np.float32), shape),
        np.broadcast_to(np.asarray(annealed, bool), shape),
    )


def _on_digits(run: runner.Run, name: str, runs: Runs) -> dict[str, np.ndarray]:
    training, test = bags_of.digits(run, len(runs.weights))
    predict = train(run, name, _builder(run, training.instances.shape[-1]), training, runs)
    return run.stage(f"{name}_metrics", lambda: metrics.of_runs(predict(test), test.labels))


def curves(run: runner.Run) -> dict[str, dict[str, np.ndarray]]:
    """Trains on digits with several weights of the entropy, annealed and constant.

    Args:
        run: the run.

    Returns:
        For `ANNEALED` and `CONSTANT` a dict of `lambda` (L,) and the metrics, (seeds, L) each.
    """
    config = run.config.digits
    lambdas = np.array(config.lambdas)
    # At 0 both are the same run.
    again = np.flatnonzero(lambdas != 0)
    annealed = [True] * len(lambdas) + [False] * len(again)
    runs = _runs(run, config.seeds, [*lambdas, *lambdas[again]], annealed)
    found = _on_digits(run, "digits", runs)
    places = np.arange(len(lambdas))
    constant = places.copy()
    constant[again] = len(lambdas) + np.arange(len(again))
    return {
        name: {"lambda": lambdas} | {key: value[:, rows] for key, value in found.items()}
        for name, rows in ((ANNEALED, places), (CONSTANT, constant))
    }


def at_lambdas(found: dict[str, np.ndarray], lambdas) -> dict[str, np.ndarray]:
    """A curve at some of its lambdas.

    Args:
        found: of `curves`.
        lambdas: the ones to keep; those that were not measured are left out.

    Returns:
        The same with fewer lambdas.
    """
    rows = [row for row, value in enumerate(found["lambda"]) if np.isclose(value, lambdas).any()]
    return {key: value[..., rows] for key, value in found.items()}


def correlation(run: runner.Run) -> dict[str, np.ndarray]:
    """Trains on digits without the entropy, from many initial weights.

    Args:
        run: the run.

    Returns:
        The metrics, (data sets, initialisations) each.
    """
    config = run.config.correlation
    shape = config.data_sets, config.initializations
    keys = jax.random.split(run.key("initializations"), shape)
    runs = Runs(keys, np.zeros(shape, np.float32), np.zeros(shape, bool))
    return _on_digits(run, "correlation", runs)


def tissue(run: runner.Run) -> dict[str, np.ndarray]:
    """Trains on tissue, and looks at the attention over the whole image as one bag.

    Args:
        run: the run.

    Returns:
        `lambda` (L,), metrics on bags of the right half and `patch_auc`, the area under the ROC
        curve of attention against stained or clean on the right half's patches, (seeds, L) each;
        `attention`, (seeds, L, rows, columns), the logits over the image.
    """
    config = run.config.tissue
    made = bags_of.tissue(run)
    runs = _runs(run, config.seeds, config.lambdas, [True] * len(config.lambdas))
    build = _builder(run, made.whole.shape[-1])
    predict = train(run, "tissue", build, made.training, runs)

    def look():
        found = metrics.of_runs(predict(made.test), made.test.labels)
        flat = made.whole.reshape(1, 1, -1, made.whole.shape[-1])
        flat = np.broadcast_to(flat, (config.seeds, *flat.shape[1:]))
        whole = predict(Bags(flat, np.ones((config.seeds, 1), np.int32)))
        attention = whole.logits.reshape(*whole.logits.shape[:2], *made.whole.shape[:2])
        stained = made.tissue.stained
        judged = (stained >= config.stained) | (stained <= config.clean)
        judged[:, : stained.shape[1] // 2] = False
        truth = (stained >= config.stained)[judged].astype(int)
        # Maximum pooling has -inf wherever it does not look.
        scores = np.maximum(attention[..., judged], np.finfo(np.float32).min)
        patch_auc = [
            [metrics.auroc(np.stack([-row, row], 1), truth) for row in of_seed]
            for of_seed in scores
        ]
        return found | {
            "patch_auc": np.array(patch_auc),
            "whole_entropy": whole.entropy[..., 0],
            "attention": attention,
        }

    return {"lambda": np.array(config.lambdas)} | run.stage("tissue_metrics", look)


def maps_of(attention: np.ndarray) -> mil.AttentionMaps:
    """The three normalisations of attention over an image.

    Args:
        attention: logits, (..., rows, columns).

    Returns:
        Arrays of the same shape.
    """
    flat = jax.numpy.asarray(attention.reshape(*attention.shape[:-2], -1))
    maps = mil.attention_maps(flat)
    return mil.AttentionMaps(*(np.asarray(part).reshape(attention.shape) for part in maps))

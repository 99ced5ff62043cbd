"""Measures what attention entropy does to multiple-instance learning, or trains on your slides.

`python -m experiments.aem_mil --workdir=runs/aem_mil`; with `--features=FILE.h5` it trains on the
slides of a file instead, and exports their attention.
"""

import numpy as np
from absl import flags

from experiments import runner
from experiments.aem_mil import arms, heat_maps, ledger, metrics, pictures, slides_arm
from experiments.aem_mil.config import get_config
from experiments.data import load_slides, load_tissue

_FEATURES = flags.DEFINE_string(
    "features", None, "HDF5 file with a group a slide: 'feat' (N, D), 'label', perhaps 'coords'."
)
_METRICS = ("auc", "f1", "nll", "entropy")


def _rows(name: str, found: dict[str, np.ndarray], columns=_METRICS) -> list[dict[str, object]]:
    """A row for each lambda, with intervals over seeds."""
    rows = []
    for place, weight in enumerate(found["lambda"]):
        row: dict[str, object] = {"weights": name, "lambda": float(weight)}
        for key in columns:
            estimate = runner.mean_interval(found[key][:, place])
            row |= {key: estimate.value, f"{key}_low": estimate.low, f"{key}_high": estimate.high}
            row[f"{key}_std"] = float(np.std(found[key][:, place], ddof=1))
        rows.append(row)
    return rows


def _digits(run: runner.Run) -> list[runner.Claim]:
    config = run.config.digits
    found = arms.curves(run)
    run.save_table("curve", [row for name in found for row in _rows(name, found[name])])
    run.save_figure("curve", pictures.curves(found, config.instances))
    claims = ledger.curve_claims(found[arms.ANNEALED], found[arms.CONSTANT], run.seed)
    compared = {
        name: arms.at_lambdas(curve, config.compared_lambdas) for name, curve in found.items()
    }
    if len(compared[arms.ANNEALED]["lambda"]) > 1:
        run.save_figure("annealing", pictures.annealing(compared))
        claims += ledger.annealing_claims(compared[arms.ANNEALED], compared[arms.CONSTANT])
    return claims


def _correlation(run: runner.Run) -> list[runner.Claim]:
    found = arms.correlation(run)
    claims = ledger.correlation_claims(found, run.seed)
    run.save_table(
        "correlation",
        [
            {"data_set": data_set, "initialization": number}
            | {key: found[key][data_set, number] for key in _METRICS}
            for data_set, number in np.ndindex(found["auc"].shape)
        ],
    )
    within = [
        metrics.rank_correlation(entropy, auc)
        for entropy, auc in zip(found["entropy"], found["auc"], strict=True)
    ]
    run.save_figure("correlation", pictures.correlation(found, claims[0].value, within))
    run.save_table(
        "correlation_by_data_set",
        [
            {"data_set": number, "rank_correlation": value, "auc": found["auc"][number].mean()}
            for number, value in enumerate(within)
        ],
    )
    return claims


def _tissue(run: runner.Run) -> None:
    found, tissue = arms.tissue(run), load_tissue(run.config.tissue.patch)
    columns = (*_METRICS, "patch_auc", "whole_entropy")
    run.save_table("tissue", _rows(arms.ANNEALED, found, columns))
    run.save_figure("tissue", heat_maps.over_tissue(found, tissue))
    run.save_file("attention.npz", heat_maps.to_npz(heat_maps.tissue_arrays(found, tissue)))


def _slides(run: runner.Run, path: str) -> None:
    config = run.config.slides
    loaded = load_slides(path, num_classes=config.classes or None)
    classes = config.classes or max(slide.label for slide in loaded) + 1
    parts = slides_arm.prepare(run, loaded)
    counts = ", ".join(f"{len(part.slides)} {name}" for name, part in parts.items())
    run.print(f"{len(loaded)} slides ({counts}), {classes} classes, arch {run.config.arch}")
    fitted, test = slides_arm.fit(run, parts, classes), parts["test"]
    found = run.stage("slides_test", lambda: slides_arm.judge(run, fitted, test))
    keys = (*_METRICS, "best_epoch")
    run.save_table(
        "seeds",
        [{"seed": seed} | {key: found[key][seed] for key in keys} for seed in range(config.seeds)],
    )
    mean = found["probabilities"].mean(0)
    run.save_table(
        "slides",
        [
            {"slide": slide.name, "label": slide.label}
            | {f"probability_{c}": mean[number, c] for c in range(classes)}
            for number, slide in enumerate(test.slides)
        ],
    )
    run.save_figure("slides", pictures.slides(found, classes))
    arrays = heat_maps.slide_arrays(found["attention"], test.slides)
    run.save_file("attention.npz", heat_maps.to_npz(arrays))
    figure = heat_maps.over_slides(arrays, test.slides)
    if figure is not None:
        run.save_figure("attention", figure)
    for key, name in (("f1", "F1"), ("auc", "AUC")):
        run.print(f"test {name}: {np.mean(found[key]):.3f} +- {np.std(found[key]):.3f} over seeds")


def main(run: runner.Run) -> None:
    """Trains, measures, draws and judges; or trains on the user's slides alone.

    Args:
        run: the run.
    """
    if _FEATURES.value is not None:
        _slides(run, _FEATURES.value)
        return
    claims = _digits(run)
    claims += _correlation(run)
    _tissue(run)
    run.save_claims(claims)


if __name__ == "__main__":
    runner.main(main, get_config, experiment="aem_mil", locked_flags=("features",))

"""Measures diffusion spectral entropy of networks in training, of noisy manifolds, of your layers.

`python -m experiments.diffusion_spectral_entropy --workdir=runs/diffusion_spectral_entropy`; with
`--features=DIR` it measures the layers in the npz files of a directory instead.
"""

import numpy as np
from absl import flags

from experiments import runner
from experiments.diffusion_spectral_entropy import features, ledger, noise_arm, pictures
from experiments.diffusion_spectral_entropy import training_arms as training
from experiments.diffusion_spectral_entropy.config import get_config

_FEATURES = flags.DEFINE_string(
    "features", None, "Directory of npz files with 'features' (N, D), 'labels' (N,), 'accuracy'."
)


def _training_rows(arms) -> list[dict[str, object]]:
    rows = []
    for name, result in arms.items():
        measured = [key for key in result if key != "epochs"]
        for number, epoch in enumerate(result["epochs"]):
            row: dict[str, object] = {"trained_on": name, "epoch": int(epoch)}
            for key in measured:
                estimate = runner.mean_interval(result[key][:, number])
                row |= {key: estimate.value, f"{key}_low": estimate.low}
                row[f"{key}_high"] = estimate.high
            rows.append(row)
    return rows


def _train(run: runner.Run) -> list[runner.Claim]:
    arms = {}
    for name in training.ARMS:
        arms[name] = run.stage(name.replace(" ", "_"), lambda name=name: training.arm(run, name))
    run.save_table("training", _training_rows(arms))
    run.save_figure("training", pictures.training(arms))
    parts = [
        run.stage(f"models_{width}", lambda width=width: training.models(run, width))
        for width in run.config.models.widths
    ]
    models = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    run.save_table("models", _columns_to_rows(models))
    run.save_figure("models", pictures.models(models))
    begun = run.stage("initializations", lambda: training.initializations(run))
    run.save_table("initializations", _columns_to_rows({k: v.ravel() for k, v in begun.items()}))
    run.save_figure("initializations", pictures.initializations(begun))
    return [*ledger.training_claims(arms), *ledger.model_claims(models, run.seed)]


def _columns_to_rows(columns: dict[str, np.ndarray]) -> list[dict[str, object]]:
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def _add_noise(run: runner.Run) -> list[runner.Claim]:
    config = run.config.noise
    results = {
        shape: run.stage(f"noise_{shape}", lambda shape=shape: noise_arm.noise(run, shape))
        for shape in config.shapes
    }
    rows = []
    for shape, result in results.items():
        correlations = {key: noise_arm.rank_correlations(result[key]) for key in result}
        for (a, level), _ in np.ndenumerate(correlations["dse"]):
            rows.append(
                {
                    "shape": shape,
                    "ambient_dimension": config.ambient_dimensions[a],
                    "noise": config.levels[level],
                    "dse_rank_correlation": correlations["dse"][a, level],
                    "cse_rank_correlation": correlations["cse"][a, level],
                }
            )
    run.save_table("noise", rows)
    run.save_figure("noise", pictures.noise(results, config))
    return ledger.noise_claims(results, run.seed)


def _measure_features(run: runner.Run, directory: str) -> None:
    kernel, key = training.kernel_of(run.config), run.key("subsamples")
    paths, rows = features.files(directory), []
    with run.progress("layers", len(paths), unit="files") as bar:
        for number, path in enumerate(paths):
            measured = run.stage(
                f"layer_{number}", lambda path=path: features.measure(path, kernel, key)
            )
            rows.append(measured)
            bar.advance(1, note=path.stem)
    run.save_table("layers", rows)
    run.save_figure("layers", pictures.layers(rows))
    for row in rows:
        told = row["dsmi_labels_bits"]
        end = "" if told is None else f", information on the label {told:.3f} bits"
        run.print(f"{row['file']}: {row['points']} points, entropy {row['dse_bits']:.3f} bits{end}")


def main(run: runner.Run) -> None:
    """Trains, measures, draws and judges; or measures the user's layers alone.

    Args:
        run: the run.
    """
    if _FEATURES.value is not None:
        _measure_features(run, _FEATURES.value)
        return
    claims = _add_noise(run)
    run.save_claims([*_train(run), *claims])


if __name__ == "__main__":
    runner.main(
        main, get_config, experiment="diffusion_spectral_entropy", locked_flags=("features",)
    )

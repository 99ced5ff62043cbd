"""Compares estimators of mutual information on forty tasks, and maps the digits' pixels.

`python -m experiments.mutual_information_benchmark --workdir=runs/mutual_information_benchmark`.
"""

import numpy as np

from experiments import runner
from experiments.mutual_information_benchmark import ledger, pictures, pixels
from experiments.mutual_information_benchmark.config import get_config
from experiments.mutual_information_benchmark.estimators import REGISTRY
from experiments.mutual_information_benchmark.measure import Cell, measure_all, milliseconds_each


def setting_rows(cells: list[Cell]) -> list[dict[str, object]]:
    """The main table: a row a task, estimator and sample size.

    Args:
        cells: what was measured.

    Returns:
        Rows with estimate, truth, and their difference with its 95 % interval.
    """
    rows = []
    for cell in cells:
        bias = cell.bias
        rows.append(
            {
                "task": cell.task.title,
                "group": cell.task.group,
                "estimator": REGISTRY[cell.estimator].title,
                "samples": cell.samples,
                "seeds": cell.estimates.size,
                "truth_nats": cell.task.truth,
                "estimate_nats": float(cell.estimates.mean()),
                "estimate_minus_truth": bias.value,
                "low": bias.low,
                "high": bias.high,
            }
        )
    return rows


def ranking_rows(cells: list[Cell]) -> list[dict[str, object]]:
    """The ranking at the largest sample size: a row an estimator, the best first.

    Args:
        cells: what was measured.

    Returns:
        Rows. Estimators that were not given all tasks are ranked by their mean rank among those
        that were given the same task.
    """
    book = ledger.Book(cells)
    names = list(dict.fromkeys(name for name, _ in book.cells))
    places: dict[str, list[float]] = {name: [] for name in names}
    for task in dict.fromkeys(task for _, task in book.cells):
        rivals = [name for name in names if (name, task) in book.cells]
        order = np.argsort([book.cells[name, task].error for name in rivals], kind="stable")
        for place, which in enumerate(order):
            # From 0, the best, to 1, the last, so that tasks with few rivals count the same.
            places[rivals[which]].append(place / max(len(rivals) - 1, 1))
    rows = []
    for name in names:
        mine = [cell for (other, _), cell in book.cells.items() if other == name]
        rows.append(
            {
                "estimator": REGISTRY[name].title,
                "family": REGISTRY[name].family,
                "tasks": len(mine),
                "mean_place": float(np.mean(places[name])),
                "median_error_nats": float(np.median([cell.error for cell in mine])),
                "largest_error_nats": max(cell.error for cell in mine),
                "tasks_within_0.1_nats": sum(abs(cell.bias.value) <= 0.1 for cell in mine),
            }
        )
    return sorted(rows, key=lambda row: row["mean_place"])


def _show_ranking(run: runner.Run, rows: list[dict[str, object]]) -> None:
    """Prints the ranking with times, which no stored table may hold."""
    titles = {entry.title: name for name, entry in REGISTRY.items()}
    milliseconds = milliseconds_each(run)
    run.print(f"\nranking at {max(run.config.samples)} samples (place: 0 best, 1 last)")
    for row in rows:
        taken = milliseconds.get(titles[str(row["estimator"])])
        run.print(
            f"{row['estimator']:<28}place {row['mean_place']:.2f}  "
            f"median error {row['median_error_nats']:.3f} nats  "
            f"{row['tasks_within_0.1_nats']} of {row['tasks']} tasks within 0.1"
            + (f"  {taken:.1f} ms each" if taken is not None else "")
        )
    run.print()


def main(run: runner.Run) -> None:
    """Measures, draws and judges.

    Args:
        run: the run.
    """
    cells = measure_all(run)
    ranking = ranking_rows(cells)
    run.save_table("estimates", setting_rows(cells))
    run.save_table("ranking", ranking)
    run.save_figure("bias", pictures.heat_map(cells))
    run.save_figure("ranking", pictures.ranking(cells))
    if len(run.config.samples) > 1:
        run.save_figure("samples", pictures.by_samples(cells))
    if run.is_main:
        _show_ranking(run, ranking)
    run.save_claims([*ledger.benchmark_claims(cells), *_map_pixels(run)])


def _map_pixels(run: runner.Run) -> list[runner.Claim]:
    if not run.config.digits.repetitions:
        return []
    maps = run.stage("digits", lambda: pixels.information_maps(run.config.digits, run.seed))
    run.save_table("pixels", pixels.rows(maps))
    run.save_figure("pixels", pictures.pixel_maps(maps))
    return ledger.digits_claims(maps)


if __name__ == "__main__":
    runner.main(main, get_config, experiment="mutual_information_benchmark")

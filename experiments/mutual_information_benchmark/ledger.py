"""The claims of the benchmark: the paper's findings, each with a threshold one can check.

The paper states its findings in words and figures; the thresholds are this experiment's own.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from experiments import runner
from experiments.mutual_information_benchmark.estimators import REGISTRY
from experiments.mutual_information_benchmark.measure import Cell

_PAPER = "arXiv 2306.11078"
_NEIGHBORS = "ksg_1"
_LEARNED = "info_nce"
_COPULA = "gaussian_copula"
_SMOOTH_TASKS = (
    "normal_1",
    "normal_cdf_normal_1",
    "additive_0p75",
    "bimodal_normal_1",
    "wiggly_normal_1",
)
_MARGINAL_IMAGES = ("normal_cdf", "half_cube", "asinh", "wiggly", "bimodal")


class Book:
    """The cells at the largest sample size, by estimator and task."""

    def __init__(self, cells: Iterable[Cell]):
        """Takes all cells, and keeps those of the largest sample size."""
        cells = list(cells)
        self.samples = max((cell.samples for cell in cells), default=0)
        self.cells = {
            (cell.estimator, cell.task.name): cell for cell in cells if cell.samples == self.samples
        }

    def tasks_of(self, *estimators: str) -> list[str]:
        """Returns the names of the tasks that all these estimators were given, in order."""
        names = [task for name, task in self.cells if name == estimators[0]]
        return [t for t in names if all((name, t) in self.cells for name in estimators)]

    def deviations(self, estimator: str, tasks: Sequence[str]) -> np.ndarray | None:
        """Returns estimate minus truth, (tasks, seeds), or None if a task is missing."""
        chosen = [self.cells.get((estimator, task)) for task in tasks]
        if not chosen or any(cell is None for cell in chosen):
            return None
        return np.stack([c.estimates - c.task.truth for c in chosen if c is not None])


def _mean_error(deviations: np.ndarray) -> runner.Estimate:
    """Mean absolute deviation over tasks, with its interval over seeds."""
    return runner.mean_interval(np.abs(deviations).mean(0))


def _worst_bias(deviations: np.ndarray) -> runner.Estimate:
    """The largest absolute bias of the tasks."""
    biases = [runner.mean_interval(row) for row in deviations]
    worst = max(biases, key=lambda bias: abs(bias.value))
    low, high = sorted((abs(worst.low), abs(worst.high)))
    if worst.low < 0 < worst.high:
        low = 0.0
    return runner.Estimate(abs(worst.value), low, high)


def _claim(name: str, statement: str, estimate: runner.Estimate, threshold: str, source: str):
    return runner.claim(
        name=name,
        statement=statement,
        source=source,
        value=float(estimate.value),
        interval=(float(estimate.low), float(estimate.high)),
        threshold=threshold,
    )


def _normal_claims(book: Book) -> list[runner.Claim]:
    claims = []
    normal = [t for t in book.tasks_of(_COPULA) if t.startswith("normal_") and "cdf" not in t]
    deviations = book.deviations(_COPULA, normal)
    if deviations is not None:
        claims.append(
            _claim(
                "copula_exact_on_normal_tasks",
                "Largest bias in nats of the Gaussian copula over the normal tasks of up to 50 + "
                "50 dimensions",
                _worst_bias(deviations),
                "<= 0.05",
                f"{_PAPER}, results: assuming normal laws is best where they are",
            )
        )
    pairs = [(_base(t), t) for t in book.tasks_of(_COPULA) if t.startswith(_MARGINAL_IMAGES)]
    pairs = [(base, image) for base, image in pairs if (_COPULA, base) in book.cells]
    if pairs:
        apart = max(
            np.max(np.abs(book.cells[_COPULA, a].estimates - book.cells[_COPULA, b].estimates))
            for a, b in pairs
        )
        claims.append(
            runner.claim(
                name="copula_blind_to_marginals",
                statement="Largest change in nats of a Gaussian copula estimate when the same "
                f"samples are mapped one variable at a time ({len(pairs)} tasks)",
                source="invariance of copulas; marginal images of " + _PAPER,
                value=float(apart),
                threshold="<= 0.001",
            )
        )
    student = [t for t in book.tasks_of(_COPULA) if t.startswith("student_")]
    deviations = book.deviations(_COPULA, student)
    if deviations is not None:
        lost = runner.mean_interval((deviations / _truths(book, _COPULA, student)[:, None]).mean(0))
        claims.append(
            _claim(
                "copula_misses_student_dependence",
                "Bias of the Gaussian copula as a share of the information, mean over the "
                "Student tasks, which have no correlation for it to see",
                lost,
                "<= -0.5",
                f"{_PAPER}, results: the assumption of normality fails silently",
            )
        )
    return claims


def _base(image: str) -> str:
    """The name of the task that an image was made of."""
    return next(image.removeprefix(f"{p}_") for p in _MARGINAL_IMAGES if image.startswith(p))


def _truths(book: Book, estimator: str, tasks: Sequence[str]) -> np.ndarray:
    return np.array([book.cells[estimator, task].task.truth for task in tasks])


def _neighbor_claims(book: Book) -> list[runner.Claim]:
    claims = []
    deviations = book.deviations(_NEIGHBORS, _SMOOTH_TASKS)
    if deviations is not None:
        claims.append(
            _claim(
                "ksg_accurate_in_one_dimension",
                f"Largest bias in nats of KSG 1 over {len(_SMOOTH_TASKS)} one-dimensional tasks "
                "without long tails",
                _worst_bias(deviations),
                "<= 0.05",
                f"{_PAPER}, results: classical estimators do well in low dimension",
            )
        )
    wide = [
        t
        for t in book.tasks_of(_NEIGHBORS)
        if t.startswith("normal_") and t.endswith(("_25", "_50")) and "cdf" not in t
    ]
    if wide:
        deviations = book.deviations(_NEIGHBORS, wide)
        assert deviations is not None
        share = deviations / _truths(book, _NEIGHBORS, wide)[:, None]
        claims.append(
            _claim(
                "ksg_too_low_in_high_dimension",
                "Bias of KSG 1 as a share of the information, mean over normal tasks of 25 and 50 "
                f"dimensions ({', '.join(wide)})",
                runner.mean_interval(share.mean(0)),
                "<= -0.2",
                f"{_PAPER}, results: KSG degrades with dimension",
            )
        )
    return claims


def _paired_claim(
    book: Book, name: str, statement: str, pairs, threshold: str, source: str
) -> list[runner.Claim]:
    """Mean over pairs of (estimator, task) of the first's error minus the second's."""
    gaps = []
    for first, second in pairs:
        if first in book.cells and second in book.cells:
            errors = [
                np.abs(book.cells[key].estimates - book.cells[key].task.truth)
                for key in (first, second)
            ]
            gaps.append(errors[0] - errors[1])
    if not gaps:
        return []
    return [_claim(name, statement, runner.mean_interval(np.mean(gaps, 0)), threshold, source)]


def _comparison_claims(book: Book) -> list[runner.Claim]:
    tasks = book.tasks_of(_NEIGHBORS)
    # For half-cube the image has the longer tails, for asinh the task that it was made of.
    tails = [(t, _base(t)) for t in tasks if t.startswith("half_cube")]
    tails += [(_base(t), t) for t in tasks if t.startswith("asinh")]
    heavy = [((_NEIGHBORS, longer), (_NEIGHBORS, shorter)) for longer, shorter in tails]
    spirals = [
        ((name, f"spiral_{base}"), (name, base))
        for name in (_NEIGHBORS, _LEARNED)
        for base in ("normal_2pair_3", "normal_2pair_5")
    ]
    sparse = [((_NEIGHBORS, "normal_2pair_25"), (_LEARNED, "normal_2pair_25"))]
    return [
        *_paired_claim(
            book,
            "long_tails_hurt_neighbors",
            f"Error of KSG 1 in nats with longer tails minus that with shorter ones, mean of "
            f"{len(heavy)} pairs of tasks with the same draws",
            heavy,
            "> 0",
            f"{_PAPER}, results: long tails are hard",
        ),
        *_paired_claim(
            book,
            "spirals_hurt",
            "Error in nats on spirals of 2-pair normal tasks minus that on the tasks themselves, "
            "KSG 1 and InfoNCE",
            spirals,
            "> 0",
            f"{_PAPER}, results: no estimator is invariant to diffeomorphisms",
        ),
        *_paired_claim(
            book,
            "learned_better_in_sparse_high_dimension",
            "Error in nats of KSG 1 minus that of InfoNCE on 25 + 25 dimensions of which 2 pairs "
            "interact",
            sparse,
            "> 0",
            f"{_PAPER}, results: neural estimators learn sparse interactions",
        ),
    ]


def _ranking_claims(book: Book) -> list[runner.Claim]:
    names = sorted({name for name, _ in book.cells}, key=list(REGISTRY).index)
    winners = {
        min(
            (name for name in names if (name, task) in book.cells),
            key=lambda name: book.cells[name, task].error,
        )
        for task in dict.fromkeys(task for _, task in book.cells)
    }
    if len(names) < 3:
        return []
    return [
        runner.claim(
            name="no_estimator_wins_everywhere",
            statement="Estimators that have the smallest error on some task: "
            + ", ".join(REGISTRY[name].title for name in names if name in winners),
            source=f"{_PAPER}, results",
            value=len(winners),
            threshold=">= 3",
        )
    ]


def benchmark_claims(cells: Sequence[Cell]) -> list[runner.Claim]:
    """The claims on the tasks, at the largest sample size.

    Args:
        cells: what was measured; a claim that needs something else is left out.

    Returns:
        The claims.
    """
    book = Book(cells)
    if not book.cells:
        return []
    return [
        *_normal_claims(book),
        *_neighbor_claims(book),
        *_comparison_claims(book),
        *_ranking_claims(book),
    ]


def digits_claims(maps: dict[str, np.ndarray]) -> list[runner.Claim]:
    """The claims on the pixels of the digits.

    Args:
        maps: from `pixels.information_maps`.

    Returns:
        The claims: rank correlations over the pixels, and the difference in nats.
    """
    from scipy.stats import spearmanr

    ours, peer, table = (maps[name].mean(0) for name in ("ours", "scikit-learn", "table"))
    source = "Ross 2014, PLoS ONE 9(2) e87357"
    return [
        runner.claim(
            name="pixels_ranked_as_by_scikit_learn",
            statement="Rank correlation of the pixels' information on the class with that of "
            "scikit-learn's mutual_info_classif",
            source=source,
            value=float(spearmanr(ours, peer).statistic),
            threshold=">= 0.99",
        ),
        runner.claim(
            name="pixels_agree_with_scikit_learn",
            statement="Largest difference in nats over the pixels, means over the repetitions of "
            "the jitter",
            source=source,
            value=float(np.max(np.abs(ours - peer))),
            threshold="<= 0.05",
        ),
        runner.claim(
            name="pixels_ranked_as_by_counts",
            statement="Rank correlation of the same with the information of the table of counts, "
            "17 grey levels by 10 classes, Miller-Madow corrected",
            source=source,
            value=float(spearmanr(ours, table).statistic),
            threshold=">= 0.95",
        ),
    ]

"""Metrics of bags: area under the ROC curve with ties, macro F1, likelihood, entropy."""

import numpy as np

from experiments.aem_mil.training import Found


def auroc(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve; equal scores count one half.

    Args:
        probabilities: (B, C).
        labels: (B,).

    Returns:
        With two classes that of the second, with more the mean over classes, each against all
        others; classes of which the labels hold none, or nothing else, are left out. NaN if all
        are.
    """
    from sklearn.metrics import roc_auc_score

    classes = probabilities.shape[1]
    areas = [
        roc_auc_score(labels == c, probabilities[:, c])
        for c in ([1] if classes == 2 else range(classes))
        if 0 < np.count_nonzero(labels == c) < len(labels)
    ]
    return float(np.mean(areas)) if areas else float("nan")


def macro_f1(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """F1 score, averaged over classes.

    Args:
        probabilities: (B, C); the likeliest class is the guess.
        labels: (B,).

    Returns:
        The score; a class that is neither there nor guessed counts 0.
    """
    from sklearn.metrics import f1_score

    classes, guesses = np.arange(probabilities.shape[1]), probabilities.argmax(1)
    return float(f1_score(labels, guesses, labels=classes, average="macro", zero_division=0))


def rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's rank correlation.

    Args:
        x: (N,).
        y: (N,).

    Returns:
        -1 to 1; NaN if one of them is constant.
    """
    from scipy import stats

    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(stats.spearmanr(x, y)[0])


def of_runs(found: Found, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Metrics of every run of every group.

    Args:
        found: predictions.
        labels: (G, B).

    Returns:
        `auc`, `f1`, `nll` in nats and `entropy` in nats, (G, R) each.
    """
    groups, runs = found.losses.shape[:2]
    scores = {
        name: np.array(
            [
                [score(found.probabilities[g, r], labels[g]) for r in range(runs)]
                for g in range(groups)
            ]
        )
        for name, score in (("auc", auroc), ("f1", macro_f1))
    }
    nll, entropy = (np.asarray(x, np.float64).mean(-1) for x in (found.losses, found.entropy))
    return {**scores, "nll": nll, "entropy": entropy}

"""A real objective that JAX cannot trace: an SVM's accuracy on digits over its two parameters."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from experiments import runner
from experiments.bayesian_optimization import searches
from experiments.data.digits import load_digits
from infojax import optimize

# Base-10 logarithms of the penalty C and of the kernel's gamma.
BOUNDS = ((-2.0, 4.0), (-5.0, 1.0))
_FOLDS = 5


class Accuracy:
    """Five-fold accuracy of an SVM with a Gaussian kernel on the first images."""

    def __init__(self, images: int):
        """Loads the images.

        Args:
            images: how many; they lie in no order of the classes.
        """
        digits = load_digits()
        self._x, self._y = digits.images[:images], digits.labels[:images]

    def __call__(self, point: np.ndarray) -> float:
        """The mean accuracy over the folds.

        Args:
            point: log10 C and log10 gamma.

        Returns:
            A share.
        """
        from sklearn.model_selection import StratifiedKFold, cross_val_score
        from sklearn.svm import SVC

        machine = SVC(C=10.0 ** point[0], gamma=10.0 ** point[1])
        folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
        return float(np.mean(cross_val_score(machine, self._x, self._y, cv=folds)))


def search(run: runner.Run, acquisition: str) -> dict[str, Any]:
    """Searches for good parameters by asking and telling.

    Args:
        run: the run.
        acquisition: the rule's name.

    Returns:
        `points` (R, N, 2) and `values` (R, N).
    """
    settings, accuracy = run.config.svm, Accuracy(run.config.svm.images)
    points, values = [], []
    for number in range(settings.replicates):
        found = optimize.start_search(
            jax.random.fold_in(run.key("svm"), number),
            BOUNDS,
            maximize=True,
            acquisition=acquisition,
            **searches.effort(run),
        )
        while len(found.values) < settings.evaluations:
            with run.exclusive:
                found, asked = found.ask()
            found = found.tell(asked, [accuracy(asked[0])])
        points.append(found.points)
        values.append(found.values)
    return {"points": np.stack(points), "values": np.stack(values)}


def stages(run: runner.Run) -> dict[str, Callable[[], Any]]:
    """The searches of all acquisitions.

    Args:
        run: the run.

    Returns:
        By the stage's name, functions without arguments.
    """
    return {
        f"svm_{name}": functools.partial(search, run, name) for name in run.config.svm.acquisitions
    }

"""Replicates of a search on Branin's function, in one program, against BoTorch's loop."""

import importlib.util
import time

import jax
import numpy as np

from benchmarks.measure import Row, Table, Times, show
from experiments.bayesian_optimization.problems import BRANIN
from experiments.runner import bootstrap_interval
from infojax import optimize

_EVALUATIONS, _INITIAL = 30, 6
_RAW, _STARTS = 512, 8


def _objective(key, point):
    del key
    return BRANIN.function(point)


def _ours(replicates: int, evaluations: int, acquisition: str, seed: int = 0) -> np.ndarray:
    """Final regrets of all replicates, (R,)."""
    keys = jax.random.split(jax.random.key(seed), replicates)
    trace = optimize.bayesian_optimization(
        keys,
        _objective,
        BRANIN.bounds,
        maximize=False,
        evaluations=evaluations,
        initial=_INITIAL,
        acquisition=acquisition,
        raw=_RAW,
        starts=_STARTS,
    )
    return np.asarray(trace.best_values()[:, -1]) - BRANIN.minimum


def _branin_in_torch(x):
    import torch

    valley = x[..., 1] - 5.1 / (4 * torch.pi**2) * x[..., 0] ** 2 + 5 / torch.pi * x[..., 0] - 6
    waves = 10 * (1 - 1 / (8 * torch.pi)) * torch.cos(x[..., 0])
    return (valley**2 + waves + 10)[..., None]


def _botorch(seed: int, evaluations: int) -> float:
    """Final regret of one search as BoTorch's own tutorials write it, in float64."""
    import torch
    from botorch.acquisition import LogExpectedImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.models.transforms import Normalize, Standardize
    from botorch.optim import optimize_acqf
    from botorch.utils.sampling import draw_sobol_samples
    from gpytorch.mlls import ExactMarginalLogLikelihood

    torch.manual_seed(seed)
    bounds = torch.tensor(BRANIN.bounds, dtype=torch.float64).T
    x = draw_sobol_samples(bounds, n=_INITIAL, q=1, seed=seed).squeeze(1)
    y = -_branin_in_torch(x)
    while len(x) < evaluations:
        model = SingleTaskGP(
            x, y, input_transform=Normalize(2, bounds=bounds), outcome_transform=Standardize(1)
        )
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        chosen, _ = optimize_acqf(
            LogExpectedImprovement(model, best_f=y.max()),
            bounds,
            q=1,
            num_restarts=_STARTS,
            raw_samples=_RAW,
        )
        x, y = torch.cat([x, chosen]), torch.cat([y, -_branin_in_torch(chosen)])
    return float(-y.max()) - BRANIN.minimum


def _median(regrets: np.ndarray) -> tuple[str, tuple[float, float]]:
    estimate = bootstrap_interval(regrets, np.median, seed=0)
    text = f"{estimate.value:.2g} ({estimate.low:.2g} .. {estimate.high:.2g})"
    return text, (float(estimate.low), float(estimate.high))


def _seconds(function) -> tuple[float, object]:
    began = time.perf_counter()
    result = jax.block_until_ready(function())
    return time.perf_counter() - began, result


def _against_botorch(
    case: str, replicates: int, evaluations: int, ours: Times, found: np.ndarray
) -> list[Row]:
    _botorch(replicates, _INITIAL + 1)  # imports and first calls are not counted
    timed = [_seconds(lambda seed=seed: _botorch(seed, evaluations)) for seed in range(replicates)]
    theirs = Times(timed[0][0], tuple(seconds for seconds, _ in timed))
    each, regrets = ours.shared_by(replicates), np.array([regret for _, regret in timed])
    (mine, (low, _)), (other, (_, most)) = _median(found), _median(regrets)
    no_worse = float(low <= most)
    with_compiling = ours.first / replicates
    return [
        Row(
            case=f"{case}: time of a replicate",
            ours=each.show(),
            peer="BoTorch",
            peers=theirs.show(),
            ratio=theirs.median / each.median,
            bar=">= 10",
            seconds={"infojax": each.numbers(), "peer": theirs.numbers()},
        ),
        Row(
            case=f"{case}: the same, with compilation ({show(ours.first)} in all, once)",
            ours=show(with_compiling),
            peer="BoTorch",
            peers=show(theirs.median),
            ratio=theirs.median / with_compiling,
        ),
        Row(
            case=f"{case}: median regret; ratio 1: no worse, by the intervals",
            ours=mine,
            peer="BoTorch",
            peers=other,
            ratio=no_worse,
            bar=">= 1",
        ),
    ]


def bayesian_optimization(repeats: int, quick: bool) -> Table:
    """Times replicates of a search next to BoTorch, where that is installed.

    Args:
        repeats: counted calls of infojax; BoTorch makes each replicate once.
        quick: tiny sizes.

    Returns:
        The table.
    """
    replicates, evaluations = (2, _INITIAL + 1) if quick else (10, _EVALUATIONS)
    case = f"Branin, {replicates} replicates of {evaluations} evaluations"
    note = "BoTorch is not installed: no peer but random points."
    with jax.enable_x64(True):
        first, _ = _seconds(lambda: _ours(replicates, evaluations, "log_expected_improvement"))
        timed = [
            _seconds(lambda n=n: _ours(replicates, evaluations, "log_expected_improvement", n))
            for n in range(repeats)
        ]
        blind = _ours(replicates, evaluations, "random")
    ours = Times(first, tuple(seconds for seconds, _ in timed))
    found = np.asarray(timed[0][1])
    rows = [
        Row(
            case=f"{case}: median regret",
            ours=_median(found)[0],
            peer="random points",
            peers=_median(blind)[0],
            ratio=float(np.median(blind) / np.median(found)),
        )
    ]
    if importlib.util.find_spec("botorch"):
        import botorch
        import torch

        note = (
            f"botorch {botorch.__version__}, torch {torch.__version__}, "
            f"{torch.get_num_threads()} threads; SingleTaskGP with its priors, fit_gpytorch_mll, "
            "optimize_acqf, one replicate after the other."
        )
        rows += _against_botorch(case, replicates, evaluations, ours, found)
    return Table(
        title="Bayesian optimisation",
        note=f"{note} Log expected improvement, float64, {_INITIAL} Sobol points first, {_RAW} raw "
        f"candidates and {_STARTS} starts a step, hyper-parameters fitted anew at each; infojax "
        "runs all replicates in one compiled program, and its time is that of the call over their "
        "number. Ratio = the peer's over ours; regret with 95 % intervals of the median.",
        rows=tuple(rows),
    )

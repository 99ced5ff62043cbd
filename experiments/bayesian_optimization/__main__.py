"""Bayesian optimisation of test functions, of an SVM's parameters, or of your own function.

`python -m experiments.bayesian_optimization --workdir=runs/bayesian_optimization`; your own:
`--objective=path.py:function --bounds=lo:hi,lo:hi` (`--goal=maximize`). After a crash of the
function the same command goes on.
"""

from typing import Any

import jax
import numpy as np
from absl import flags

from experiments import runner
from experiments.bayesian_optimization import (
    digits_svm,
    fidelity_arm,
    gradients_arm,
    landscapes,
    ledger,
    own_objective,
    pictures,
    problems,
    searches,
)
from experiments.bayesian_optimization.config import get_config

_OBJECTIVE = flags.DEFINE_string(
    "objective", None, "Your function, path.py:function: of an array (D,) to a number."
)
_BOUNDS = flags.DEFINE_string("bounds", None, "Of your function: lo:hi,lo:hi for each dimension.")
_GOAL = flags.DEFINE_enum(
    "goal", "minimize", ["minimize", "maximize"], "Of your function: which values are good."
)


def _own(run: runner.Run, wish: own_objective.Wish) -> None:
    goal = "maximizing" if wish.maximize else "minimizing"
    run.print(f"{goal} {wish.objective} in {len(wish.bounds)} dimensions")
    found = own_objective.search(run, wish)
    run.save_table("evaluations", own_objective.rows(found))
    best = own_objective.best_so_far(found.values, wish.maximize)
    if not np.isfinite(best[-1]):
        raise runner.UserError(f"all {len(best)} evaluations failed")
    run.save_figure("search", pictures.own_search(found.points, found.values, best, wish.maximize))
    point, value = found.recommend()
    kind = "posterior mean" if run.config.objective.noisy else "value"
    run.print(f"best point: {', '.join(f'{x:.6g}' for x in point)}; {kind} {value:.6g}")


def _problems(config: Any) -> dict[str, problems.Problem]:
    known = {
        "branin": problems.BRANIN,
        "hartmann6": problems.HARTMANN6,
        "ackley": problems.ackley_problem(config.ackley.dimensions),
    }
    return {name: each for name, each in known.items() if config[name].acquisitions}


Regrets = dict[str, dict[str, np.ndarray]]


def _plain(run: runner.Run) -> tuple[list[runner.Claim], Regrets]:
    """The plain setting: every acquisition on every function."""
    config, regrets, first = run.config, {}, {}
    chosen = _problems(config)
    with run.progress("functions", len(chosen)) as bar:
        for arm, problem in chosen.items():
            found = run.stage(
                arm,
                lambda arm=arm, problem=problem: searches.search_all(run, problem, config[arm]),
            )
            # A stored result has its keys in another order.
            names = config[arm].acquisitions
            regrets[arm] = {name: searches.regrets(found[name], problem) for name in names}
            modelled = [name for name in names if name not in ("random", "sobol")]
            if arm == "branin" and modelled:
                first = {key: value[0] for key, value in found[modelled[-1]].items()}
            bar.advance(note=problem.title)
    if not regrets:
        return [], regrets
    run.save_table("regret", ledger.regret_rows(regrets, run.seed))
    titles = {chosen[arm].title: curves for arm, curves in regrets.items()}
    initial = {each.title: 2 * (len(each.bounds) + 1) for each in chosen.values()}
    run.save_figure("regret", pictures.regret_curves(titles, initial))
    if first:
        some = min(12, len(first["points"]))
        points, values = first["points"][:some], first["values"][:some]
        maps = run.stage("landscapes", lambda: landscapes.branin_maps(run, points, values))
        run.save_figure("landscapes", pictures.landscapes(maps, problems.BRANIN, points))
    claims = [
        *ledger.regret_claims("branin", regrets.get("branin", {}), "<= 0.05", ">= 0.3", run.seed),
        *ledger.regret_claims(
            "hartmann6", regrets.get("hartmann6", {}), "<= 0.35", ">= 0.8", run.seed
        ),
    ]
    return claims, regrets


def _noisy(run: runner.Run, panels: list) -> list[runner.Claim]:
    settings, problem = run.config.noisy, problems.BRANIN
    curves, final = {}, {}
    if not settings.acquisitions:
        return []
    results = run.stage(
        "noisy",
        lambda: searches.search_all(run, problem, settings, deviation=settings.deviation),
    )
    for name, found in results.items():
        x = np.arange(1, settings.evaluations + 1)
        curves[searches.TITLES[name]] = (x, found["incumbents"] - problem.minimum)
        final[name] = found["recommended"] - problem.minimum
    panels.append(("Noisy Branin, at the best posterior mean", "evaluations", curves))
    rows = [
        {"acquisition": searches.TITLES[name], "replicate": number, "regret": value}
        for name, values in final.items()
        for number, value in enumerate(values)
    ]
    run.save_table("noisy", rows)
    return ledger.noisy_claims(final, run.seed)


def _batch(run: runner.Run, panels: list) -> list[runner.Claim]:
    settings, problem, claims, curves = run.config.batch, problems.BRANIN, [], {}
    if not settings.acquisitions:
        return []
    results = run.stage("batch", lambda: searches.search_all(run, problem, settings))
    for name, found in results.items():
        regret = searches.regrets(found, problem)
        curves[searches.TITLES[name]] = (np.arange(1, regret.shape[1] + 1), regret)
        rounds = (settings.evaluations - 6) // settings.batch
        claims.append(
            ledger.final_claim(
                f"batch_{name}",
                f"Branin: median regret after {rounds} rounds of {settings.batch} points at once",
                regret[:, -1],
                "<= 0.1",
                run.seed,
            )
        )
    panels.append((f"Branin, {settings.batch} at once", "evaluations", curves))
    return claims


def _constrained(run: runner.Run, panels: list) -> list[runner.Claim]:
    settings, problem, claims, curves = run.config.constrained, problems.BRANIN, [], {}
    if not settings.acquisitions:
        return []
    results = run.stage(
        "constrained",
        lambda: searches.search_all(run, problem, settings, constraints=problems.outside_disk),
    )
    for name, found in results.items():
        regret = searches.regrets(found, problem)
        # An infinite regret has no place in a picture.
        shown = np.minimum(regret, 1e3)
        curves[searches.TITLES[name]] = (np.arange(1, regret.shape[1] + 1), shown)
        if name == "constrained_expected_improvement":
            claims.append(
                ledger.final_claim(
                    "constrained_within_5_percent",
                    "Branin in a disk: median excess of the best feasible value over the optimum, "
                    "as a share of the optimum",
                    regret[:, -1] / problem.minimum,
                    "<= 0.05",
                    run.seed,
                )
            )
    panels.append(("Branin in a disk", "evaluations", curves))
    return claims


def _svm(run: runner.Run) -> None:
    found = {}
    for name in run.config.svm.acquisitions:
        found[name] = run.stage(f"svm_{name}", lambda name=name: digits_svm.search(run, name))
    if found:
        rows = [
            {
                "acquisition": searches.TITLES[name],
                "replicate": number,
                "evaluation": place + 1,
                "log10_C": result["points"][number, place, 0],
                "log10_gamma": result["points"][number, place, 1],
                "accuracy": value,
            }
            for name, result in found.items()
            for (number, place), value in np.ndenumerate(result["values"])
        ]
        run.save_table("svm", rows)
        run.save_figure("svm", pictures.accuracy(found))


def main(run: runner.Run) -> None:
    """Searches, draws and judges; or searches the optimum of the user's function.

    Args:
        run: the run.
    """
    jax.config.update("jax_enable_x64", run.config.float64)
    wish = own_objective.wish_of(_OBJECTIVE.value, _BOUNDS.value, _GOAL.value)
    if wish is not None:
        _own(run, wish)
        return
    searches.check_names(run.config)
    panels: list = []
    plain, regrets = _plain(run)
    claims = [
        *plain,
        *_noisy(run, panels),
        *_batch(run, panels),
        *_constrained(run, panels),
        *gradients_arm.measure(run, panels, regrets),
        *fidelity_arm.measure(run, panels, regrets),
    ]
    if panels:
        run.save_figure("settings", pictures.settings_curves(panels))
    _svm(run)
    run.save_claims(claims)


if __name__ == "__main__":
    runner.main(
        main,
        get_config,
        experiment="bayesian_optimization",
        locked_flags=("objective", "bounds", "goal"),
    )

"""Bayesian optimisation of test functions, of an SVM's parameters, or of your own function.

`python -m experiments.bayesian_optimization --workdir=runs/bayesian_optimization`; your own:
`--objective=path.py:function --bounds=lo:hi,lo:hi` (`--goal=maximize`). After a crash of the
function the same command goes on.
"""

from typing import Any

import jax
import numpy as np
from absl import flags
from threadpoolctl import threadpool_limits

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


def _arms(config: Any) -> dict[str, searches.Arm]:
    """The arms that are searched by named acquisitions, the longest first."""
    ackley, branin = problems.ackley_problem(config.ackley.dimensions), problems.BRANIN
    arms = (
        searches.Arm("hartmann6", problems.HARTMANN6),
        searches.Arm("noisy", branin, deviation=config.noisy.deviation),
        searches.Arm("ackley", ackley),
        searches.Arm("branin", branin),
        searches.Arm("constrained", branin, constraints=problems.outside_disk),
        searches.Arm("batch", branin),
    )
    return {arm.name: arm for arm in arms if config[arm.name].acquisitions}


def _search_all(run: runner.Run, arms: dict[str, searches.Arm]) -> dict[str, Any]:
    """Everything that is searched: by arm, by acquisition; and the arms of another kind."""
    functions = digits_svm.stages(run)
    for arm in arms.values():
        functions |= searches.stages(run, arm)
    functions |= fidelity_arm.stages(run) | gradients_arm.stages(run)
    # The factors are small: threads of their own cost the linear algebra more than they give.
    with threadpool_limits(1, "blas"):
        found = run.stages(functions, label="searches")
    return found | {name: searches.results(run, arm, found) for name, arm in arms.items()}


Regrets = dict[str, dict[str, np.ndarray]]


def _plain(
    run: runner.Run, arms: dict[str, searches.Arm], results: dict[str, Any]
) -> tuple[list[runner.Claim], Regrets]:
    """The plain setting: every acquisition on every function."""
    names = [name for name in ("branin", "hartmann6", "ackley") if name in arms]
    chosen = {name: arms[name].problem for name in names}
    regrets = {
        arm: {name: searches.regrets(found, problem) for name, found in results[arm].items()}
        for arm, problem in chosen.items()
    }
    if not regrets:
        return [], regrets
    run.save_table("regret", ledger.regret_rows(regrets, run.seed))
    titles = {chosen[arm].title: curves for arm, curves in regrets.items()}
    initial = {each.title: 2 * (len(each.bounds) + 1) for each in chosen.values()}
    run.save_figure("regret", pictures.regret_curves(titles, initial))
    modelled = [name for name in regrets.get("branin", {}) if name not in ("random", "sobol")]
    if modelled:
        first = results["branin"][modelled[-1]]
        some = min(12, first["points"].shape[1])
        points, values = first["points"][0, :some], first["values"][0, :some]
        maps = run.stage("landscapes", lambda: landscapes.branin_maps(run, points, values))
        run.save_figure("landscapes", pictures.landscapes(maps, problems.BRANIN, points))
    claims = [
        *ledger.regret_claims("branin", regrets.get("branin", {}), "<= 0.05", ">= 0.3", run.seed),
        *ledger.regret_claims(
            "hartmann6", regrets.get("hartmann6", {}), "<= 0.35", ">= 0.8", run.seed
        ),
    ]
    return claims, regrets


def _noisy(run: runner.Run, results: dict[str, Any], panels: list) -> list[runner.Claim]:
    settings, problem = run.config.noisy, problems.BRANIN
    curves, final = {}, {}
    if not settings.acquisitions:
        return []
    for name, found in results["noisy"].items():
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


def _batch(run: runner.Run, results: dict[str, Any], panels: list) -> list[runner.Claim]:
    settings, problem, claims, curves = run.config.batch, problems.BRANIN, [], {}
    if not settings.acquisitions:
        return []
    for name, found in results["batch"].items():
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


def _constrained(run: runner.Run, results: dict[str, Any], panels: list) -> list[runner.Claim]:
    problem, claims, curves = problems.BRANIN, [], {}
    if not run.config.constrained.acquisitions:
        return []
    for name, found in results["constrained"].items():
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


def _svm(run: runner.Run, results: dict[str, Any]) -> None:
    found = {name: results[f"svm_{name}"] for name in run.config.svm.acquisitions}
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
    arms = _arms(run.config)
    results = _search_all(run, arms)
    panels: list = []
    plain, regrets = _plain(run, arms, results)
    claims = [
        *plain,
        *_noisy(run, results, panels),
        *_batch(run, results, panels),
        *_constrained(run, results, panels),
        *gradients_arm.measure(results, panels, regrets, run.seed),
        *fidelity_arm.measure(results, panels, regrets, run.seed),
    ]
    if panels:
        run.save_figure("settings", pictures.settings_curves(panels))
    _svm(run, results)
    run.save_claims(claims)


if __name__ == "__main__":
    runner.main(
        main,
        get_config,
        experiment="bayesian_optimization",
        locked_flags=("objective", "bounds", "goal"),
    )

"""Measures what bounding a surrogate's sharpness does to offline optimisation, or does it for you.

`python -m experiments.offline_optimization --workdir=runs/offline_optimization`; with
`--dataset_dir=DIR --task=NAME` it optimises your own data instead.
"""

from importlib.util import find_spec

from absl import flags

from experiments import runner
from experiments.offline_optimization import (
    arms,
    black_boxes,
    datasets,
    ledger,
    names,
    pictures,
    training,
)
from experiments.offline_optimization.config import get_config

_OPTIMIZER = flags.DEFINE_enum(
    "optimizer", names.GRADIENT_ASCENT, names.OPTIMIZERS, "What searches on the surrogate."
)
_METHOD = flags.DEFINE_enum(
    "method", "all", ("all", *datasets.METHODS), "How the surrogate is trained."
)
_TASK = flags.DEFINE_string(
    "task", None, "With --dataset_dir: the name of its files, such as tfbind8 or ant."
)
_DATASET_DIR = flags.DEFINE_string(
    "dataset_dir", None, "Directory with TASK.npz ('x', 'y', perhaps 'lower', 'upper') and oracles."
)
_SCORER = flags.DEFINE_string(
    "scorer", None, "Command that reads designs (npy) from the path {designs}, writes {values}."
)


def _desk_tasks(run: runner.Run):
    for name in run.config.tasks:
        keys = [run.key(f"data of {name} {seed}") for seed in range(run.config.seeds)]
        yield name, [black_boxes.make(name, key, run.config.points) for key in keys]


def _explode(run: runner.Run, task: str, method: str, found) -> None:
    if found["multiplier"].max() > 1e3:
        run.warn(
            f"{method} on {task}: the multiplier reached {found['multiplier'].max():.3g}; "
            "the threshold cannot be met"
        )


def _chosen(run: runner.Run) -> list[arms.Method]:
    methods = arms.methods(run.config)
    if _METHOD.value == "all":
        return methods
    return [m for m in methods if m.name.split("_")[0] == _METHOD.value]


def _searches(run: runner.Run, method: arms.Method) -> tuple[str, ...]:
    """The main search, and on two arms those that the desk run compares it with."""
    main = (_OPTIMIZER.value,)
    default = arms.ignite2(ledger.DEFAULT)
    if main != (names.GRADIENT_ASCENT,) or method.name not in (arms.BASE, default):
        return main
    wrong = set(run.config.compared) - set(names.SHARING)
    if wrong:
        raise runner.UserError(
            f"config.compared takes {', '.join(names.SHARING)}; got {', '.join(sorted(wrong))}"
        )
    return (*main, *run.config.compared)


def _report(run: runner.Run, found: dict[str, dict]) -> None:
    run.save_table("results", ledger.result_rows(found))
    worse = ledger.where_it_hurts(found)
    run.save_table("where_it_hurts", worse)
    for row in worse:
        run.print(
            "{task}, {optimizer}, {method}: percentile {percentile} is worse than that of the "
            "plain surrogate ({base:.4g}) by {loss:.3g} [{low:.3g}, {high:.3g}]".format(
                **row, loss=-row["change"], low=-row["change_high"], high=-row["change_low"]
            )
        )


def main(run: runner.Run) -> None:
    """Trains, searches, draws and judges; or does so on the user's data without claims.

    Args:
        run: the run.
    """
    if (_DATASET_DIR.value is None) != (_TASK.value is None):
        raise runner.UserError("--task and --dataset_dir go together")
    if _SCORER.value is not None and _TASK.value is None:
        raise runner.UserError("--scorer needs --task and --dataset_dir")
    searching = (_OPTIMIZER.value, *run.config.compared)
    if names.CMA_ES in searching and not find_spec("evosax"):
        raise runner.UserError('CMA-ES needs evosax: pip install "infojax[optimize]"')
    if names.BAYESIAN_OPTIMIZATION in searching:
        training.check_evaluations(run.config)
    if _TASK.value is not None:
        task = datasets.load(_DATASET_DIR.value, _TASK.value, _SCORER.value)
        problems = [(_TASK.value, [task] * run.config.seeds)]
    else:
        problems = _desk_tasks(run)
    methods, found = _chosen(run), {}
    total = len(methods) * (1 if _TASK.value else len(run.config.tasks))
    with run.progress("surrogates", total * run.config.seeds, unit="seeds") as bar:
        for name, tasks in problems:
            found[name] = {}
            for method in methods:
                result = arms.of_task(run, name, tasks, method, _searches(run, method))
                _explode(run, name, method.name, result)
                found[name][method.name] = result
                bar.advance(run.config.seeds, note=f"{name} {method.name}")
    _report(run, found)
    _draw(run, found)
    if _TASK.value is None and _OPTIMIZER.value == names.GRADIENT_ASCENT:
        claims = [c for name in found for c in ledger.sharpness_claims(name, found[name], run.seed)]
        run.save_claims([*claims, *ledger.score_claims(found)])


def _draw(run: runner.Run, found: dict[str, dict]) -> None:
    has = {method for by_method in found.values() for method in by_method}
    if arms.BASE in has and len(has) > 1:
        run.save_figure("searches", pictures.searches(found))
    if arms.BASE in has and _OPTIMIZER.value == names.GRADIENT_ASCENT:
        run.save_figure("lambda", pictures.over_lambda(found))
        run.save_figure("ascent", pictures.ascent(found, run.config.search.record_every))
    if arms.IGNITE in has:
        run.save_figure("dual", pictures.dual(found, run.config.ignite.threshold))


if __name__ == "__main__":
    runner.main(
        main,
        get_config,
        experiment="offline_optimization",
        locked_flags=("optimizer", "method", "task", "dataset_dir", "scorer"),
    )

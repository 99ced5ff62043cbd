"""The trained model for other experiments: read from a work directory, or trained into it once."""

import pathlib
import warnings
from typing import Any

import jax
import ml_collections

from experiments import runner
from experiments.language_model import training
from experiments.language_model.config import get_config
from experiments.language_model.prediction import merge
from experiments.runner.checkpoints import Checkpoints
from experiments.runner.leaves import layout_of
from experiments.runner.workdir import read_identity
from infojax.nn import language

EXPERIMENT = "language_model"


def _identity(path: pathlib.Path) -> dict[str, Any] | None:
    """What the work directory says it is, if it is one of this experiment."""
    stored = read_identity(path)
    return stored if stored and stored.get("experiment") == EXPERIMENT else None


def _newest(path: pathlib.Path, config) -> tuple[int, Any]:
    """The newest checkpoint's step and weights; 0 and None without one."""
    layout = layout_of(training.initial_state(config, jax.random.key(0)))
    restored = Checkpoints(path / "checkpoints" / training.LOOP, layout, warnings.warn).restore()
    return (0, None) if restored is None else (restored.step, restored.state["parameters"])


def load(workdir: str | pathlib.Path) -> language.LanguageModel:
    """Reads the model that `python -m experiments.language_model --workdir=WORKDIR` has trained.

    Args:
        workdir: the run's work directory.

    Returns:
        The model after its last step, from the run's Orbax checkpoint. It was trained on windows
        of `config.context` bytes, 256 at desk size, each opened by the start token; longer
        distances it has never met.

    Raises:
        UserError: `workdir` holds no run of this experiment, or one that has not finished its
            training; the message says what to do.
        StorageError: its files are damaged.
    """
    path = pathlib.Path(workdir)
    stored = _identity(path)
    if stored is None:
        raise runner.UserError(
            f"{path} holds no trained language model; train one by "
            f"python -m experiments.{EXPERIMENT} --workdir={path}"
        )
    config = ml_collections.FrozenConfigDict(stored["config"])
    done, parameters = _newest(path, config)
    if done < config.training.steps:
        raise runner.UserError(
            f"the language model in {path} is at step {done} of {config.training.steps}; finish it "
            f"by python -m experiments.{EXPERIMENT} --size={stored['size']} --workdir={path}"
        )
    return merge(config, parameters)


def trained_model(
    workdir: str | pathlib.Path,
    *,
    config: ml_collections.ConfigDict | None = None,
    size: str = "desk",
    quiet: bool = False,
) -> language.LanguageModel:
    """The model in a work directory; trains it there first if it is missing or unfinished.

    Args:
        workdir: a new or empty directory, or that of a run of this experiment, which is gone on
            with; the command `python -m experiments.language_model` on the same directory adds
            the report.
        config: what to train where nothing is there; None for the size's own. What is there keeps
            its own configuration.
        size: "desk" or "full", likewise.
        quiet: whether to show no progress.

    Returns:
        The model, as `load` gives it.

    Raises:
        UserError: the directory is foreign, or in use by a run that trains it; or the text is
            missing.
        StorageError: its files are damaged or cannot be written.
    """
    path = pathlib.Path(workdir)
    stored = _identity(path)
    if stored is None:
        config = get_config(size) if config is None else config
        # As the command line would write it, which can then go on with it.
        stored = {"size": size, "seed": int(config.seed), "flags": {"data": None}}
    else:
        config = ml_collections.ConfigDict(stored["config"])
        frozen = ml_collections.FrozenConfigDict(config)
        done, parameters = _newest(path, frozen)
        if done == config.training.steps:
            return merge(frozen, parameters)
    flags = stored["flags"]
    with runner.open_run(
        experiment=EXPERIMENT,
        config=config,
        workdir=path,
        size=stored["size"],
        seed=stored["seed"],
        flags=flags,
        quiet=quiet,
    ) as run:
        corpus = training.corpus_of(run.config, flags["data"])
        return merge(run.config, training.train(run, corpus)["parameters"])

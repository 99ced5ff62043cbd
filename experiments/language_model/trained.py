"""The trained model for other experiments: read from a work directory, or trained into it once."""

import pathlib
import warnings

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


def load(workdir: str | pathlib.Path) -> language.LanguageModel:
    """Reads the model that `python -m experiments.language_model --workdir=WORKDIR` has trained.

    Args:
        workdir: the run's work directory.

    Returns:
        The model after its last step, from the run's Orbax checkpoint.

    Raises:
        UserError: `workdir` holds no run of this experiment, or one that has not finished its
            training; the message says what to do.
        StorageError: its files are damaged.
    """
    path = pathlib.Path(workdir)
    stored = read_identity(path)
    if stored is None or stored.get("experiment") != EXPERIMENT:
        raise runner.UserError(
            f"{path} holds no trained language model; train one by "
            f"python -m experiments.{EXPERIMENT} --workdir={path}"
        )
    config = ml_collections.FrozenConfigDict(stored["config"])
    layout = layout_of(training.initial_state(config, jax.random.key(0)))
    restored = Checkpoints(path / "checkpoints" / training.LOOP, layout, warnings.warn).restore()
    done, steps = (0 if restored is None else restored.step), config.training.steps
    if restored is None or done < steps:
        raise runner.UserError(
            f"the language model in {path} is at step {done} of {steps}; finish it by "
            f"python -m experiments.{EXPERIMENT} --size={stored['size']} --workdir={path}"
        )
    return merge(config, restored.state["parameters"])


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
        config: what to train where nothing is there; None for the size's own.
        size: "desk" or "full", likewise.
        quiet: whether to show no progress.

    Returns:
        The model.

    Raises:
        UserError: the directory is foreign or in use, or the text is missing.
        StorageError: its files are damaged or cannot be written.
    """
    path = pathlib.Path(workdir)
    stored = read_identity(path)
    if stored is not None and stored.get("experiment") == EXPERIMENT:
        config = ml_collections.ConfigDict(stored["config"])
        size = stored["size"]
    config = get_config(size) if config is None else config
    seed = int(config.seed) if stored is None else int(stored.get("seed", config.seed))
    with runner.open_run(
        experiment=EXPERIMENT, config=config, workdir=path, size=size, seed=seed, quiet=quiet
    ) as run:
        return merge(config, training.train(run, training.corpus_of(config))["parameters"])

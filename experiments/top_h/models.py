"""The two models: one writes, the other, which has learned another text, judges."""

import ml_collections
import numpy as np

from experiments import runner
from experiments.data.text import load_text
from experiments.language_model import load, trained_model
from experiments.language_model.config import get_config as language_config
from infojax.nn import language


def _config(run: runner.Run, steps: int, corpus: str, seed: int) -> ml_collections.ConfigDict:
    config = language_config(run.size)
    config.corpus = corpus
    config.seed = seed
    config.training.steps = steps
    return config


def _model(run: runner.Run, given: str | None, name: str, config) -> language.LanguageModel:
    if given:
        return load(given)
    return trained_model(run.workdir / name, config=config, size=run.size, quiet=run.quiet)


def writer(run: runner.Run, workdir: str | None) -> language.LanguageModel:
    """The model whose laws are sampled.

    Args:
        run: the run.
        workdir: of a trained language model; None to train one inside this run's directory.

    Returns:
        The model.
    """
    config = _config(run, run.config.writer_steps, "python", 0)
    return _model(run, workdir, "writer", config)


def judge(run: runner.Run, workdir: str | None) -> language.LanguageModel:
    """The model that says how likely the texts are: another text, other initial weights.

    Args:
        run: the run.
        workdir: of a trained language model; None to train one inside this run's directory.

    Returns:
        The model.
    """
    config = _config(run, run.config.judge_steps, run.config.judge_corpus, 1)
    return _model(run, workdir, "judge", config)


def prompts(config) -> tuple[np.ndarray, np.ndarray]:
    """Pieces of the text that the writer has not seen, each ending with a space.

    Args:
        config: the run's configuration.

    Returns:
        Tokens (P, 1 + prompt_bytes) that open with the start token, and the whole text, (N,),
        whose words count as real.

    Raises:
        UserError: the text has too few places.
    """
    corpus = load_text("python")
    text, length = corpus.held_out, config.prompt_bytes
    ends = np.flatnonzero(text[length - 1 :] == ord(" ")) + length
    if len(ends) < config.prompts:
        raise runner.UserError(f"config.prompts must be at most {len(ends)}; got {config.prompts}")
    chosen = ends[np.linspace(0, len(ends) - 1, config.prompts).astype(int)]
    pieces = [text[end - length : end].tobytes() for end in chosen]
    tokens, _ = language.encode_texts(pieces)
    return tokens, np.concatenate([corpus.train, text])

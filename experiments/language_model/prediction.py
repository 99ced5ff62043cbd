"""The model of a configuration, and what the bytes of a text cost it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from experiments.language_model.config import model_config
from infojax.nn import language


def new_model(config, key: jax.Array) -> language.LanguageModel:
    """An untrained model.

    Args:
        config: the run's configuration.
        key: for its weights.

    Returns:
        The model.
    """
    return language.LanguageModel(model_config(config), rngs=nnx.Rngs(params=key))


def merge(config, parameters: Any) -> language.LanguageModel:
    """A model with given weights.

    Args:
        config: the run's configuration.
        parameters: the nested dict of its arrays.

    Returns:
        The model.
    """
    structure, state = nnx.split(nnx.eval_shape(lambda: new_model(config, jax.random.key(0))))
    nnx.replace_by_pure_dict(state, parameters)
    return nnx.merge(structure, state)


def behind_start(windows: jax.Array, start: int) -> jax.Array:
    """What the model is fed to predict windows: the start token, then all bytes but the last.

    Args:
        windows: (B, T).
        start: the start token.

    Returns:
        (B, T).
    """
    return jnp.concatenate([jnp.full_like(windows[:, :1], start), windows[:, :-1]], axis=1)


def bits_of(model: language.LanguageModel, windows: jax.Array) -> jax.Array:
    """Bits of every byte of windows of text, the first without context.

    Args:
        model: the model.
        windows: (B, T) bytes.

    Returns:
        (B, T): minus the logarithm, to base 2, of each byte's probability.
    """
    logits = model(behind_start(windows, model.config.start_token))
    return optax.softmax_cross_entropy_with_integer_labels(logits, windows) / np.log(2)

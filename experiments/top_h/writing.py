"""Continuations of real prompts by every sampler at every temperature, and what is seen on the way.

The seeds and prompts of one setting are the rows of one batch; all settings draw by the same keys.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments import runner
from experiments.top_h.samplers import REGISTRY
from infojax.nn import language

Setting = tuple[str, float]


def settings(config) -> list[Setting]:
    """All pairs of sampler and temperature.

    Args:
        config: the run's configuration.

    Returns:
        The pairs.
    """
    return [(name, t) for name in config.samplers for t in config.temperatures]


def _row_keys(key: jax.Array, seeds: int, prompts: int) -> jax.Array:
    by_seed = jax.vmap(lambda seed: jax.random.fold_in(key, seed))(jnp.arange(seeds))
    fold = jax.vmap(jax.vmap(jax.random.fold_in, (None, 0)), (0, None))
    return fold(by_seed, jnp.arange(prompts)).reshape(-1)


@nnx.jit
def _log_likelihoods(model, tokens, first):
    """Log likelihoods in nats of the tokens from a place on, (B, T)."""
    log_p = jax.nn.log_softmax(model(tokens[:, :-1]))
    found = jnp.take_along_axis(log_p, tokens[:, 1:, None], -1)[..., 0]
    return jnp.where(jnp.arange(found.shape[1]) >= first - 1, found, 0)


def continuations(
    run: runner.Run,
    writer: language.LanguageModel,
    judge: language.LanguageModel,
    prompts: np.ndarray,
    setting: Setting,
) -> dict[str, Any]:
    """Writes and judges the texts of one setting.

    Args:
        run: the run.
        writer: the model that is sampled.
        judge: the model that says how likely the texts are.
        prompts: tokens, (P, T).
        setting: sampler and temperature.

    Returns:
        `tokens` (S, P, M); `entropy` (M,), the mean entropy of the writer's law at each place, at
        temperature 1; `likelihood` (S, P), the judge's mean log likelihood of a byte, in nats.
    """
    config, (name, t) = run.config, setting
    seeds, count = config.seeds, len(prompts)
    keys = _row_keys(run.key("texts"), seeds, count)
    rows = np.tile(prompts, (seeds, 1))
    transform = jax.tree_util.Partial(REGISTRY[name].function, jnp.float32(t))
    tokens, entropies, likelihoods = [], [], []
    for first in range(0, len(rows), config.rows):
        part = slice(first, first + config.rows)
        made = language.generate(
            writer,
            rows[part],
            key=keys[part],
            max_new_tokens=config.new_tokens,
            transform=transform,
            return_entropies=True,
        )
        tokens.append(np.asarray(made.tokens))
        entropies.append(np.asarray(made.entropies))
        whole = np.concatenate([rows[part], made.tokens], 1)
        judged = _log_likelihoods(judge, whole, prompts.shape[1])
        likelihoods.append(np.asarray(judged.sum(-1)) / config.new_tokens)
    return {
        "tokens": np.concatenate(tokens).reshape(seeds, count, -1).astype(np.int16),
        "entropy": np.concatenate(entropies).mean(0),
        "likelihood": np.concatenate(likelihoods).reshape(seeds, count),
    }

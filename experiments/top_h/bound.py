"""How top-H keeps its bound on the writer's own laws, and how much of the optimum it takes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.top_h.samplers import ALPHA
from infojax import decoding
from infojax.nn import language


@nnx.jit
def _laws(model, tokens):
    return model(tokens)


def _entropy(logits: np.ndarray) -> np.ndarray:
    """Shannon entropy in nats, in float64."""
    wide = logits.astype(np.float64)
    shifted = wide - wide.max(-1, keepdims=True)
    weight = np.exp(shifted)
    total = weight.sum(-1)
    terms = weight * np.where(weight > 0, shifted, 0)
    return np.log(total) - terms.sum(-1) / total


def steps_within_bound(
    writer: language.LanguageModel, prompts: np.ndarray, tokens: np.ndarray, t: float, at_once: int
) -> dict[str, Any]:
    """The entropy of the truncated law against its bound at each step of texts by top-H.

    Args:
        writer: the model that wrote them.
        prompts: tokens, (P, T).
        tokens: the continuations, (S, P, M).
        t: the temperature.
        at_once: rows of one batch.

    Returns:
        Of the steps that keep more than one token, `excess`: the entropy of the truncated law in
        nats above alpha times that of the whole law, in float64, (K,); `steps`: how many steps
        there were; `kept`: the mean number of tokens that are kept.
    """
    seeds, count, length = tokens.shape
    whole = np.concatenate(
        [np.tile(prompts, (seeds, 1)), tokens.reshape(seeds * count, length)], 1
    ).astype(np.int32)
    excess, kept = [], []
    for first in range(0, len(whole), at_once):
        logits = _laws(writer, whole[first : first + at_once, :-1])[:, prompts.shape[1] - 1 :]
        found = np.asarray(decoding.top_h(logits, alpha=ALPHA, temperature=t))
        number = np.sum(found > -np.inf, -1)
        law = np.asarray(logits / jnp.float32(t))
        over = _entropy(found) - ALPHA * _entropy(law)
        excess.append(over[number > 1])
        kept.append(number.ravel())
    numbers = np.concatenate(kept)
    return {
        "excess": np.concatenate(excess),
        "steps": len(numbers),
        "kept": float(numbers.mean()),
    }


def shares_of_optimum(
    writer: language.LanguageModel, prompts: np.ndarray, config, t: float
) -> np.ndarray:
    """The mass that top-H keeps over the greatest mass within the same bound.

    Args:
        writer: the model, whose laws are cut to their most probable tokens and renormalised.
        prompts: tokens, (P, T): the laws after each of their tokens.
        config: the run's configuration.
        t: the temperature.

    Returns:
        One share for each law.
    """
    logits = _laws(writer, prompts).reshape(-1, writer.config.vocabulary_size)
    places = np.linspace(0, len(logits) - 1, config.small_laws.count).astype(int)
    small, _ = jax.lax.top_k(logits[places], config.small_laws.tokens)
    best = decoding.heaviest_bounded_entropy_set(small, alpha=ALPHA, temperature=t)
    kept = decoding.top_h(small, alpha=ALPHA, temperature=t) > -jnp.inf
    mass = jnp.sum(jnp.where(kept, jax.nn.softmax(small / t), 0), -1)
    return np.asarray(mass / best.mass)

"""What a model costs on a text that it has not seen, byte by byte, and where it attends."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.language_model.prediction import behind_start, bits_of, merge

_AT_ONCE = 64  # windows
_LOOKED_AT = 64  # windows of the held-out text that are looked at during training


def windows_of(text: np.ndarray, context: int) -> tuple[np.ndarray, int]:
    """Windows that overlap by half, so that each byte is predicted from half a context or more.

    Args:
        text: (N,) bytes, at least `context`.
        context: T, the length of a window.

    Returns:
        (W, T) windows of which the last ends the text, and how many of its last bytes are not in
        the window before.
    """
    half = max(context // 2, 1)
    starts = list(range(0, len(text) - context + 1, half))
    rest = len(text) - context - starts[-1]
    if rest:
        starts.append(len(text) - context)
    places = np.asarray(starts)[:, None] + np.arange(context)
    return text[places].astype(np.int32), rest or half


def byte_bits(config, parameters: Any, text: np.ndarray) -> dict[str, np.ndarray]:
    """The bits of each byte of a text, each predicted once.

    Args:
        config: the run's configuration.
        parameters: of the model.
        text: (N,) bytes.

    Returns:
        `bits` (N,), from at least half a context but for the text's own beginning; `by_context`
        (T,), the mean of windows' bytes by the number of bytes before them in the window.
    """
    context = min(config.context, len(text))
    windows, rest = windows_of(text, context)
    half = max(context // 2, 1)
    score = jax.jit(lambda parameters, windows: bits_of(merge(config, parameters), windows))
    rows = []
    for first in range(0, len(windows), _AT_ONCE):
        part = windows[first : first + _AT_ONCE]
        padded = np.pad(part, ((0, _AT_ONCE - len(part)), (0, 0)), mode="edge")
        rows.append(np.asarray(score(parameters, padded))[: len(part)])
    bits = np.concatenate(rows)
    fresh = [bits[0], *(row[-half:] for row in bits[1:])]
    if len(bits) > 1:
        fresh[-1] = bits[-1, -rest:]
    return {"bits": np.concatenate(fresh), "by_context": bits.mean(0)}


def make_look(config, text: np.ndarray) -> Callable[[Any], dict[str, jax.Array]]:
    """What is recorded of a model in training, from windows spread over the held-out text.

    Nothing is chosen by it: the training does not depend on what it shows.

    Args:
        config: the run's configuration.
        text: the text held out.

    Returns:
        A compiled function of the parameters, that gives `held_out_bits` of the second halves of
        the windows, and `attention_entropies` (L, N), means over the same tokens in nats.
    """
    context = min(config.context, len(text))
    windows, _ = windows_of(text, context)
    chosen = np.linspace(0, len(windows) - 1, min(_LOOKED_AT, len(windows))).round().astype(int)
    windows = jnp.asarray(windows[chosen])
    half = context // 2

    @jax.jit
    def look(parameters):
        model = merge(config, parameters)
        fed = behind_start(windows, model.config.start_token)
        _, entropies = model(fed, return_attention_entropies=True)
        return {
            "held_out_bits": jnp.mean(bits_of(model, windows)[:, half:]),
            "attention_entropies": jnp.mean(entropies[:, half:], (0, 1)),
        }

    return look

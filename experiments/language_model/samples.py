"""Continuations of prompts, for the report: by the model's law and by its nucleus."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from infojax import decoding
from infojax.nn import language

_PROMPT = 48  # bytes of the held-out text
_PROMPTS = 3


def continuations(
    model: language.LanguageModel, text: np.ndarray, config, key: jax.Array
) -> list[dict[str, Any]]:
    """Samples continuations of places in a text, and of no text at all.

    Args:
        model: the model.
        text: bytes that it has not seen.
        config: the run's configuration.
        key: for the draws.

    Returns:
        For each: `prompt`, `how`, `text`, and `mean_entropy` of the model's law in bits.
    """
    length = min(_PROMPT, len(text), max(config.context // 2, 1))
    # Distances beyond the context were never met in training.
    most = min(config.samples.new_tokens, config.context - length - 1)
    places = np.linspace(0, len(text) - length, _PROMPTS).astype(int)
    prompts = [b"", *(text[place : place + length].tobytes() for place in places)]
    tokens, lengths = language.encode_texts(prompts)
    made = []
    for how, transform in (
        ("the model's law", None),
        (
            f"top {config.samples.top_p} of it",
            jax.tree_util.Partial(decoding.top_p, p=config.samples.top_p),
        ),
    ):
        result = language.generate(
            model,
            tokens,
            lengths,
            key=key,
            max_new_tokens=most,
            transform=transform,
            return_entropies=True,
        )
        for row, prompt in enumerate(prompts):
            made.append(
                {
                    "prompt": prompt.decode(errors="replace"),
                    "how": how,
                    "text": language.decode_text(np.asarray(result.tokens[row])),
                    "mean_entropy": float(jnp.mean(result.entropies[row]) / np.log(2)),
                }
            )
    return made


def report(texts: list[dict[str, Any]]) -> str:
    """Writes continuations as Markdown.

    Args:
        texts: from `continuations`.

    Returns:
        The file's text.
    """
    lines = ["# Continuations", ""]
    for made in texts:
        given = made["prompt"] or "(none)"
        lines += [
            f"## {made['how']}, mean entropy {made['mean_entropy']:.2f} bits a byte",
            "",
            "```text",
            f"prompt> {given}",
            f"model> {made['text']}",
            "```",
            "",
        ]
    return "\n".join(lines)

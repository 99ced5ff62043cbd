"""Prompts and tokens as a model takes them: checked, of one length, padding on the right."""

from typing import Literal, get_args

import jax
import jax.numpy as jnp

from infojax import checks
from infojax.nn.language.configuration import LanguageModelConfig

Padding = Literal["right", "left"]


def _whole_numbers(name: str, x, ndim: int) -> jax.Array:
    array = checks.real_array(name, x)
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise TypeError(f"{name} must be whole numbers; got {array.dtype}.")
    if array.ndim != ndim:
        shape = "(B, T)" if ndim == 2 else "(B,)"
        raise ValueError(f"{name} must have shape {shape}; got shape {array.shape}.")
    if 0 in array.shape:
        raise ValueError(f"{name} must hold a token in each row; got shape {array.shape}.")
    return array


def check_tokens(
    name: str,
    tokens,
    config: LanguageModelConfig,
    *,
    ndim: int = 2,
    where: jax.Array | None = None,
) -> jax.Array:
    """Takes tokens of the vocabulary.

    Args:
        name: what the caller's users call them.
        tokens: (B, T) or (B,).
        config: the model's.
        ndim: how many axes there are.
        where: which tokens count; all if None.

    Returns:
        The tokens, int32.

    Raises:
        TypeError: not whole numbers.
        ValueError: a wrong shape, nothing in it, or eagerly a token outside the vocabulary.
    """
    array = _whole_numbers(name, tokens, ndim)
    valid = (array >= 0) & (array <= config.start_token)
    if where is not None:
        valid |= ~where
    last = config.start_token
    checks.check_real(name, array, valid, f"0 to {last - 1}, or {last} for the start")
    # What int32 cannot hold must not wrap into the vocabulary.
    return jnp.where((array >= 0) & (array <= last), array, -1).astype(jnp.int32)


def take_prompts(
    tokens, lengths, config: LanguageModelConfig, padding: Padding
) -> tuple[jax.Array, jax.Array]:
    """Takes a batch of prompts of different lengths.

    Args:
        tokens: (B, T), padded on either side.
        lengths: (B,), or None where all are whole.
        config: the model's.
        padding: the side on which it is.

    Returns:
        Tokens with the padding on the right, 0 in it, and lengths, both int32. A length that is
        out of range under tracing makes the row's tokens invalid.

    Raises:
        TypeError: not whole numbers.
        ValueError: a wrong shape; an empty prompt; a length above T; a token outside the
            vocabulary; an unknown side.
    """
    checks.choice("padding", padding, get_args(Padding))
    array = _whole_numbers("tokens", tokens, 2)
    batch, columns = array.shape
    counts = jnp.full(batch, columns) if lengths is None else _whole_numbers("lengths", lengths, 1)
    if counts.shape != (batch,):
        raise ValueError(f"lengths must have the {batch} rows of tokens; got {counts.shape}.")
    sound = (counts >= 1) & (counts <= columns)
    expected = f"1 to {columns}, for a prompt is not empty and ends within tokens"
    checks.check_real("lengths", counts, sound, expected)
    counts = jnp.where(sound, counts, 1).astype(jnp.int32)
    places = jnp.arange(columns)
    inside = places < counts[:, None]
    if padding == "left":
        array = jnp.take_along_axis(array, (places - counts[:, None]) % columns, axis=1)
    taken = check_tokens("tokens", array, config, where=inside)
    return jnp.where(inside, jnp.where(sound[:, None], taken, -1), 0), counts

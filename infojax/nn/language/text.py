"""Texts as bytes: what a byte-level model reads and writes."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from infojax import checks

_BYTES = 256


def encode_texts(
    texts: Sequence[str | bytes], *, start: bool = True, length: int | None = None
) -> tuple[Int[np.ndarray, "B T"], Int[np.ndarray, " B"]]:
    """Makes a batch of prompts of UTF-8 bytes, padded on the right.

    Args:
        texts: the prompts.
        start: whether each opens with the start token, 256.
        length: T; None for the longest prompt.

    Returns:
        Tokens, int32, 0 behind each prompt's end; and the prompts' lengths, int32.

    Raises:
        TypeError: `texts` is one text.
        ValueError: no text, an empty prompt, or one longer than `length`.

    Example:
        >>> from infojax.nn import language
        >>> tokens, lengths = language.encode_texts(["ab", "c"])
        >>> print(tokens.tolist(), lengths.tolist())
        [[256, 97, 98], [256, 99, 0]] [3, 2]
    """
    if isinstance(texts, str | bytes):
        raise TypeError("texts must be a sequence of texts; got one text.")
    head = [_BYTES] if start else []
    rows = [head + list(x.encode() if isinstance(x, str) else x) for x in texts]
    if not rows:
        raise ValueError("texts must hold a text; got none.")
    lengths = np.array([len(row) for row in rows], np.int32)
    if not lengths.all():
        raise ValueError(f"texts must not be empty without a start token; got {list(texts)!r}.")
    columns = int(lengths.max()) if length is None else checks.positive_integer("length", length)
    if lengths.max() > columns:
        raise ValueError(f"length must be at least {lengths.max()}, the longest; got {columns}.")
    tokens = np.zeros((len(rows), columns), np.int32)
    for row, line in zip(rows, tokens, strict=True):
        line[: len(row)] = row
    return tokens, lengths


def decode_text(tokens: Int[np.ndarray, " T"], length: int | None = None) -> str:
    """The text of one row of bytes; start tokens are left out, broken UTF-8 is replaced.

    Args:
        tokens: bytes, 0 to 255, and start tokens.
        length: how many tokens count; None for all.

    Returns:
        The text.

    Raises:
        ValueError: a token that is neither a byte nor the start, or more than one axis.

    Example:
        >>> from infojax.nn import language
        >>> print(language.decode_text([256, 104, 105]))
        hi
    """
    row = np.asarray(tokens)[:length]
    if row.ndim != 1:
        raise ValueError(f"tokens must have one axis; got shape {row.shape}.")
    if row.size and not (row.min() >= 0 and row.max() <= _BYTES):
        raise ValueError(f"tokens must be 0 to {_BYTES}; got {row.min()} to {row.max()}.")
    return bytes(row[row < _BYTES].astype(np.uint8)).decode(errors="replace")

"""What is measured of texts: real words, diversity, repetition."""

import string
from collections.abc import Iterable, Sequence

import numpy as np

_STRIPPED = string.punctuation + string.whitespace


def words_of(text: str) -> list[str]:
    """Pieces between blanks without punctuation at their ends, in small letters; empty ones go.

    Args:
        text: any text.

    Returns:
        The words.
    """
    pieces = (piece.strip(_STRIPPED).lower() for piece in text.split())
    return [piece for piece in pieces if piece]


def whole_words(text: str) -> list[str]:
    """The words of a continuation of a prompt that ended with a blank: its last may be cut off.

    Args:
        text: the continuation.

    Returns:
        The words without the last piece.
    """
    head, _, _ = text.rpartition(" ")
    return words_of(head)


def real_word_rate(texts: Iterable[Sequence[str]], vocabulary: set[str]) -> float:
    """The share of words that a vocabulary has.

    Args:
        texts: words of each text.
        vocabulary: the words that are real.

    Returns:
        The share; 0 where there is no word.
    """
    words = [word for text in texts for word in text]
    return sum(word in vocabulary for word in words) / len(words) if words else 0.0


def _pieces(words: Sequence[str], length: int) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + length]) for i in range(len(words) - length + 1)]


def distinct(texts: Iterable[Sequence[str]], length: int) -> float:
    """Distinct-n of a set of texts: different sequences of n words over all of them.

    Args:
        texts: words of each text.
        length: n.

    Returns:
        The share; 0 where no text has n words.

    Reference:
        Li et al. 2016, arXiv 1510.03055.
    """
    pieces = [piece for words in texts for piece in _pieces(words, length)]
    return len(set(pieces)) / len(pieces) if pieces else 0.0


def repetition(texts: Iterable[Sequence[str]], length: int = 2) -> float:
    """The mean share of a text's sequences of n words that stand in it before.

    Args:
        texts: words of each text.
        length: n.

    Returns:
        The share; 0 where no text has n words.
    """
    shares = []
    for words in texts:
        pieces = _pieces(words, length)
        if pieces:
            shares.append(1 - len(set(pieces)) / len(pieces))
    return float(np.mean(shares)) if shares else 0.0

"""The claim of this experiment: bits per byte on the text held out, with its interval."""

import numpy as np

from experiments import runner

_BLOCK = 1024  # bytes; neighbours depend on each other, blocks of this length hardly do
THRESHOLD = "<= 1.9"


def bits_per_byte(bits: np.ndarray) -> runner.Estimate:
    """The mean over blocks of the text, with Student's interval over them.

    Args:
        bits: (N,), of each byte.

    Returns:
        Mean and interval; a text shorter than two blocks is cut in eight.
    """
    size = _BLOCK if len(bits) >= 2 * _BLOCK else max(len(bits) // 8, 1)
    count = len(bits) // size
    blocks = bits[: count * size].reshape(count, size).mean(1)
    estimate = runner.mean_interval(blocks)
    # The value is that of the whole text; the remainder of a block counts in it.
    shift = bits.mean() - estimate.value
    return runner.Estimate(float(bits.mean()), estimate.low + shift, estimate.high + shift)


def claims(bits: np.ndarray, corpus_name: str) -> list[runner.Claim]:
    """The claims of a run.

    Args:
        bits: (N,), of each byte held out.
        corpus_name: what the text is.

    Returns:
        One claim.
    """
    estimate = bits_per_byte(bits)
    return [
        runner.claim(
            name="bits_per_byte",
            statement=f"Bits per byte on the end of {corpus_name}, which was not trained on",
            source="infojax; the threshold is ours",
            value=estimate.value,
            interval=estimate.interval,
            threshold=THRESHOLD,
        )
    ]

"""Entropy, log normaliser and peak of logits, in one read of them on accelerators."""

from infojax.kernels.entropy_from_logits.api import LogitStatistics, logit_statistics

__all__ = ["LogitStatistics", "logit_statistics"]

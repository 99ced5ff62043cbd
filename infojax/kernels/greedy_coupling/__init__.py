"""Greedy minimum-entropy coupling of two or more marginals, as sparse cells."""

from infojax.kernels.greedy_coupling.api import greedy_coupling

__all__ = ["greedy_coupling"]

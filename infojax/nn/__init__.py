"""Flax NNX modules: critics and how to fit them, and a small language model."""

from infojax.nn import language
from infojax.nn.critics import JointCritic, SeparableCritic
from infojax.nn.fitting import CriticFit, fit_critic

__all__ = [
    "CriticFit",
    "JointCritic",
    "SeparableCritic",
    "fit_critic",
    "language",
]

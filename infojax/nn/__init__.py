"""Flax NNX modules: critics for bounds on information, classifiers of bags, a language model."""

from infojax.nn import language, mil
from infojax.nn.critics import JointCritic, SeparableCritic
from infojax.nn.fitting import CriticFit, fit_critic

__all__ = [
    "CriticFit",
    "JointCritic",
    "SeparableCritic",
    "fit_critic",
    "language",
    "mil",
]

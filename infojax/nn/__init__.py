"""Flax NNX modules: critics for bounds on mutual information, classifiers of bags of instances."""

from infojax.nn import mil
from infojax.nn.critics import JointCritic, SeparableCritic
from infojax.nn.fitting import CriticFit, fit_critic

__all__ = [
    "CriticFit",
    "JointCritic",
    "SeparableCritic",
    "fit_critic",
    "mil",
]

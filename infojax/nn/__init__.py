"""Flax NNX modules: critics for variational bounds on mutual information, and how to fit them."""

from infojax.nn.critics import JointCritic, SeparableCritic
from infojax.nn.fitting import CriticFit, fit_critic

__all__ = [
    "CriticFit",
    "JointCritic",
    "SeparableCritic",
    "fit_critic",
]

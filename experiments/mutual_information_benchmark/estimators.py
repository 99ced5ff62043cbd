"""The estimators that are compared: a registry of functions of samples.

An estimator is one entry of `REGISTRY`; nothing else has to be changed to add one.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from infojax import information, nn

Estimate = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]


@dataclasses.dataclass(frozen=True)
class Estimator:
    """One estimator of mutual information.

    Attributes:
        title: for tables and figures.
        family: "normal", "neighbours", "cells" or "learned".
        make: from the configuration, a function of a key and of samples (S, N, D_x) and
            (S, N, D_y), S independent repetitions, to S estimates in nats.
        max_dimensions: the most dimensions of X and Y together that it is given.
    """

    title: str
    family: str
    make: Callable[[Any], Estimate]
    max_dimensions: int = 1000


def canonical_correlation(x: jax.Array, y: jax.Array) -> jax.Array:
    """What a normal law with the samples' covariances would have: -1/2 sum log(1 - r_i^2).

    r_i are the canonical correlations; the baseline "CCA" of arXiv 2306.11078. Its bias is about
    D_x D_y / 2N.

    Args:
        x: samples (S, N, D_x).
        y: samples (S, N, D_y).

    Returns:
        Estimates in nats, (S,).
    """

    def log_determinant(z: jax.Array) -> jax.Array:
        z = z - z.mean(-2, keepdims=True)
        # Half the log determinant of the covariance, without squaring the condition number.
        triangle = jnp.linalg.qr(z, mode="r")
        diagonal = jnp.abs(jnp.diagonal(triangle, axis1=-2, axis2=-1))
        return jnp.sum(jnp.log(diagonal), -1)

    joint = log_determinant(jnp.concatenate([x, y], -1))
    # The three QR factors carry the same N, whose powers cancel.
    return log_determinant(x) + log_determinant(y) - joint


def _neighbors(function: Callable[..., jax.Array], *, least: int = 1, **options):
    def make(config) -> Estimate:
        k = max(config.neighbors, least)
        return lambda key, x, y: function(x, y, k=k, **options)

    return make


def _binned(**options) -> Callable[[Any], Estimate]:
    def make(config) -> Estimate:
        return lambda key, x, y: information.binned_mutual_information(
            x, y, bins=config.bins, **options
        )

    return make


def _learned(bound: str) -> Callable[[Any], Estimate]:
    def make(config) -> Estimate:
        options = config.critic

        def one(key: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
            return nn.fit_critic(
                x,
                y,
                key=key,
                bound=bound,  # type: ignore[arg-type]
                critic=options.critic,
                hidden=tuple(options.hidden),
                embedding=options.embedding,
                max_epochs=options.max_epochs,
                patience=options.patience,
                learning_rate=options.learning_rate,
            ).estimate

        def many(key: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
            # A repetition's key depends on its number alone, not on how many there are.
            keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(len(x)))
            return jax.vmap(one)(keys, x, y)

        return many

    return make


REGISTRY: dict[str, Estimator] = {
    "cca": Estimator("CCA", "normal", lambda config: lambda key, x, y: canonical_correlation(x, y)),
    "gaussian_copula": Estimator(
        "Gaussian copula",
        "normal",
        lambda config: lambda key, x, y: information.gaussian_copula_mutual_information(x, y),
    ),
    "ksg_1": Estimator(
        "KSG 1", "neighbours", _neighbors(information.ksg_mutual_information, variant=1)
    ),
    "ksg_2": Estimator(
        "KSG 2", "neighbours", _neighbors(information.ksg_mutual_information, variant=2)
    ),
    # It needs more neighbours than there are dimensions, and is biased upwards near that.
    "local_nonuniformity": Estimator(
        "KSG non-uniform",
        "neighbours",
        _neighbors(information.local_nonuniformity_mutual_information, least=10),
        max_dimensions=6,
    ),
    "mixed": Estimator("mixed KSG", "neighbours", _neighbors(information.mixed_mutual_information)),
    # Ten cells an axis: with more dimensions almost every sample has a cell of its own.
    "binned": Estimator("cells", "cells", _binned(method="quantile"), max_dimensions=4),
    "binned_miller_madow": Estimator(
        "cells, Miller-Madow",
        "cells",
        _binned(method="quantile", correction="miller_madow"),
        max_dimensions=4,
    ),
    "donsker_varadhan": Estimator("Donsker-Varadhan", "learned", _learned("donsker_varadhan")),
    "mine": Estimator("MINE", "learned", _learned("mine")),
    "nwj": Estimator("NWJ", "learned", _learned("nwj")),
    "info_nce": Estimator("InfoNCE", "learned", _learned("info_nce")),
    "smile": Estimator("SMILE", "learned", _learned("smile")),
    "jensen_shannon": Estimator("Jensen-Shannon", "learned", _learned("jensen_shannon")),
}

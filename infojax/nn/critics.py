"""Critics: networks that score all pairs of two sets of samples (Poole et al. 2019, section 3)."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

# Pairs of a joint critic that are scored at once; more are taken some rows at a time.
_PAIRS_AT_ONCE = 2**16


def multilayer_perceptron(
    features: int, hidden: Sequence[int], outputs: int, *, rngs: nnx.Rngs
) -> nnx.Sequential:
    """Linear layers with ReLU between them.

    Args:
        features: size of the input's last axis.
        hidden: widths of the hidden layers.
        outputs: size of the output's last axis.
        rngs: keys for the weights.

    Returns:
        The module.
    """
    layers = []
    for width in hidden:
        layers += [nnx.Linear(features, width, rngs=rngs), nnx.relu]
        features = width
    return nnx.Sequential(*layers, nnx.Linear(features, outputs, rngs=rngs))


class SeparableCritic(nnx.Module):
    r"""Scores $g(x_i)^\top h(y_j) / \sqrt{E}$ by two networks of E outputs and a matrix product.

    N + M network evaluations give N M scores: the critic to take where N is large. It can come
    close to any log density ratio if `embedding` is large enough.

    Attributes:
        of_x: the network g.
        of_y: the network h.
    """

    def __init__(
        self,
        x_features: int,
        y_features: int,
        *,
        hidden: Sequence[int] = (128, 128),
        embedding: int = 32,
        rngs: nnx.Rngs,
    ):
        """Makes the networks.

        Args:
            x_features: the number of features of x.
            y_features: the number of features of y.
            hidden: widths of the hidden layers of each network.
            embedding: size of what the networks map to.
            rngs: keys for the weights.
        """
        self.of_x = multilayer_perceptron(x_features, hidden, embedding, rngs=rngs)
        self.of_y = multilayer_perceptron(y_features, hidden, embedding, rngs=rngs)

    def __call__(
        self, x: Float[Array, "*B N Dx"], y: Float[Array, "*B M Dy"]
    ) -> Float[Array, "*B N M"]:
        """Scores all pairs.

        Args:
            x: samples.
            y: samples; as many as of x for a score matrix.

        Returns:
            The score of (x_i, y_j) at (i, j).
        """
        of_x, of_y = self.of_x(x), self.of_y(y)
        # Scores of order one at the start: exponentials of larger ones mislead moving averages.
        return of_x @ jnp.swapaxes(of_y, -1, -2) / math.sqrt(of_x.shape[-1])


class JointCritic(nnx.Module):
    r"""Scores $f(x_i, y_j)$ by one network of both.

    N M network evaluations: more expressive at the same width, and slower by a factor N. The
    first layer is applied to x and to y apart, and many pairs are scored some rows at a time, so
    that no array of all pairs and all inputs appears.

    Attributes:
        of_x: the first layer's part for x.
        of_y: the first layer's part for y, with the bias.
        rest: the other layers.
    """

    def __init__(
        self,
        x_features: int,
        y_features: int,
        *,
        hidden: Sequence[int] = (128, 128),
        rngs: nnx.Rngs,
    ):
        """Makes the network.

        Args:
            x_features: the number of features of x.
            y_features: the number of features of y.
            hidden: widths of the hidden layers, one at least.
            rngs: keys for the weights.
        """
        first, *others = hidden
        total = x_features + y_features
        # The variance that one layer of all inputs would be given.
        scale = nnx.initializers.variance_scaling
        self.of_x = nnx.Linear(
            x_features,
            first,
            use_bias=False,
            kernel_init=scale(x_features / total, "fan_in", "truncated_normal"),
            rngs=rngs,
        )
        self.of_y = nnx.Linear(
            y_features,
            first,
            kernel_init=scale(y_features / total, "fan_in", "truncated_normal"),
            rngs=rngs,
        )
        self.rest = multilayer_perceptron(first, others, 1, rngs=rngs)

    def __call__(self, x: Float[Array, "N Dx"], y: Float[Array, "M Dy"]) -> Float[Array, "N M"]:
        """Scores all pairs.

        Args:
            x: samples.
            y: samples; as many as of x for a score matrix.

        Returns:
            The score of (x_i, y_j) at (i, j).
        """
        from_x, from_y = self.of_x(x), self.of_y(y)

        def score(row):
            return self.rest(nnx.relu(row[..., None, :] + from_y))[..., 0]

        rows = max(_PAIRS_AT_ONCE // max(y.shape[0], 1), 1)
        if x.shape[0] <= rows:
            return score(from_x)
        return jax.lax.map(jax.checkpoint(score), from_x, batch_size=rows)

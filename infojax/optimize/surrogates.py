r"""Surrogates of black boxes: a network of mean and deviation, its likelihood, ensembles.

The network and the defaults are those of design-baselines (Trabucco et al. 2022, arXiv 2202.08450),
which offline optimisation is compared on.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from infojax import checks
from infojax.numerics import narrow, widen

Reduction = Literal["mean", "minimum"]


class GaussianSurrogate(nnx.Module):
    r"""A network that predicts mean and standard deviation of $y$ at $x$.

    Hidden layers with leaky ReLU, and two outputs. The raw log-deviation s is clamped softly
    between learnable bounds: $s' = b_1 - \mathrm{softplus}(b_1 - s)$, then
    $\log\sigma = b_0 + \mathrm{softplus}(s' - b_0)$, with $b_1 = \log .2$ and $b_0 = \log .1$ at
    the start: standardise y.

    Attributes:
        layers: the hidden layers.
        output: the layer of the two outputs.
        max_log_std: $b_1$.
        min_log_std: $b_0$.
    """

    def __init__(
        self,
        features: int,
        *,
        hidden: Sequence[int] = (2048, 2048),
        max_std: float = 0.2,
        min_std: float = 0.1,
        slope: float = 0.3,
        rngs: nnx.Rngs,
    ):
        """Makes the network.

        Args:
            features: the number of features of x.
            hidden: widths of the hidden layers.
            max_std: upper bound of the deviation at the start.
            min_std: lower bound of it at the start.
            slope: of the leaky ReLU below 0.
            rngs: keys for the weights.

        Raises:
            ValueError: the bounds are not 0 < `min_std` < `max_std`, or a width is below 1.
        """
        if not 0 < min_std < max_std < math.inf:
            raise ValueError(
                f"max_std must be above min_std, and that above 0; got {max_std!r}, {min_std!r}."
            )
        widths = [checks.positive_integer("hidden", width) for width in hidden]
        sizes = [checks.positive_integer("features", features), *widths]
        initial = nnx.initializers.glorot_uniform()  # as Keras draws, whose defaults these are
        self.layers = nnx.List(
            [
                nnx.Linear(inner, outer, kernel_init=initial, rngs=rngs)
                for inner, outer in itertools.pairwise(sizes)
            ]
        )
        self.output = nnx.Linear(sizes[-1], 2, kernel_init=initial, rngs=rngs)
        self.max_log_std = nnx.Param(jnp.asarray(math.log(max_std)))
        self.min_log_std = nnx.Param(jnp.asarray(math.log(min_std)))
        self.slope = slope

    def __call__(self, x: Float[Array, "*B D"]) -> tuple[Float[Array, "*B"], Float[Array, "*B"]]:
        """Predicts.

        Args:
            x: inputs, standardised.

        Returns:
            Mean and logarithm of the standard deviation of each.
        """
        for layer in self.layers:
            x = nnx.leaky_relu(layer(x), self.slope)
        mean, raw = jnp.moveaxis(self.output(x), -1, 0)
        high, low = self.max_log_std[...], self.min_log_std[...]
        below = high - jax.nn.softplus(high - raw)
        return mean, low + jax.nn.softplus(below - low)


def gaussian_negative_log_likelihood(
    y: Float[Array, "*B"], mean: Float[Array, "*B"], log_std: Float[Array, "*B"]
) -> Float[Array, "*B"]:
    r"""Negative log-likelihood of a normal law in nats.

    $$-\log p(y) = \log\sigma + \tfrac12 \log 2\pi + \tfrac12 ((y - \mu) / \sigma)^2$$

    Args:
        y: observations.
        mean: $\mu$.
        log_std: $\log\sigma$; broadcasts as the others do.

    Returns:
        The value of each, in the common type of the arguments.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: shapes that do not broadcast, or an argument with NaN (at once on concrete
            arrays, under `checkify.checkify` in traced code; NaN where unchecked).

    Reference:
        Trabucco, Geng, Kumar and Levine, ICML 2022, arXiv 2202.08450: the surrogates' loss.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import optimize
        >>> zero = jnp.array(0.0)
        >>> print(optimize.gaussian_negative_log_likelihood(zero, zero, zero))  # log(2 pi) / 2
        0.9189385
    """
    given = [
        checks.floating(name, value)
        for name, value in (("y", y), ("mean", mean), ("log_std", log_std))
    ]
    checks.broadcast_shapes(y=given[0], mean=given[1], log_std=given[2])
    for name, value in zip(("y", "mean", "log_std"), given, strict=True):
        checks.check_real(name, value, ~jnp.isnan(value), "numbers")
    wide_y, wide_mean, wide_log_std = widen(*given)
    residual = (wide_y - wide_mean) * jnp.exp(-wide_log_std)
    value = wide_log_std + 0.5 * math.log(2 * math.pi) + 0.5 * jnp.square(residual)
    return narrow(value, *given)


def ensemble_prediction(
    predictions: Float[Array, "E *B"], reduction: Reduction = "mean"
) -> Float[Array, "*B"]:
    """One prediction from those of an ensemble's members.

    The minimum is pessimistic: it trusts a value on which all members agree. (In the published
    IGNITE code "mean" takes the minimum too; here it is the mean.)

    Args:
        predictions: of the members, over the first axis; one member is enough.
        reduction: "mean" or "minimum".

    Returns:
        The prediction, in the type of the argument.

    Raises:
        TypeError: `predictions` is not of floating type.
        ValueError: it has no member, `reduction` is unknown, or a prediction is NaN (at once on
            concrete arrays, under `checkify.checkify` in traced code; NaN where unchecked).

    Reference:
        Trabucco, Geng, Kumar and Levine, ICML 2022, arXiv 2202.08450: gradient ascent on the mean
        and on the minimum of an ensemble.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import optimize
        >>> members = jnp.array([[1.0, 4.0], [3.0, 2.0]])
        >>> print(optimize.ensemble_prediction(members, "minimum"))
        [1. 2.]
    """
    checks.choice("reduction", reduction, get_args(Reduction))
    array = checks.floating("predictions", predictions, min_ndim=1)
    if array.shape[0] == 0:
        raise ValueError(f"predictions must have a member; got shape {array.shape}.")
    checks.check_real("predictions", array, ~jnp.isnan(array), "numbers")
    (wide,) = widen(array)
    return narrow(jnp.mean(wide, 0) if reduction == "mean" else jnp.min(wide, 0), array)

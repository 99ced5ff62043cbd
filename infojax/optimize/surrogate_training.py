"""The training loop of surrogates: Adam over minibatches in one scan, with or without IGNITE."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from infojax import checks
from infojax.numerics import gated
from infojax.optimize.ignite import IgniteState
from infojax.optimize.sharpness import surrogate_sharpness
from infojax.optimize.surrogates import GaussianSurrogate

Regularize = Callable[
    [optax.GradientTransformation, Callable[[Any, Any], Array]], optax.GradientTransformation
]
Predict = Callable[[Any, Array], tuple[Array, Array]]
Descend = Callable[
    [Predict, Any, Any, Array, PRNGKeyArray], tuple[tuple[Array, Any], tuple[Any, Any]]
]


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("parameters", "losses", "sharpness", "multipliers"),
    meta_fields=("structure",),
)
@dataclasses.dataclass(frozen=True)
class SurrogateFit:
    """A fitted surrogate.

    Attributes:
        parameters: its weights.
        losses: mean training loss of each epoch, without any penalty.
        sharpness: that of each epoch's last step, where the optimiser is IGNITE's; else NaN.
        multipliers: lambda after each epoch, where the optimiser is IGNITE's; else NaN.
        structure: the surrogate's graph definition.
    """

    parameters: Any
    losses: Float[Array, " epochs"]
    sharpness: Float[Array, " epochs"]
    multipliers: Float[Array, " epochs"]
    structure: nnx.GraphDef

    def predict(self, x: Float[Array, "*B D"]) -> tuple[Float[Array, "*B"], Float[Array, "*B"]]:
        """Mean and logarithm of the standard deviation.

        Args:
            x: inputs.

        Returns:
            Both, of each input.
        """
        return nnx.merge(self.structure, self.parameters)(x)  # type: ignore[operator]

    def mean(self, x: Float[Array, "*B D"]) -> Float[Array, "*B"]:
        """The mean prediction.

        Args:
            x: inputs.

        Returns:
            The mean of each: the score that a search climbs.
        """
        return self.predict(x)[0]

    def sharpness_at(self, x: Float[Array, "N D"], rho: float) -> Float[Array, ""]:
        r"""`surrogate_sharpness` of the mean prediction at any inputs.

        Args:
            x: inputs, such as proposals of a search.
            rho: $\rho$.

        Returns:
            The sharpness.
        """
        return surrogate_sharpness(mean_function(self.structure), self.parameters, x, rho)


def mean_function(structure: nnx.GraphDef) -> Callable[[Any, Any], Array]:
    """The mean prediction as a function of parameters and inputs.

    Args:
        structure: of a `GaussianSurrogate`.

    Returns:
        The function.
    """
    return lambda parameters, x: nnx.merge(structure, parameters)(x)[0]  # type: ignore[operator]


def _new_surrogate(key: PRNGKeyArray, features: int, dtype, **options) -> tuple[nnx.GraphDef, Any]:
    """Structure and parameters of a fresh surrogate."""
    made = GaussianSurrogate(features, **options, rngs=nnx.Rngs(params=key))
    structure, parameters = nnx.split(made, nnx.Param)
    return structure, jax.tree.map(lambda leaf: leaf.astype(dtype), parameters)


def _scan_minibatches(
    key: PRNGKeyArray,
    count: int,
    batch_size: int,
    epochs: int,
    step: Callable[[Any, Array, PRNGKeyArray], tuple[Any, Any]],
    state: Any,
) -> tuple[Any, Any]:
    """Passes over the data in random orders, each a scan over whole minibatches.

    Args:
        key: of the orders, and of the steps.
        count: how many observations there are.
        batch_size: of a minibatch; where there are fewer observations, all of them.
        epochs: passes.
        step: (state, row numbers, key) to the next state and numbers to keep.
        state: at the start.

    Returns:
        The last state, and what the steps gave, with axes (epochs, steps).
    """
    size = min(batch_size, count)
    steps = count // size

    def epoch_step(state, epoch):
        order_key, step_key = jax.random.split(jax.random.fold_in(key, epoch))
        order = jax.random.permutation(order_key, count)[: steps * size].reshape(steps, size)
        keys = jax.random.split(step_key, steps)
        return jax.lax.scan(lambda state, each: step(state, *each), state, (order, keys))

    return jax.lax.scan(epoch_step, state, jnp.arange(epochs))


def _of_ignite(state: Any, dtype) -> tuple[jax.Array, jax.Array]:
    """Sharpness and multiplier of an IGNITE optimiser's state, NaN of any other's."""
    if isinstance(state, IgniteState):
        return state.sharpness.astype(dtype), state.multiplier.astype(dtype)
    return jnp.full((), jnp.nan, dtype), jnp.full((), jnp.nan, dtype)


def train_surrogate(
    key: PRNGKeyArray,
    x: Float[Array, "N D"],
    descend: Descend,
    beside: Any = (),
    *,
    valid: jax.Array,
    hidden: Sequence[int],
    slope: float,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    regularize: Regularize | None,
) -> tuple[SurrogateFit, Any]:
    """Draws a surrogate and trains it by Adam on gradients of the caller's.

    Args:
        key: of the initial weights, the order of the minibatches, and the steps.
        x: inputs; IGNITE takes the sharpness at those of the minibatch.
        descend: from (predict, parameters, what is kept beside them, row numbers, key) to the loss
            and its gradient, and to what is kept beside them next and numbers to tell of the step;
            predict is of (parameters, inputs).
        beside: what a step keeps beside the parameters, at the start.
        valid: whether the data are; if not, parameters and losses are NaN.
        hidden: widths of the hidden layers.
        slope: of the leaky ReLU.
        epochs: passes over the data.
        batch_size: of a minibatch.
        learning_rate: of Adam.
        regularize: makes the optimiser from Adam and the mean prediction; Adam alone if None.

    Returns:
        The surrogate, and what the last step of each epoch told.

    Raises:
        TypeError: a size is no whole number.
        ValueError: it is not positive.
    """
    init_key, train_key = jax.random.split(key)
    structure, parameters = _new_surrogate(
        init_key, x.shape[1], x.dtype, hidden=hidden, slope=slope
    )
    optimizer = optax.adam(learning_rate)
    if regularize is not None:
        optimizer = regularize(optimizer, mean_function(structure))
    optimizer = optax.with_extra_args_support(optimizer)

    def predict(parameters, inputs):
        return nnx.merge(structure, parameters)(inputs)  # type: ignore[operator]

    def step(state, rows, key):
        parameters, moments, beside = state
        (loss, gradient), (beside, told) = descend(predict, parameters, beside, rows, key)
        updates, moments = optimizer.update(gradient, moments, parameters, batch=x[rows])
        parameters = optax.apply_updates(parameters, updates)
        return (parameters, moments, beside), (loss, *_of_ignite(moments, loss.dtype), told)

    (parameters, *_), (losses, sharpness, multipliers, told) = _scan_minibatches(
        train_key,
        x.shape[0],
        checks.positive_integer("batch_size", batch_size),
        checks.positive_integer("epochs", epochs),
        step,
        (parameters, optimizer.init(parameters), beside),
    )
    fit = SurrogateFit(
        parameters=jax.tree.map(lambda leaf: gated(leaf, valid), parameters),
        losses=gated(jnp.mean(losses, 1), valid),
        sharpness=sharpness[:, -1],
        multipliers=multipliers[:, -1],
        structure=structure,
    )
    return fit, jax.tree.map(lambda steps: steps[:, -1], told)

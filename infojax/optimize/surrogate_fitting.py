"""Fitting a surrogate to offline data: minibatches in one scan, with or without IGNITE."""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from infojax import checks
from infojax.numerics import gated, widen
from infojax.optimize.ignite import IgniteState
from infojax.optimize.sharpness import surrogate_sharpness
from infojax.optimize.surrogates import GaussianSurrogate, gaussian_negative_log_likelihood

LossName = Literal["gaussian", "squared_error"]
Regularize = Callable[
    [optax.GradientTransformation, Callable[[Any, Any], Array]], optax.GradientTransformation
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


def new_surrogate(key: PRNGKeyArray, features: int, dtype, **options) -> tuple[nnx.GraphDef, Any]:
    """Draws a surrogate.

    Args:
        key: of the weights.
        features: of its inputs.
        dtype: of its weights.
        **options: of `GaussianSurrogate`.

    Returns:
        Structure and parameters.
    """
    made = GaussianSurrogate(features, **options, rngs=nnx.Rngs(params=key))
    structure, parameters = nnx.split(made, nnx.Param)
    return structure, jax.tree.map(lambda leaf: leaf.astype(dtype), parameters)


def scan_minibatches(
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


def observations(x: Array, y: Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Takes a data set, demanding that it is finite.

    Args:
        x: inputs, (N, D).
        y: values, (N,).

    Returns:
        Both in float32 at least, and whether they are valid.

    Raises:
        TypeError: one is not of floating type.
        ValueError: wrong axes, no observation, different numbers, or one is not finite.
    """
    x, y = checks.floating("x", x, ndim=2), checks.floating("y", y, ndim=1)
    if x.shape[0] == 0 or x.shape[1] == 0:
        raise ValueError(f"x must hold an observation and a feature; got shape {x.shape}.")
    if y.shape[0] != x.shape[0]:
        raise ValueError(f"x and y must be of one number; got {x.shape[0]} and {y.shape[0]}.")
    valid = checks.finite_samples("x", x) & checks.finite_samples("y", y[:, None])
    wide_x, wide_y = widen(x, y)
    return wide_x, wide_y, valid


def fit_surrogate(
    x: Float[Array, "N D"],
    y: Float[Array, " N"],
    *,
    key: PRNGKeyArray,
    hidden: Sequence[int] = (2048, 2048),
    slope: float = 0.3,
    loss: LossName = "gaussian",
    epochs: int = 100,
    batch_size: int = 128,
    learning_rate: float = 3e-4,
    input_noise: float = 0.0,
    regularize: Regularize | None = None,
) -> SurrogateFit:
    r"""Fits a `GaussianSurrogate` to standardised data by Adam.

    Maps over seeds and multipliers by `jax.vmap`; an ensemble is a map over keys. It is traced
    anew at each call outside of `jax.jit`: wrap it, to compile once.

    Args:
        x: inputs, standardised.
        y: values, standardised.
        key: of the initial weights, the order of the minibatches and the noise.
        hidden: widths of the hidden layers.
        slope: of the leaky ReLU.
        loss: "gaussian" for the negative log-likelihood; "squared_error" does not fit the
            deviation.
        epochs: passes over the data.
        batch_size: of a minibatch; remainders of less are left out of a pass.
        learning_rate: of Adam.
        input_noise: standard deviation of noise on the inputs of the loss; the sharpness is taken
            at clean inputs.
        regularize: makes the optimiser from Adam and the mean prediction: `optimize.ignite`,
            `optimize.ignite_penalty`, or a `functools.partial` of one with its options.

    Returns:
        The surrogate with its history.

    Raises:
        TypeError: `x` or `y` is not of floating type, or a size is no whole number.
        ValueError: wrong shapes, no observation, a number out of its range, or `x` or `y` is not
            finite (at once on concrete arrays, under `checkify.checkify` in traced code; the
            parameters are NaN where unchecked).

    Reference:
        Trabucco, Geng, Kumar and Levine, ICML 2022, arXiv 2202.08450 (network and defaults); Dao,
        Nguyen, Truong and Hoang, NeurIPS 2024, arXiv 2503.04242 (`regularize`).

    Example:
        >>> import jax
        >>> from infojax import optimize
        >>> x = jax.random.normal(jax.random.key(0), (64, 2))
        >>> fit = optimize.fit_surrogate(
        ...     x, x[:, 0], key=jax.random.key(1), hidden=(16,), epochs=30, learning_rate=1e-2,
        ...     regularize=optimize.ignite_penalty)
        >>> print(bool(fit.losses[-1] < fit.losses[0]), fit.mean(x).shape)
        True (64,)
    """
    checks.choice("loss", loss, get_args(LossName))
    x, y, valid = observations(x, y)
    if not (math.isfinite(learning_rate) and learning_rate > 0):
        raise ValueError(f"learning_rate must be positive and finite; got {learning_rate!r}.")
    if not (math.isfinite(input_noise) and input_noise >= 0):
        raise ValueError(f"input_noise must be at least 0 and finite; got {input_noise!r}.")
    init_key, train_key = jax.random.split(key)
    structure, parameters = new_surrogate(init_key, x.shape[1], x.dtype, hidden=hidden, slope=slope)
    optimizer = optax.adam(learning_rate)
    if regularize is not None:
        optimizer = regularize(optimizer, mean_function(structure))
    optimizer = optax.with_extra_args_support(optimizer)

    def objective(parameters, inputs, targets):
        mean, log_std = nnx.merge(structure, parameters)(inputs)
        if loss == "squared_error":
            return jnp.mean(jnp.square(mean - targets))
        return jnp.mean(gaussian_negative_log_likelihood(targets, mean, log_std))

    def step(state, rows, key):
        parameters, moments = state
        clean = x[rows]
        inputs = clean
        if input_noise > 0:
            inputs = clean + input_noise * jax.random.normal(key, clean.shape, clean.dtype)
        value, gradient = jax.value_and_grad(objective)(parameters, inputs, y[rows])
        updates, moments = optimizer.update(gradient, moments, parameters, batch=clean)
        told = (value, *of_ignite(moments, value.dtype))
        return (optax.apply_updates(parameters, updates), moments), told

    (parameters, _), (losses, sharpness, multipliers) = scan_minibatches(
        train_key,
        x.shape[0],
        checks.positive_integer("batch_size", batch_size),
        checks.positive_integer("epochs", epochs),
        step,
        (parameters, optimizer.init(parameters)),
    )
    return SurrogateFit(
        parameters=jax.tree.map(lambda leaf: gated(leaf, valid), parameters),
        losses=gated(jnp.mean(losses, 1), valid),
        sharpness=sharpness[:, -1],
        multipliers=multipliers[:, -1],
        structure=structure,
    )


def of_ignite(state: Any, dtype) -> tuple[jax.Array, jax.Array]:
    """Sharpness and multiplier of an IGNITE optimiser's state, NaN of any other's.

    Args:
        state: of an optimiser.
        dtype: of the numbers.

    Returns:
        Both.
    """
    if isinstance(state, IgniteState):
        return state.sharpness.astype(dtype), state.multiplier.astype(dtype)
    return jnp.full((), jnp.nan, dtype), jnp.full((), jnp.nan, dtype)

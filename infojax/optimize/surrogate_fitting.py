"""Fitting a surrogate to offline data by its likelihood or its squared error."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from infojax import checks
from infojax.numerics import widen
from infojax.optimize.surrogate_training import Regularize, SurrogateFit, train_surrogate
from infojax.optimize.surrogates import gaussian_negative_log_likelihood

LossName = Literal["gaussian", "squared_error"]


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

    def objective(parameters, predict, inputs, targets):
        mean, log_std = predict(parameters, inputs)
        if loss == "squared_error":
            return jnp.mean(jnp.square(mean - targets))
        return jnp.mean(gaussian_negative_log_likelihood(targets, mean, log_std))

    def descend(predict, parameters, beside, rows, key):
        inputs = x[rows]
        if input_noise > 0:
            inputs = inputs + input_noise * jax.random.normal(key, inputs.shape, inputs.dtype)
        found = jax.value_and_grad(objective)(parameters, predict, inputs, y[rows])
        return found, (beside, ())

    fit, _ = train_surrogate(
        key,
        x,
        descend,
        valid=valid,
        hidden=hidden,
        slope=slope,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        regularize=regularize,
    )
    return fit

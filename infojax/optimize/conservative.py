"""Conservative objective models: a surrogate that is low where gradient ascent would lead it."""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from infojax import checks
from infojax.optimize.searchers import gradient_ascent
from infojax.optimize.sharpness import non_negative
from infojax.optimize.surrogate_fitting import observations
from infojax.optimize.surrogate_training import Regularize, SurrogateFit, train_surrogate


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=("surrogate", "alphas"), meta_fields=()
)
@dataclasses.dataclass(frozen=True)
class ConservativeFit:
    """A fitted conservative model.

    Attributes:
        surrogate: the model; its losses are squared errors alone.
        alphas: the weight of the overestimation after each epoch.
    """

    surrogate: SurrogateFit
    alphas: Float[Array, " epochs"]


def conservative_loss(
    apply_fn: Callable[[Any, Any], Array],
    params: Any,
    x: Float[Array, "N D"],
    y: Float[Array, " N"],
    adversaries: Float[Array, "M D"],
    alpha: ArrayLike,
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    r"""Squared error, plus how far the model rates adversaries above the data.

    $$\frac{1}{N} \sum_n (h(x_n) - y_n)^2 + \alpha \left(\frac{1}{M} \sum_m h(x^-_m) -
    \frac{1}{N} \sum_n h(x_n)\right)$$

    Args:
        apply_fn: the model, (parameters, inputs) to predictions, one for each input.
        params: its parameters.
        x: inputs.
        y: their values.
        adversaries: where gradient ascent on the model leads from x.
        alpha: $\alpha$, at least 0.

    Returns:
        The loss, and the overestimation that $\alpha$ weights.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: no input, shapes that do not fit, or a negative `alpha` (at once where
            concrete, under `checkify.checkify` in traced code; NaN where unchecked).

    Reference:
        Trabucco, Kumar, Geng and Levine, *Conservative Objective Models for Effective Offline
        Model-Based Optimization*, ICML 2021, arXiv 2107.06882, equation 3.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import optimize
        >>> x = jnp.array([[0.0], [1.0]])
        >>> loss, overestimation = optimize.conservative_loss(
        ...     lambda w, x: x @ w, jnp.ones(1), x, x[:, 0], x + 2, 0.5)
        >>> print(loss, overestimation)
        1.0 2.0
    """
    weight = non_negative("alpha", alpha)
    inputs, values = checks.floating("x", x, ndim=2), checks.floating("y", y, ndim=1)
    beyond = checks.floating("adversaries", adversaries, ndim=2)
    if inputs.shape[0] == 0 or beyond.shape[0] == 0:
        raise ValueError(
            f"x and adversaries must hold an input; got {inputs.shape} and {beyond.shape}."
        )
    predictions = apply_fn(params, inputs)
    if predictions.shape != values.shape:
        raise ValueError(f"y must have shape {predictions.shape}; got shape {values.shape}.")
    over = jnp.mean(apply_fn(params, beyond)) - jnp.mean(predictions)
    return jnp.mean(jnp.square(predictions - values)) + weight * over, over


def fit_conservative(
    x: Float[Array, "N D"],
    y: Float[Array, " N"],
    *,
    key: PRNGKeyArray,
    hidden: Sequence[int] = (2048, 2048),
    slope: float = 0.0,
    epochs: int = 50,
    batch_size: int = 128,
    learning_rate: float = 3e-4,
    particle_steps: int = 50,
    particle_rate: float | None = None,
    alpha: float = 1.0,
    alpha_rate: float = 0.01,
    overestimation_limit: float = 0.5,
    regularize: Regularize | None = None,
) -> ConservativeFit:
    r"""Fits a conservative objective model to standardised data.

    In each step particles climb the model from the minibatch, and the model learns
    `conservative_loss` against where they end. Adam moves $\log \alpha$ so that the overestimation
    stays at the limit. With `regularize` the gradient of IGNITE is added to that of the model, and
    $\alpha$ moves as before. Search from the best designs with the particles' own step size and
    number of steps: that is where the model was made conservative.

    Args:
        x: inputs, standardised.
        y: values, standardised.
        key: of the initial weights and the order of the minibatches.
        hidden: widths of the hidden layers.
        slope: of the leaky ReLU; 0 for ReLU.
        epochs: passes over the data.
        batch_size: of a minibatch.
        learning_rate: of Adam.
        particle_steps: of gradient ascent.
        particle_rate: of gradient ascent; $.05 \sqrt D$ if None.
        alpha: $\alpha$ at the start, above 0.
        alpha_rate: of Adam on $\log \alpha$, at least 0.
        overestimation_limit: what the overestimation is held at.
        regularize: as that of `fit_surrogate`.

    Returns:
        The model with its history.

    Raises:
        TypeError: `x` or `y` is not of floating type, or a size is no whole number.
        ValueError: wrong shapes, no observation, a number out of its range, or `x` or `y` is not
            finite (at once on concrete arrays, under `checkify.checkify` in traced code; the
            parameters are NaN where unchecked).

    Reference:
        Trabucco, Kumar, Geng and Levine, ICML 2021, arXiv 2107.06882.

    Example:
        >>> import jax
        >>> from infojax import optimize
        >>> x = jax.random.normal(jax.random.key(0), (32, 2))
        >>> fit = optimize.fit_conservative(
        ...     x, x[:, 0], key=jax.random.key(1), hidden=(8,), epochs=4, particle_steps=3)
        >>> print(fit.surrogate.mean(x).shape, fit.alphas.shape)
        (32,) (4,)
    """
    x, y, valid = observations(x, y)
    rate = 0.05 * math.sqrt(x.shape[1]) if particle_rate is None else particle_rate
    for name, number in (
        ("learning_rate", learning_rate),
        ("alpha", alpha),
        ("particle_rate", rate),
    ):
        if not (math.isfinite(number) and number > 0):
            raise ValueError(f"{name} must be positive and finite; got {number!r}.")
    if not (math.isfinite(alpha_rate) and alpha_rate >= 0):
        raise ValueError(f"alpha_rate must be at least 0 and finite; got {alpha_rate!r}.")
    dual = optax.adam(alpha_rate)
    climb = functools.partial(
        gradient_ascent,
        steps=checks.positive_integer("particle_steps", particle_steps),
        learning_rate=rate,
    )

    def descend(predict, parameters, beside, rows, _):
        log_alpha, moments = beside
        inputs, targets, weight = x[rows], y[rows], jnp.exp(log_alpha)

        def mean(parameters, inputs):
            return predict(parameters, inputs)[0]

        ends = climb(functools.partial(mean, parameters), inputs).points

        def objective(parameters):
            loss, over = conservative_loss(mean, parameters, inputs, targets, ends, weight)
            return loss, (loss - weight * over, over)

        gradient, (error, over) = jax.grad(objective, has_aux=True)(parameters)
        # Ascent: alpha rises while the overestimation is above its limit.
        change, moments = dual.update(weight * (overestimation_limit - over), moments)
        beside = optax.apply_updates(log_alpha, change), moments
        return (error, gradient), (beside, weight)

    log_alpha = jnp.asarray(math.log(alpha), x.dtype)
    fit, alphas = train_surrogate(
        key,
        x,
        descend,
        (log_alpha, dual.init(log_alpha)),
        valid=valid,
        hidden=hidden,
        slope=slope,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        regularize=regularize,
    )
    return ConservativeFit(fit, alphas)

"""IGNITE as optax gradient transformations: a bound on sharpness by a dual variable, or a penalty.

Dao, Nguyen, Truong and Hoang, NeurIPS 2024, arXiv 2503.04242. The published code lets the dual
variable fall below 0, where it rewards sharpness; here it is clamped at 0.
"""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import optax
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from infojax import checks
from infojax.optimize.sharpness import add_penalty, gradient_of_the_norm, non_negative, positive

EXPLODED = 1e3  # a multiplier above this has left the loss no say


class IgniteState(NamedTuple):
    r"""State of `ignite` and `ignite_penalty`.

    Attributes:
        multiplier: lambda, the weight that the next step gives to the sharpness.
        sharpness: $\rho \|\nabla_w G\|$ at the last step's parameters; 0 before the first.
        inner: the state of the base optimiser.
    """

    multiplier: Float[Array, ""]
    sharpness: Float[Array, ""]
    inner: Any


def ignite(
    base_optimizer: optax.GradientTransformation,
    mean_fn: Callable[[Any, Any], Array],
    *,
    multiplier: ArrayLike = 1e-3,
    multiplier_rate: ArrayLike = 1e-3,
    threshold: ArrayLike = 0.1,
    rho: ArrayLike = 0.05,
    r: ArrayLike = 0.05,
    exact: bool = True,
) -> optax.GradientTransformationExtraArgs:
    r"""Minimises a loss subject to a bound on the surrogate's sharpness.

    $\min_w L(w)$ subject to $\rho \|\nabla_w G(w)\| \le \epsilon$, by alternate steps: `update`
    adds $\lambda \rho \nabla_w \|\nabla_w G\|$ to the gradient of L, hands the sum to the base
    optimiser, and then moves the dual variable,
    $\lambda \leftarrow \max(0, \lambda + \eta (\rho \|\nabla_w G(w)\| - \epsilon))$. The multiplier
    grows as long as the sharpness is above the threshold: one above 1000 says that the threshold
    cannot be met, or that what is fitted was not standardised (the sharpness has its units).
    A step takes the gradients of L and of G, and a second gradient of G or a derivative of the
    first: by operations counted 2.7 plain steps with the finite difference, 3.3 to 3.6 exact.

    Args:
        base_optimizer: such as `optax.adam(3e-4)`.
        mean_fn: (parameters, batch) to predictions of any shape, whose mean is G.
        multiplier: $\lambda$ at the start, at least 0.
        multiplier_rate: $\eta$, at least 0; at 0 the multiplier stays as it is.
        threshold: $\epsilon$, at least 0.
        rho: $\rho$, radius of the sharpness, at least 0.
        r: length of the finite difference, above 0.
        exact: whether to take the Hessian-vector product in place of the paper's finite
            difference of length `r`.

    Returns:
        A transformation whose `update` takes `params` and the keyword `batch`; state
        `IgniteState`. In an `optax.chain` it comes where the base optimiser would.

    Raises:
        TypeError: a number is not real.
        ValueError: a number is out of its range (at once where concrete, under
            `checkify.checkify` in traced code), or `update` is given no `params` or no `batch`.

    Reference:
        Dao, Nguyen, Truong and Hoang, NeurIPS 2024, arXiv 2503.04242, IGNITE; defaults from its
        code.

    Example:
        >>> import jax, jax.numpy as jnp, optax
        >>> from infojax import optimize
        >>> def predict(w, x): return jnp.exp(x * w)
        >>> transform = optimize.ignite(optax.sgd(0.1), predict, threshold=0.0)
        >>> w, x = jnp.array(1.0), jnp.ones(1)
        >>> state = transform.init(w)
        >>> gradient = jax.grad(lambda w: jnp.mean((predict(w, x) - 2) ** 2))(w)
        >>> updates, state = transform.update(gradient, state, w, batch=x)
        >>> print(bool(state.multiplier > 1e-3))  # e / 20 is above the threshold
        True
    """
    start = non_negative("multiplier", multiplier)
    rate = non_negative("multiplier_rate", multiplier_rate)
    bound = non_negative("threshold", threshold)

    def move(weight, sharpness):
        return jnp.maximum(0, weight + rate * (sharpness - bound)).astype(weight.dtype)

    return _transformation(base_optimizer, mean_fn, start, rho, r, exact, move)


def ignite_penalty(
    base_optimizer: optax.GradientTransformation,
    mean_fn: Callable[[Any, Any], Array],
    *,
    multiplier: ArrayLike = 0.01,
    rho: ArrayLike = 0.2,
    r: ArrayLike = 0.2,
    exact: bool = True,
) -> optax.GradientTransformationExtraArgs:
    r"""Minimises a loss plus a constant multiple of the surrogate's sharpness: IGNITE-2.

    `update` adds $\lambda \rho \nabla_w \|\nabla_w G(w)\|$ to the gradient and hands the sum to the
    base optimiser. With `multiplier` or `rho` of 0 these are the base optimiser's steps, bit for
    bit where they run operation by operation; in a compiled program XLA fuses, and rounds, the two
    differently.

    Args:
        base_optimizer: such as `optax.adam(3e-4)`.
        mean_fn: (parameters, batch) to predictions of any shape, whose mean is G.
        multiplier: $\lambda$, at least 0; may be traced, to train with several under `jax.vmap`.
        rho: $\rho$, radius of the sharpness, at least 0.
        r: length of the finite difference, above 0.
        exact: whether to take the Hessian-vector product in place of the paper's finite
            difference of length `r`.

    Returns:
        A transformation whose `update` takes `params` and the keyword `batch`; state
        `IgniteState`.

    Raises:
        TypeError: a number is not real.
        ValueError: a number is out of its range (at once where concrete, under
            `checkify.checkify` in traced code), or `update` is given no `params` or no `batch`.

    Reference:
        Dao, Nguyen, Truong and Hoang, NeurIPS 2024, arXiv 2503.04242, IGNITE-2; defaults from its
        code.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> from infojax import optimize
        >>> transform = optimize.ignite_penalty(
        ...     optax.sgd(1.0), lambda w, x: jnp.exp(x * w), multiplier=0.5, rho=0.2)
        >>> w, x = jnp.array(0.0), jnp.ones(1)
        >>> updates, state = transform.update(jnp.array(0.0), transform.init(w), w, batch=x)
        >>> print(updates, state.sharpness)
        -0.1 0.2
    """
    start = non_negative("multiplier", multiplier)
    return _transformation(base_optimizer, mean_fn, start, rho, r, exact, lambda weight, _: weight)


def _transformation(base_optimizer, mean_fn, start, rho, r, exact, move):
    base = optax.with_extra_args_support(base_optimizer)
    radius, step = non_negative("rho", rho), positive("r", r)
    scale = jnp.where(jnp.isnan(step), jnp.nan, radius)

    def init(params):
        return IgniteState(start, jnp.zeros_like(start), base.init(params))

    def update(updates, state, params=None, *, batch=None, **extra):
        if params is None or batch is None:
            missing = "params" if params is None else "batch"
            raise ValueError(f"update needs {missing}: update(gradient, state, params, batch=...).")
        penalty, _, norm = gradient_of_the_norm(mean_fn, params, batch, step, exact)
        updates = add_penalty(updates, penalty, state.multiplier * scale)
        updates, inner = base.update(updates, state.inner, params, **extra)
        sharpness = (scale * norm).astype(state.sharpness.dtype)
        moved = move(state.multiplier, sharpness)
        if checks.is_concrete(moved) and float(jnp.max(moved)) > EXPLODED:
            _warn_of_explosion(float(jnp.max(moved)))
        return updates, IgniteState(moved, sharpness, inner)

    return optax.GradientTransformationExtraArgs(init, update)


def _warn_of_explosion(multiplier: float) -> None:
    warnings.warn(
        f"the multiplier is {multiplier:.3g}: the threshold cannot be met, or what the surrogate "
        "is fitted to was not standardised",
        stacklevel=3,
    )

"""Temperature, and the composition of functions of logits."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from infojax.decoding.arguments import per_row, take_logits, wide

Transform = Callable[[jax.Array], jax.Array]


def positive_finite(x: jax.Array) -> jax.Array:
    """Which numbers may be a temperature.

    Args:
        x: numbers.

    Returns:
        Boolean array.
    """
    return (x > 0) & (x < jnp.inf)


def temperature(logits: Float[Array, "*B V"], t: ArrayLike) -> Float[Array, "*B V"]:
    r"""Divides logits by a temperature, $p \propto e^{s / t}$.

    Below 1 the law sharpens towards the most probable token, above 1 it flattens.

    Args:
        logits: unnormalised log probabilities; -inf for impossible tokens.
        t: positive and finite; one number, or one for each row, *B.

    Returns:
        The logits over t, in their own type.

    Raises:
        TypeError: `logits` is not of floating type, or `t` not real.
        ValueError: `t` is not positive and finite or does not broadcast; no token.

    Reference:
        Ackley, Hinton and Sejnowski, Cognitive Science 9 (1985).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import decoding
        >>> print(decoding.temperature(jnp.array([2.0, 1.0, -jnp.inf]), 0.5))
        [  4.   2. -inf]
    """
    logits = take_logits("logits", logits)
    t = per_row("t", t, logits, positive_finite, "positive and finite")
    return (wide(logits) / t[..., None]).astype(logits.dtype)


def _apply(logits: jax.Array, functions: tuple[Transform, ...]) -> jax.Array:
    for function in functions:
        logits = function(logits)
    return logits


def chain(*functions: Transform) -> Transform:
    """Composes functions of logits, the first one first.

    Args:
        *functions: each takes logits (*B, V) and gives logits (*B, V), such as
            `functools.partial(top_p, p=0.9)`.

    Returns:
        One such function; of no functions, the identity.

    Raises:
        TypeError: one cannot be called.

    Reference:
        `optax.chain`, for gradient transformations.

    Example:
        >>> import functools, jax.numpy as jnp
        >>> from infojax import decoding
        >>> transform = decoding.chain(
        ...     functools.partial(decoding.temperature, t=0.5),
        ...     functools.partial(decoding.min_p, p=0.2),
        ... )
        >>> print(transform(jnp.array([2.0, 1.5, 0.0])))
        [  4.   3. -inf]
    """
    for number, function in enumerate(functions):
        if not callable(function):
            raise TypeError(f"functions[{number}] must be callable; got {function!r}.")
    return functools.partial(_apply, functions=functions)

"""Entropy rate of a Markov chain and its stationary distribution."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from infojax import checks
from infojax.numerics import gated, narrow, nats_to_base, widen, xlogx


def _has_one_recurrent_class(transition: jax.Array) -> jax.Array:
    """Whether some state can be reached from every state, by squaring the graph's relation."""
    n = transition.shape[-1]
    reach = (transition > 0) | jnp.eye(n, dtype=bool)
    for _ in range(max(n - 1, 1).bit_length()):
        steps = reach.astype(jnp.float32)
        reach = steps @ steps > 0
    return jnp.any(jnp.all(reach, -2), -1)


@jax.jit
def _stationary(transition: jax.Array) -> jax.Array:
    n = transition.shape[-1]
    eye = jnp.eye(n, dtype=transition.dtype)
    # I - P from the entries off the diagonal alone: 1 - P_ii has lost the digits of a state
    # that is hardly ever left.
    leaving = transition * (1 - eye)
    rates = jnp.sum(leaving, -1)
    generator = rates[..., None] * eye - leaving
    # pi (I - P + c 1 1^T) = c 1^T has pi as its only solution when one class is recurrent; c of
    # the size of the other terms keeps their digits.
    scale = jax.lax.stop_gradient(jnp.mean(rates, -1))[..., None]
    scale = jnp.where(scale > 0, scale, 1)
    system = jnp.swapaxes(generator, -1, -2) + scale[..., None]
    unique = _has_one_recurrent_class(transition)[..., None]
    system = jnp.where(unique[..., None], system, eye)
    right = jnp.broadcast_to(scale, transition.shape[:-1])
    pi = jnp.linalg.solve(system, right[..., None])[..., 0]
    return gated(jnp.maximum(pi, 0), unique)


def stationary_distribution(transition: Float[Array, "*B K K"]) -> Float[Array, "*B K"]:
    r"""Stationary distribution of a Markov chain, $\pi P = \pi$.

    Args:
        transition: transition probabilities, row = from, column = to.

    Returns:
        The stationary distribution; NaN where the chain has more than one recurrent class, so
        that it is not unique.

    Raises:
        TypeError: `transition` is not of floating type.
        ValueError: it is not square, or a row is not a distribution.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import entropies
        >>> print(entropies.stationary_distribution(jnp.array([[0.5, 0.5], [0.25, 0.75]])))
        [0.333... 0.666...]
    """
    given = checks.square_matrix("transition", transition)
    valid = checks.check_distribution("transition", given, (given.ndim - 1,))
    (matrix,) = widen(given)
    return narrow(gated(_stationary(matrix), jnp.all(valid, -2)), given)


def entropy_rate(
    transition: Float[Array, "*B K K"],
    *,
    stationary: Float[Array, "*B K"] | None = None,
    base: float | None = None,
) -> Float[Array, "*B"]:
    r"""Entropy rate of a stationary Markov chain, $-\sum_i \pi_i \sum_j P_{ij} \log P_{ij}$.

    Args:
        transition: transition probabilities, row = from, column = to.
        stationary: distribution of the states; computed if None. Needed where the chain has
            more than one recurrent class.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The rate in units of `base` per step.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: `transition` is not square or a row is not a distribution; `stationary` is
            no distribution over the same states.

    Reference:
        Cover and Thomas, Elements of Information Theory, equation (4.27).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import entropies
        >>> print(entropies.entropy_rate(jnp.array([[0.5, 0.5], [1.0, 0.0]]), base=2))
        0.666...
    """
    given = checks.square_matrix("transition", transition)
    valid = jnp.all(checks.check_distribution("transition", given, (given.ndim - 1,)), (-2, -1))
    (matrix,) = widen(given)
    if stationary is None:
        pi = _stationary(matrix)
    else:
        pi = checks.floating("stationary", stationary, min_ndim=1)
        if pi.shape[-1] != given.shape[-1]:
            raise ValueError(
                f"stationary must have {given.shape[-1]} states; got shape {pi.shape}."
            )
        checks.broadcast_shapes(core=1, transition=given[..., 0], stationary=pi)
        valid &= checks.check_distribution("stationary", pi, (pi.ndim - 1,))[..., 0]
        (pi,) = widen(pi)
    nats = jnp.sum(pi * jnp.sum(-xlogx(matrix), -1), -1)
    return narrow(nats_to_base(gated(nats, valid), base), given)

"""Capacity of a discrete memoryless channel by the algorithm of Blahut and Arimoto (1972)."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from infojax import checks
from infojax.divergences.terms import relative_entropy_terms
from infojax.numerics import gated, narrow, nats_to_base, rate_to_nats, smallest_normal, widen


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("capacity", "input_distribution", "gap", "iterations", "converged"),
    meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class ChannelCapacity:
    """A channel's capacity, as a lower bound that is within `gap` of it.

    Attributes:
        capacity: the mutual information at `input_distribution`, in units of the base.
        input_distribution: probabilities of the input symbols.
        gap: how far the true capacity may lie above, in the same units.
        iterations: the number of iterations taken.
        converged: whether `gap` is within the tolerance.
    """

    capacity: Float[Array, ""]
    input_distribution: Float[Array, " n"]
    gap: Float[Array, ""]
    iterations: Int[Array, ""]
    converged: Bool[Array, ""]

    def output_distribution(self, channel: Float[Array, "n m"]) -> Float[Array, " m"]:
        """Probabilities of the output symbols.

        Args:
            channel: the channel.

        Returns:
            The distribution of its output at capacity.
        """
        return self.input_distribution @ channel

    def upper_bound(self) -> Float[Array, ""]:
        """A number that the capacity does not exceed.

        Returns:
            Scalar, in units of the base.
        """
        return self.capacity + self.gap


def _information_of_inputs(channel: jax.Array, inputs: jax.Array) -> jax.Array:
    """Divergence of each input symbol's row from the output's distribution."""
    # An output that only a vanishing input reaches must not be taken as impossible.
    output = jnp.maximum(inputs @ channel, smallest_normal(channel.dtype))
    return jnp.sum(relative_entropy_terms(channel, output), -1)


@functools.partial(jax.jit, static_argnames="max_iterations")
def _blahut_arimoto(channel, tolerance, max_iterations):
    count = channel.shape[0]

    def unfinished(state):
        _, gap, step = state
        return (gap > tolerance) & (step < max_iterations)

    def improve(state):
        inputs, _, step = state
        scores = _information_of_inputs(channel, inputs)
        weights = inputs * jnp.exp(scores - jnp.max(scores))
        inputs = weights / jnp.sum(weights)
        scores = _information_of_inputs(channel, inputs)
        gap = jnp.max(scores) - jnp.sum(inputs * scores)
        return inputs, jnp.maximum(gap, 0), step + 1

    start = (
        jnp.full((count,), 1 / count, channel.dtype),
        jnp.asarray(jnp.inf, channel.dtype),
        jnp.zeros((), jnp.int32),
    )
    return jax.lax.while_loop(unfinished, improve, start)


def channel_capacity(
    channel: Float[Array, "n m"],
    *,
    base: float | None = None,
    tolerance: ArrayLike = 1e-6,
    max_iterations: int = 10_000,
) -> ChannelCapacity:
    r"""Capacity $\max_{p(x)} I(X; Y)$ of a discrete memoryless channel.

    Each iteration multiplies p(x) by $e^{D(p(y|x) \| p(y))}$. The capacity lies between the
    mean and the maximum of these divergences: the iteration stops when they are `tolerance`
    apart. In float32 the gap cannot be brought below about 3e-7. Batch by `jax.vmap`.

    The derivative of `capacity` by the channel is $p^*(x) \log (p(y|x) / p(y))$, by the envelope
    theorem, with $p^*$ held fixed; 0 at a transition of probability zero. `input_distribution`
    and `gap` have no derivative.

    Args:
        channel: p(y | x), a row for each input symbol.
        base: the logarithm's base (2 for bits); None for nats.
        tolerance: the gap at which to stop, in units of `base`.
        max_iterations: the most iterations.

    Returns:
        The capacity with its gap, and the input distribution that attains it.

    Raises:
        TypeError: `channel` is not of floating type.
        ValueError: `channel` has not two axes, or a row is not a distribution; `tolerance` is
            not positive, `max_iterations` not at least 1.

    Reference:
        Blahut, Computation of Channel Capacity and Rate-Distortion Functions, 1972, theorems 1
        and 2; Arimoto 1972.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> erasing = jnp.array([[0.75, 0.25, 0.0], [0.0, 0.25, 0.75]])
        >>> result = information.channel_capacity(erasing, base=2)
        >>> print(result.capacity, result.input_distribution, result.converged)
        0.75 [0.5 0.5] True
    """
    given = checks.floating("channel", channel, ndim=2)
    if 0 in given.shape:
        raise ValueError(f"channel must have at least one input and output; got {given.shape}.")
    max_iterations = checks.positive_integer("max_iterations", max_iterations)
    valid = jnp.all(checks.check_distribution("channel", given, (1,)))
    (matrix,) = widen(given)
    tolerance = checks.real_number("tolerance", tolerance).astype(matrix.dtype)
    valid &= checks.check_real("tolerance", tolerance, tolerance > 0, "positive")
    limit = rate_to_nats(tolerance, base)
    fixed = jax.lax.stop_gradient((matrix, limit))
    inputs, gap, iterations = jax.lax.stop_gradient(_blahut_arimoto(*fixed, max_iterations))
    nats = jnp.sum(inputs * _information_of_inputs(matrix, inputs))
    return ChannelCapacity(
        capacity=narrow(nats_to_base(gated(nats, valid), base), given),
        input_distribution=narrow(gated(inputs, valid), given),
        gap=narrow(nats_to_base(gated(gap, valid), base), given),
        iterations=iterations,
        converged=(gap <= limit) & valid,
    )

"""Two distributions over the same symbols, taken and checked together."""

import dataclasses

import jax
import jax.numpy as jnp

from infojax import checks
from infojax.numerics import gated, narrow, nats_to_base, normalize_axes, reduce_axes, widen
from infojax.numerics.reductions import Axis


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two checked distributions, ready to be compared.

    Attributes:
        p: the first, of at least float32, with zeros where a symbol does not count.
        q: the second, of the same shape and type.
        axes: the axes of one distribution.
        valid: which pairs are valid, with `axes` of size one.
        given: both as the caller gave them.
    """

    p: jax.Array
    q: jax.Array
    axes: tuple[int, ...]
    valid: jax.Array
    given: tuple[jax.Array, jax.Array]

    def finish(self, value: jax.Array, keepdims: bool) -> jax.Array:
        """Gates a result, drops its reduced axes and casts it back.

        Args:
            value: a result with `axes` of size one.
            keepdims: whether these stay.

        Returns:
            The result in the caller's type.
        """
        return narrow(reduce_axes(gated(value, self.valid), self.axes, keepdims), *self.given)

    def finish_nats(self, nats: jax.Array, base: float | None, keepdims: bool) -> jax.Array:
        """Does the same for an amount of information.

        Args:
            nats: a result in nats with `axes` of size one.
            base: the logarithm's base, or None.
            keepdims: whether the reduced axes stay.

        Returns:
            The result in units of `base` and in the caller's type.
        """
        return self.finish(nats_to_base(nats, base), keepdims)


def checked_pair(p: jax.Array, q: jax.Array, axis: Axis, where: jax.Array | None) -> Pair:
    """Takes two arguments as distributions over the same symbols.

    Args:
        p: the argument `p`.
        q: the argument `q`, broadcasting with it.
        axis: the axis or axes of one distribution; None for all.
        where: entries that count; all if None.

    Returns:
        The pair.

    Raises:
        TypeError: one is not of floating type.
        ValueError: they do not broadcast, or one is not a distribution.
    """
    p, q = checks.floating("p", p), checks.floating("q", q)
    shape = checks.broadcast_shapes(p=p, q=q)
    wide_p, wide_q = jnp.broadcast_to(p, shape), jnp.broadcast_to(q, shape)
    axes = normalize_axes(axis, len(shape))
    valid = checks.check_distribution("p", wide_p, axes, where)
    valid &= checks.check_distribution("q", wide_q, axes, where)
    wide_p, wide_q = widen(wide_p, wide_q)
    if where is not None:
        # A symbol that neither distribution has adds nothing to any divergence here.
        wide_p, wide_q = jnp.where(where, wide_p, 0), jnp.where(where, wide_q, 0)
    return Pair(wide_p, wide_q, axes, valid, (p, q))

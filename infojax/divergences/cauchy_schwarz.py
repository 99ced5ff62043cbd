"""Cauchy-Schwarz divergence of distributions: minus the log of a squared cosine (Principe 2010)."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from infojax.divergences.pairs import checked_pair
from infojax.numerics.reductions import Axis


@functools.partial(jax.jit, static_argnames="axes")
def _cauchy_schwarz_nats(p: jax.Array, q: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    def dot(x, y):
        return jnp.sum(x * y, axes, keepdims=True)

    # The parallelogram of p and q has the area of that of p + q and p - q, halved: its height
    # over p + q is known without cancellation.
    total, difference = p + q, p - q
    norms = dot(p, p) * dot(q, q)
    norms = jnp.where(norms > 0, norms, 1)
    squared = dot(total, total)
    height = difference - dot(total, difference) / jnp.where(squared > 0, squared, 1) * total
    sine_squared = 0.25 * squared * dot(height, height) / norms
    near = sine_squared < 0.5
    close = -jnp.log1p(-jnp.where(near, sine_squared, 0))
    overlap = dot(p, q)
    touching = overlap > 0
    far = jnp.log(norms) - 2 * jnp.log(jnp.where(touching, overlap, 1))
    return jnp.where(near, close, jnp.where(touching, far, jnp.inf))


def cauchy_schwarz_divergence(
    p: Float[Array, "..."],
    q: Float[Array, "..."],
    *,
    axis: Axis = -1,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Cauchy-Schwarz divergence $-\log \frac{(\sum_k p_k q_k)^2}{\sum_k p_k^2 \sum_k q_k^2}$.

    Symmetric bit for bit, never negative, accurate where p is close to q. Some authors take
    the root of the fraction, which halves the value.

    Args:
        p: probabilities, summing to one along `axis`.
        q: probabilities, broadcasting with `p`.
        axis: the axis or axes of one distribution; None for all.
        base: the logarithm's base (2 for bits); None for nats.
        where: entries that count.
        keepdims: whether the reduced axes stay with size one.

    Returns:
        The divergence in units of `base`; +inf, with derivatives 0, where p and q share no
        symbol.

    Raises:
        TypeError: `p` or `q` is not of floating type.
        ValueError: `p` or `q` is not a distribution, or they do not broadcast.

    Reference:
        Principe, Information Theoretic Learning, 2010, equation (2.97).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> p, q = jnp.array([0.5, 0.5]), jnp.array([1.0, 0.0])
        >>> print(divergences.cauchy_schwarz_divergence(p, q, base=2))
        1.0
    """
    pair = checked_pair(p, q, axis, where)
    return pair.finish_nats(_cauchy_schwarz_nats(pair.p, pair.q, pair.axes), base, keepdims)

"""Energy distance of two sample sets: mean distances between and within (Szekely and Rizzo)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from infojax.divergences.row_tiles import distance_row_sums
from infojax.divergences.two_samples import TwoSamples, two_samples
from infojax.divergences.wasserstein import gaps_on_line
from infojax.numerics import safe_sqrt


@jax.jit
def _squared(pair: TwoSamples) -> jax.Array:
    if pair.x.shape[-1] == 1:
        sides = pair.x[..., 0], pair.y[..., 0], pair.x_weights, pair.y_weights
        heights, widths = gaps_on_line(*sides)
        return 2 * jnp.sum(heights**2 * widths, -1)
    points, weights = pair.joined()
    if (where := pair.joined_where()) is not None:
        points = jnp.where(where[..., None], points, points[..., :1, :])
    rows = distance_row_sums(points, weights)
    return jnp.maximum(-jnp.sum(weights * rows, -1), 0)


def energy_distance(
    x: Float[Array, "*B N D"],
    y: Float[Array, "*B M D"],
    *,
    squared: bool = False,
    x_where: Bool[Array, "..."] | None = None,
    y_where: Bool[Array, "..."] | None = None,
) -> Float[Array, "*B"]:
    r"""Energy distance $\sqrt{2 E|x - y| - E|x - x'| - E|y - y'|}$ of two sample sets.

    A metric between distributions with a mean, without a bandwidth; it scales with the square
    root of the unit of length. Means are over all pairs (a V-statistic): never negative; the
    square is too large by $E|x - x'|/N + E|y - y'|/M$ on average. A tile of distances is in
    memory at a time; one feature takes a sort. Where samples coincide the derivative of their
    distance counts as 0.

    Args:
        x: samples of the first distribution.
        y: samples of the second; another number of them is allowed.
        squared: whether to leave the root out, as a loss would.
        x_where: the samples of x that count, broadcasting to (*B, N); all if None.
        y_where: the samples of y that count, broadcasting to (*B, M); all if None.

    Returns:
        The distance, in the root of the unit of the samples, or its square. The derivative of
        the distance is 0 where it is 0.

    Raises:
        TypeError: `x` or `y` is not of floating type.
        ValueError: shapes that do not fit together, no sample, a sample that is not finite.

    Reference:
        Szekely and Rizzo, Energy Statistics: a Class of Statistics Based on Distances, 2013,
        equation (6.1).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> x, y = jnp.array([[0.0, 0.0]]), jnp.array([[3.0, 4.0]])
        >>> print(divergences.energy_distance(x, y, squared=True))
        10.0
    """
    pair = two_samples(x, y, x_where, y_where)
    value = _squared(pair)
    return pair.finish(value if squared else safe_sqrt(value))

"""Distance correlation: dependence of paired samples from distances alone (Szekely et al. 2007)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from infojax.divergences.row_tiles import center, over_row_tiles, root, squared_distances
from infojax.divergences.two_samples import Observed, observed
from infojax.numerics import safe_divide, safe_sqrt


def _scaled(x: jax.Array) -> jax.Array:
    """Points in a unit in which their distances neither overflow nor vanish."""
    size = jax.lax.stop_gradient(jnp.max(jnp.abs(x), (-1, -2), keepdims=True))
    return safe_divide(x, size)


@jax.jit
def _correlation(pair: Observed) -> jax.Array:
    a, b = (_scaled(z - center(z, pair.where)) for z in pair.arrays)
    weights = pair.weights

    def row_means(numbers, rows, columns):
        mass = columns[2][:, 0]
        of_x, of_y = (root(squared_distances(rows[i], columns[i], numbers)) for i in range(2))
        products = (of_x, of_y, of_x * of_y, of_x * of_x, of_y * of_y)
        return tuple(jnp.sum(part * mass, -1) for part in products)

    rows = over_row_tiles(row_means, (a, b), (a, b, weights[..., None]))
    of_x, of_y, xy, xx, yy = rows

    def covariance(u, v, products):
        u_mean, v_mean = (jnp.sum(weights * z, -1, keepdims=True) for z in (u, v))
        inner = jnp.sum(weights * (products - u * v), -1)
        return inner - jnp.sum(weights * (u - u_mean) * (v - v_mean), -1)

    cross = covariance(of_x, of_y, xy)
    own = covariance(of_x, of_x, xx), covariance(of_y, of_y, yy)
    floor = 8 * jnp.finfo(cross.dtype).eps
    varies = (own[0] > floor) & (own[1] > floor)
    scale = safe_sqrt(jnp.where(varies, own[0], 1)) * safe_sqrt(jnp.where(varies, own[1], 1))
    squared = safe_divide(jnp.where(varies, jnp.maximum(cross, 0), 0), scale)
    return safe_sqrt(squared)


def distance_correlation(
    x: Float[Array, "*B N D"],
    y: Float[Array, "*B N E"],
    *,
    where: Bool[Array, "..."] | None = None,
) -> Float[Array, "*B"]:
    r"""Distance correlation $\mathrm{dCov}(x, y) / \sqrt{\mathrm{dCov}(x, x) dCov(y, y)}$.

    $\mathrm{dCov}^2(x, y) = \frac1{N^2} \sum_{ij} A_{ij} B_{ij}$ with the doubly centred
    distances A of x and B of y. Between 0 and 1; in the limit of many samples 0 exactly where x
    and y are independent, without a bandwidth; invariant to shifts, rotations and one scale of
    each. This V-statistic is biased upwards: by order $N^{-1/2}$ for independent samples, and
    towards 1 where features are many. Distances are in memory a tile at a time.

    Args:
        x: samples of X.
        y: samples of Y, observed with x.
        where: the samples that count, broadcasting to (*B, N); all if None.

    Returns:
        The correlation (not its square); 0, with derivatives 0, where x or y is constant. Where
        samples coincide the derivative of their distance counts as 0.

    Raises:
        TypeError: `x` or `y` is not of floating type.
        ValueError: shapes that do not fit together, fewer than 2 samples, a sample that is not
            finite.

    Reference:
        Szekely, Rizzo and Bakirov, Measuring and Testing Dependence by Correlation of Distances,
        arXiv 0803.4101, 2007, definition 5.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> x = jnp.array([[0.0], [1.0], [5.0]])
        >>> print(information.distance_correlation(x, 2 - 3 * x))
        1.0
    """
    pair = observed(least=2, where=where, x=x, y=y)
    return pair.finish(_correlation(pair))

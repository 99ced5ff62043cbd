"""Wasserstein-1 distance on a line: the area between two distribution functions."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from infojax import checks
from infojax.divergences.pairs import checked_pair
from infojax.divergences.terms import absolute_value
from infojax.numerics import gated, narrow, normalize_axes, widen


def weighted_samples(name: str, x: jax.Array, weights: jax.Array | None):
    """Checks weighted samples on a line.

    Args:
        name: what the caller's users call the samples.
        x: positions, (*B, n).
        weights: probabilities, (*B, n), or None for equal ones.

    Returns:
        Positions, weights, and where they are valid (last axis of size one).

    Raises:
        TypeError: the weights are not of floating type.
        ValueError: no sample, or not as many weights; eagerly, a position that is not finite or
            weights that are no distribution.
    """
    finite = jnp.all(checks.check_real(name, x, jnp.isfinite(x), "finite"), -1, keepdims=True)
    if x.shape[-1] == 0:
        raise ValueError(f"{name} must hold at least one sample; got shape {x.shape}.")
    if weights is None:
        return x, jnp.full((x.shape[-1],), 1 / x.shape[-1], widen(x)[0].dtype), finite
    weights = checks.floating(f"{name}_weights", weights, min_ndim=1)
    if weights.shape[-1] != x.shape[-1]:
        raise ValueError(
            f"{name}_weights must hold one weight for each of {x.shape[-1]} samples; "
            f"got shape {weights.shape}."
        )
    valid = checks.check_distribution(f"{name}_weights", weights, (weights.ndim - 1,))
    return x, weights, finite & valid


def gaps_on_line(
    x: jax.Array, y: jax.Array, x_weights: jax.Array, y_weights: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The gap between two distribution functions on a line, and the intervals that it spans.

    Args:
        x: positions of the first, (*B, n), of the type of all others.
        y: positions of the second, (*B, m).
        x_weights: probabilities, (*B, n).
        y_weights: probabilities, (*B, m).

    Returns:
        F_x - F_y and the widths of the intervals between the joint samples, (*B, n + m - 1) both.
    """
    batch = jnp.broadcast_shapes(*(a.shape[:-1] for a in (x, y, x_weights, y_weights)))

    def side_by_side(a, b):
        rows = [jnp.broadcast_to(c, (*batch, c.shape[-1])) for c in (a, b)]
        return jnp.concatenate(rows, -1)

    positions = side_by_side(x, y)
    order = jnp.argsort(positions, -1)
    positions = jnp.take_along_axis(positions, order, -1)
    masses = jnp.take_along_axis(side_by_side(x_weights, -y_weights), order, -1)
    return jnp.cumsum(masses, -1)[..., :-1], jnp.diff(positions, axis=-1)


@jax.jit
def _area(x, y, x_weights, y_weights):
    heights, widths = gaps_on_line(*widen(x, y, x_weights, y_weights))
    return jnp.sum(absolute_value(heights) * widths, -1, keepdims=True)


def wasserstein_1(
    x: Float[Array, "*B n"],
    y: Float[Array, "*B m"],
    *,
    x_weights: Float[Array, "*B n"] | None = None,
    y_weights: Float[Array, "*B m"] | None = None,
) -> Float[Array, "*B"]:
    r"""Wasserstein-1 distance of weighted samples on a line, $\int |F_x(t) - F_y(t)| \, dt$.

    One sort and one cumulative sum; differentiable by positions and weights. Where samples
    coincide, the derivative by their positions is that of the order in which they are sorted
    (one of the subgradients).

    Args:
        x: positions of the samples of the first distribution.
        y: positions of the samples of the second; another number of them is allowed.
        x_weights: probabilities of the samples of x; equal if None.
        y_weights: probabilities of the samples of y; equal if None.

    Returns:
        The distance, in the unit of the positions.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: a position is not finite, there is no sample, weights are no distribution or
            not as many as the samples; batch axes do not broadcast.

    Reference:
        Vallender, Calculation of the Wasserstein Distance Between Probability Distributions on
        the Line, 1974.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> print(divergences.wasserstein_1(jnp.array([0.0, 1.0, 3.0]), jnp.array([5.0, 6.0, 8.0])))
        5.0
    """
    x = checks.floating("x", x, min_ndim=1)
    y = checks.floating("y", y, min_ndim=1)
    x, x_shares, x_valid = weighted_samples("x", x, x_weights)
    y, y_shares, y_valid = weighted_samples("y", y, y_weights)
    checks.broadcast_shapes(
        x=x[..., :1], y=y[..., :1], x_weights=x_shares[..., :1], y_weights=y_shares[..., :1]
    )
    value = gated(_area(x, y, x_shares, y_shares), x_valid, y_valid)[..., 0]
    given = (w for w in (x_weights, y_weights) if w is not None)
    return narrow(value, x, y, *(jnp.asarray(w) for w in given))


def wasserstein_1_on_grid(
    p: Float[Array, "..."],
    q: Float[Array, "..."],
    support: Float[Array, " K"] | None = None,
    *,
    axis: int = -1,
    keepdims: bool = False,
) -> Float[Array, "..."]:
    r"""Wasserstein-1 distance of probabilities of common points on a line, in ascending order.

    $\sum_k |P_k - Q_k| (t_{k+1} - t_k)$ with the distribution functions P and Q: one cumulative
    sum, no sort.

    Args:
        p: probabilities, summing to one along `axis`.
        q: probabilities, broadcasting with `p`.
        support: the points t, ascending; 0, 1, 2, ... if None.
        axis: the axis of one distribution.
        keepdims: whether the reduced axis stays with size one.

    Returns:
        The distance, in the unit of `support`.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: `p` or `q` is not a distribution, or they do not broadcast; `support` has
            another length, or does not ascend.

    Reference:
        Vallender 1974.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> p, q = jnp.array([1.0, 0.0, 0.0]), jnp.array([0.0, 0.0, 1.0])
        >>> print(divergences.wasserstein_1_on_grid(p, q, jnp.array([0.0, 0.5, 4.0])))
        4.0
    """
    pair = checked_pair(p, q, axis, None)
    if len(pair.axes) != 1:
        raise ValueError(f"axis must name one axis; got {axis!r}.")
    height = absolute_value(
        jnp.cumsum(jnp.moveaxis(pair.p - pair.q, pair.axes[0], -1), -1)[..., :-1]
    )
    if support is None:
        value, valid = jnp.sum(height, -1), jnp.ones((), bool)
    else:
        points = checks.floating("support", support, ndim=1)
        if points.shape[0] != height.shape[-1] + 1:
            raise ValueError(
                f"support must hold {height.shape[-1] + 1} points; got shape {points.shape}."
            )
        widths = jnp.diff(points.astype(height.dtype))
        valid = jnp.all(
            checks.check_real("diff(support)", widths, widths >= 0, "non-negative (ascending)")
        )
        value = jnp.sum(height * widths, -1)
    return pair.finish(
        gated(jnp.expand_dims(value, normalize_axes(axis, pair.p.ndim)), valid), keepdims
    )

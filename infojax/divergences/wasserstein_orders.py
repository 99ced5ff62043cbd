"""Wasserstein distances of any order: on a line exactly, elsewhere over random lines (sliced)."""

import functools
import numbers

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from infojax import checks
from infojax.divergences.two_samples import TwoSamples, two_samples
from infojax.divergences.wasserstein import weighted_samples
from infojax.numerics import gated, narrow, safe_divide, widen


def _order(order: float) -> float:
    if isinstance(order, bool) or not isinstance(order, numbers.Real):
        raise TypeError(f"order must be a real number; got {type(order).__name__}.")
    if not 1 <= order < float("inf"):
        raise ValueError(f"order must be finite and at least 1; got {order}.")
    return float(order)


def _matched(x, y, x_weights, y_weights):
    """The differences of quantiles and the masses at which they stand, from sorted samples."""
    if x_weights is None and y_weights is None and x.shape[-1] == y.shape[-1]:
        return jnp.sort(x, -1) - jnp.sort(y, -1), jnp.full((), 1 / x.shape[-1], x.dtype)

    def ascending(values, weights):
        if weights is None:
            weights = jnp.full((values.shape[-1],), 1 / values.shape[-1], values.dtype)
        weights = jnp.broadcast_to(weights, values.shape)
        order = jnp.argsort(values, -1)
        take = lambda a: jnp.take_along_axis(a, order, -1)  # noqa: E731
        return take(values), jnp.cumsum(take(weights), -1)

    batch = jnp.broadcast_shapes(
        *(a.shape[:-1] for a in (x, y, x_weights, y_weights) if a is not None)
    )
    x, y = (jnp.broadcast_to(a, (*batch, a.shape[-1])) for a in (x, y))
    (x, x_levels), (y, y_levels) = ascending(x, x_weights), ascending(y, y_weights)
    levels = jnp.minimum(jnp.concatenate([x_levels, y_levels], -1), 1)
    order = jnp.argsort(levels, -1)
    masses = jnp.diff(jnp.take_along_axis(levels, order, -1), axis=-1, prepend=0)
    # Below the k-th level stand as many levels of x as there are samples of x that are used up.
    of_x = order < x.shape[-1]
    places = jnp.cumsum(of_x, -1) - of_x
    others = jnp.cumsum(~of_x, -1) - ~of_x
    left = jnp.take_along_axis(x, jnp.minimum(places, x.shape[-1] - 1), -1)
    right = jnp.take_along_axis(y, jnp.minimum(others, y.shape[-1] - 1), -1)
    return left - right, masses


def _power_mean(differences: jax.Array, masses: jax.Array, order: float, axes) -> jax.Array:
    """(sum of masses |differences|^order)^(1 / order), without overflow; derivative 0 at 0."""
    sizes = jnp.abs(differences)
    # A sample that carries no mass may be anywhere.
    sizes = jnp.where(masses > 0, sizes, 0)
    scale = jax.lax.stop_gradient(jnp.max(sizes, axes, keepdims=True))
    powers = jnp.sum(masses * safe_divide(sizes, scale) ** order, axes)
    positive = powers > 0
    root = jnp.where(positive, powers, 1) ** (1 / order)
    return jnp.where(positive, jnp.squeeze(scale, axes) * root, 0)


@functools.partial(jax.jit, static_argnames="order")
def _on_line(x, y, x_weights, y_weights, order: float) -> jax.Array:
    differences, masses = _matched(x, y, x_weights, y_weights)
    return _power_mean(differences, masses, order, (-1,))


def wasserstein_on_line(
    x: Float[Array, "*B n"],
    y: Float[Array, "*B m"],
    *,
    order: float = 2.0,
    x_weights: Float[Array, "*B n"] | None = None,
    y_weights: Float[Array, "*B m"] | None = None,
) -> Float[Array, "*B"]:
    r"""Wasserstein distance of an order p of weighted samples on a line, from their quantiles.

    $W_p = (\int_0^1 |F_x^{-1}(t) - F_y^{-1}(t)|^p \, dt)^{1/p}$ exactly: sorts, no iteration.
    Order 1 is `wasserstein_1`, which needs one sort less. Where samples coincide, derivatives
    are those of the order in which they are sorted.

    Args:
        x: positions of the samples of the first distribution.
        y: positions of the samples of the second; another number of them is allowed.
        order: p >= 1, static.
        x_weights: probabilities of the samples of x; equal if None.
        y_weights: probabilities of the samples of y; equal if None.

    Returns:
        The distance, in the unit of the positions; with derivative 0 where it is 0.

    Raises:
        TypeError: an argument is not of floating type, or `order` is not real.
        ValueError: an order below 1, a position that is not finite, no sample, weights that are
            no distribution or not as many as the samples; batch axes that do not broadcast.

    Reference:
        Villani, Topics in Optimal Transportation, 2003, theorem 2.18.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> x, y = jnp.array([0.0, 1.0]), jnp.array([1.0, 2.0, 3.0])
        >>> print(divergences.wasserstein_on_line(x, y, order=1.0))
        1.5
    """
    order = _order(order)
    x, y = checks.floating("x", x, min_ndim=1), checks.floating("y", y, min_ndim=1)
    given = [x, y, *(jnp.asarray(w) for w in (x_weights, y_weights) if w is not None)]
    x, x_shares, x_valid = weighted_samples("x", x, x_weights)
    y, y_shares, y_valid = weighted_samples("y", y, y_weights)
    checks.broadcast_shapes(
        x=x[..., :1], y=y[..., :1], x_weights=x_shares[..., :1], y_weights=y_shares[..., :1]
    )
    a, b, x_shares, y_shares = widen(x, y, x_shares, y_shares)
    value = _on_line(
        a,
        b,
        None if x_weights is None else x_shares,
        None if y_weights is None else y_shares,
        order,
    )
    return narrow(gated(value, x_valid[..., 0], y_valid[..., 0]), *given)


@functools.partial(jax.jit, static_argnames=("number", "order"))
def _sliced(pair: TwoSamples, key: jax.Array, number: int, order: float) -> jax.Array:
    directions = jax.random.normal(key, (number, pair.x.shape[-1]), pair.x.dtype)
    directions /= jnp.linalg.norm(directions, axis=-1, keepdims=True)

    def project(points):
        lines = jnp.matmul(points, directions.T, precision="highest")
        return jnp.swapaxes(lines, -1, -2)

    weights = [
        None if where is None else shares[..., None, :]
        for where, shares in ((pair.x_where, pair.x_weights), (pair.y_where, pair.y_weights))
    ]
    differences, masses = _matched(project(pair.x), project(pair.y), *weights)
    masses = jnp.broadcast_to(masses, differences.shape) / number
    return _power_mean(differences, masses, order, (-2, -1))


def sliced_wasserstein(
    x: Float[Array, "*B N D"],
    y: Float[Array, "*B M D"],
    *,
    key: PRNGKeyArray,
    num_projections: int = 128,
    order: float = 2.0,
    x_where: Bool[Array, "..."] | None = None,
    y_where: Bool[Array, "..."] | None = None,
) -> Float[Array, "*B"]:
    r"""Sliced Wasserstein distance $(E_\theta W_p^p(\theta \cdot x, \theta \cdot y))^{1/p}$.

    A metric between distributions, by sorts alone: the mean over random directions of the
    distances on a line. The p-th power is unbiased over directions, with an error that falls as
    the root of their number; the root is thereby a little too small on average. Between finite
    samples of the same distribution it is positive: of order $N^{-1/2}$ for p = 1, and at most
    $N^{-1/(2p)}$. One feature needs one projection.

    Args:
        x: samples of the first distribution.
        y: samples of the second; another number of them is allowed.
        key: for the directions, which are the same for all problems of a batch.
        num_projections: the number of directions, uniform on the sphere.
        order: p >= 1, static.
        x_where: the samples of x that count, broadcasting to (*B, N); all if None.
        y_where: the samples of y that count, broadcasting to (*B, M); all if None.

    Returns:
        The distance, in the unit of the samples; with derivative 0 where it is 0.

    Raises:
        TypeError: `x` or `y` is not of floating type, or `order` is not real.
        ValueError: an order below 1, no projection, shapes that do not fit together, no sample,
            a sample that is not finite.

    Reference:
        Bonneel, Rabin, Peyre and Pfister, Sliced and Radon Wasserstein Barycenters of Measures,
        2015, definition 4; Nadjahi et al., arXiv 2003.05783, 2020.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from infojax import divergences
        >>> x, y = jnp.array([[0.0], [1.0]]), jnp.array([[3.0], [2.0]])
        >>> print(divergences.sliced_wasserstein(x, y, key=jax.random.key(0), num_projections=1))
        2.0
    """
    order = _order(order)
    number = checks.positive_integer("num_projections", num_projections)
    pair = two_samples(x, y, x_where, y_where)
    return pair.finish(_sliced(pair, key, number, order))

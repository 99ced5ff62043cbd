"""Sinkhorn divergence of two sample sets, computed by ott-jax (Feydy et al. 2019)."""

import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from infojax import checks
from infojax.divergences.two_samples import two_samples


def _ott():
    try:
        from ott.geometry import costs, pointcloud
        from ott.problems.linear import linear_problem
        from ott.solvers.linear import sinkhorn
    except ImportError as error:
        raise ImportError(
            "sinkhorn_divergence needs ott-jax: pip install infojax[transport]"
        ) from error
    return costs, pointcloud, linear_problem, sinkhorn


def sinkhorn_divergence(
    x: Float[Array, "*B N D"],
    y: Float[Array, "*B M D"],
    *,
    epsilon: ArrayLike,
    x_where: Bool[Array, "..."] | None = None,
    y_where: Bool[Array, "..."] | None = None,
    threshold: float = 1e-3,
    max_iterations: int = 2000,
) -> Float[Array, "*B"]:
    r"""Sinkhorn divergence $T_\varepsilon(x, y) - (T_\varepsilon(x, x) + T_\varepsilon(y, y))/2$.

    $T_\varepsilon = \min_\pi \int |u - v|^2 d\pi + \varepsilon KL(\pi \,|\, p \otimes q)$ is
    entropic transport of squared Euclidean cost: the divergence lies between $W_2^2$ (epsilon to
    0) and the squared distance of means (epsilon to infinity). Solved by ott-jax, which must be
    installed; derivatives are those of the optimal potentials held fixed (Danskin's theorem).

    Args:
        x: samples of the first distribution.
        y: samples of the second; another number of them is allowed.
        epsilon: the strength of the entropy, positive, in the unit of squared distances; a number
            or an array that broadcasts to *B.
        x_where: the samples of x that count, broadcasting to (*B, N); all if None.
        y_where: the samples of y that count, broadcasting to (*B, M); all if None.
        threshold: how far from the marginals a solution may be, static.
        max_iterations: the most iterations of each of three problems, static.

    Returns:
        The divergence in the unit of squared distances, 0 for equal sets; NaN where a problem
        did not reach the threshold.

    Raises:
        ImportError: ott-jax is not installed.
        TypeError: `x` or `y` is not of floating type.
        ValueError: shapes that do not fit together, no sample, a sample that is not finite, an
            epsilon that is not positive.

    Reference:
        Feydy, Sejourne, Vialard, Amari, Trouve and Peyre, Interpolating between Optimal
        Transport and MMD using Sinkhorn Divergences, arXiv 1810.08278, 2019, equation (3).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> x = jnp.array([[0.0], [1.0]])
        >>> print(divergences.sinkhorn_divergence(x, x + 2.0, epsilon=0.1))
        4.0
    """
    costs, pointcloud, linear_problem, sinkhorn = _ott()
    pair = two_samples(x, y, x_where, y_where)
    batch, dtype = pair.x.shape[:-2], pair.x.dtype
    strength = checks.real_number("epsilon", epsilon)
    try:
        strength = jnp.broadcast_to(strength, batch).astype(dtype)
    except ValueError:
        raise ValueError(
            f"epsilon must broadcast to {batch}; got shape {strength.shape}."
        ) from None
    positive = jnp.isfinite(strength) & (strength > 0)
    checks.check_real("epsilon", strength, positive, "positive and finite")
    solver = sinkhorn.Sinkhorn(
        threshold=float(threshold),
        max_iterations=checks.positive_integer("max_iterations", max_iterations),
    )

    def transport(a, b, p, q, strength):
        geometry = pointcloud.PointCloud(a, b, cost_fn=costs.SqEuclidean(), epsilon=strength)
        found = solver(linear_problem.LinearProblem(geometry, a=p, b=q))
        return found.reg_ot_cost, found.converged

    def one(a, b, p, q, strength):
        parts = (
            transport(a, b, p, q, strength),
            transport(a, a, p, p, strength),
            transport(b, b, q, q, strength),
        )
        (between, within_a, within_b), done = zip(*parts, strict=True)
        value = between - (within_a + within_b) / 2
        return jnp.where(jnp.all(jnp.stack(done)), value, jnp.nan)

    arrays = pair.x, pair.y, pair.x_weights, pair.y_weights, strength
    count = math.prod(batch)
    flat = tuple(z.reshape(count, *z.shape[len(batch) :]) for z in arrays)
    return pair.finish(jax.vmap(one)(*flat).reshape(batch), positive)

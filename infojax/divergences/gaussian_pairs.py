"""Two Gaussians over the same space, taken and checked together."""

import dataclasses

import jax
import jax.numpy as jnp

from infojax import checks
from infojax.numerics import gated, narrow, nats_to_base, widen

# How far from symmetric a covariance may be, relative to its largest entry.
_SYMMETRIC = 1e-3


@dataclasses.dataclass(frozen=True)
class GaussianPair:
    """Two checked Gaussians, ready to be compared.

    Attributes:
        factor_p: lower Cholesky factor of the covariance of p, of at least float32.
        factor_q: lower Cholesky factor of the covariance of q.
        difference: the mean of p minus that of q.
        valid: which pairs are valid.
        given: the four arguments as the caller gave them.
    """

    factor_p: jax.Array
    factor_q: jax.Array
    difference: jax.Array
    valid: jax.Array
    given: tuple[jax.Array, ...]

    @property
    def parts(self) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Both factors and the difference of the means."""
        return self.factor_p, self.factor_q, self.difference

    def finish(self, value: jax.Array) -> jax.Array:
        """Gates a result and casts it back.

        Args:
            value: a result for each pair.

        Returns:
            The result in the caller's type.
        """
        return narrow(gated(value, self.valid), *self.given)

    def finish_nats(self, nats: jax.Array, base: float | None) -> jax.Array:
        """Does the same for an amount of information.

        Args:
            nats: a result in nats for each pair.
            base: the logarithm's base, or None.

        Returns:
            The result in units of `base` and in the caller's type.
        """
        return self.finish(nats_to_base(nats, base))


def _factor(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Lower Cholesky factor, and its smallest pivot (NaN where there is no factor)."""
    factor = jnp.linalg.cholesky(matrix)
    asymmetry = jnp.max(jnp.abs(matrix - jnp.swapaxes(matrix, -1, -2)), (-2, -1))
    symmetric = asymmetry <= _SYMMETRIC * jnp.max(jnp.abs(matrix), (-2, -1))
    pivot = jnp.min(jnp.diagonal(factor, axis1=-2, axis2=-1), -1)
    found = symmetric & jnp.all(jnp.isfinite(factor), (-2, -1))
    return factor, jnp.where(found, pivot, jnp.nan)


@jax.jit
def _prepared(mean_p, covariance_p, mean_q, covariance_q):
    """Factors and difference of the means in one batch, and the smallest pivots."""
    mean_p, covariance_p, mean_q, covariance_q = widen(mean_p, covariance_p, mean_q, covariance_q)
    factor_p, pivot_p = _factor(covariance_p)
    factor_q, pivot_q = _factor(covariance_q)
    difference = mean_p - mean_q
    batch = jnp.broadcast_shapes(pivot_p.shape, pivot_q.shape, difference.shape[:-1])
    factors = (jnp.broadcast_to(f, batch + f.shape[-2:]) for f in (factor_p, factor_q))
    return *factors, jnp.broadcast_to(difference, batch + difference.shape[-1:]), pivot_p, pivot_q


def checked_gaussians(
    mean_p: jax.Array, covariance_p: jax.Array, mean_q: jax.Array, covariance_q: jax.Array
) -> GaussianPair:
    """Takes four arguments as two Gaussians over the same space.

    Args:
        mean_p: the argument `mean_p`.
        covariance_p: the argument `covariance_p`.
        mean_q: the argument `mean_q`.
        covariance_q: the argument `covariance_q`.

    Returns:
        The pair.

    Raises:
        TypeError: one is not of floating type.
        ValueError: the sizes differ or do not broadcast; a mean is not finite; a covariance is
            not symmetric positive definite.
    """
    mean_p = checks.floating("mean_p", mean_p, min_ndim=1)
    mean_q = checks.floating("mean_q", mean_q, min_ndim=1)
    covariance_p = checks.square_matrix("covariance_p", covariance_p)
    covariance_q = checks.square_matrix("covariance_q", covariance_q)
    sizes = {
        "mean_p": mean_p.shape[-1],
        "mean_q": mean_q.shape[-1],
        "covariance_p": covariance_p.shape[-1],
        "covariance_q": covariance_q.shape[-1],
    }
    if len(set(sizes.values())) != 1 or 0 in sizes.values():
        raise ValueError(f"means and covariances must have the same size; got {sizes}.")
    given = (mean_p, covariance_p, mean_q, covariance_q)
    checks.broadcast_shapes(
        mean_p=mean_p,
        mean_q=mean_q,
        covariance_p=covariance_p[..., 0],
        covariance_q=covariance_q[..., 0],
    )
    factor_p, factor_q, difference, *pivots = _prepared(*given)
    valid = jnp.ones((), bool)
    for name, mean in (("mean_p", mean_p), ("mean_q", mean_q)):
        valid &= jnp.all(checks.check_real(name, mean, jnp.isfinite(mean), "finite"), -1)
    expected = "positive (NaN: the matrix is not symmetric positive definite)"
    for name, pivot in zip(("covariance_p", "covariance_q"), pivots, strict=True):
        valid &= checks.check_real(f"smallest pivot of {name}", pivot, pivot > 0, expected)
    return GaussianPair(factor_p, factor_q, difference, valid, given)

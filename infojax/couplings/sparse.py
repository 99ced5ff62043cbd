"""Sparse couplings: joint laws held as their cells, a pytree with a few methods."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from infojax.numerics import nats_to_base, xlogx


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("indices", "masses", "residual"),
    meta_fields=("sizes",),
)
@dataclasses.dataclass(frozen=True)
class SparseCoupling:
    """A coupling of two or more marginals as a list of cells; a pytree.

    Attributes:
        indices: for each cell its symbol in each marginal, (*B, cells, N).
        masses: for each cell its mass, (*B, cells); cells that are not needed have mass 0.
        residual: the largest mass of a marginal that is in no cell, (*B,): rounding, or the
            difference of the marginals' sums.
        sizes: the number of symbols of each marginal (static).
    """

    indices: Int[Array, "*B cells N"]
    masses: Float[Array, "*B cells"]
    residual: Float[Array, "*B"]
    sizes: tuple[int, ...]

    @property
    def rows(self) -> Int[Array, "*B cells"]:
        """For each cell its symbol in the first marginal."""
        return self.indices[..., 0]

    @property
    def cols(self) -> Int[Array, "*B cells"]:
        """For each cell its symbol in the second marginal."""
        return self.indices[..., 1]

    def to_dense(self) -> Float[Array, "*B n m"]:
        """The joint table, of shape (*B, *sizes)."""
        return _scatter(self.indices, self.masses, self.sizes)

    def marginals(self) -> tuple[Float[Array, "*B n"], ...]:
        """The marginals that the cells add up to, of shapes (*B, sizes[i])."""
        return tuple(
            _scatter(self.indices[..., i : i + 1], self.masses, (size,))
            for i, size in enumerate(self.sizes)
        )

    def entropy(self, *, base: float | None = None) -> Float[Array, "*B"]:
        """Joint entropy of the coupling.

        Args:
            base: the logarithm's base (2 for bits); None for nats.

        Returns:
            The entropy, (*B,).
        """
        return nats_to_base(jnp.sum(-xlogx(self.masses), -1), base)

    def mutual_information(self, *, base: float | None = None) -> Float[Array, "*B"]:
        """Total correlation of the coupled variables; for two, their mutual information.

        Args:
            base: the logarithm's base (2 for bits); None for nats.

        Returns:
            The sum of the marginals' entropies minus the joint entropy, (*B,).
        """
        together = -self.entropy()
        for p in self.marginals():
            together += jnp.sum(-xlogx(p), -1)
        return nats_to_base(together, base)


def _scatter(indices: jax.Array, masses: jax.Array, sizes: tuple[int, ...]) -> jax.Array:
    def one(indices, masses):
        zero = jnp.zeros(sizes, masses.dtype)
        return zero.at[tuple(indices[:, i] for i in range(len(sizes)))].add(masses)

    batch = masses.shape[:-1]
    count = math.prod(batch)
    flat = jax.vmap(one)(
        indices.reshape(count, *indices.shape[len(batch) :]),
        masses.reshape(count, masses.shape[-1]),
    )
    return flat.reshape(*batch, *sizes)

"""Block Lanczos with full reorthogonalisation: quadratic forms of functions of a matrix.

The operator is a function from (N, R) to (N, R); nothing of it is kept but an orthonormal basis
of N x (steps x width) numbers and its projection. A block that loses rank is filled up with
whatever is orthogonal to the basis: no direction appears twice.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

_EXACT = "highest"


class Krylov(NamedTuple):
    """A block Krylov space under construction.

    Attributes:
        basis: orthonormal columns, (N, (steps + 1) width); 0 where not yet known.
        projection: of the operator onto the basis, square; the last `width` columns stay 0.
        start: the upper triangle that turns the first block into what it was made of.
    """

    basis: jax.Array
    projection: jax.Array
    start: jax.Array


def _without(basis: jax.Array, block: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Takes from a block its part in the span of a basis; also the coefficients of that part."""
    inner = jnp.matmul(basis.T, block, precision=_EXACT)
    return block - jnp.matmul(basis, inner, precision=_EXACT), inner


def _orthonormal(basis: jax.Array, block: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Orthonormal columns that span a block outside of a basis; coefficients inside; triangle."""
    block, inner = _without(basis, block)
    block, again = _without(basis, block)
    columns, triangle = jnp.linalg.qr(block)
    # What was rounding noise is now as long as the rest, and no longer orthogonal.
    columns, _ = _without(basis, columns)
    columns, second = jnp.linalg.qr(columns)
    return columns, inner + again, jnp.matmul(second, triangle, precision=_EXACT)


def begin(block: jax.Array, steps: int, orthogonal_to: jax.Array) -> Krylov:
    """Starts a space.

    Args:
        block: the vectors to start from, (N, width).
        steps: how many steps there will be.
        orthogonal_to: orthonormal columns that the start shall not touch, (N, R).

    Returns:
        The space of the block alone.
    """
    columns, _, triangle = _orthonormal(orthogonal_to, block)
    count, width = block.shape
    size = (steps + 1) * width
    basis = jnp.zeros((count, size), block.dtype).at[:, :width].set(columns)
    return Krylov(basis, jnp.zeros((size, size), block.dtype), triangle)


def newest(space: Krylov, step: jax.Array | int) -> jax.Array:
    """The block to which the operator is to be applied.

    Args:
        space: the space.
        step: the number of this step, from 0.

    Returns:
        (N, width).
    """
    width = space.start.shape[0]
    return jax.lax.dynamic_slice_in_dim(space.basis, step * width, width, 1)


def extend(
    space: Krylov, step: jax.Array | int, image: jax.Array, orthogonal_to: jax.Array
) -> Krylov:
    """Adds a block.

    Args:
        space: the space.
        step: the number of this step, from 0.
        image: the operator's image of `newest(space, step)`.
        orthogonal_to: orthonormal columns, (N, R), an invariant space that the start is
            orthogonal to; rounding would bring it back.

    Returns:
        The space with one block more.
    """
    width = space.start.shape[0]
    image, _ = _without(orthogonal_to, image)
    columns, inner, triangle = _orthonormal(space.basis, image)
    columns_start, rows_start = step * width, (step + 1) * width
    basis = jax.lax.dynamic_update_slice_in_dim(space.basis, columns, rows_start, 1)
    projection = jax.lax.dynamic_update_slice_in_dim(space.projection, inner, columns_start, 1)
    projection = jax.lax.dynamic_update_slice(projection, triangle, (rows_start, columns_start))
    return Krylov(basis, projection, space.start)


def ritz(space: Krylov, steps: int) -> tuple[jax.Array, jax.Array]:
    """Eigenvalues and eigenvectors of the projection onto the first blocks.

    Args:
        space: the space.
        steps: how many blocks, at most as many as there were steps.

    Returns:
        (M,) ascending, and (M, M) in columns, M = steps x width.
    """
    size = steps * space.start.shape[0]
    return jnp.linalg.eigh(space.projection[:size, :size], symmetrize_input=True)


def run(
    operator: Callable[[jax.Array], jax.Array],
    spaces: tuple[tuple[Krylov, int], ...],
    steps: int,
    orthogonal_to: jax.Array,
) -> tuple[Krylov, ...]:
    """Takes several spaces some steps further, with one application of the operator a step.

    Args:
        operator: a symmetric map from (N, R) to (N, R).
        spaces: each with the number of steps that it has behind it.
        steps: how many steps to add.
        orthogonal_to: as in `extend`.

    Returns:
        The spaces.
    """
    done = [before for _, before in spaces]

    def step(number, states):
        blocks = [newest(s, b + number) for s, b in zip(states, done, strict=True)]
        image = operator(jnp.concatenate(blocks, 1))
        ends = [sum(b.shape[1] for b in blocks[: i + 1]) for i in range(len(blocks) - 1)]
        images = jnp.split(image, ends, 1)
        return tuple(
            extend(s, b + number, part, orthogonal_to)
            for s, b, part in zip(states, done, images, strict=True)
        )

    return jax.lax.fori_loop(0, steps, step, tuple(space for space, _ in spaces))

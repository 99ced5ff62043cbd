"""Noisy manifolds: trees and Swiss rolls of a chosen dimension, turned into many dimensions.

The toy data of diffusion spectral entropy (Liao et al. 2023, arXiv 2312.04823): a shape of few
dimensions, a random rotation into many, and Gaussian noise in all of them. Everything is made from
a key; nothing is loaded.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

_SHAPES = ("tree", "swiss_roll")
_BRANCHES = 10


class Manifold(NamedTuple):
    """Points near a manifold.

    Attributes:
        points: (N, D) float32, the shape turned into D dimensions, with noise.
        clean: (N, D) float32, the same points without noise.
        labels: (N,) int32: the branch of a tree, or the tenth of a Swiss roll's angle.
    """

    points: jax.Array
    clean: jax.Array
    labels: jax.Array


def noisy_manifold(
    key: jax.Array,
    shape: str,
    num_points: int,
    *,
    dimension: int,
    ambient_dimension: int,
    noise: float | jax.Array = 0.0,
) -> Manifold:
    """Draws points of a tree or a Swiss roll, and adds noise.

    A tree has 10 branches: random walks with persistent direction in `dimension` dimensions, each
    starting somewhere on an earlier one. A Swiss roll has one coordinate rolled up in a plane and
    `dimension` - 1 flat ones. Each coordinate of the shape has mean 0 and standard deviation 1
    before the rotation, so that `noise` means the same for every shape and dimension.

    Args:
        key: a random key; the same key gives the same points. Equal keys give the same rotation
            and the same noise, multiplied by `noise`, so that levels of noise can be compared.
        shape: "tree" or "swiss_roll".
        num_points: N.
        dimension: the dimension of the shape, at least 1: a Swiss roll's own, or that of the
            space which a tree's branches fill.
        ambient_dimension: D; at least `dimension`, for a Swiss roll one more.
        noise: standard deviation of the noise in each of the D dimensions.

    Returns:
        The points.

    Raises:
        ValueError: an unknown shape, or a number that does not fit.
    """
    if shape not in _SHAPES:
        raise ValueError(f"shape must be one of {_SHAPES}; got {shape!r}.")
    if num_points < 2:
        raise ValueError(f"num_points must be at least 2; got {num_points}.")
    if dimension < 1:
        raise ValueError(f"dimension must be at least 1; got {dimension}.")
    needed = dimension + (shape == "swiss_roll")
    if ambient_dimension < needed:
        raise ValueError(
            f"ambient_dimension must be at least {needed} for a {shape} of dimension "
            f"{dimension}; got {ambient_dimension}."
        )
    return _draw(key, shape, num_points, dimension, ambient_dimension, noise)


@functools.partial(jax.jit, static_argnums=(1, 2, 3, 4))
def _draw(key, shape, num_points, dimension, ambient_dimension, noise) -> Manifold:
    shape_key, rotation_key, noise_key = jax.random.split(key, 3)
    draw = _tree if shape == "tree" else _swiss_roll
    coordinates, labels = draw(shape_key, num_points, dimension)
    coordinates = (coordinates - coordinates.mean(0)) / coordinates.std(0)
    rotation = jax.random.orthogonal(rotation_key, ambient_dimension)[: coordinates.shape[1]]
    clean = jnp.matmul(coordinates, rotation, precision="highest")
    disturbance = jax.random.normal(noise_key, clean.shape)
    return Manifold(clean + noise * disturbance, clean, labels)


def _tree(key: jax.Array, num_points: int, dimension: int) -> tuple[jax.Array, jax.Array]:
    """Branches of equal length up to one point, as walks whose direction drifts slowly."""
    branches = min(_BRANCHES, num_points)
    length = -(-num_points // branches)
    direction_key, drift_key, start_key = jax.random.split(key, 3)
    directions = jax.random.normal(direction_key, (branches, 1, dimension))
    drifts = jax.random.normal(drift_key, (branches, length, dimension))
    velocity = directions + jnp.cumsum(drifts, 1) * (2 / length) ** 0.5
    steps = velocity / jnp.linalg.norm(velocity, axis=-1, keepdims=True)
    walks = jnp.cumsum(steps, 1) / length
    starts = jax.random.uniform(start_key, (branches, 2))
    positions = (starts[:, 1] * length).astype(jnp.int32)

    def grow(branch, grown):
        earlier = (starts[branch, 0] * branch).astype(jnp.int32)
        return grown.at[branch].add(grown[earlier, positions[branch]])

    # The first branch starts at the origin; each later one is moved to a point of an earlier one.
    grown = jax.lax.fori_loop(1, branches, grow, walks)
    labels = jnp.repeat(jnp.arange(branches, dtype=jnp.int32), length)
    return grown.reshape(-1, dimension)[:num_points], labels[:num_points]


def _swiss_roll(key: jax.Array, num_points: int, dimension: int) -> tuple[jax.Array, jax.Array]:
    """One and a half turns around the axis, evenly by angle, times a cube."""
    angle_key, flat_key = jax.random.split(key)
    position = jax.random.uniform(angle_key, (num_points,))
    angle = 1.5 * jnp.pi * (1 + 2 * position)
    rolled = jnp.stack([angle * jnp.cos(angle), angle * jnp.sin(angle)], 1)
    flat = jax.random.uniform(flat_key, (num_points, dimension - 1))
    labels = jnp.minimum((10 * position).astype(jnp.int32), 9)
    return jnp.concatenate([rolled, flat], 1), labels

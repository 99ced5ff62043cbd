"""Nearest neighbours: their distances and places, and how many there are within a radius."""

from infojax.kernels.nearest_neighbors.api import (
    count_neighbors,
    nearest_neighbor_distances,
    nearest_neighbors,
    points_at,
)

__all__ = ["count_neighbors", "nearest_neighbor_distances", "nearest_neighbors", "points_at"]

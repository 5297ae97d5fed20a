"""Slices of a tilted gantry, moved by whole pixels into a rectangular grid.

The slices of a tilted gantry are pictures of the body at their true places, but each is shifted in its own
plane against the one before: their common grid leans. Few programs can hold such a grid, and networks have
never seen a body in one. So each slice is moved within its plane by the whole number of pixels that brings it
nearest to its true place in a rectangular grid: no value changes, a place is off by half a pixel at most, and
a mask can be brought back to the slices as they were, voxel by voxel.
"""

from dataclasses import dataclass
from typing import Tuple

import numpy as np

from .grid import Grid

TILT_DEGREES = 0.3
"""A tilt below this is rounding; it moves the last of 100 slices of 5 mm by less than 3 mm."""


@dataclass(frozen=True, eq=False)
class Lean:
    """How slices that lean were moved.

    Attributes:
        source: the grid of the slices as they were acquired; its third axis leans.
        grid: the rectangular one that holds all of them.
        first: int (slices, 2), where the first column (x) and row (y) of each slice lie in ``grid``.
    """

    source: Grid
    grid: Grid
    first: np.ndarray

    @classmethod
    def of(cls, source: Grid) -> "Lean":
        """Return how the slices of a grid are moved, of which the third axis goes from slice to slice."""
        columns, rows, count = source.size
        axes = np.reshape(source.direction, (3, 3))
        normal = np.cross(axes[:, 0], axes[:, 1])
        step = source.steps[:, 2]
        normal *= np.sign(normal @ step) / np.linalg.norm(normal)
        across = float(normal @ step)
        pixels = np.array([step @ axes[:, axis] / source.spacing[axis] for axis in (0, 1)])
        moved = np.rint(np.outer(np.arange(count), pixels)).astype(int)
        least = moved.min(axis=0)
        first = moved - least
        x, y = (int(value) for value in first.max(axis=0))
        origin = np.array(source.origin) + source.steps[:, :2] @ least
        direction = np.column_stack([axes[:, 0], axes[:, 1], normal])
        grid = Grid(
            (columns + x, rows + y, count),
            (source.spacing[0], source.spacing[1], across),
            (float(origin[0]), float(origin[1]), float(origin[2])),
            tuple(direction.ravel().tolist()),
        )
        return cls(source, grid, first)

    @property
    def degrees(self) -> float:
        """The angle by which the slices lean against their row."""
        return leaning_degrees(self.source)

    def part(self, index: int) -> Tuple[slice, slice]:
        """Rows and columns of ``grid`` in which a slice lies."""
        x, y = (int(value) for value in self.first[index])
        columns, rows, _ = self.source.size
        return slice(y, y + rows), slice(x, x + columns)

    def straightened(self, array: np.ndarray) -> np.ndarray:
        """Return an array (z, y, x) on ``source`` as one on ``grid``; 0 beside the slices."""
        found = np.zeros(self.grid.shape, array.dtype)
        for index, plane in enumerate(array):
            found[index][self.part(index)] = plane
        return found

    def leaning(self, array: np.ndarray) -> np.ndarray:
        """Return an array (z, y, x) on ``grid`` as one on ``source``: the slices as they were acquired."""
        return np.stack([plane[self.part(index)] for index, plane in enumerate(array)])


def leaning_degrees(grid: Grid) -> float:
    """Return the angle between a grid's third axis and the normal of its slices."""
    axes = np.reshape(grid.direction, (3, 3))
    normal = np.cross(axes[:, 0], axes[:, 1])
    cosine = abs(normal @ axes[:, 2]) / np.linalg.norm(normal)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))

"""Voxels of another grid onto the grid of a scan: each where it lies, unchanged where that is possible."""

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..images.grid import Grid
from ..sentences import Sentence

LATTICE_TOLERANCE = 0.1
"""Corners of a plane may lie this part of a voxel beside voxels of the scan, and are still taken for them."""

GAP_TOLERANCE = 0.1
"""Distances between planes may differ from their multiple by this part."""


@dataclass(frozen=True)
class Plane:
    """Where one frame lies.

    Attributes:
        size: columns and rows.
        spacing: mm between columns, and between rows.
        position: LPS mm of the centre of its first pixel.
        orientation: direction cosines of the columns' axis (x), then of the rows' (y), LPS.
        thickness: mm between planes as the file says; None if it does not.
    """

    size: Tuple[int, int]
    spacing: Tuple[float, float]
    position: Tuple[float, ...]
    orientation: Tuple[float, ...]
    thickness: Optional[float] = None

    @property
    def steps(self) -> np.ndarray:
        """(2, 3): from a pixel to the next of its row, and to the next of its column, LPS mm."""
        return np.reshape(self.orientation, (2, 3)) * np.reshape(self.spacing, (2, 1))

    @property
    def normal(self) -> np.ndarray:
        """Unit normal (3,), LPS."""
        cross = np.cross(self.orientation[:3], self.orientation[3:])
        return cross / np.linalg.norm(cross)


@dataclass(frozen=True)
class Lattice:
    """Where the pixels of a plane are in a grid: the index (x, y, z) of the first, and the steps of the index
    along a row and along a column; whole numbers."""

    first: np.ndarray
    along_row: np.ndarray
    along_column: np.ndarray

    def put(self, pixels: np.ndarray, target: np.ndarray, value: int = 1) -> Tuple[int, int]:
        """Set ``target`` (z, y, x) to ``value`` where ``pixels`` (rows, columns) are set.

        Returns:
            How many pixels were set, and how many of them lie outside.
        """
        rows, columns = np.nonzero(pixels)
        if not rows.size:
            return 0, 0
        index = self.first + np.outer(columns, self.along_row) + np.outer(rows, self.along_column)
        inside = ((index >= 0) & (index < target.shape[::-1])).all(axis=1)
        x, y, z = index[inside].T
        target[z, y, x] = value
        return int(rows.size), int(rows.size - np.count_nonzero(inside))


def lattice(plane: Plane, grid: Grid) -> Optional[Lattice]:
    """Return where the pixels of a plane are in a grid; None if they lie between its voxels."""
    steps = plane.steps
    last = np.array(plane.size) - 1
    corners = np.array([(0, 0), (last[0], 0), (0, last[1]), (last[0], last[1])], float)
    indices = grid.indices(np.asarray(plane.position) + corners @ steps)
    if np.abs(indices - np.rint(indices)).max() > LATTICE_TOLERANCE:
        return None
    first = np.rint(indices[0]).astype(int)
    along = [np.rint(indices[n] - indices[0]) / max(1, count) for n, count in ((1, last[0]), (2, last[1]))]
    if any(np.abs(step).sum() not in (0.0, 1.0) for step in along):
        return None
    row, column = (step.astype(int) for step in along)
    return None if row @ column else Lattice(first, row, column)


def stack_grid(planes: Sequence[Plane], name: str) -> Tuple[Grid, Dict[int, int]]:
    """Return the grid of a stack of planes, and for each plane (by its place in the list) its slice.

    Planes that are missing, as those without a voxel often are, leave room in the grid.

    Raises:
        InputError: the planes differ in size or direction, or do not lie at regular distances.
    """
    first = planes[0]
    alike = all(
        plane.size == first.size
        and np.allclose(plane.orientation, first.orientation, atol=1e-3)
        and np.allclose(plane.spacing, first.spacing, rtol=1e-3)
        for plane in planes
    )
    positions = np.array([plane.position for plane in planes])
    along = positions @ first.normal
    aside = positions - positions[0] - np.outer(along - along[0], first.normal)
    if not alike or np.linalg.norm(aside, axis=1).max() > 0.5 * min(first.spacing):
        raise InputError(Sentence("segmentation.irregular", name=name))
    places = np.unique(np.round(along, 3))
    gap = _gap(places, first.thickness)
    slices = np.rint((along - places[0]) / gap).astype(int)
    if np.abs((along - places[0]) / gap - slices).max() > GAP_TOLERANCE:
        raise InputError(Sentence("segmentation.irregular", name=name))
    origin = positions[int(np.argmin(along))]
    axes = np.column_stack([*np.reshape(first.orientation, (2, 3)), first.normal])
    x, y = first.size
    spacing = (first.spacing[0], first.spacing[1], gap)
    start = (float(origin[0]), float(origin[1]), float(origin[2]))
    grid = Grid((x, y, int(slices.max()) + 1), spacing, start, tuple(axes.ravel().tolist()))
    return grid.checked(), dict(enumerate(slices.tolist()))


def _gap(places: np.ndarray, thickness: Optional[float]) -> float:
    """The distance between planes, mm: the smallest, or what the file says if that is a part of it."""
    if len(places) < 2:
        return thickness or 1.0
    least = float(np.diff(places).min())
    if thickness and thickness < least and abs(least / thickness - round(least / thickness)) < GAP_TOLERANCE:
        return thickness
    return least


def resampled(mask: np.ndarray, own: Grid, grid: Grid) -> np.ndarray:
    """Return a mask, bool (z, y, x), of its own grid on another one: linear, set where at least half is."""
    image = own.image(mask.astype(np.float32))
    reference = sitk.Image(grid.size, sitk.sitkUInt8)
    reference.SetSpacing(grid.spacing)
    reference.SetOrigin(grid.origin)
    reference.SetDirection(grid.direction)
    found = sitk.Resample(image, reference, sitk.Transform(), sitk.sitkLinear, 0.0, sitk.sitkFloat32)
    return np.asarray(sitk.GetArrayViewFromImage(found) >= 0.5)


def pasted(values: np.ndarray, own: Grid, grid: Grid) -> Optional[np.ndarray]:
    """Return label values, uint8 (z, y, x), of a grid whose voxels are among those of another, or reach
    beyond it, on that other one; None if they lie between its voxels.
    """
    result = np.zeros(grid.shape, np.uint8)
    parts: List[Tuple[Lattice, int]] = []
    for z in range(own.size[2]):
        position = tuple(own.points([(0, 0, z)])[0].tolist())
        orientation = tuple(np.reshape(own.direction, (3, 3)).T[:2].ravel().tolist())
        plane = Plane(own.size[:2], own.spacing[:2], position, orientation)
        place = lattice(plane, grid)
        if place is None:
            return None
        parts.append((place, z))
    for place, z in parts:
        for value in np.unique(values[z]):
            if value:
                place.put(values[z] == value, result, int(value))
    return result

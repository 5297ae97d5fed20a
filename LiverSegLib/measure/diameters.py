"""The longest axial diameter of a lesion and its perpendicular.

Longest diameter: RECIST 1.1 measures target lesions by their longest diameter in the plane of measurement,
for CT the axial plane (Eisenhauer et al., Eur J Cancer 2009;45:228-247, section 3). Here it is the largest
distance between two points of the lesion's outline within one axial slice, over all slices, as PyRadiomics'
"Maximum 2D diameter (slice)".
Perpendicular: the longest line at right angles to it in the same slice (the second factor of the WHO's
bidimensional product, Miller et al., Cancer 1981;47:207-214).

Where a slice shows a lesion as several parts that do not touch (8 neighbours), each is measured by itself: a
reader's caliper does not bridge the liver between them. Both lines are measured on the convex hull of a
part's outline: in a crescent a line may leave the lesion, as a reader's caliper does. The outline runs
through the middles of the outer voxel faces, half a voxel beyond the centres of the outer voxels: n voxels in
a row along a grid axis measure n voxel edges. Between centres a row would lack one voxel edge, between voxel
corners a disc would measure more than one too many. On discs, ellipses and rectangles at any angle this is at
most one voxel edge off.
"""

from dataclasses import dataclass
from typing import List, Tuple

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

Point = Tuple[float, float]

_SAME_MM = 1e-6
"""Lengths that differ by less count as equal, so that rounding does not decide between them."""
_FACE_MIDDLES = np.array([(0.5, 0.0), (-0.5, 0.0), (0.0, 0.5), (0.0, -0.5)])
_MAX_TIES = 64
"""Of so many equally long diameters in a slice (a disc has many) the perpendiculars are compared."""


@dataclass(frozen=True)
class SliceDiameters:
    """Diameters in one slice. Ends are continuous (column, row) indices in the slice's mask.

    Attributes:
        slice_index: the slice, along the first axis of the mask.
        longest_mm, perpendicular_mm: lengths.
        longest_ends, perpendicular_ends: the two ends of each line.
    """

    slice_index: int
    longest_mm: float
    perpendicular_mm: float
    longest_ends: Tuple[Point, Point]
    perpendicular_ends: Tuple[Point, Point]


@dataclass(frozen=True)
class _Part:
    """A part of a lesion in one slice: its bool (row, column) mask, the (column, row) of the mask's first
    voxel, and an upper bound of its diameter.
    """

    slice_index: int
    corner: Tuple[int, int]
    mask: np.ndarray
    bound_mm: float


def longest_in_slices(mask: np.ndarray, column_step: np.ndarray, row_step: np.ndarray) -> SliceDiameters:
    """Find the longest in-slice diameter of a lesion and the perpendicular to it.

    Of equally long ones the one with the longest perpendicular counts, then the one nearest to the middle
    slice.

    Args:
        mask: bool (slice, row, column), at least one voxel set.
        column_step, row_step: the way in mm, (3,), from a voxel to its next along the columns and the rows;
            they need not be at right angles.
    """
    plane = _plane_coordinates(column_step, row_step)
    found: List[SliceDiameters] = []
    longest = 0.0
    for part in sorted(_parts(mask, column_step, row_step), key=lambda part: -part.bound_mm):
        if part.bound_mm < longest - _SAME_MM:
            break
        diameters = _in_slice(part, plane)
        longest = max(longest, diameters.longest_mm)
        found.append(diameters)
    best = [item for item in found if item.longest_mm > longest - _SAME_MM]
    widest = max(item.perpendicular_mm for item in best)
    best = [item for item in best if item.perpendicular_mm > widest - _SAME_MM]
    middle = (mask.shape[0] - 1) / 2
    return min(best, key=lambda item: (abs(item.slice_index - middle), item.slice_index))


def _plane_coordinates(column_step: np.ndarray, row_step: np.ndarray) -> np.ndarray:
    """Return the 2 x 2 matrix that takes (column, row) indices to right-angled mm: indices @ matrix."""
    width = float(np.linalg.norm(column_step))
    along = float(row_step @ column_step) / width
    across = float(np.sqrt(max(float(row_step @ row_step) - along**2, 0.0)))
    return np.array([[width, 0.0], [along, across]])


def _parts(mask: np.ndarray, column_step: np.ndarray, row_step: np.ndarray) -> List[_Part]:
    """Return the 8-connected parts of every slice."""
    parts = []
    for index, plane in enumerate(mask):
        numbers, _ = ndimage.label(plane, structure=np.ones((3, 3)))
        for number, (rows, columns) in enumerate(ndimage.find_objects(numbers), start=1):
            own = numbers[rows, columns] == number
            height, width = own.shape
            square = (
                width**2 * float(column_step @ column_step)
                + height**2 * float(row_step @ row_step)
                + 2 * width * height * abs(float(column_step @ row_step))
            )
            parts.append(_Part(index, (columns.start, rows.start), own, float(np.sqrt(square))))
    return parts


def _in_slice(part: _Part, plane: np.ndarray) -> SliceDiameters:
    outline = _outline(part.mask) + part.corner
    corners = outline[ConvexHull(outline @ plane).vertices]
    hull = corners @ plane
    distances = pdist(hull)
    first, second = np.triu_indices(len(hull), k=1)
    ties = np.flatnonzero(distances > distances.max() - _SAME_MM)[:_MAX_TIES]
    chords = [_perpendicular_chord(hull, int(first[tie]), int(second[tie])) for tie in ties]
    best = max(range(len(ties)), key=lambda item: chords[item][0])
    tie, (perpendicular, ends) = ties[best], chords[best]
    back = np.linalg.inv(plane)
    return SliceDiameters(
        slice_index=part.slice_index,
        longest_mm=float(distances[tie]),
        perpendicular_mm=perpendicular,
        longest_ends=(_pair(corners[first[tie]]), _pair(corners[second[tie]])),
        perpendicular_ends=(_pair(ends[0] @ back), _pair(ends[1] @ back)),
    )


def _outline(mask: np.ndarray) -> np.ndarray:
    """Return (column, row) middles of the faces of each row's first and last voxel, which span the hull."""
    rows = np.flatnonzero(mask.any(axis=1))
    first = mask[rows].argmax(axis=1)
    last = mask.shape[1] - 1 - mask[rows, ::-1].argmax(axis=1)
    ends = np.concatenate([np.stack([first, rows], axis=1), np.stack([last, rows], axis=1)]).astype(float)
    return (ends[:, None, :] + _FACE_MIDDLES).reshape(-1, 2)


def _perpendicular_chord(hull: np.ndarray, start: int, stop: int) -> Tuple[float, np.ndarray]:
    """Return length and ends (2, 2) of the longest chord of a convex polygon at right angles to its diameter.

    Over a convex polygon the length of the chord is a concave, piecewise linear function of the place along
    the diameter, so its maximum lies at a corner.

    Args:
        hull: corners in mm, (n, 2), in order round the polygon.
        start, stop: the corners at the ends of the longest diameter.
    """
    along = hull[stop] - hull[start]
    length = float(np.linalg.norm(along))
    along = along / length
    across = np.array([-along[1], along[0]])
    there = hull[_ring(start, stop, len(hull))] - hull[start]
    back = hull[_ring(stop, start, len(hull))][::-1] - hull[start]
    places = (hull - hull[start]) @ along
    one_side = np.interp(places, there @ along, there @ across)
    other_side = np.interp(places, back @ along, back @ across)
    lengths = np.abs(one_side - other_side)
    ties = np.flatnonzero(lengths > lengths.max() - _SAME_MM)
    best = ties[np.argmin(np.abs(places[ties] - length / 2))]
    foot = hull[start] + places[best] * along
    return float(lengths[best]), np.array([foot + one_side[best] * across, foot + other_side[best] * across])


def _ring(start: int, stop: int, count: int) -> np.ndarray:
    """Return the indices from start to stop, both included, forwards round a ring of count."""
    return (start + np.arange((stop - start) % count + 1)) % count


def _pair(point: np.ndarray) -> Point:
    return float(point[0]), float(point[1])

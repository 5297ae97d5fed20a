"""Closed contours as a mask on the grid of a scan: rasterised plane by plane, joined between planes."""

from dataclasses import dataclass
from typing import Dict, List, Sequence, Tuple

import numpy as np
from scipy import ndimage

from ..images.grid import Grid

ON_A_SLICE = 0.1
"""A plane of contours this part of the slice distance beside a slice is taken to lie on it."""
FLATNESS = 0.1
"""Points of a contour may lie this part of the slice distance beside its plane."""
WIDEST_GAP = 1.5
"""Planes further apart than this, in usual distances, belong to two pieces of a structure."""
_ROUNDING = 0.02
"""A contour of which less lies outside those before it is a hole in them."""


@dataclass(frozen=True)
class Contour:
    """A closed polygon of a structure: points (n, 3), LPS mm; ``exclusive`` if overlaps are holes by its kind
    (CLOSEDPLANAR_XOR)."""

    points: np.ndarray
    exclusive: bool = False


@dataclass(frozen=True)
class Rasterised:
    """A mask, bool (z, y, x); how many slices lie between planes of contours and were interpolated; whether
    contours lie outside the scan; how many do not lie in the plane of its slices."""

    mask: np.ndarray
    interpolated: int = 0
    outside: int = 0
    oblique: int = 0


def rasterise(contours: Sequence[Contour], grid: Grid) -> Rasterised:
    """Return the voxels whose centres lie within closed contours, even-odd.

    A contour within another of its plane is a hole, and one within the hole an island; contours that overlap
    in part are joined. A keyhole, whose outline runs to the hole and back, needs nothing. Slices that lie
    between planes of contours, no further apart than usual, get the zero level of signed distances between
    the two planes (Raya and Udupa, IEEE Trans Med Imaging 1990;9:32-42, doi:10.1109/42.52980).
    """
    planes, oblique = _planes(contours, grid)
    mask = np.zeros(grid.shape, bool)
    if not planes:
        return Rasterised(mask, oblique=oblique)
    places = np.array(sorted(planes))
    usual = float(np.median(np.diff(places))) if len(places) > 1 else 1.0
    drawn = {place: _plane_mask(planes[place], grid) for place in places.tolist()}
    outside = interpolated = 0
    for place, pixels in drawn.items():
        near = int(round(place))
        if abs(place - near) > ON_A_SLICE:
            continue
        if 0 <= near < len(mask):
            mask[near] |= pixels
        else:
            outside += 1
    for below, above in zip(places.tolist(), places[1:].tolist()):
        if above - below > WIDEST_GAP * usual:
            continue
        between = range(int(np.ceil(below + ON_A_SLICE)), int(np.floor(above - ON_A_SLICE)) + 1)
        for number in between:
            if 0 <= number < len(mask):
                mask[number] |= _between(drawn[below], drawn[above], (number - below) / (above - below))
                interpolated += 1
    return Rasterised(mask, interpolated, outside, oblique)


def _planes(contours: Sequence[Contour], grid: Grid) -> Tuple[Dict[float, List[Contour]], int]:
    """Contours in voxel indices by their place along the slices, to a hundredth; how many are oblique."""
    planes: Dict[float, List[Contour]] = {}
    oblique = 0
    for contour in contours:
        indices = grid.indices(contour.points)
        place = float(np.median(indices[:, 2]))
        if np.abs(indices[:, 2] - place).max() > FLATNESS:
            oblique += 1
            continue
        key = next((known for known in planes if abs(known - place) < ON_A_SLICE / 2), round(place, 2))
        planes.setdefault(key, []).append(Contour(indices, contour.exclusive))
    return planes, oblique


def _plane_mask(contours: Sequence[Contour], grid: Grid) -> np.ndarray:
    """The pixels of one plane, bool (y, x), of contours in voxel indices."""
    shape = grid.shape[1:]
    masks = [(inside_polygon(contour.points[:, :2], shape), contour.exclusive) for contour in contours]
    masks.sort(key=lambda pair: -int(np.count_nonzero(pair[0])))
    result = np.zeros(shape, bool)
    seen: List[bytes] = []
    for pixels, exclusive in masks:
        identity = pixels.tobytes()
        if identity in seen:  # one contour stored twice is no hole of itself
            continue
        seen.append(identity)
        beyond = np.count_nonzero(pixels & ~result)
        if exclusive:
            result ^= pixels
        elif beyond <= _ROUNDING * np.count_nonzero(pixels):
            result &= ~pixels
        else:
            result |= pixels
    return result


def inside_polygon(points: np.ndarray, shape: Tuple[int, int]) -> np.ndarray:
    """Return the pixels, bool (y, x), whose centres lie inside a polygon of points (n, 2), (x, y) in pixels.

    Every edge turns over all pixels to its right in the rows that it crosses; half-open, so that an edge that
    two polygons share counts for one of them, and a channel that runs there and back for none.
    """
    rows, columns = shape
    crossings = np.zeros((rows, columns + 1), np.int32)
    ends = np.roll(points, -1, axis=0)
    for (x0, y0), (x1, y1) in zip(points.tolist(), ends.tolist()):
        if y0 == y1:
            continue
        low, high = (y0, y1) if y0 < y1 else (y1, y0)
        lines = np.arange(max(0, int(np.ceil(low))), min(rows, int(np.ceil(high))))
        if not lines.size:
            continue
        x = x0 + (lines - y0) * ((x1 - x0) / (y1 - y0))
        np.add.at(crossings, (lines, np.clip(np.ceil(x), 0, columns).astype(int)), 1)
    return (np.cumsum(crossings[:, :columns], axis=1) % 2).astype(bool)


def _between(below: np.ndarray, above: np.ndarray, share: float) -> np.ndarray:
    """The shape between two planes, bool (y, x); ``share`` of the way from the first to the second."""
    return np.asarray(_signed(below) * (1 - share) + _signed(above) * share > 0)


def _signed(pixels: np.ndarray) -> np.ndarray:
    """Distance to the border in pixels, positive inside; far outside where there is nothing."""
    if not pixels.any():
        return np.full(pixels.shape, -float(max(pixels.shape)))
    inside = ndimage.distance_transform_edt(pixels)
    return np.asarray(inside - ndimage.distance_transform_edt(~pixels))

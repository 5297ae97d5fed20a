"""What the reader tells: clicks and strokes, and the voxels that they cover."""

from dataclasses import dataclass
from typing import Iterable, List, Sequence, Tuple

import numpy as np

from ..errors import UsageError
from ..images.grid import Box, Grid
from ..sentences import Sentence

Point = Tuple[float, float, float]
"""LPS mm."""

LARGEST_RADIUS_MM = 50.0


@dataclass(frozen=True)
class Stroke:
    """A line drawn through points, told to belong to the target or not.

    Attributes:
        points: LPS mm, at least one.
        radius_mm: voxels whose centres lie within it of the line are as told; 0 tells the voxels on the line
            only.
        include: True: they belong to the target.
    """

    points: Sequence[Point]
    radius_mm: float = 0.0
    include: bool = True


def checked_strokes(
    grid: Grid, include: Iterable[Point], exclude: Iterable[Point], strokes: Iterable[Stroke]
) -> List[Stroke]:
    """Return clicks and strokes as strokes, clicks first.

    Raises:
        UsageError: there is none, a point lies outside the grid or is no point, or a radius makes no sense.
    """
    told = [Stroke((point,), 0.0, True) for point in include]
    told += [Stroke((point,), 0.0, False) for point in exclude]
    told += list(strokes)
    if not told:
        raise UsageError(Sentence("correct.no-points"))
    for stroke in told:
        if not 0.0 <= stroke.radius_mm <= LARGEST_RADIUS_MM:
            raise UsageError(Sentence("correct.radius", most=LARGEST_RADIUS_MM, value=str(stroke.radius_mm)))
        if len(stroke.points) == 0:
            raise UsageError(Sentence("correct.no-points"))
        for point in stroke.points:
            voxel_at(grid, point)
    return told


def voxel_at(grid: Grid, point: Point) -> Tuple[int, int, int]:
    """Return the index (z, y, x) of the voxel that holds a point.

    Raises:
        UsageError: the point lies outside the grid, or is no point.
    """
    place = np.asarray(point, dtype=float)
    if place.shape != (3,) or not np.isfinite(place).all():
        raise UsageError(Sentence("correct.not-a-point", value=str(point)))
    x, y, z = np.floor(grid.indices(place[None])[0] + 0.5).astype(int).tolist()
    if not all(0 <= index < count for index, count in zip((x, y, z), grid.size)):
        raise UsageError(Sentence("correct.outside", x=place[0], y=place[1], z=place[2]))
    return z, y, x


def box_of(grid: Grid, strokes: Sequence[Stroke]) -> Box:
    """Return the tight box (z, y, x) of the voxels that strokes cover, within the grid."""
    indices = grid.indices(np.concatenate([np.asarray(s.points, float) for s in strokes]))[:, ::-1]
    widest = max(stroke.radius_mm for stroke in strokes) / _heights(grid)[::-1]
    low = np.floor(indices.min(0) - widest + 0.5).astype(int)
    high = np.floor(indices.max(0) + widest + 0.5).astype(int) + 1
    z, y, x = (
        slice(max(0, int(start)), min(int(count), int(stop)))
        for start, stop, count in zip(low, high, grid.shape)
    )
    return z, y, x


def covered(grid: Grid, box: Box, strokes: Iterable[Stroke]) -> np.ndarray:
    """Return which voxels of a box strokes cover, bool (z, y, x) of the box's shape."""
    mask = np.zeros([part.stop - part.start for part in box], bool)
    for stroke in strokes:
        samples = _sampled(np.asarray(stroke.points, float), 0.5 * min(grid.spacing))
        _mark(mask, grid, box, samples, stroke.radius_mm)
    return mask


def _mark(mask: np.ndarray, grid: Grid, box: Box, samples: np.ndarray, radius_mm: float) -> None:
    """Set the voxels that hold samples (n, 3; LPS mm) or whose centres lie within the radius of one."""
    corner = np.array([part.start for part in box])
    centres = np.floor(grid.indices(samples)[:, ::-1] + 0.5).astype(int) - corner
    inside = ((centres >= 0) & (centres < mask.shape)).all(1)
    mask[tuple(centres[inside].T)] = True
    if radius_mm <= 0:
        return
    from scipy.spatial import cKDTree

    reach = np.ceil(radius_mm / _heights(grid)[::-1]).astype(int) + 1
    low, high = np.maximum(centres.min(0) - reach, 0), np.minimum(centres.max(0) + reach + 1, mask.shape)
    if (high <= low).any():
        return
    z, y, x = np.mgrid[tuple(slice(a, b) for a, b in zip(low, high))]
    places = np.stack([x.ravel(), y.ravel(), z.ravel()], 1) + corner[::-1]
    near = cKDTree(samples).query(grid.points(places), distance_upper_bound=radius_mm * (1 + 1e-9))[0]
    mask[tuple(slice(a, b) for a, b in zip(low, high))] |= (near <= radius_mm * (1 + 1e-9)).reshape(z.shape)


def _sampled(points: np.ndarray, step: float) -> np.ndarray:
    """Return points along the line through points, (n, 3) mm, no further apart than ``step``."""
    parts = [points[:1]]
    for start, stop in zip(points[:-1], points[1:]):
        count = max(1, int(np.ceil(np.linalg.norm(stop - start) / step)))
        parts.append(start + (stop - start) * (np.arange(1, count + 1) / count)[:, None])
    return np.concatenate(parts)


def _heights(grid: Grid) -> np.ndarray:
    """Return the distance in mm between neighbouring layers of voxels along each grid axis (x, y, z); less
    than the spacing where the axes are not perpendicular."""
    return 1.0 / np.linalg.norm(np.linalg.inv(grid.steps), axis=1)


def near_each_other(strokes: Sequence[Stroke], reach_mm: float) -> List[List[Stroke]]:
    """Return strokes in groups: those of different groups lie further apart than ``reach_mm``."""
    groups: List[List[int]] = []
    clouds = [_sampled(np.asarray(stroke.points, float), 5.0) for stroke in strokes]
    for number, cloud in enumerate(clouds):
        near = [group for group in groups if any(_distance(cloud, clouds[i]) <= reach_mm for i in group)]
        groups = [group for group in groups if group not in near] + [sum(near, []) + [number]]
    return [[strokes[i] for i in sorted(group)] for group in groups]


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the smallest distance between points (n, 3) and (m, 3)."""
    return float(np.linalg.norm(a[:, None] - b[None], axis=2).min())

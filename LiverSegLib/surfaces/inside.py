"""A surface kept within another: a tumour's smooth surface does not cross that of its liver.

Each body is smoothed alone, so that at the liver's edge a tumour's surface may come out by a part of a voxel.
What comes out is moved to just beneath the outer surface, and the rest grows by what that cost in volume.
"""

from typing import TYPE_CHECKING, Tuple

import numpy as np
from scipy.spatial import cKDTree

from .meshing import polydata_of, surface_arrays, triangle_crosses, vertex_normals, volume_of

if TYPE_CHECKING:
    from vtkmodules.vtkCommonDataModel import vtkPolyData

DEPTH_EDGES = 0.1
"""How deep beneath the outer surface moved points lie, in mean edge lengths of the inner surface."""
NEAR_EDGES = 1.5
"""Points inside and farther from every point of the outer surface than so many of its edge lengths are not
looked at."""
ROUNDS = 12
"""Most rounds of moving; a triangle may still come out after its corners were moved."""
REFILLS = 1
"""How often lost volume is given back to the points that are free to move; once leaves less than 1 %."""
REFILL_SHARE = 1e-3
"""A smaller loss of volume, as a share, is let be."""

ENOUGH = 0.05
"""Points that lie this part of the depth too high are let be."""

_SAMPLES = np.array([[2, 1, 0], [1, 2, 0], [0, 2, 1], [0, 1, 2], [1, 0, 2], [2, 0, 1], [1, 1, 1]]) / 3.0
"""Where a triangle is looked at besides its corners, in barycentric coordinates (7, 3)."""


def kept_inside(inner: "vtkPolyData", outer: "vtkPolyData") -> "vtkPolyData":
    """Return the inner surface, moved to where it does not come out of the outer one.

    Args:
        inner: closed vtkPolyData of triangles, as ``surface`` makes it, of a part of the body within
            ``outer``.
        outer: the same of the whole body.

    Returns:
        ``inner`` itself if it lies inside, else a vtkPolyData of the same triangles.
    """
    points, triangles = _float_arrays(inner)
    border = _Border(outer)
    depth = DEPTH_EDGES * _mean_edge(points, triangles)
    moved, touched = border.moved_inside(points, triangles, depth)
    if not touched.any():
        return inner
    volume = volume_of(points, triangles)
    for _ in range(REFILLS):
        if abs(volume_of(moved, triangles) - volume) < REFILL_SHARE * volume:
            break
        grown = _refilled(moved, triangles, touched, volume)
        moved, more = border.moved_inside(grown, triangles, depth)
        touched |= more
    return polydata_of(moved, triangles)


class _Border:
    """The outer surface, asked how far a point lies inside."""

    def __init__(self, outer: "vtkPolyData") -> None:
        from vtkmodules.vtkFiltersCore import vtkImplicitPolyDataDistance

        points, triangles = _float_arrays(outer)
        self._points, self._tree = points, cKDTree(points)
        self._normals = vertex_normals(points, triangles)
        self._near = NEAR_EDGES * _mean_edge(points, triangles)
        self._distance = vtkImplicitPolyDataDistance()
        self._distance.SetInput(outer)

    def moved_inside(
        self, points: np.ndarray, triangles: np.ndarray, depth: float
    ) -> Tuple[np.ndarray, np.ndarray]:
        """Return the points (n, 3), those moved that lay less than ``depth`` mm inside or belong to a
        triangle that came out; and which were moved, bool (n,).
        """
        points, touched = points.copy(), np.zeros(len(points), bool)
        outside = self._outside(points, depth)
        looked_at = triangles
        for _ in range(ROUNDS):
            push = np.maximum(outside, 0.0)
            # A triangle may come out between its corners where these are closer to the border than its size.
            close = looked_at[outside[looked_at].max(1) > -_mean_edge(points, triangles)]
            samples = np.einsum("sk,tkc->tsc", _SAMPLES, points[close])
            between = self._outside(samples.reshape(-1, 3), 0.5 * depth).reshape(samples.shape[:2]).max(1)
            for corner in close.T:
                np.maximum.at(push, corner, between)
            moving = np.flatnonzero(push > ENOUGH * depth)
            if not len(moving):
                break
            points[moving] -= self._directions(points[moving]) * push[moving, None]
            outside[moving] = self._outside(points[moving], depth)
            touched[moving] = True
            looked_at = triangles[np.isin(triangles, moving).any(1)]
        return points, touched

    def _outside(self, points: np.ndarray, depth: float) -> np.ndarray:
        """How far (mm) each point would have to go to lie ``depth`` inside, negative for those that lie
        deeper; -inf for those that lie deep inside.
        """
        from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
        from vtkmodules.vtkCommonCore import vtkDoubleArray

        missing = np.full(len(points), -np.inf)
        if not len(points):
            return missing
        away, nearest = self._tree.query(points)
        beyond = ((points - self._points[nearest]) * self._normals[nearest]).sum(1) > 0
        chosen = np.flatnonzero(beyond | (away < self._near))
        if len(chosen):
            values = vtkDoubleArray()
            self._distance.FunctionValue(numpy_to_vtk(np.ascontiguousarray(points[chosen])), values)
            missing[chosen] = vtk_to_numpy(values) + depth
        return missing

    def _directions(self, points: np.ndarray) -> np.ndarray:
        """Unit vectors (n, 3) that lead outwards."""
        found, direction = np.zeros_like(points), [0.0, 0.0, 0.0]
        for number, point in enumerate(points.tolist()):
            self._distance.EvaluateGradient(point, direction)
            found[number] = direction
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)


def _refilled(points: np.ndarray, triangles: np.ndarray, fixed: np.ndarray, volume: float) -> np.ndarray:
    """Move the points that are not ``fixed`` along their normals, until ``volume`` mm3 are enclosed again."""
    areas = 0.5 * np.linalg.norm(triangle_crosses(points, triangles), axis=1)
    area = float((areas * (~fixed)[triangles].mean(1)).sum())
    whole = float(areas.sum())
    if area < 0.1 * whole:  # nearly all of it lies at the border
        return points
    step = (volume - volume_of(points, triangles)) / area
    return points + vertex_normals(points, triangles) * step * ~fixed[:, None]


def _float_arrays(mesh: "vtkPolyData") -> Tuple[np.ndarray, np.ndarray]:
    """Points float64 (n, 3) in mm and triangles int64 (m, 3)."""
    points, triangles = surface_arrays(mesh)
    return points.astype(np.float64), triangles.astype(np.int64)


def _mean_edge(points: np.ndarray, triangles: np.ndarray) -> float:
    """Mean length of the triangles' sides."""
    corners = points[triangles]
    return float(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).mean())

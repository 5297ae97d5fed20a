"""From a label image to smooth closed surfaces of the same volume, in LPS millimetres."""

from typing import TYPE_CHECKING, List, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk

from ..masks.level_sets import smooth_level_set
from .triangles import triangle_mesh

if TYPE_CHECKING:
    from vtkmodules.vtkCommonDataModel import vtkPolyData

MAX_TRIANGLES = 60_000
"""Surfaces are sampled just coarsely enough to stay below about this many triangles in all."""

FINEST_EDGE_VOXELS = 0.7
"""A surface is not sampled more finely than this part of the finest voxel spacing, unless it is small."""

EDGES_ACROSS = 10
"""A small lesion is sampled so that this many edges fit along its mean diameter."""

MAX_COMPONENTS = 300
"""Of a mask in more pieces than this (noise, not anatomy) only the largest pieces get a surface."""

SMOOTHING_PASSES = 12
PASS_BAND = 0.12
"""Windowed-sinc smoothing (Taubin) that evens out the triangles; the steps are already gone from the level
set."""


def surface(labels: sitk.Image, values: Sequence[int]) -> "Optional[vtkPolyData]":
    """Return the smooth closed surface of all voxels that have one of ``values``, or None where there are
    none.

    The enclosed volume equals that of the voxels (within numerical error), thick slices leave no stair steps,
    normals point outwards for any direction matrix, and an organ cut off by the image border is closed there.

    Args:
        labels: 3-D integer label image, values 0..255; more in uint16.
        values: label values that make up the body, e.g. ``(LIVER, TUMOUR)``.

    Returns:
        A vtkPolyData of triangles with point normals, points in LPS mm; None if no voxel has such a value.
    """
    found = _crop(labels, values)
    if found is None:
        return None
    mask, start = found
    spacing = tuple(reversed(labels.GetSpacing()))
    largest_edge = _edge_for_budget(mask, spacing)
    points: List[np.ndarray] = []
    triangles: List[np.ndarray] = []
    count = 0
    for piece, corner in _components(mask):
        edge = min(largest_edge, _edge_for_piece(piece, spacing))
        piece_points, piece_triangles = _mesh(piece, spacing, edge)
        offset = np.asarray([(a + b) * step for a, b, step in zip(start, corner, spacing)])
        points.append(piece_points + offset[::-1])
        triangles.append(piece_triangles + count)
        count += len(piece_points)
    return polydata_of(_to_physical(np.concatenate(points), labels), np.concatenate(triangles))


def surface_arrays(polydata: "vtkPolyData") -> Tuple[np.ndarray, np.ndarray]:
    """Points (n, 3) of a surface in LPS mm and its triangles (m, 3), indices into them; views, no copies."""
    from vtkmodules.util.numpy_support import vtk_to_numpy

    points = vtk_to_numpy(polydata.GetPoints().GetData())
    return points, vtk_to_numpy(polydata.GetPolys().GetConnectivityArray()).reshape(-1, 3)


def _crop(labels: sitk.Image, values: Sequence[int]) -> Optional[Tuple[np.ndarray, Tuple[int, ...]]]:
    """The mask's bounding box as (bool array (z, y, x), its first index (z, y, x)); None if the mask is
    empty.

    Works slice by slice, so that a long scan is never copied as a whole.
    """
    array = sitk.GetArrayViewFromImage(labels)
    chosen = np.zeros(65536 if array.dtype == np.uint16 else 256, dtype=bool)
    chosen[[int(value) for value in values]] = True
    rows = np.zeros(array.shape[1], dtype=bool)
    columns = np.zeros(array.shape[2], dtype=bool)
    slices = []
    for z, plane in enumerate(array):
        hit = chosen[plane]
        if hit.any():
            slices.append(z)
            rows |= hit.any(axis=1)
            columns |= hit.any(axis=0)
    if not slices:
        return None
    y, x = np.flatnonzero(rows), np.flatnonzero(columns)
    box = (slice(slices[0], slices[-1] + 1), slice(y[0], y[-1] + 1), slice(x[0], x[-1] + 1))
    return chosen[array[box]], (slices[0], int(y[0]), int(x[0]))


def _components(mask: np.ndarray) -> List[Tuple[np.ndarray, Tuple[int, ...]]]:
    """26-connected pieces, largest first, each as (bool array cropped to it, its first index (z, y, x))."""
    parts = sitk.ConnectedComponent(sitk.GetImageFromArray(mask.view(np.uint8)), True)
    parts = sitk.RelabelComponent(parts, sortByObjectSize=True)
    array = sitk.GetArrayViewFromImage(parts)
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.ComputePerimeterOff()
    shape.Execute(parts)
    pieces: List[Tuple[np.ndarray, Tuple[int, ...]]] = []
    for number in range(1, min(shape.GetNumberOfLabels(), MAX_COMPONENTS) + 1):
        x, y, z, width, height, depth = shape.GetBoundingBox(number)
        pieces.append((array[z : z + depth, y : y + height, x : x + width] == number, (z, y, x)))
    return pieces


def _edge_for_budget(mask: np.ndarray, spacing: Sequence[float]) -> float:
    """Edge in mm at which marching cubes makes about MAX_TRIANGLES: two for each cell that a face of the
    mask cuts."""
    area = 0.0
    for axis, step in enumerate(spacing):
        faces = np.count_nonzero(np.diff(mask, axis=axis))
        faces += np.count_nonzero(np.take(mask, 0, axis)) + np.count_nonzero(np.take(mask, -1, axis))
        area += faces * float(np.prod(spacing)) / step
    return max(FINEST_EDGE_VOXELS * min(spacing), float(np.sqrt(2.0 * area / MAX_TRIANGLES)))


def _edge_for_piece(piece: np.ndarray, spacing: Sequence[float]) -> float:
    """Edge in mm that still shows the shape of a small or thin piece."""
    volume = np.count_nonzero(piece) * float(np.prod(spacing))
    return 2.0 * (3.0 * volume / (4.0 * np.pi)) ** (1.0 / 3.0) / EDGES_ACROSS


def _mesh(piece: np.ndarray, spacing: Sequence[float], edge: float) -> Tuple[np.ndarray, np.ndarray]:
    """Points (n, 3) in mm (x, y, z) from the piece's first voxel centre and outward triangles (m, 3)."""
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D, vtkWindowedSincPolyDataFilter

    volume = np.count_nonzero(piece) * float(np.prod(spacing))
    level_set = smooth_level_set(piece, spacing, edge)
    field = _closed_at_border(level_set.field, level_set.level)
    grid = vtkImageData()
    grid.SetDimensions(*reversed(field.shape))
    grid.SetSpacing(edge, edge, edge)
    grid.SetOrigin(*reversed(level_set.origin))
    grid.GetPointData().SetScalars(numpy_to_vtk(field.ravel(), deep=True))
    contour = vtkFlyingEdges3D()
    contour.SetInputData(grid)
    contour.SetValue(0, level_set.level)
    contour.ComputeNormalsOff()
    contour.ComputeGradientsOff()
    contour.ComputeScalarsOff()
    smoothing = vtkWindowedSincPolyDataFilter()
    smoothing.SetInputConnection(contour.GetOutputPort())
    smoothing.SetNumberOfIterations(SMOOTHING_PASSES)
    smoothing.SetPassBand(PASS_BAND)
    smoothing.NonManifoldSmoothingOn()
    smoothing.NormalizeCoordinatesOn()
    smoothing.Update()
    mesh = smoothing.GetOutput()
    points, triangles = surface_arrays(mesh)
    points, triangles = points.astype(np.float64), triangles.astype(np.int64)
    if volume_of(points, triangles) < 0:
        triangles = triangles[:, ::-1]
    return _restore_volume(points, triangles, volume), triangles


def _closed_at_border(field: np.ndarray, level: float) -> np.ndarray:
    """The field with its outermost layer below the level, so that no surface is cut open there."""
    for axis in range(field.ndim):
        layers = np.moveaxis(field, axis, 0)
        for end in (0, -1):
            np.minimum(layers[end], level - 1e-3, out=layers[end])
    return field


def _restore_volume(points: np.ndarray, triangles: np.ndarray, volume: float) -> np.ndarray:
    """Move the points along their normals until the surface encloses ``volume`` mm3."""
    for _ in range(4):
        missing = volume - volume_of(points, triangles)
        if abs(missing) < 1e-3 * volume:
            break
        area = 0.5 * np.linalg.norm(triangle_crosses(points, triangles), axis=1).sum()
        points = points + vertex_normals(points, triangles) * (missing / area)
    # What is left on bodies of a few voxels, whose area changes much with every step, is a matter of scale.
    ratio = volume / max(volume_of(points, triangles), 1e-12)
    centre = points.mean(axis=0)
    return centre + (points - centre) * ratio ** (1.0 / 3.0) if abs(ratio - 1.0) > 1e-3 else points


def vertex_normals(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Unit normals (n, 3) at points (n, 3): the sum of the cross products of their triangles (m, 3)."""
    crosses = triangle_crosses(points, triangles)
    normals = np.stack(
        [
            sum(
                np.bincount(triangles[:, corner], weights=crosses[:, axis], minlength=len(points))
                for corner in range(3)
            )
            for axis in range(3)
        ],
        axis=1,
    )
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def triangle_crosses(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Cross products (m, 3) of two sides of each triangle: its normal, as long as twice its area."""
    corners = points[triangles]
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def volume_of(points: np.ndarray, triangles: np.ndarray) -> float:
    """Signed volume by the divergence theorem, in the points' unit cubed."""
    corners = np.asarray(points, dtype=np.float64)[triangles]
    corners = corners - corners[0, 0]
    return float(np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6.0)


def _to_physical(points: np.ndarray, labels: sitk.Image) -> np.ndarray:
    """Points in mm along the image's axes to LPS mm."""
    direction = np.asarray(labels.GetDirection()).reshape(3, 3)
    return points @ direction.T + np.asarray(labels.GetOrigin())


def polydata_of(points: np.ndarray, triangles: np.ndarray) -> "vtkPolyData":
    """vtkPolyData of points (n, 3) in LPS mm and triangles (m, 3), turned outwards, with point normals."""
    from vtkmodules.util.numpy_support import numpy_to_vtk

    if volume_of(points, triangles) < 0:  # a left-handed direction matrix mirrors the surface
        triangles = triangles[:, ::-1]
    normals = numpy_to_vtk(vertex_normals(points, triangles).astype(np.float32), deep=True)
    normals.SetName("Normals")
    polydata = triangle_mesh(points, triangles)
    polydata.GetPointData().SetNormals(normals)
    return polydata

"""Labels and surfaces of a run as segments, and segments back as labels.

The segments share one label map that covers just the labelled part of the scan, and bring their surfaces
ready made, so that nothing is converted when they are shown. Editing changes label values, layers and
extents: whoever reads them back goes by segment ID.
"""

from typing import Mapping, Optional, Tuple

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from LiverSegLib.errors import InputError
from LiverSegLib.labels import LABELS

from .terminology import setTerminology
from .volumes import asArray, ijkToRas, toWorld

LABELMAP = "Binary labelmap"
SURFACE = "Closed surface"
"""Slicer's names of the two representations (vtkSegmentationConverter gives the same)."""

SEGMENT_IDS = tuple(info.key for info in LABELS.values())
"""liver, spleen, tumour: in this order a later one wins where segments overlap."""

Surfaces = Mapping[str, Tuple[np.ndarray, np.ndarray]]
Box = Tuple[slice, slice, slice]

_SAME_GRID_VOXELS = 0.01
"""Two grids are one if no corner lies further apart than this part of a voxel."""


def boundingBox(labels: np.ndarray) -> Optional[Box]:
    """Return the tightest box around what is not zero in a bool or uint8 (z, y, x) array, None if nothing."""
    if not labels.size:
        return None
    values = labels.view(np.uint8)
    z = np.flatnonzero(
        values.reshape(len(values), -1).max(axis=1) if values.flags.c_contiguous else values.max((1, 2))
    )
    if not z.size:
        return None
    rows = slice(int(z[0]), int(z[-1]) + 1)
    plane = values[rows].max(axis=0)
    y, x = np.flatnonzero(plane.max(axis=1)), np.flatnonzero(plane.max(axis=0))
    return rows, slice(int(y[0]), int(y[-1]) + 1), slice(int(x[0]), int(x[-1]) + 1)


def sharedLabelmap(
    labels: np.ndarray, volumeNode: "slicer.vtkMRMLVolumeNode"
) -> "slicer.vtkOrientedImageData":
    """Return the labelled part of uint8 (z, y, x) ``labels`` as an image in the place of the volume.

    Its extent counts the volume's own voxels; without any label it is one voxel of background.
    """
    box = boundingBox(labels) or (slice(0, 1),) * 3
    image = slicer.vtkOrientedImageData()
    z, y, x = box
    image.SetExtent(x.start, x.stop - 1, y.start, y.stop - 1, z.start, z.stop - 1)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])[:] = labels[box]
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    image.SetImageToWorldMatrix(matrix)
    return image


def closedSurface(points: np.ndarray, triangles: np.ndarray) -> "vtk.vtkPolyData":
    """Return a surface in RAS mm with normals, for smooth shading.

    Args:
        points: (n, 3) LPS mm.
        triangles: (m, 3) indices of points.
    """
    ras = np.asarray(points, np.float32) * np.array([-1, -1, 1], np.float32)
    vtkPoints = vtk.vtkPoints()
    vtkPoints.SetData(numpy_to_vtk(ras, deep=True))
    cells = vtk.vtkCellArray()
    cells.SetData(3, numpy_to_vtk(np.asarray(triangles, np.int64).ravel(), deep=True))
    surface = vtk.vtkPolyData()
    surface.SetPoints(vtkPoints)
    surface.SetPolys(cells)
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputData(surface)
    normals.SplittingOff()  # it would double the points along edges
    normals.ConsistencyOff()
    normals.Update()
    return normals.GetOutput()


def fillSegmentation(
    segmentation: "slicer.vtkSegmentation", labelmap: "slicer.vtkOrientedImageData", surfaces: Surfaces
) -> None:
    """Put liver, spleen and tumour into a segmentation that holds none of them.

    A structure without voxels gets an empty segment, to paint in. If there are surfaces at all, each
    segment has one, be it empty: Slicer restores surfaces from a saved scene only if every segment had one.
    """
    for info in LABELS.values():
        segment = slicer.vtkSegment()
        segment.SetName(info.name)
        segment.SetColor(*(value / 255 for value in info.colour))
        segment.SetLabelValue(info.value)
        setTerminology(segment, info)
        segment.AddRepresentation(LABELMAP, labelmap)
        if surfaces:
            segment.AddRepresentation(SURFACE, _surfaceOf(info.key, surfaces))
        segmentation.AddSegment(segment, info.key)


def segmentMask(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", segmentID: str
) -> Optional[Tuple[np.ndarray, "slicer.vtkOrientedImageData"]]:
    """Return the voxels of a segment, bool (z, y, x), and the image whose extent and place they have.

    None if there is no such segment, or it has no label map.
    """
    segment = segmentationNode.GetSegmentation().GetSegment(segmentID)
    image = None if segment is None else segment.GetRepresentation(LABELMAP)
    if image is None:
        return None
    scalars = image.GetPointData().GetScalars()
    if scalars is None or not image.GetNumberOfPoints():
        return np.zeros((0, 0, 0), bool), image
    voxels = vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1])
    return voxels == segment.GetLabelValue(), image


def labelArray(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", volumeNode: "slicer.vtkMRMLVolumeNode"
) -> np.ndarray:
    """Return the segments as they are now as labels, uint8 (z, y, x), on the volume's grid.

    Other segments than ours are left out. Segments on another grid or under another transform than the
    volume are resampled to it.

    Raises:
        InputError: none of the segments is there.
    """
    labels = np.zeros(volumeNode.GetImageData().GetDimensions()[::-1], np.uint8)
    found = False
    for info in LABELS.values():
        mask = segmentMask(segmentationNode, info.key)
        if mask is None:
            continue
        found = True
        if not mask[0].size:
            continue
        if _onGrid(mask[1], segmentationNode, volumeNode):
            _paste(labels, mask[0], mask[1].GetExtent(), info.value)
        else:
            array = slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, info.key, volumeNode)
            labels[array > 0] = info.value
    if not found:
        raise InputError(
            _("The segmentation holds none of the segments liver, spleen and liver tumor any more.")
        )
    return labels


def segmentVoxels(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", segmentID: str, volumeNode: "slicer.vtkMRMLVolumeNode"
) -> Optional[np.ndarray]:
    """Return the voxels of a segment on the volume's grid, bool (z, y, x).

    None if there is no such segment, or its label map lies on another grid.
    """
    mask = segmentMask(segmentationNode, segmentID)
    if mask is None or not _onGrid(mask[1], segmentationNode, volumeNode):
        return None
    voxels = np.zeros(volumeNode.GetImageData().GetDimensions()[::-1], np.uint8)
    if mask[0].size:
        _paste(voxels, mask[0], mask[1].GetExtent(), 1)
    return voxels.view(bool)


def segmentBox(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", segmentID: str
) -> Optional[Tuple[np.ndarray, np.ndarray]]:
    """Return the lowest and highest corner, world RAS mm (3,), of the box around a segment.

    The box lies along the world's axes; None if the segment has no voxel.
    """
    mask = segmentMask(segmentationNode, segmentID)
    box = None if mask is None else boundingBox(mask[0])
    if mask is None or box is None:
        return None
    image = mask[1]
    starts = np.array(image.GetExtent()[::2], float)
    ends = [(part.start - 0.5, part.stop - 0.5) for part in box[::-1]]
    corners = np.array(np.meshgrid(*ends)).reshape(3, -1).T + starts
    matrix = toWorld(segmentationNode) @ imageToRas(image)
    world = corners @ matrix[:3, :3].T + matrix[:3, 3]
    return world.min(axis=0), world.max(axis=0)


def imageToRas(image: "slicer.vtkOrientedImageData") -> np.ndarray:
    """Return the 4 x 4 matrix from voxel indices (extent counted) of an image to RAS mm."""
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    return asArray(matrix)


def _surfaceOf(key: str, surfaces: Surfaces) -> "vtk.vtkPolyData":
    return closedSurface(*surfaces[key]) if key in surfaces else vtk.vtkPolyData()


def _onGrid(
    image: "slicer.vtkOrientedImageData",
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    volumeNode: "slicer.vtkMRMLVolumeNode",
) -> bool:
    """Whether the voxels of an image are voxels of the volume, with the same indices."""
    mine, its = imageToRas(image), ijkToRas(volumeNode)
    if segmentationNode.GetParentTransformNode() is not volumeNode.GetParentTransformNode():
        return False
    far = np.array([*volumeNode.GetImageData().GetDimensions(), 1.0])
    steps = np.linalg.norm(its[:3, :3], axis=0)
    apart = np.abs(mine - its)[:3] @ far
    return bool(apart.max() <= _SAME_GRID_VOXELS * steps.min())


def _paste(labels: np.ndarray, mask: np.ndarray, extent: Tuple[int, ...], value: int) -> None:
    """Write ``value`` where ``mask``, whose place is ``extent`` (Slicer's order), is set within the array."""
    inside, outside = [], []
    for axis, (count, length) in enumerate(zip(labels.shape, mask.shape)):
        start = extent[2 * (2 - axis)]
        low, high = max(0, start), min(count, start + length)
        if low >= high:
            return
        inside.append(slice(low, high))
        outside.append(slice(low - start, high - start))
    np.copyto(labels[tuple(inside)], value, where=mask[tuple(outside)])

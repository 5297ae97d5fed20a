"""Labels and surfaces of a run as segments with their SNOMED CT codes, and segments back as labels.

The segments share one label map that covers just the labelled part of the scan, and bring their surfaces
ready made, so that nothing is converted when they are shown. Editing changes label values, layers and
extents: whoever reads them back goes by segment ID.
"""

from typing import Mapping, Optional, Sequence, Tuple

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from LiverSegLib.errors import InputError
from LiverSegLib.images.grid import bounding_box
from LiverSegLib.labels import LABELS, LIVER, TUMOUR, Code, LabelInfo

from .volumes import ijkToRas, toWorld

LABELMAP = "Binary labelmap"
SURFACE = "Closed surface"
"""Slicer's names of the two representations (vtkSegmentationConverter gives the same)."""

SEGMENT_CONTEXT = "Segmentation category and type - DICOM master list"
"""Slicer's list of terms that holds all of ours; its own shorter list knows no neoplasm."""
REGION_CONTEXT = "Anatomic codes - DICOM master list"
"""Slicer's list of places in the body."""

Surfaces = Mapping[str, Tuple[np.ndarray, np.ndarray]]

_SAME_GRID_VOXELS = 0.01
"""Two grids are one if no corner lies further apart than this part of a voxel."""


def sharedLabelmap(
    labels: np.ndarray, volumeNode: "slicer.vtkMRMLVolumeNode"
) -> "slicer.vtkOrientedImageData":
    """Return the labelled part of uint8 (z, y, x) ``labels`` as an image in the place of the volume.

    Its extent counts the volume's own voxels; without any label it is one voxel of background.
    """
    box = bounding_box(labels) or (slice(0, 1),) * 3
    return imageOf(labels[box], [part.start for part in box[::-1]], volumeNode)


def imageOf(
    voxels: np.ndarray, corner: Sequence[int], volumeNode: "slicer.vtkMRMLVolumeNode"
) -> "slicer.vtkOrientedImageData":
    """Return bool or uint8 (z, y, x) as an image in the place of the volume.

    Args:
        corner: index (i, j, k) in the volume of the first voxel.
    """
    image = slicer.vtkOrientedImageData()
    image.SetExtent(*(n for low, count in zip(corner, voxels.shape[::-1]) for n in (low, low + count - 1)))
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    vtk_to_numpy(image.GetPointData().GetScalars()).reshape(voxels.shape)[:] = voxels
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
        # vtkSegment.SetTerminology is absent in 5.8
        segment.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), terminologyEntry(info))
        segment.AddRepresentation(LABELMAP, labelmap)
        if surfaces:
            surface = closedSurface(*surfaces[info.key]) if info.key in surfaces else vtk.vtkPolyData()
            segment.AddRepresentation(SURFACE, surface)
        segmentation.AddSegment(segment, info.key)


def letGoOfSegments(segmentation: "slicer.vtkSegmentation") -> None:
    """Remove all segments of a segmentation that is in no scene any more.

    Their label maps are taken away first: a segment that shares its label map with others is else wiped out
    of it, which takes long on a long scan. While a view shows the segmentation, that would crash.
    """
    for key in segmentation.GetSegmentIDs():
        segmentation.GetSegment(key).RemoveRepresentation(LABELMAP)
    segmentation.RemoveAllSegments()


def terminologyEntry(label: LabelInfo) -> str:
    """Return the terminology of a label in the text form that Slicer stores.

    The form is Slicer's own: context ~ category ~ type ~ type modifier ~ region context ~ region ~ region
    modifier, each code as scheme^value^meaning. A tumour's region is the liver.
    """
    region = LABELS[LIVER].type if label.value == TUMOUR else None
    kind = (SEGMENT_CONTEXT, _code(label.category), _code(label.type), _code(None))
    return "~".join((*kind, REGION_CONTEXT, _code(region), _code(None)))


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


def labelsOf(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", volumeNode: "slicer.vtkMRMLVolumeNode"
) -> np.ndarray:
    """Return the segments as they are now, edits included, as labels, uint8 (z, y, x), on the volume's grid.

    Segments are found by ID; tumour wins over spleen, spleen over liver; other segments are left out.
    Segments on another grid or under another transform than the volume are resampled to it.

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
    box = None if mask is None else bounding_box(mask[0])
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
    return slicer.util.arrayFromVTKMatrix(matrix)


def _code(code: Optional[Code]) -> str:
    return "^^" if code is None else f"{code.scheme}^{code.value}^{code.meaning}"


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

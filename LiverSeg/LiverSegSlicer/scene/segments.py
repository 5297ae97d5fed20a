"""Labels and surfaces of a run as segments with their SNOMED CT codes, and segments back as labels.

The segments share one label map that covers just the labelled part of the scan, and bring their surfaces
ready made, so that nothing is converted when they are shown. Editing changes label values, layers and
extents: whoever reads them back goes by segment ID.
"""

from typing import Any, Mapping, Optional, Sequence, Tuple

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from LiverSegLib.errors import InputError
from LiverSegLib.images.grid import Box, bounding_box
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

VALUES = {info.key: info.value for info in LABELS.values()}
"""ID of each of our segments -> its label; tumor wins over spleen, spleen over liver."""

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
    """Return bool, uint8 or uint16 (z, y, x) as an image in the place of the volume.

    Args:
        corner: index (i, j, k) in the volume of the first voxel.
    """
    image = slicer.vtkOrientedImageData()
    image.SetExtent(*(n for low, count in zip(corner, voxels.shape[::-1]) for n in (low, low + count - 1)))
    kind = vtk.VTK_UNSIGNED_SHORT if voxels.dtype == np.uint16 else vtk.VTK_UNSIGNED_CHAR
    image.AllocateScalars(kind, 1)
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
    image = labelmapOf(segmentationNode, segmentID)
    if image is None:
        return None
    voxels, value = _voxelsAndValue(segmentationNode, segmentID, image)
    return voxels == value, image


def labelmapOf(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", segmentID: str
) -> Optional["slicer.vtkOrientedImageData"]:
    """Return the label map that holds a segment, perhaps with others; None if there is none."""
    segment = segmentationNode.GetSegmentation().GetSegment(segmentID)
    return None if segment is None else segment.GetRepresentation(LABELMAP)


def labelsOf(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", volumeNode: "slicer.vtkMRMLVolumeNode"
) -> np.ndarray:
    """Return the segments as they are now, edits included, as labels, uint8 (z, y, x), on the volume's grid.

    Segments are found by ID; tumour wins over spleen, spleen over liver; other segments are left out.
    Segments on another grid or under another transform than the volume are resampled to it.

    Raises:
        InputError: none of the segments is there.
    """
    labelledBox(segmentationNode, volumeNode)
    whole = tuple(slice(0, count) for count in volumeNode.GetImageData().GetDimensions()[::-1])
    return labelsIn(segmentationNode, volumeNode, VALUES, whole)


def labelledBox(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", volumeNode: "slicer.vtkMRMLVolumeNode"
) -> Box:
    """Return a box (z, y, x) of the volume that holds liver, spleen and tumor, at no cost: that of their
    label maps; one voxel if they have none there, the whole volume where they lie on another grid.

    Raises:
        InputError: none of the segments is there.
    """
    images = [image for key in VALUES if (image := labelmapOf(segmentationNode, key)) is not None]
    if not images:
        raise InputError(
            _("The segmentation holds none of the segments liver, spleen and liver tumor any more.")
        )
    counts = volumeNode.GetImageData().GetDimensions()[::-1]
    images = [image for image in images if image.GetNumberOfPoints()]
    if not all(_onGrid(image, segmentationNode, volumeNode) for image in images):
        extents = [tuple(edge for count in counts[::-1] for edge in (0, count - 1))]
    else:
        extents = [image.GetExtent() for image in images]
    parts = []
    for axis, count in enumerate(counts):
        at = 2 * (2 - axis)
        low = max(0, min((extent[at] for extent in extents), default=0))
        high = min(count, max((extent[at + 1] + 1 for extent in extents), default=1))
        parts.append(slice(low, high) if low < high else slice(0, 1))
    z, y, x = parts
    return z, y, x


def labelsIn(
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    volumeNode: "slicer.vtkMRMLVolumeNode",
    values: Mapping[str, int],
    box: Sequence[slice],
) -> np.ndarray:
    """Return segments as they are now as labels, uint8 (z, y, x), in a box of the volume.

    Args:
        values: segment ID -> label; where segments overlap, the one named last wins.
        box: slices (z, y, x) with start and stop.
    """
    labels = np.zeros([part.stop - part.start for part in box], np.uint8)
    for segmentID, value in values.items():
        image = labelmapOf(segmentationNode, segmentID)
        if image is None or not image.GetNumberOfPoints():
            continue
        if not _onGrid(image, segmentationNode, volumeNode):
            image = _resampled(image, segmentationNode, volumeNode, box)
        _paste(labels, image, segmentationNode, segmentID, box, value)
    return labels


class LabelSlabs:
    """The labels in a box of a volume (all of it if None), uint8 (z, y, x), made slab by slab:
    ``slabs[first:last]``. See ``labelsIn``."""

    def __init__(
        self, segmentationNode: Any, volumeNode: Any, values: Mapping[str, int], box: Optional[Box] = None
    ) -> None:
        self._nodes = segmentationNode, volumeNode
        self._values = values
        whole = [slice(0, count) for count in volumeNode.GetImageData().GetDimensions()[::-1]]
        self._box = whole if box is None else box
        self.shape = tuple(part.stop - part.start for part in self._box)
        self.nbytes = int(np.prod(self.shape))

    def __getitem__(self, part: slice) -> np.ndarray:
        first, last, _step = part.indices(self.shape[0])
        start = self._box[0].start
        return labelsIn(*self._nodes, self._values, (slice(start + first, start + last), *self._box[1:]))


def segmentVoxels(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", segmentID: str, volumeNode: "slicer.vtkMRMLVolumeNode"
) -> Optional[np.ndarray]:
    """Return the voxels of a segment on the volume's grid, bool (z, y, x).

    None if there is no such segment, or its label map lies on another grid.
    """
    mask = segmentMask(segmentationNode, segmentID)
    if mask is None or not _onGrid(mask[1], segmentationNode, volumeNode):
        return None
    whole = [slice(0, count) for count in volumeNode.GetImageData().GetDimensions()[::-1]]
    return labelsIn(segmentationNode, volumeNode, {segmentID: 1}, whole).view(bool)


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


def _resampled(image: Any, segmentationNode: Any, volumeNode: Any, box: Sequence[slice]) -> Any:
    """Return a segment's label map on the volume's grid, nearest neighbor, in a box alone."""
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
        segmentationNode.GetParentTransformNode(), volumeNode.GetParentTransformNode(), transform
    )
    nothing = np.zeros([part.stop - part.start for part in box], bool)
    place, found = (
        imageOf(nothing, [part.start for part in box[::-1]], volumeNode),
        slicer.vtkOrientedImageData(),
    )
    slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
        image, place, found, False, False, transform
    )
    return found


def _paste(
    labels: np.ndarray, image: Any, segmentationNode: Any, segmentID: str, box: Sequence[slice], value: int
) -> None:
    """Write ``value`` into the labels of a box of the volume where a segment on its grid has voxels."""
    voxels, own = _voxelsAndValue(segmentationNode, segmentID, image)
    inside, outside = [], []
    for part, start, length in zip(box, image.GetExtent()[4::-2], voxels.shape):
        low, high = max(part.start, start), min(part.stop, start + length)
        if low >= high:
            return
        inside.append(slice(low - part.start, high - part.start))
        outside.append(slice(low - start, high - start))
    np.copyto(labels[tuple(inside)], np.uint8(value), where=voxels[tuple(outside)] == own)


def _voxelsAndValue(segmentationNode: Any, segmentID: str, image: Any) -> Tuple[np.ndarray, int]:
    """Return the voxels (z, y, x) of a segment's label map, and the value that stands for the segment."""
    scalars = image.GetPointData().GetScalars()
    value = segmentationNode.GetSegmentation().GetSegment(segmentID).GetLabelValue()
    if scalars is None or not image.GetNumberOfPoints():
        return np.zeros((0, 0, 0), np.uint8), value
    return vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1]), value

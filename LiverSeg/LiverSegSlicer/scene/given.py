"""Segmentations in the scene that LiverSeg did not make: which there are, what their segments are, and their
shapes as the core takes them.

Nothing here changes them: shapes are taken as they are stored, be it label maps, contours (as SlicerRT loads
an RT Structure Set) or surfaces, and not converted by Slicer.
"""

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import vtk_to_numpy

from LiverSegLib.errors import InputError, UsageError
from LiverSegLib.images.grid import Grid
from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR
from LiverSegLib.review import AUTOMATIC, MANUAL, SEMIAUTOMATIC
from LiverSegLib.segmentations.naming import Segment, codes_of, proposed
from LiverSegLib.sentences import Sentence

from . import parts
from .segments import LABELMAP, SURFACE, imageToRas
from .volumes import toWorld

KIND = "segmentation in 3D Slicer"
"""What provenance and report call such a segmentation."""
CONTOURS = "Planar contour"
"""Slicer's name of the representation that SlicerRT loads structure sets in."""
NONE = "none"
STRUCTURES: Mapping[int, str] = {LIVER: "liver", SPLEEN: "spleen", TUMOUR: "tumor"}
"""Label -> the core's word for it; ``NONE`` for what is left out."""

_ALGORITHM_TYPE = "DICOM.SegmentAlgorithmType"
"""Tag of a segment that came from a DICOM Segmentation."""
_WAYS = {"MANUAL": MANUAL, "AUTOMATIC": AUTOMATIC, "SEMIAUTOMATIC": SEMIAUTOMATIC}
_TO_LPS = np.diag([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class GivenSegment:
    """A segment: its ID, its name, and what it seems to be, one of ``STRUCTURES`` or ``NONE``."""

    segmentID: str
    name: str
    structure: str


@dataclass(frozen=True, eq=False)
class Shape:
    """The shape of a segment in the scan's own LPS mm: voxels, contours or a surface; nothing if it is empty.

    Attributes:
        image: vtkOrientedImageData that ``labels`` came from; segments may share it.
        labels: integers (z, y, x) on ``grid``, in which ``value`` is the segment.
        points: float (n, 3).
        contours: int (m,), how many of the points each closed contour takes, in turn.
        triangles: int (m, 3), of a closed surface.
    """

    image: Any = None
    labels: Optional[np.ndarray] = None
    grid: Optional[Grid] = None
    value: int = 1
    points: Optional[np.ndarray] = None
    contours: Optional[np.ndarray] = None
    triangles: Optional[np.ndarray] = None


def givenSegmentations() -> List["slicer.vtkMRMLSegmentationNode"]:
    """Return the segmentations of the scene that are none of LiverSeg's and have a segment, the one that came
    last at the end."""
    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    return [node for node in nodes if isGiven(node)]


def isGiven(node: Any) -> bool:
    """Whether a node is a segmentation with segments that LiverSeg did not make."""
    if node is None or not node.IsA("vtkMRMLSegmentationNode") or node.GetHideFromEditors():
        return False
    return not parts.isResult(node) and node.GetSegmentation().GetNumberOfSegments() > 0


def segmentsOf(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> Tuple[GivenSegment, ...]:
    """Return the segments, each with what its terminology, else its name, says that it is."""
    segmentation, found = segmentationNode.GetSegmentation(), []
    for number, segmentID in enumerate(segmentation.GetSegmentIDs(), 1):
        segment = segmentation.GetSegment(segmentID)
        codes = codes_of(_tag(segment, slicer.vtkSegment.GetTerminologyEntryTagName()))
        label = proposed(Segment(number, segment.GetName() or segmentID, *codes))
        name = segment.GetName() or segmentID
        found.append(GivenSegment(segmentID, name, STRUCTURES.get(label, NONE)))
    return tuple(found)


def structuresOf(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", told: Optional[Mapping[str, str]] = None
) -> Dict[str, str]:
    """Return segment ID -> structure of all segments.

    Args:
        told: segment ID or name -> "liver", "spleen", "tumor" or "none", where it is not as it seems.

    Raises:
        UsageError: ``told`` names what is not there, or no segment is the liver.
    """
    segments = segmentsOf(segmentationNode)
    structures = {segment.segmentID: segment.structure for segment in segments}
    known = (*STRUCTURES.values(), NONE)
    for name, structure in (told or {}).items():
        meant = [item.segmentID for item in segments if name in (item.segmentID, item.name)]
        if not meant:
            text = _("The segmentation has no segment {name}. It has: {names}.")
            names = ", ".join(segment.name for segment in segments)
            raise UsageError(text.format(name=name, names=names))
        if structure not in known:
            text = _("There is no structure {name}; choose one of: {known}.")
            raise UsageError(text.format(name=structure, known=", ".join(known)))
        structures.update(dict.fromkeys(meant, structure))
    if STRUCTURES[LIVER] not in structures.values():
        raise UsageError(noLiverText())
    return structures


def noLiverText() -> str:
    """What to say where no segment is the liver."""
    return _("No segment is the liver: say which one is.")


def wayMade(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> str:
    """Return how the segments were made, as their DICOM Segmentation says, see ``review.WAYS``; empty if that
    is not known or they differ."""
    segmentation = segmentationNode.GetSegmentation()
    segments = (segmentation.GetSegment(segmentID) for segmentID in segmentation.GetSegmentIDs())
    found = {_tag(segment, _ALGORITHM_TYPE) for segment in segments}
    return _WAYS.get(found.pop(), "") if len(found) == 1 else ""


def drawnOn(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", volumeNode: "slicer.vtkMRMLVolumeNode"
) -> str:
    """Return the name of the volume that a segmentation was drawn on; empty if that is this one, or is not
    known."""
    role = segmentationNode.GetReferenceImageGeometryReferenceRole()
    otherNode = segmentationNode.GetNodeReference(role)
    return "" if otherNode is None or otherNode is volumeNode else otherNode.GetName() or ""


def isApart(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", volumeNode: "slicer.vtkMRMLVolumeNode"
) -> bool:
    """Whether a segmentation surely lies outside a volume: their boxes in the world do not touch."""
    if volumeNode.GetImageData() is None:
        return False
    boxes = []
    for node in (segmentationNode, volumeNode):
        bounds = [0.0] * 6
        node.GetRASBounds(bounds)
        boxes.append(np.reshape(bounds, (3, 2)))
    (mine, its), empty = boxes, [bool((box[:, 0] > box[:, 1]).any()) for box in boxes]
    return not any(empty) and bool(
        (np.maximum(mine[:, 0], its[:, 0]) > np.minimum(mine[:, 1], its[:, 1])).any()
    )


def checkTransform(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> None:
    """Refuse a segmentation under a transform that bends it.

    Raises:
        InputError: it lies under one.
    """
    transformNode = segmentationNode.GetParentTransformNode()
    if transformNode is not None and not transformNode.IsTransformToWorldLinear():
        text = _(
            "The segmentation lies under the non-linear transform {name}: harden it in the Transforms "
            "module, or take the segmentation out of it."
        )
        raise InputError(text.format(name=transformNode.GetName()))


def shapeOf(
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    segmentID: str,
    volumeNode: "slicer.vtkMRMLVolumeNode",
) -> Shape:
    """Return the shape of a segment in the place of the volume, whose transform is taken off; its arrays are
    those of the scene where that is possible.

    Raises:
        InputError: it is stored in a way that only an extension knows.
    """
    segment = segmentationNode.GetSegmentation().GetSegment(segmentID)
    toScan = np.linalg.inv(toWorld(volumeNode)) @ toWorld(segmentationNode)
    name = _representation(segmentationNode.GetSegmentation(), segment)
    stored = segment.GetRepresentation(name) if name else None
    if name == LABELMAP:
        return _voxels(stored, segment.GetLabelValue(), toScan)
    if name == CONTOURS:
        return _contours(stored, toScan)
    if name == SURFACE:
        return _surface(stored, toScan)
    text = _("{name} has neither label map nor contours nor surface: make one in the Segmentations module.")
    raise InputError(text.format(name=segment.GetName()))


def _representation(segmentation: Any, segment: Any) -> str:
    """In which way to take a segment: as it was drawn, else as what was made of that; empty if in none."""
    known = (LABELMAP, CONTOURS, SURFACE)
    wanted = (segmentation.GetSourceRepresentationName(), *known)
    return next(
        (name for name in wanted if name in known and segment.GetRepresentation(name) is not None), ""
    )


def _voxels(image: Any, value: int, toScan: np.ndarray) -> Shape:
    scalars = image.GetPointData().GetScalars()
    if scalars is None or not image.GetNumberOfPoints():
        return Shape()
    labels = vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1])
    matrix = toScan @ imageToRas(image)
    steps = _TO_LPS @ matrix[:3, :3]
    spacing = np.linalg.norm(steps, axis=0)
    first = matrix @ np.array([*image.GetExtent()[::2], 1.0])
    grid = Grid(
        size=tuple(image.GetDimensions()),
        spacing=tuple(spacing.tolist()),
        origin=tuple((_TO_LPS @ first[:3]).tolist()),
        direction=tuple((steps / spacing).ravel().tolist()),
    )
    return Shape(image=image, labels=labels, grid=grid, value=value)


def _contours(polyData: Any, toScan: np.ndarray) -> Shape:
    if not polyData.GetNumberOfPoints():
        return Shape()
    points = _points(polyData, toScan)
    order, counts = [], []
    for cells in (polyData.GetLines(), polyData.GetPolys()):
        if cells.GetNumberOfCells():
            order.append(vtk_to_numpy(cells.GetConnectivityArray()))
            counts.append(np.diff(vtk_to_numpy(cells.GetOffsetsArray())))
    if not order:
        return Shape()
    return Shape(points=points[np.concatenate(order)], contours=np.concatenate(counts).astype(np.int64))


def _surface(polyData: Any, toScan: np.ndarray) -> Shape:
    if not polyData.GetNumberOfPoints():
        return Shape()
    cells = polyData.GetPolys()
    corners = (
        vtk_to_numpy(cells.GetConnectivityArray()) if cells.GetNumberOfCells() else np.zeros(0, np.int64)
    )
    if polyData.GetStrips().GetNumberOfCells() or len(corners) != 3 * cells.GetNumberOfCells():
        triangles = vtk.vtkTriangleFilter()
        triangles.SetInputData(polyData)
        triangles.PassLinesOff()
        triangles.PassVertsOff()
        triangles.Update()
        return _surface(triangles.GetOutput(), toScan)
    return Shape(points=_points(polyData, toScan), triangles=corners.reshape(-1, 3).astype(np.int64))


def _points(polyData: Any, toScan: np.ndarray) -> np.ndarray:
    """The points in the scan's own LPS mm, float64 (n, 3)."""
    ras = vtk_to_numpy(polyData.GetPoints().GetData()).astype(np.float64)
    return (ras @ toScan[:3, :3].T + toScan[:3, 3]) * (-1.0, -1.0, 1.0)


def _tag(segment: Any, name: str) -> str:
    text = vtk.reference("")
    return str(text) if segment.GetTag(name, text) else ""


def isOf(resultNode: "slicer.vtkMRMLSegmentationNode", segmentationNode: Optional[Any]) -> bool:
    """Whether a result was measured of this segmentation; with None, whether LiverSeg drew it itself."""
    if resultNode.GetAttribute(parts.GIVEN) is None:
        return segmentationNode is None
    return segmentationNode is not None and resultNode.GetNodeReference(parts.GIVEN) is segmentationNode


def warningsOf(summary: Mapping[str, Any]) -> List[Sentence]:
    """Return what a result's summary says of the segmentation that it was measured of."""
    said = summary.get("warnings") or ()
    return [text for text in said if isinstance(text, Sentence) and text.key.startswith("segmentation.")]


def nameStructure(structure: str) -> str:
    """Return what a structure is called in the panel."""
    names = {
        STRUCTURES[LIVER]: _("Liver"),
        STRUCTURES[SPLEEN]: _("Spleen"),
        STRUCTURES[TUMOUR]: _("Liver tumor"),
    }
    return names.get(structure, _("Leave out"))

"""What belongs to one LiverSeg result in the scene: how its parts find each other, are made and filed.

The segmentation node is the head: it references its volume, tables, summary, lesion marks and highlight
volume, so that renaming, saving, reloading and importing a scene keep them together. Any part may be
deleted by the user.
"""

import json
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional

import slicer
from slicer.i18n import tr as _

from LiverSegLib.errors import InputError
from LiverSegLib.images.modality import CT
from LiverSegLib.sentences import restored, with_identity

from .folders import fileResult

VOLUME = "LiverSeg.Volume"
"""Reference role of the scan that was segmented."""
VOLUMES_TABLE = "LiverSeg.VolumesTable"
LESIONS_TABLE = "LiverSeg.LesionsTable"
SUMMARY = "LiverSeg.Summary"
LESION_MARKS = "LiverSeg.LesionMarks"
HIGHLIGHT = "LiverSeg.Highlight"
"""Reference role of the highlight volume, and the attribute that tells it from a scan."""
WHY = "LiverSeg.Why"
"""Reference role of the heat map that explains a lesion, and the attribute with that lesion's number."""
REJECTED = "LiverSeg.RejectedLesions"
"""Reference role of the lesions that the reader rejected."""
LONGEST = "LiverSeg.LongestDiameter"
PERPENDICULAR = "LiverSeg.PerpendicularDiameter"
"""Reference roles of the lines that show the diameters of the chosen lesion."""
ROIS = "LiverSeg.Rois"
"""Reference role of the boxes in which fatty liver is measured; there are many in this role."""
ROIS_TABLE = "LiverSeg.RoisTable"
STEATOSIS = "LiverSeg.Steatosis"
"""Reference role of the reading of fatty liver."""
PLOTS = "LiverSeg.Plots"
"""Reference role of the plots of fatty liver, with their tables; there are many in this role."""
AUTOMATIC = "LiverSeg.Automatic"
"""Reference role, and attribute, of the hidden copy of the automatic result."""
OUTLINE = "LiverSeg.AutomaticOutline"
"""Attribute of the hidden node that shows the outline of the automatic result."""
REVIEW = "LiverSeg.Review"
"""Reference role of the text that says who accepted a result."""
OWNER = "LiverSeg.Owner"
"""Reference role of the segmentation in each of its parts: a clone may have its original's references, and
must not write into its parts."""
GIVEN = "LiverSeg.Given"
"""Attribute of a result whose mask LiverSeg did not draw: the name of the segmentation that it was measured
of; and reference role of that segmentation."""

APPLIED = "LiverSeg.Applied"
"""Attribute of the segmentation: fingerprint of the segments as the run brought them."""
MEASURED = "LiverSeg.Measured"
"""Attribute of the segmentation: fingerprint of the segments when the numbers were measured."""
TIME = "LiverSeg.Time"
"""Attribute of the segmentation: when the run was applied, microseconds since 1970."""

PART_ROLES = (
    VOLUMES_TABLE,
    LESIONS_TABLE,
    SUMMARY,
    LESION_MARKS,
    HIGHLIGHT,
    WHY,
    REJECTED,
    LONGEST,
    PERPENDICULAR,
    ROIS_TABLE,
    STEATOSIS,
    REVIEW,
)
"""What is filed with a segmentation."""


WhenNew = Callable[["slicer.vtkMRMLNode"], None]


def isResult(node: Optional["slicer.vtkMRMLNode"]) -> bool:
    """Whether a node is a segmentation that LiverSeg made; a copy of one is the user's own."""
    if node is None or not node.IsA("vtkMRMLSegmentationNode") or node.GetAttribute(APPLIED) is None:
        return False
    return node.GetNodeReference(SUMMARY) is None or part(node, SUMMARY) is not None


def part(segmentationNode: "slicer.vtkMRMLSegmentationNode", role: str) -> Optional["slicer.vtkMRMLNode"]:
    """Return the node in a role of a result, None if there is none (any more)."""
    return _own(segmentationNode, segmentationNode.GetNodeReference(role))


def partsIn(segmentationNode: "slicer.vtkMRMLSegmentationNode", role: str) -> List["slicer.vtkMRMLNode"]:
    """Return all nodes in a role of a result that are there."""
    count = segmentationNode.GetNumberOfNodeReferences(role)
    nodes = [segmentationNode.GetNthNodeReference(role, index) for index in range(count)]
    return [node for node in nodes if _own(segmentationNode, node) is not None]


def addPart(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", role: str, node: "slicer.vtkMRMLNode"
) -> None:
    """Add a node to those in a role of a result."""
    node.SetNodeReferenceID(OWNER, segmentationNode.GetID())
    segmentationNode.AddNodeReferenceID(role, node.GetID())


def roisOf(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> List["slicer.vtkMRMLMarkupsROINode"]:
    """Return the boxes in which the fatty liver of a result is measured."""
    return [node for node in partsIn(segmentationNode, ROIS) if node.IsA("vtkMRMLMarkupsROINode")]


def makePart(
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    role: str,
    className: str,
    name: str,
    whenNew: Optional[WhenNew] = None,
) -> "slicer.vtkMRMLNode":
    """Return the node in a role of a result; where it is missing, a new one.

    Args:
        className: of a new node.
        name: of a new node, in which {volume} stands for the scan.
        whenNew: called with a new node.
    """
    node = part(segmentationNode, role)
    if node is None:
        name = slicer.mrmlScene.GenerateUniqueName(name.format(volume=scanName(segmentationNode)))
        with keepingPlaceNode():
            node = slicer.mrmlScene.AddNewNodeByClass(className, name)
        node.SetNodeReferenceID(OWNER, segmentationNode.GetID())
        segmentationNode.SetNodeReferenceID(role, node.GetID())
        if whenNew is not None:
            whenNew(node)
    return node


def readText(segmentationNode: "slicer.vtkMRMLSegmentationNode", role: str) -> Optional[Dict[str, Any]]:
    """Return what a text of a result holds in JSON; None if it is missing, or somebody overwrote it."""
    textNode: Optional["slicer.vtkMRMLTextNode"] = part(segmentationNode, role)
    try:
        data = restored(json.loads(textNode.GetText() or "")) if textNode is not None else None
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def writeText(
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    role: str,
    name: str,
    data: Mapping[str, Any],
    whenNew: Optional[WhenNew] = None,
) -> None:
    """Write data in JSON into a text of a result; see ``makePart``."""
    textNode: "slicer.vtkMRMLTextNode" = makePart(segmentationNode, role, "vtkMRMLTextNode", name, whenNew)
    text = json.dumps(with_identity(data), indent=1)
    if textNode.GetText() != text:
        textNode.SetText(text)


@contextmanager
def keepingPlaceNode() -> Iterator[None]:
    """Keep what the user's clicks go to in place mode: Slicer turns every markups node that comes into the
    scene into that.
    """
    selectionNode = slicer.app.applicationLogic().GetSelectionNode()
    className, nodeID = selectionNode.GetActivePlaceNodeClassName(), selectionNode.GetActivePlaceNodeID()
    try:
        yield
    finally:
        # only then: the views look at their markups anew on each of these calls
        if selectionNode.GetActivePlaceNodeID() != nodeID:
            selectionNode.SetReferenceActivePlaceNodeClassName(className)
            selectionNode.SetReferenceActivePlaceNodeID(nodeID)


def volumeOf(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> Optional["slicer.vtkMRMLNode"]:
    """Return the scan of a result, None if it was deleted."""
    return part(segmentationNode, VOLUME)


def requireVolume(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> "slicer.vtkMRMLNode":
    """Return the scan of a result.

    Raises:
        InputError: it was deleted.
    """
    volumeNode = volumeOf(segmentationNode)
    if volumeNode is None:
        raise InputError(_("The scan that this segmentation was made of is no longer in the scene."))
    return volumeNode


def allResults() -> List["slicer.vtkMRMLSegmentationNode"]:
    """Return every LiverSeg result in the scene, the one applied last at the end."""
    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    return sorted((node for node in nodes if isResult(node)), key=_time)


def resultFor(
    volumeNode: Optional["slicer.vtkMRMLNode"],
) -> Optional["slicer.vtkMRMLSegmentationNode"]:
    """Return the latest LiverSeg result of a volume, None if it has none. Names do not matter."""
    if volumeNode is None:
        return None
    results = [node for node in allResults() if volumeOf(node) is volumeNode]
    return results[-1] if results else None


def summaryOf(
    segmentationNode: Optional["slicer.vtkMRMLSegmentationNode"],
) -> Optional[Dict[str, Any]]:
    """Return the summary of a result; None if it is none of ours, or its text was deleted or overwritten."""
    summary = readText(segmentationNode, SUMMARY) if isResult(segmentationNode) else None
    return summary if summary is not None and "measurements" in summary else None


def modalityOfResult(segmentationNode: Optional["slicer.vtkMRMLSegmentationNode"]) -> Optional[str]:
    """Return "CT" or "MR", of what a result was made; None if there are no numbers of it."""
    measurements = (summaryOf(segmentationNode) or {}).get("measurements")
    return measurements.get("modality", CT) if isinstance(measurements, dict) else None


def fileParts(
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    earlier: Optional["slicer.vtkMRMLSegmentationNode"] = None,
) -> None:
    """File a result and its parts in a folder beside the volume: that of an ``earlier`` result if given."""
    volumeNode = volumeOf(segmentationNode)
    if volumeNode is not None:
        folderName = _("{volume} LiverSeg").format(volume=volumeNode.GetName())
        fileResult(volumeNode, [segmentationNode, *partNodes(segmentationNode)], folderName, earlier)


def partNodes(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> List["slicer.vtkMRMLNode"]:
    """Return the parts of a result that are there."""
    nodes = [part(segmentationNode, role) for role in PART_ROLES]
    return [node for node in nodes if node is not None]


def scanName(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> str:
    """Return the name of the scan; of the segmentation where the scan was deleted."""
    return (volumeOf(segmentationNode) or segmentationNode).GetName()


def _own(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", node: Optional["slicer.vtkMRMLNode"]
) -> Optional["slicer.vtkMRMLNode"]:
    """Return the node, None if it belongs to another segmentation."""
    owner = node.GetNodeReference(OWNER) if node is not None else None
    return node if owner is None or owner is segmentationNode else None


def _time(node: "slicer.vtkMRMLSegmentationNode") -> int:
    text = node.GetAttribute(TIME) or ""
    return int(text) if text.isdigit() else 0

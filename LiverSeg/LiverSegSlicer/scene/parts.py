"""What belongs to one LiverSeg result in the scene, and how its parts find each other.

The segmentation node is the head: it references its volume, tables, summary, lesion marks and highlight
volume, so that renaming, saving, reloading and importing a scene keep them together. Any part may be
deleted by the user.
"""

from contextlib import contextmanager
from typing import Iterator, List, Optional

import slicer

VOLUME = "LiverSeg.Volume"
"""Reference role of the scan that was segmented."""
VOLUMES_TABLE = "LiverSeg.VolumesTable"
LESIONS_TABLE = "LiverSeg.LesionsTable"
SUMMARY = "LiverSeg.Summary"
LESION_MARKS = "LiverSeg.LesionMarks"
HIGHLIGHT = "LiverSeg.Highlight"
"""Reference role of the highlight volume, and the attribute that tells it from a scan."""
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
OWNER = "LiverSeg.Owner"
"""Reference role of the segmentation in each of its parts: a clone may have its original's references, and
must not write into its parts."""

APPLIED = "LiverSeg.Applied"
"""Attribute of the segmentation: fingerprint of the segments as the run brought them (see ``untouched``)."""
MEASURED = "LiverSeg.Measured"
"""Attribute of the segmentation: fingerprint of the segments when the numbers were measured."""
TIME = "LiverSeg.Time"
"""Attribute of the segmentation: when the run was applied, microseconds since 1970."""


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
    segmentationNode: "slicer.vtkMRMLSegmentationNode", role: str, className: str, name: str
) -> "slicer.vtkMRMLNode":
    """Return the node in a role of a result; a new one of the given class and name where it is missing."""
    node = part(segmentationNode, role)
    if node is None:
        with keepingPlaceNode():
            node = slicer.mrmlScene.AddNewNodeByClass(className, slicer.mrmlScene.GenerateUniqueName(name))
        node.SetNodeReferenceID(OWNER, segmentationNode.GetID())
        segmentationNode.SetNodeReferenceID(role, node.GetID())
    return node


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


def _own(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", node: Optional["slicer.vtkMRMLNode"]
) -> Optional["slicer.vtkMRMLNode"]:
    """Return the node, None if it belongs to another segmentation."""
    owner = node.GetNodeReference(OWNER) if node is not None else None
    return node if owner is None or owner is segmentationNode else None


def _time(node: "slicer.vtkMRMLSegmentationNode") -> int:
    text = node.GetAttribute(TIME) or ""
    return int(text) if text.isdigit() else 0

"""The numbers of a result in the scene: summary text, tables and lesion marks, written and read."""

import json
from typing import Any, Dict, List, Mapping, Optional

import slicer
from slicer.i18n import tr as _

from LiverSegLib.sentences import restored, with_identity

from . import parts
from .folders import fileResult
from .lesion_marks import fillDiameter, fillMarks, styleMarks
from .tables import fillLesionsTable, fillVolumesTable

PART_ROLES = (
    parts.VOLUMES_TABLE,
    parts.LESIONS_TABLE,
    parts.SUMMARY,
    parts.LESION_MARKS,
    parts.HIGHLIGHT,
    parts.REJECTED,
    parts.LONGEST,
    parts.PERPENDICULAR,
    parts.ROIS_TABLE,
    parts.STEATOSIS,
)
"""What is filed with a segmentation."""


def summaryOf(
    segmentationNode: Optional["slicer.vtkMRMLSegmentationNode"],
) -> Optional[Dict[str, Any]]:
    """Return the summary of a result; None if it is none of ours, or its text was deleted or overwritten."""
    if not parts.isResult(segmentationNode):
        return None
    textNode = parts.part(segmentationNode, parts.SUMMARY)
    try:
        summary = restored(json.loads(textNode.GetText() or "")) if textNode is not None else None
    except ValueError:  # someone wrote something else into it
        return None
    return summary if isinstance(summary, dict) and "measurements" in summary else None


def writeNumbers(segmentationNode: "slicer.vtkMRMLSegmentationNode", summary: Mapping[str, Any]) -> None:
    """Write summary, tables and marks of a result; parts that are missing are made."""
    measurements, scan = summary["measurements"], scanName(segmentationNode)
    names = {
        parts.VOLUMES_TABLE: _("{volume} volumes").format(volume=scan),
        parts.LESIONS_TABLE: _("{volume} lesions").format(volume=scan),
        parts.SUMMARY: _("{volume} LiverSeg summary").format(volume=scan),
    }
    for role, fill in ((parts.VOLUMES_TABLE, fillVolumesTable), (parts.LESIONS_TABLE, fillLesionsTable)):
        fill(parts.makePart(segmentationNode, role, "vtkMRMLTableNode", names[role]), measurements)
    textNode = parts.makePart(segmentationNode, parts.SUMMARY, "vtkMRMLTextNode", names[parts.SUMMARY])
    textNode.SetText(json.dumps(with_identity(summary), indent=1))
    writeMarks(segmentationNode, measurements)
    hideDiameters(segmentationNode)


def writeMarks(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", measurements: Mapping[str, Any]
) -> "slicer.vtkMRMLMarkupsFiducialNode":
    """Write the lesion marks of a result anew and return their node."""
    isNew = parts.part(segmentationNode, parts.LESION_MARKS) is None
    name = _("{volume} lesion numbers").format(volume=scanName(segmentationNode))
    marksNode = parts.makePart(segmentationNode, parts.LESION_MARKS, "vtkMRMLMarkupsFiducialNode", name)
    marksNode.SetAndObserveTransformNodeID(segmentationNode.GetTransformNodeID())
    fillMarks(marksNode, measurements)
    if isNew:
        styleMarks(marksNode)
    return marksNode


def showDiameters(segmentationNode: "slicer.vtkMRMLSegmentationNode", lesion: Mapping[str, Any]) -> None:
    """Show the two diameters of one lesion as lines, which are made once and then moved."""
    scan = scanName(segmentationNode)
    lines = {
        parts.LONGEST: (_("{volume} longest diameter").format(volume=scan), "longest_ends_lps_mm"),
        parts.PERPENDICULAR: (
            _("{volume} perpendicular diameter").format(volume=scan),
            "perpendicular_ends_lps_mm",
        ),
    }
    for role, (name, key) in lines.items():
        isNew = parts.part(segmentationNode, role) is None
        lineNode = parts.makePart(segmentationNode, role, "vtkMRMLMarkupsLineNode", name)
        lineNode.SetAndObserveTransformNodeID(segmentationNode.GetTransformNodeID())
        fillDiameter(lineNode, lesion, key)
        if isNew:
            styleMarks(lineNode)
            lineNode.GetDisplayNode().SetPointLabelsVisibility(False)
        lineNode.SetDisplayVisibility(True)


def hideDiameters(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> None:
    """Hide the lines, as when no lesion is chosen any more."""
    for role in (parts.LONGEST, parts.PERPENDICULAR):
        lineNode = parts.part(segmentationNode, role)
        if lineNode is not None:
            lineNode.SetDisplayVisibility(False)


def fileParts(
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    earlier: Optional["slicer.vtkMRMLSegmentationNode"] = None,
) -> None:
    """File a result and its parts in a folder beside the volume: that of an ``earlier`` result if given."""
    volumeNode = parts.volumeOf(segmentationNode)
    if volumeNode is not None:
        folderName = _("{volume} LiverSeg").format(volume=volumeNode.GetName())
        fileResult(volumeNode, [segmentationNode, *partNodes(segmentationNode)], folderName, earlier)


def partNodes(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> List["slicer.vtkMRMLNode"]:
    """Return the parts of a result that are there."""
    nodes = [parts.part(segmentationNode, role) for role in PART_ROLES]
    return [node for node in nodes if node is not None]


def scanName(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> str:
    """Return the name of the scan; of the segmentation where the scan was deleted."""
    return (parts.volumeOf(segmentationNode) or segmentationNode).GetName()

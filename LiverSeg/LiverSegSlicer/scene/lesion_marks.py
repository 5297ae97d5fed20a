"""Lesions in the views: a locked point with the number of each, and two lines for the diameters of one."""

from typing import Any, Mapping, Optional, Tuple

import numpy as np
import slicer
from slicer.i18n import tr as _

from LiverSegLib.labels import LABELS, TUMOUR

from . import parts
from .volumes import toWorld

GLYPH_PERCENT = 1.2
TEXT_PERCENT = 3.5
"""Sizes as parts of the view's diagonal: the number is read, the point hides nothing."""

_DIAMETERS = (parts.LONGEST, parts.PERPENDICULAR)
_TO_RAS = np.array([-1.0, -1.0, 1.0])


def writeMarks(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", measurements: Mapping[str, Any]
) -> "slicer.vtkMRMLMarkupsFiducialNode":
    """Write the lesion marks of a result anew and return their node."""
    name = _("{volume} lesion numbers")
    marksNode = parts.makePart(
        segmentationNode, parts.LESION_MARKS, "vtkMRMLMarkupsFiducialNode", name, _style
    )
    marksNode.SetAndObserveTransformNodeID(segmentationNode.GetTransformNodeID())
    with slicer.util.NodeModify(marksNode):
        marksNode.SetLocked(False)
        marksNode.RemoveAllControlPoints()
        for lesion in measurements["lesions"]:
            index = marksNode.AddControlPoint(*_place(lesion), str(lesion["number"]))
            marksNode.SetNthControlPointLocked(index, True)
            marksNode.SetNthControlPointSelected(index, False)
        marksNode.SetLocked(True)
    return marksNode


def showOnly(marksNode: "slicer.vtkMRMLMarkupsFiducialNode", number: Optional[int]) -> None:
    """Show the number of one lesion, of none with None."""
    with slicer.util.NodeModify(marksNode):
        for index in range(marksNode.GetNumberOfControlPoints()):
            chosen = marksNode.GetNthControlPointLabel(index) == str(number)
            marksNode.SetNthControlPointVisibility(index, chosen)


def showDiameters(segmentationNode: "slicer.vtkMRMLSegmentationNode", lesion: Mapping[str, Any]) -> None:
    """Show the two diameters of one lesion as lines, which are made once and then moved."""
    for role, name, key in (
        (parts.LONGEST, _("{volume} longest diameter"), "longest_ends_lps_mm"),
        (parts.PERPENDICULAR, _("{volume} perpendicular diameter"), "perpendicular_ends_lps_mm"),
    ):
        lineNode = parts.makePart(segmentationNode, role, "vtkMRMLMarkupsLineNode", name, _styleLine)
        lineNode.SetAndObserveTransformNodeID(segmentationNode.GetTransformNodeID())
        with slicer.util.NodeModify(lineNode):
            lineNode.SetLocked(False)
            lineNode.RemoveAllControlPoints()
            for end in lesion[key]:
                lineNode.AddControlPoint(*(np.array(end) * _TO_RAS))
            lineNode.SetLocked(True)
            lineNode.SetHideFromEditors(True)
        lineNode.SetDisplayVisibility(True)


def hideDiameters(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> None:
    """Hide the lines, as when no lesion is chosen any more."""
    for lineNode in filter(None, (parts.part(segmentationNode, role) for role in _DIAMETERS)):
        lineNode.SetDisplayVisibility(False)


def lesionPlace(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", lesion: Mapping[str, Any]
) -> Tuple[float, float, float]:
    """Return where a lesion was measured, world RAS mm."""
    matrix = toWorld(segmentationNode)
    r, a, s = matrix[:3, :3] @ _place(lesion) + matrix[:3, 3]
    return float(r), float(a), float(s)


def _style(marksNode: "slicer.vtkMRMLMarkupsFiducialNode") -> None:
    """Small points with a readable number in the slices; none in 3D, where the lesions are seen."""
    marksNode.CreateDefaultDisplayNodes()
    colour = [value / 255 for value in LABELS[TUMOUR].colour]
    with slicer.util.NodeModify(marksNode.GetDisplayNode()) as displayNode:
        displayNode.SetColor(*colour)
        displayNode.SetSelectedColor(*colour)
        displayNode.SetGlyphTypeFromString("CrossDot2D")
        displayNode.SetUseGlyphScale(True)
        displayNode.SetGlyphScale(GLYPH_PERCENT)
        displayNode.SetTextScale(TEXT_PERCENT)
        displayNode.SetPropertiesLabelVisibility(False)
        displayNode.SetPointLabelsVisibility(True)
        displayNode.SetVisibility3D(False)


def _styleLine(lineNode: "slicer.vtkMRMLMarkupsLineNode") -> None:
    _style(lineNode)
    lineNode.GetDisplayNode().SetPointLabelsVisibility(False)


def _place(lesion: Mapping[str, Any]) -> np.ndarray:
    """Middle of the longest diameter, RAS mm (3,): the centre of mass may lie in another slice."""
    return np.mean(lesion["longest_ends_lps_mm"], axis=0) * _TO_RAS

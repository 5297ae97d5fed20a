"""Lesions in the views: a locked point with the number of each, and two lines for the diameters of one."""

from typing import Any, Mapping, Optional, Tuple

import numpy as np
import slicer

from LiverSegLib.labels import LABELS, TUMOUR

from .volumes import toWorld

GLYPH_PERCENT = 1.2
TEXT_PERCENT = 3.5
"""Sizes as parts of the view's diagonal: the number is read, the point hides nothing."""

_TO_RAS = np.array([-1.0, -1.0, 1.0])


def fillMarks(marksNode: "slicer.vtkMRMLMarkupsFiducialNode", measurements: Mapping[str, Any]) -> None:
    """Replace all points by one per lesion, labelled with its number."""
    wasModifying = marksNode.StartModify()
    marksNode.SetLocked(False)
    marksNode.RemoveAllControlPoints()
    for lesion in measurements["lesions"]:
        index = marksNode.AddControlPoint(*_place(lesion), str(lesion["number"]))
        marksNode.SetNthControlPointLocked(index, True)
        marksNode.SetNthControlPointSelected(index, False)
    marksNode.SetLocked(True)
    marksNode.EndModify(wasModifying)


def styleMarks(marksNode: "slicer.vtkMRMLMarkupsFiducialNode") -> None:
    """Small points with a readable number in the slices; none in 3D, where the lesions are seen."""
    marksNode.CreateDefaultDisplayNodes()
    displayNode = marksNode.GetDisplayNode()
    wasModifying = displayNode.StartModify()
    colour = [value / 255 for value in LABELS[TUMOUR].colour]
    displayNode.SetColor(*colour)
    displayNode.SetSelectedColor(*colour)
    displayNode.SetGlyphTypeFromString("CrossDot2D")
    displayNode.SetUseGlyphScale(True)
    displayNode.SetGlyphScale(GLYPH_PERCENT)
    displayNode.SetTextScale(TEXT_PERCENT)
    displayNode.SetPropertiesLabelVisibility(False)
    displayNode.SetPointLabelsVisibility(True)
    displayNode.SetVisibility3D(False)
    displayNode.EndModify(wasModifying)


def showOnly(marksNode: "slicer.vtkMRMLMarkupsFiducialNode", number: Optional[int]) -> None:
    """Show the number of one lesion, of none with None."""
    wasModifying = marksNode.StartModify()
    for index in range(marksNode.GetNumberOfControlPoints()):
        chosen = marksNode.GetNthControlPointLabel(index) == str(number)
        marksNode.SetNthControlPointVisibility(index, chosen)
    marksNode.EndModify(wasModifying)


def fillDiameter(lineNode: "slicer.vtkMRMLMarkupsLineNode", lesion: Mapping[str, Any], key: str) -> None:
    """Lay a locked line along a diameter of a lesion; ``key`` names its ends in the measurements."""
    wasModifying = lineNode.StartModify()
    lineNode.SetLocked(False)
    lineNode.RemoveAllControlPoints()
    for end in lesion[key]:
        lineNode.AddControlPoint(*(np.array(end) * _TO_RAS))
    lineNode.SetLocked(True)
    lineNode.SetHideFromEditors(True)
    lineNode.EndModify(wasModifying)


def lesionPlace(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", lesion: Mapping[str, Any]
) -> Tuple[float, float, float]:
    """Return where a lesion was measured, world RAS mm."""
    matrix = toWorld(segmentationNode)
    r, a, s = matrix[:3, :3] @ _place(lesion) + matrix[:3, 3]
    return float(r), float(a), float(s)


def _place(lesion: Mapping[str, Any]) -> np.ndarray:
    """Middle of the longest diameter, RAS mm (3,): the centre of mass may lie in another slice."""
    return np.mean(lesion["longest_ends_lps_mm"], axis=0) * _TO_RAS

"""The heat map that says why a lesion was drawn: a volume over the scan, shown and hidden on a click."""

import json
from typing import Any, Dict, List, Optional

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from LiverSegLib.images.grid import Grid

from . import parts
from .highlight import isHighlight, scanOf

OPACITY = 0.5
"""Of the map over the scan."""
COLORS = "vtkMRMLPETProceduralColorNodePET-Heat"
"""ID of Slicer's own colors from black over red and yellow to white."""
LEAST_SHOWN = 0.1
"""Values below this part of the highest are transparent."""

_EARLIER = "LiverSeg.WhyEarlier"
"""Attribute of the map: slice view -> its foreground and opacity before the map was shown."""
_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def makeWhy(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", lesion: int, heat: np.ndarray, grid: Grid
) -> "slicer.vtkMRMLScalarVolumeNode":
    """Return the map of a result's lesion, filed with the result; that of another lesion is replaced.

    Args:
        lesion: its number.
        heat: float32 (z, y, x), 0 to 1.
        grid: of it, LPS mm of the scan.
    """
    name = _("Why: lesion {number}").format(number=lesion)
    whyNode = parts.makePart(segmentationNode, parts.WHY, "vtkMRMLScalarVolumeNode", "Why")
    if not (whyNode.GetName() or "").startswith(name):
        whyNode.SetName(slicer.mrmlScene.GenerateUniqueName(name))
    whyNode.SetAttribute(parts.WHY, str(lesion))
    slicer.util.updateVolumeFromArray(whyNode, heat)
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy((_TO_RAS @ grid.to_lps).ravel().tolist())
    whyNode.SetIJKToRASMatrix(matrix)
    volumeNode = parts.volumeOf(segmentationNode)
    whyNode.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID() if volumeNode is not None else None)
    _color(whyNode)
    parts.fileParts(segmentationNode)
    return whyNode


def showWhy(whyNode: "slicer.vtkMRMLScalarVolumeNode") -> bool:
    """Show a map over its scan, half transparent, in the slices that show the scan; what lay over the scan
    there is kept in mind. Returns whether any shows it."""
    owner = whyNode.GetNodeReference(parts.OWNER)
    volumeNode = parts.volumeOf(owner) if owner is not None else None
    earlier = _earlier(whyNode)
    for compositeNode in _compositeNodes():
        shown = slicer.mrmlScene.GetNodeByID(compositeNode.GetBackgroundVolumeID() or "")
        if volumeNode is None or volumeNode not in (shown, scanOf(shown)):
            continue
        if compositeNode.GetForegroundVolumeID() != whyNode.GetID():
            foreground = compositeNode.GetForegroundVolumeID() or ""
            earlier[compositeNode.GetID()] = [foreground, compositeNode.GetForegroundOpacity()]
        compositeNode.SetForegroundVolumeID(whyNode.GetID())
        compositeNode.SetForegroundOpacity(OPACITY)
    whyNode.SetAttribute(_EARLIER, json.dumps(earlier))
    return isWhyShown(whyNode)


def hideWhy(whyNode: "slicer.vtkMRMLScalarVolumeNode") -> None:
    """Show in the slices that show a map what lay over the scan before, as opaque as it was."""
    earlier = _earlier(whyNode)
    for compositeNode in _compositeNodes():
        if compositeNode.GetForegroundVolumeID() != whyNode.GetID():
            continue
        foreground, opacity = earlier.get(compositeNode.GetID(), ["", 0.0])
        isThere = slicer.mrmlScene.GetNodeByID(foreground) is not None
        compositeNode.SetForegroundVolumeID(foreground if isThere else None)
        compositeNode.SetForegroundOpacity(float(opacity))
    whyNode.RemoveAttribute(_EARLIER)


def removeWhy(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> None:
    """Remove the map of a result, if there is one."""
    whyNode = whyOf(segmentationNode)
    if whyNode is not None:
        hideWhy(whyNode)
        slicer.mrmlScene.RemoveNode(whyNode)


def whyOf(
    segmentationNode: Optional["slicer.vtkMRMLSegmentationNode"],
) -> Optional["slicer.vtkMRMLScalarVolumeNode"]:
    """Return the map of a result, None if there is none (any more)."""
    return None if segmentationNode is None else parts.part(segmentationNode, parts.WHY)


def isWhyShown(whyNode: Optional["slicer.vtkMRMLScalarVolumeNode"]) -> bool:
    """Whether a map lies over the scan in any slice view."""
    return whyNode is not None and any(
        node.GetForegroundVolumeID() == whyNode.GetID() for node in _compositeNodes()
    )


def hideEveryWhy() -> None:
    """Take all maps away from the slices: another scan or result is going to be shown."""
    shown = {node.GetForegroundVolumeID() or "" for node in _compositeNodes()}
    for whyNode in filter(isWhy, map(slicer.mrmlScene.GetNodeByID, shown)):
        hideWhy(whyNode)


def isWhy(node: Optional["slicer.vtkMRMLNode"]) -> bool:
    """Whether a node is the map of a lesion."""
    return node is not None and node.GetAttribute(parts.WHY) is not None


def isMap(node: Optional["slicer.vtkMRMLNode"]) -> bool:
    """Whether a volume was made of a result, and is no scan to segment."""
    return isHighlight(node) or isWhy(node)


def _color(whyNode: "slicer.vtkMRMLScalarVolumeNode") -> None:
    whyNode.CreateDefaultDisplayNodes()
    with slicer.util.NodeModify(whyNode.GetDisplayNode()) as displayNode:
        if slicer.mrmlScene.GetNodeByID(COLORS) is not None:
            displayNode.SetAndObserveColorNodeID(COLORS)
        displayNode.AutoWindowLevelOff()
        displayNode.SetWindowLevelMinMax(0.0, 1.0)
        displayNode.AutoThresholdOff()
        displayNode.SetThreshold(LEAST_SHOWN, 1.0)
        displayNode.ApplyThresholdOn()


def _compositeNodes() -> List[Any]:
    return slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")


def _earlier(whyNode: "slicer.vtkMRMLScalarVolumeNode") -> Dict[str, Any]:
    try:
        found = json.loads(whyNode.GetAttribute(_EARLIER) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

"""The highlight view, to search for lesions: a volume with liver grey, tumours white, the rest black."""

from typing import Optional

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from LiverSegLib.labels import LIVER, TUMOUR

from . import parts
from .segments import labelsOf

GREYS = {LIVER: 128, TUMOUR: 255}
"""Label -> grey value; as in the core's highlight image, which needs SimpleITK."""
WINDOW, LEVEL = 255.0, 127.5


def makeHighlight(
    volumeNode: "slicer.vtkMRMLScalarVolumeNode", segmentationNode: "slicer.vtkMRMLSegmentationNode"
) -> "slicer.vtkMRMLScalarVolumeNode":
    """Return the highlight volume of a result: made, or brought up to date with the segments as they are now.

    It has the grid and transform of ``volumeNode``, uint8 values (background and spleen 0, liver 128,
    tumours 255) and the attribute ``parts.HIGHLIGHT``, and is filed with the result.

    Raises:
        InputError: the segmentation holds none of our segments.
    """
    labels = labelsOf(segmentationNode, volumeNode)
    greys = np.zeros_like(labels)
    for label, grey in GREYS.items():
        greys[labels == label] = grey
    name = _("{volume} highlight")
    highlightNode = parts.makePart(segmentationNode, parts.HIGHLIGHT, "vtkMRMLScalarVolumeNode", name)
    highlightNode.SetAttribute(parts.HIGHLIGHT, "1")
    slicer.util.updateVolumeFromArray(highlightNode, greys)
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    highlightNode.SetIJKToRASMatrix(matrix)
    highlightNode.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    _setWindow(highlightNode)
    parts.fileParts(segmentationNode)
    return highlightNode


def showHighlight(
    volumeNode: "slicer.vtkMRMLScalarVolumeNode", segmentationNode: "slicer.vtkMRMLSegmentationNode"
) -> "slicer.vtkMRMLScalarVolumeNode":
    """Show the highlight volume, brought up to date, where the slices show the scan, without the segments on
    it; in all slices if none shows the scan."""
    highlightNode = makeHighlight(volumeNode, segmentationNode)
    if not _replaceBackground(volumeNode, highlightNode) and slicer.app.layoutManager() is not None:
        slicer.util.setSliceViewerLayers(background=highlightNode)
    _showSegmentsInSlices(segmentationNode, False)
    return highlightNode


def hideHighlight(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> None:
    """Show the scan again in the slices that show its highlight volume, and the segments on it."""
    volumeNode = parts.volumeOf(segmentationNode)
    highlightNode = parts.part(segmentationNode, parts.HIGHLIGHT)
    if volumeNode is not None and highlightNode is not None:
        _replaceBackground(highlightNode, volumeNode)
    _showSegmentsInSlices(segmentationNode, True)


def scanOf(node: Optional["slicer.vtkMRMLNode"]) -> Optional["slicer.vtkMRMLScalarVolumeNode"]:
    """Return the scan that a highlight volume was made of; None for any other node."""
    owner = node.GetNodeReference(parts.OWNER) if isHighlight(node) else None
    return parts.volumeOf(owner) if owner is not None else None


def isHighlight(node: Optional["slicer.vtkMRMLNode"]) -> bool:
    """Whether a node is a highlight volume, which is no scan to segment."""
    return node is not None and node.GetAttribute(parts.HIGHLIGHT) is not None


def isHighlighted() -> bool:
    """Whether any slice view shows a highlight volume in place of the CT."""
    compositeNodes = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    shown = (slicer.mrmlScene.GetNodeByID(node.GetBackgroundVolumeID() or "") for node in compositeNodes)
    return any(map(isHighlight, shown))


def _setWindow(highlightNode: "slicer.vtkMRMLScalarVolumeNode") -> None:
    highlightNode.CreateDefaultDisplayNodes()
    displayNode = highlightNode.GetDisplayNode()
    displayNode.AutoWindowLevelOff()
    displayNode.SetWindowLevel(WINDOW, LEVEL)
    displayNode.SetInterpolate(False)


def _replaceBackground(shown: "slicer.vtkMRMLVolumeNode", wanted: "slicer.vtkMRMLVolumeNode") -> bool:
    """Show another volume in the slice views that show one; returns whether any did."""
    found = False
    for compositeNode in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        if compositeNode.GetBackgroundVolumeID() == shown.GetID():
            compositeNode.SetBackgroundVolumeID(wanted.GetID())
            found = True
    return found


def _showSegmentsInSlices(segmentationNode: "slicer.vtkMRMLSegmentationNode", visible: bool) -> None:
    displayNode = segmentationNode.GetDisplayNode()
    if displayNode is not None:
        displayNode.SetVisibility2D(visible)

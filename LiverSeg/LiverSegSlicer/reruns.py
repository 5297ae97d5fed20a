"""Which earlier result a new run may replace: one that carries nothing of the user's."""

from typing import Optional

import slicer

from LiverSegLib.errors import LiverSegError

from .fatty_liver.reading import readingOf
from .fatty_liver.rois import isAccepted, readRoi, roiNodes
from .scene import review
from .scene.fingerprint import isUntouched
from .scene.given import isOf
from .scene.parts import allResults, volumeOf


def replaceableResult(
    volumeNode: Optional["slicer.vtkMRMLVolumeNode"],
    givenNode: Optional["slicer.vtkMRMLSegmentationNode"] = None,
) -> Optional["slicer.vtkMRMLSegmentationNode"]:
    """Return the latest result of a volume if a new run may replace it, else None.

    Args:
        givenNode: the segmentation that the new result is measured of: only a result of the same one may go.
            None: LiverSeg draws the new one, and only one that it drew may go.
    """
    same = [node for node in allResults() if volumeOf(node) is volumeNode and isOf(node, givenNode)]
    earlier = same[-1] if same and volumeNode is not None else None
    return earlier if isReplaceable(earlier) else None


def isReplaceable(segmentationNode: Optional["slicer.vtkMRMLSegmentationNode"]) -> bool:
    """Whether nobody edited a result, accepted anything of it, or set up ROIs of their own on it."""
    return (
        isUntouched(segmentationNode)
        and not _wasAccepted(segmentationNode)
        and not _hasOwnRois(segmentationNode)
    )


def _wasAccepted(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> bool:
    """Whether the result or its reading of fatty liver was accepted, be it reopened since by a change."""
    if review.wasAccepted(segmentationNode):
        return True
    reading = readingOf(segmentationNode)
    return reading is not None and (reading.accepted is not None or reading.reopened is not None)


def _hasOwnRois(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> bool:
    """Whether an ROI was added, moved, resized, turned or rejected by hand."""
    volumeNode = volumeOf(segmentationNode)
    for roiNode in roiNodes(segmentationNode):
        try:
            if volumeNode is None or not isAccepted(roiNode) or not readRoi(roiNode, volumeNode).automatic:
                return True
        except LiverSegError:  # turned, or under a transform of her own
            return True
    return False

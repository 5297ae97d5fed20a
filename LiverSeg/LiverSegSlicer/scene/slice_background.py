"""What lies behind the masks in the slice views."""

import slicer

from .highlight import isHighlight


def isHighlighted() -> bool:
    """Whether any slice view shows a highlight volume in place of the CT."""
    for compositeNode in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        volumeNode = slicer.mrmlScene.GetNodeByID(compositeNode.GetBackgroundVolumeID() or "")
        if volumeNode is not None and isHighlight(volumeNode):
            return True
    return False

"""Accept a result, and open it again: segments, ROIs and the fatty-liver reading together."""

from datetime import datetime
from typing import Optional

import slicer
from slicer.i18n import tr as _

from LiverSegLib.errors import UsageError

from .fatty_liver.assess import acceptReading, openAgain
from .fatty_liver.reading import readingOf
from .fatty_liver.rois import lockRois, roiNodes
from .scene import parts
from .scene.fingerprint import editedSinceMeasured
from .scene.review import (
    ASKED,
    CHANGED,
    Review,
    isAccepted,
    isToReopen,
    keepAcceptance,
    keepReopening,
    reviewOf,
)


def accept(segmentationNode: Optional["slicer.vtkMRMLSegmentationNode"], by: str) -> Review:
    """Accept a result as it is now: segments, numbers, ROIs, and what was assessed of fatty liver.

    Segments are marked as completed, ROIs and lesion marks locked.

    Raises:
        UsageError: no result, no name, numbers of other segments than these, or it is accepted already.
    """
    if segmentationNode is None or parts.summaryOf(segmentationNode) is None:
        raise UsageError(_("Choose a segmentation that LiverSeg has made."))
    name = by.strip()
    if not name:
        raise UsageError(_("Say who accepts the result."))
    if isAccepted(segmentationNode):
        raise UsageError(_("This result is accepted already."))
    if editedSinceMeasured(segmentationNode):
        raise UsageError(_("The segmentation was edited after it was measured: update the numbers first."))
    reading = readingOf(segmentationNode)
    if reading is not None and reading.assessment is not None and reading.accepted is None:
        acceptReading(segmentationNode, name)
    lockRois(roiNodes(segmentationNode), True)
    marksNode = parts.part(segmentationNode, parts.LESION_MARKS)
    if marksNode is not None:
        marksNode.SetLocked(True)
    _setStatus(segmentationNode, slicer.vtkSlicerSegmentationsModuleLogic.Completed)
    keepAcceptance(segmentationNode, name, datetime.now().astimezone().isoformat(timespec="seconds"))
    return reviewOf(segmentationNode)


def reopen(segmentationNode: "slicer.vtkMRMLSegmentationNode", how: str = ASKED) -> Optional[Review]:
    """Open an accepted result again, and keep who had accepted it; one that is not accepted stays as it is.

    Args:
        how: ASKED by the user, who edits the fatty-liver reading too, or CHANGED: then the reading stays
            accepted until new numbers say otherwise (``fatty_liver.assess``), and its ROIs locked.
    """
    if isAccepted(segmentationNode) or isToReopen(segmentationNode):
        keepReopening(segmentationNode, how)
        _setStatus(segmentationNode, slicer.vtkSlicerSegmentationsModuleLogic.InProgress)
        reading = readingOf(segmentationNode)
        if reading is not None and reading.accepted is not None and how == ASKED:
            openAgain(segmentationNode)
        elif reading is None or reading.accepted is None:
            lockRois(roiNodes(segmentationNode), False)
    return reviewOf(segmentationNode)


def checkReview(segmentationNode: Optional["slicer.vtkMRMLSegmentationNode"]) -> bool:
    """Reopen an accepted result whose segments somebody changed; cheap enough for every edit.

    Returns:
        Whether it was reopened now.
    """
    if segmentationNode is None or not isToReopen(segmentationNode):
        return False
    reopen(segmentationNode, CHANGED)
    return True


def _setStatus(segmentationNode: "slicer.vtkMRMLSegmentationNode", status: int) -> None:
    segmentation = segmentationNode.GetSegmentation()
    for key in segmentation.GetSegmentIDs():
        slicer.vtkSlicerSegmentationsModuleLogic.SetSegmentStatus(segmentation.GetSegment(key), status)

"""Whether a result is automatic, edited or accepted, and by whom.

An acceptance is a text node in JSON that the segmentation references, with the fingerprint of the segments
that were accepted: any change of them, by whatever module, ends it. ``acceptance`` writes it.
"""

from dataclasses import dataclass
from typing import Any, Dict, Iterator, Mapping, Optional

import slicer
from slicer.i18n import tr as _

from . import parts
from .automatic import Change, automaticOf, compare
from .fingerprint import fingerprintOf, seemsLike, seemsUntouched

FORMAT = "liverseg-slicer-review-1"

AUTOMATIC = "automatic"
GIVEN = "given"
EDITED = "edited"
ACCEPTED = "accepted"
"""The states of a result; a given one is as LiverSeg was given it."""
CHANGED = "changed"
ASKED = "asked"
"""How an accepted result is reopened: somebody changed its segments, or asked to edit it again."""


@dataclass(frozen=True)
class Review:
    """Attributes:
    state: AUTOMATIC, GIVEN, EDITED or ACCEPTED.
    by, at: who accepted it, and when (ISO time with zone); None unless it is accepted.
    reopened: "by", "at" of an earlier acceptance and "how" it ended (CHANGED or ASKED); None without one.
    """

    state: str
    by: Optional[str] = None
    at: Optional[str] = None
    reopened: Optional[Mapping[str, str]] = None


def reviewOf(segmentationNode: Optional["slicer.vtkMRMLSegmentationNode"]) -> Optional[Review]:
    """Return the review of a result, None for what is none; cheap enough for every event of the scene."""
    if segmentationNode is None or not parts.isResult(segmentationNode):
        return None
    data = _acceptance(segmentationNode)
    reopened = data.get("reopened")
    if isAccepted(segmentationNode):
        return Review(ACCEPTED, data["by"], data["at"])
    if data.get("state") == ACCEPTED:  # and changed since
        reopened = {"by": data["by"], "at": data["at"], "how": CHANGED}
    return Review(_openState(segmentationNode), reopened=reopened)


def isAccepted(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> bool:
    """Whether a result is accepted as it is now."""
    data = _acceptance(segmentationNode)
    return data.get("state") == ACCEPTED and seemsLike(segmentationNode, data.get("fingerprint"))


def isToReopen(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> bool:
    """Whether a result was accepted and its segments changed since."""
    data = _acceptance(segmentationNode)
    return data.get("state") == ACCEPTED and not seemsLike(segmentationNode, data.get("fingerprint"))


def wasAccepted(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> bool:
    """Whether somebody accepted a result, be it reopened since."""
    data = _acceptance(segmentationNode)
    return data.get("state") == ACCEPTED or data.get("reopened") is not None


def keepAcceptance(segmentationNode: "slicer.vtkMRMLSegmentationNode", by: str, at: str) -> None:
    """Write that the segments, as they are now, were accepted by somebody."""
    _keep(
        segmentationNode,
        {
            "state": ACCEPTED,
            "by": by,
            "at": at,
            "fingerprint": fingerprintOf(segmentationNode),
            "reopened": None,
        },
    )


def keepReopening(segmentationNode: "slicer.vtkMRMLSegmentationNode", how: str) -> None:
    """Write that an accepted result is open again; who had accepted it is kept."""
    data = _acceptance(segmentationNode)
    if data.get("state") == ACCEPTED:
        reopened = {"by": data["by"], "at": data["at"], "how": how}
        state = _openState(segmentationNode)
        _keep(
            segmentationNode,
            {"state": state, "by": None, "at": None, "fingerprint": None, "reopened": reopened},
        )


def reviewForReport(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> Iterator[None]:
    """Work out what report and JSON tell of the review, in short pieces, as ``automatic.compare`` does.

    Returns:
        "state", "by", "at", and "changes": "key", "volume_ml" (gained), "dice" of each segment that is not as
        the run brought it; none of them where no automatic result is kept.
    """
    review = reviewOf(segmentationNode) or Review(EDITED)
    changes: Any = ()
    if review.state not in (AUTOMATIC, GIVEN) and automaticOf(segmentationNode) is not None:
        changes = yield from compare(segmentationNode)
    told = [
        {"key": change.key, "volume_ml": _difference(change), "dice": change.dice}
        for change in changes
        if not _isSame(change)
    ]
    return {"state": review.state, "by": review.by, "at": review.at, "changes": told}


def _openState(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> str:
    """The state of a result that is not accepted."""
    if not seemsUntouched(segmentationNode):
        return EDITED
    return AUTOMATIC if segmentationNode.GetAttribute(parts.GIVEN) is None else GIVEN


def _difference(change: Change) -> Optional[float]:
    return None if change.volumeMl is None else change.volumeMl - change.automaticMl


def _isSame(change: Change) -> bool:
    return change.dice == 1.0 or (change.dice is None and change.volumeMl == change.automaticMl)


def _acceptance(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> Dict[str, Any]:
    """Return what the text says; empty if there is none, or somebody overwrote it."""
    data = parts.readText(segmentationNode, parts.REVIEW)
    if data is None or data.get("format") != FORMAT or not isinstance(data.get("state"), str):
        return {}
    if data["state"] == ACCEPTED and not all(isinstance(data.get(key), str) for key in ("by", "at")):
        return {}
    return data


def _keep(segmentationNode: "slicer.vtkMRMLSegmentationNode", data: Dict[str, Any]) -> None:
    parts.writeText(
        segmentationNode,
        parts.REVIEW,
        _("{volume} review"),
        {"format": FORMAT, **data},
        lambda _node: parts.fileParts(segmentationNode),
    )

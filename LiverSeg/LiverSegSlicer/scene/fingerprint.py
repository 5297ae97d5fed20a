"""Has anyone changed the segments since LiverSeg made or measured them?

Answered from a fingerprint in an attribute of the segmentation node, so it holds after saving and
reloading, and for edits made by any module at any time. It covers the segments' IDs, names, voxels and
place; not colours, opacities, visibility, order, label values or layers, which change without anybody
touching the result. A renamed segment counts as touched: replacing it would lose the user's name for it.
"""

import zlib
from collections import OrderedDict
from typing import List, NamedTuple, Optional, Tuple

import numpy as np
import slicer

from LiverSegLib.images.grid import bounding_box

from .parts import APPLIED, MEASURED, isResult
from .segments import LABELMAP, imageToRas, segmentMask
from .structures import isStructure

VERSION = "1"
TOLERANCE_MM = 0.01
"""Places may differ by this: files round them."""


MOST_KEPT = 512
"""Fingerprints of so many segments are kept for the next question, those asked for last."""


class SegmentPrint(NamedTuple):
    """What is kept of a segment; ``place``: RAS mm of its first voxel and the three steps between voxels."""

    segmentID: str
    name: int
    voxels: int
    checksum: int
    place: Tuple[float, ...]


_State = Tuple[str, str, int, int, int]
_kept: "OrderedDict[_State, SegmentPrint]" = OrderedDict()
"""Fingerprints by the state of their segments, see ``_state``."""


def isUntouched(segmentationNode: Optional["slicer.vtkMRMLSegmentationNode"]) -> bool:
    """Whether the segments are as the run brought them; False too for what LiverSeg did not make."""
    return isResult(segmentationNode) and _holds(segmentationNode, APPLIED)


def editedSinceMeasured(segmentationNode: Optional["slicer.vtkMRMLSegmentationNode"]) -> bool:
    """Whether segments of a result changed since its numbers were measured."""
    return isResult(segmentationNode) and not _holds(segmentationNode, MEASURED)


def seemsEditedSinceMeasured(segmentationNode: Optional["slicer.vtkMRMLSegmentationNode"]) -> bool:
    """The same at hardly any cost, to ask on every event of the scene: voxels whose modification time is
    known are not looked at.
    """
    return isResult(segmentationNode) and not _holds(segmentationNode, MEASURED, byTimes=True)


def seemsUntouched(segmentationNode: Optional["slicer.vtkMRMLSegmentationNode"]) -> bool:
    """``isUntouched`` at hardly any cost, to ask on every event of the scene."""
    return isResult(segmentationNode) and _holds(segmentationNode, APPLIED, byTimes=True)


def fingerprintOf(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> str:
    """Return the fingerprint of the segments as they are now."""
    return _encode(_prints(segmentationNode))


def seemsLike(segmentationNode: "slicer.vtkMRMLSegmentationNode", fingerprint: Optional[str]) -> bool:
    """Whether a fingerprint is that of the segments as they are now, at hardly any cost; see
    ``seemsEditedSinceMeasured``.
    """
    return _isLike(segmentationNode, fingerprint, byTimes=True)


def rememberApplied(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> None:
    """Store the segments of a run as untouched, and as measured."""
    prints = _prints(segmentationNode)
    segmentationNode.SetAttribute(APPLIED, _encode(prints))
    measured = [item for item in prints if not isStructure(item.segmentID)]
    segmentationNode.SetAttribute(MEASURED, _encode(measured))


def rememberMeasured(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> None:
    """Store that the numbers are those of the segments as they are now."""
    segmentationNode.SetAttribute(MEASURED, _encode(_prints(segmentationNode, onlyMeasured=True)))


def _holds(segmentationNode: "slicer.vtkMRMLSegmentationNode", attribute: str, byTimes: bool = False) -> bool:
    then = _decode(segmentationNode.GetAttribute(attribute))
    return _alike(then, _prints(segmentationNode, byTimes, onlyMeasured=attribute == MEASURED))


def _isLike(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", fingerprint: Optional[str], byTimes: bool
) -> bool:
    return _alike(_decode(fingerprint), _prints(segmentationNode, byTimes))


def _alike(then: Optional[List[SegmentPrint]], now: List[SegmentPrint]) -> bool:
    return then is not None and len(then) == len(now) and all(map(_same, then, now))


def _same(one: SegmentPrint, other: SegmentPrint) -> bool:
    return one[:4] == other[:4] and np.allclose(one.place, other.place, rtol=0, atol=TOLERANCE_MM)


def _prints(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", byTimes: bool = False, onlyMeasured: bool = False
) -> List[SegmentPrint]:
    """Return the fingerprints of the segments; ``onlyMeasured``: of those whose numbers are measured."""
    found = segmentationNode.GetSegmentation().GetSegmentIDs()
    keys = sorted(key for key in found if not (onlyMeasured and isStructure(key)))
    return [_print(segmentationNode, key, byTimes) for key in keys]


def _print(segmentationNode: "slicer.vtkMRMLSegmentationNode", segmentID: str, byTimes: bool) -> SegmentPrint:
    state = _state(segmentationNode, segmentID)
    kept = _kept.pop(state, None) if state is not None else None
    found = kept if kept is not None and byTimes else _newPrint(segmentationNode, segmentID)
    if state is not None:
        _kept[state] = found
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    return found


def _state(segmentationNode: "slicer.vtkMRMLSegmentationNode", segmentID: str) -> Optional[_State]:
    """Return what a segment's fingerprint rests on, None if there are no voxels.

    VTK gives out each modification time once in a process, so it tells objects apart too.
    """
    segment = segmentationNode.GetSegmentation().GetSegment(segmentID)
    image = segment.GetRepresentation(LABELMAP)
    scalars = None if image is None else image.GetPointData().GetScalars()
    if scalars is None:
        return None
    return segmentID, segment.GetName(), segment.GetLabelValue(), image.GetMTime(), scalars.GetMTime()


def _newPrint(segmentationNode: "slicer.vtkMRMLSegmentationNode", segmentID: str) -> SegmentPrint:
    name = zlib.crc32(segmentationNode.GetSegmentation().GetSegment(segmentID).GetName().encode("utf-8"))
    found = segmentMask(segmentationNode, segmentID)
    if found is None:  # its label map was given up, for a surface that was drawn, say
        return SegmentPrint(segmentID, name, -1, 0, ())
    mask, image = found
    box = bounding_box(mask)
    if box is None:
        return SegmentPrint(segmentID, name, 0, 0, ())
    inner = mask[box]
    packed = np.packbits(inner)
    checksum = zlib.crc32(repr(inner.shape).encode("ascii"), zlib.crc32(packed))
    matrix = imageToRas(image)
    first = np.array(image.GetExtent()[::2]) + [part.start for part in box[::-1]]
    corner = matrix[:3, :3] @ first + matrix[:3, 3]
    place = (*corner.tolist(), *matrix[:3, :3].ravel().tolist())
    return SegmentPrint(segmentID, name, int(np.count_nonzero(inner)), checksum, place)


def _encode(prints: List[SegmentPrint]) -> str:
    """Write fingerprints with characters only that need no escaping in a scene file."""
    texts = [VERSION]
    for item in prints:
        place = "_".join(f"{value:.6f}" for value in item.place)
        texts.append(
            f"{item.segmentID.encode('utf-8').hex()},{item.name},{item.voxels},{item.checksum},{place}"
        )
    return " ".join(texts)


def _decode(text: Optional[str]) -> Optional[List[SegmentPrint]]:
    version, *items = (text or "").split(" ")
    if version != VERSION:
        return None
    try:
        return [_decodeItem(*item.split(",")) for item in items]
    except (TypeError, ValueError):  # not what _encode wrote
        return None


def _decodeItem(segmentID: str, name: str, voxels: str, checksum: str, place: str) -> SegmentPrint:
    numbers = tuple(float(value) for value in place.split("_")) if place else ()
    return SegmentPrint(
        bytes.fromhex(segmentID).decode("utf-8"), int(name), int(voxels), int(checksum), numbers
    )

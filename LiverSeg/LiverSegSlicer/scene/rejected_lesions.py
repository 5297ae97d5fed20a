"""Lesions that the reader rejected or deleted: liver now, with what it takes to bring them back exactly.

They are kept in a text node in JSON that the segmentation references, so they survive saving and loading.
"""

import base64
import zlib
from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np
import slicer
from slicer.i18n import tr as _

from LiverSegLib.errors import InputError, UsageError
from LiverSegLib.images.grid import bounding_box
from LiverSegLib.labels import LABELS, LIVER, TUMOUR

from . import parts
from .fingerprint import editedSinceMeasured
from .placed_masks import maskOn, placedImage
from .segments import imageOf, segmentVoxels
from .volumes import volumeGrid

FORMAT = "liverseg-slicer-rejected-lesions-1"

_SAME_PLACE_VOXELS = 0.5
"""A lesion is the component of its size whose centre lies no further from its own, in voxels."""


@dataclass(frozen=True)
class RejectedLesion:
    """Attributes:
    lesion: what was measured of it, as in "lesions" of the measurements.
    corner: indices (i, j, k) of its box's first voxel in the scan.
    shape: of its box, (z, y, x).
    voxels: its voxels in the box, packed.
    madeLiver: those of them that were no liver before, packed.
    deleted: the reader deleted it, and no table or report mentions it.
    """

    lesion: Dict[str, Any]
    corner: Tuple[int, int, int]
    shape: Tuple[int, int, int]
    voxels: str
    madeLiver: str
    deleted: bool = False


def rejectedLesions(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> List[RejectedLesion]:
    """Return what was rejected or deleted, in that order; empty if somebody overwrote the text.

    What is tumor again, as after the segment was reverted to the automatic one, is left out.
    """
    data = parts.readText(segmentationNode, parts.REJECTED) or {}
    try:
        items = [RejectedLesion(**item) for item in data["lesions"]] if data.get("format") == FORMAT else []
    except (KeyError, TypeError):
        return []
    return [item for item in items if not _isTumorAgain(segmentationNode, item)]


def toldLesions(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> List[Dict[str, Any]]:
    """Return what was measured of the rejected lesions, as measurements and report tell it."""
    return [item.lesion for item in rejectedLesions(segmentationNode) if not item.deleted]


def rejectLesion(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", number: int, *, delete: bool = False
) -> None:
    """Make a lesion liver, and remember it. The numbers have to be measured anew.

    Raises:
        UsageError: no lesion has the number, or the segmentation was edited since it was measured.
        InputError: the segments no longer lie on the voxels of the scan.
    """
    lesion, volumeNode = _lesion(segmentationNode, number), parts.requireVolume(segmentationNode)
    tumour = _voxels(segmentationNode, TUMOUR, volumeNode)
    mask, box = _component(tumour, lesion, volumeNode)
    madeLiver = mask & ~_voxels(segmentationNode, LIVER, volumeNode)[box]
    item = RejectedLesion(
        dict(lesion),
        tuple(part.start for part in box[::-1]),
        mask.shape,
        _packed(mask),
        _packed(madeLiver),
        delete,
    )
    _keep(segmentationNode, [*rejectedLesions(segmentationNode), item])
    _take(segmentationNode, TUMOUR, mask, item.corner, volumeNode)
    _give(segmentationNode, LIVER, madeLiver, item.corner, volumeNode)


def restoreLesion(segmentationNode: "slicer.vtkMRMLSegmentationNode", index: int) -> None:
    """Make the lesion at ``index`` of ``rejectedLesions`` a tumor again, voxel by voxel.

    Raises:
        UsageError: there is none.
        InputError: the scan is gone.
    """
    items = rejectedLesions(segmentationNode)
    if not 0 <= index < len(items):
        raise UsageError(_("This lesion was not rejected."))
    volumeNode, item = parts.requireVolume(segmentationNode), items.pop(index)
    _take(segmentationNode, LIVER, _unpacked(item.madeLiver, item.shape), item.corner, volumeNode)
    _give(segmentationNode, TUMOUR, _unpacked(item.voxels, item.shape), item.corner, volumeNode)
    _keep(segmentationNode, items)


def _isTumorAgain(segmentationNode: "slicer.vtkMRMLSegmentationNode", item: RejectedLesion) -> bool:
    """Whether all voxels of a lesion belong to the tumor; its label map lies on the scan's grid, as it did
    when the lesion was rejected.
    """
    placed = placedImage(segmentationNode, LABELS[TUMOUR].key)
    if placed is None:
        return False
    ends = (n for low, count in zip(item.corner, item.shape[::-1]) for n in (low, low + count - 1))
    mask = maskOn(placed, placed, tuple(ends))
    try:
        return bool(mask[_unpacked(item.voxels, item.shape)].all())
    except (ValueError, zlib.error):  # not what _packed wrote
        return False


def _lesion(segmentationNode: "slicer.vtkMRMLSegmentationNode", number: int) -> Mapping[str, Any]:
    summary = parts.summaryOf(segmentationNode)
    if summary is None or editedSinceMeasured(segmentationNode):
        raise UsageError(
            _("The segmentation was edited after its lesions were measured: update the numbers first.")
        )
    for lesion in summary["measurements"]["lesions"]:
        if lesion["number"] == number:
            return lesion
    raise UsageError(_("There is no lesion {number}.").format(number=number))


def _voxels(segmentationNode: Any, label: int, volumeNode: Any) -> np.ndarray:
    """Return the voxels of a segment on the scan's grid, bool (z, y, x)."""
    found = segmentVoxels(segmentationNode, LABELS[label].key, volumeNode)
    if found is None:
        text = _(
            "The segments no longer lie on the voxels of the scan: change the lesion in the Segment Editor."
        )
        raise InputError(text)
    return found


def _component(tumour: np.ndarray, lesion: Mapping[str, Any], volumeNode: Any) -> Tuple[np.ndarray, Any]:
    """Return the voxels of a lesion within its box, bool (z, y, x), and the box in the scan."""
    from scipy import ndimage

    outer = bounding_box(tumour)
    if outer is not None:
        components, _count = ndimage.label(tumour[outer], structure=np.ones((3, 3, 3)))
        centre = volumeGrid(volumeNode).indices(np.array(lesion["centre_lps_mm"]))
        wanted = centre[::-1] - [part.start for part in outer]
        for value, box in enumerate(ndimage.find_objects(components), start=1):
            mask = components[box] == value
            if np.count_nonzero(mask) != lesion["voxels"]:
                continue
            middle = np.mean(np.nonzero(mask), axis=1) + [part.start for part in box]
            if np.abs(middle - wanted).max() <= _SAME_PLACE_VOXELS:
                starts = zip(outer, box)
                return mask, tuple(slice(a.start + b.start, a.start + b.stop) for a, b in starts)
    raise UsageError(
        _("The segmentation was edited after its lesions were measured: update the numbers first.")
    )


def _take(
    segmentationNode: Any, label: int, mask: np.ndarray, corner: Sequence[int], volumeNode: Any
) -> None:
    """Take voxels away from a segment: where ``mask`` is False it stays as it is."""
    mode = slicer.vtkSlicerSegmentationsModuleLogic.MODE_MERGE_MIN
    _set(segmentationNode, label, ~mask, corner, volumeNode, mode)


def _give(
    segmentationNode: Any, label: int, mask: np.ndarray, corner: Sequence[int], volumeNode: Any
) -> None:
    """Add voxels to a segment."""
    # MODE_MERGE_MAX would write the value of ``mask`` into the label map that segments share
    mode = slicer.vtkSlicerSegmentationsModuleLogic.MODE_MERGE_MASK
    _set(segmentationNode, label, mask, corner, volumeNode, mode)


def _set(
    segmentationNode: Any, label: int, mask: np.ndarray, corner: Sequence[int], volumeNode: Any, mode: int
) -> None:
    if mask.size:
        image, segmentID = imageOf(mask, corner, volumeNode), LABELS[label].key
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        logic.SetBinaryLabelmapToSegment(image, segmentationNode, segmentID, mode, image.GetExtent())


def _keep(segmentationNode: "slicer.vtkMRMLSegmentationNode", items: Sequence[RejectedLesion]) -> None:
    name, data = (
        _("{volume} rejected lesions"),
        {"format": FORMAT, "lesions": [asdict(item) for item in items]},
    )
    parts.writeText(
        segmentationNode, parts.REJECTED, name, data, lambda _node: parts.fileParts(segmentationNode)
    )


def _packed(mask: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(np.packbits(mask).tobytes())).decode("ascii")


def _unpacked(text: str, shape: Sequence[int]) -> np.ndarray:
    bits = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    return np.unpackbits(bits, count=int(np.prod(shape))).astype(bool).reshape(shape)

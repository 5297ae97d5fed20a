"""Which voxels change when a segment becomes the automatic one again, and how they are written."""

from typing import Any, Dict, Mapping

import numpy as np
import slicer

from LiverSegLib.labels import LABELS, LIVER, SPLEEN, TUMOUR

from .placed_masks import Extent, PlacedImage, imageLike, maskOn, placedImage

_YIELDS_TO = {LIVER: (SPLEEN, TUMOUR), SPLEEN: (TUMOUR,), TUMOUR: ()}
"""Label -> those that win over it where segments overlap, as in ``segments.labelsOf``."""


def revertedMasks(
    label: int, now: Mapping[int, np.ndarray], before: Mapping[int, np.ndarray]
) -> Dict[int, np.ndarray]:
    """Return the voxels of every segment after one was reverted, by label.

    Args:
        label: of the segment.
        now, before: label -> its voxels now and automatically, bool (z, y, x).
    """
    nothing = np.zeros_like(now[label])
    before = {value: before.get(value, nothing) for value in LABELS}
    taken = np.logical_or.reduce([now[value] for value in _YIELDS_TO[label] if value in now] or [nothing])
    mine = before[label] & (now[label] | ~taken)
    if label == LIVER:
        mine |= before[TUMOUR] & now[LIVER] & ~taken
    leaving, entering = now[label] & ~mine, mine & ~now[label]
    wanted = {label: mine}
    for value in now:
        if value != label:
            others = [now[other] for other in now if other not in (value, label)]
            free = ~np.logical_or.reduce(others or [nothing])
            wanted[value] = (now[value] & ~entering) | (leaving & before[value] & free)
    return wanted


def writeMask(
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    label: int,
    mask: np.ndarray,
    extent: Extent,
    reference: PlacedImage,
) -> None:
    """Make the voxels of a segment within ``extent`` those of a mask, bool (z, y, x).

    Args:
        extent: in indices of the reference's grid; outside it the segment stays as it is.
    """
    logic, key = slicer.vtkSlicerSegmentationsModuleLogic, LABELS[label].key
    now = maskOn(placedImage(segmentationNode, key), reference, extent)
    if (now & ~mask).any():
        _set(segmentationNode, key, mask, extent, reference, logic.MODE_MERGE_MIN)
    if (mask & ~now).any():
        # MODE_MERGE_MAX would write the value of the mask into the label map that segments share
        _set(segmentationNode, key, mask, extent, reference, logic.MODE_MERGE_MASK)


def _set(
    segmentationNode: Any, key: str, mask: np.ndarray, extent: Extent, reference: PlacedImage, mode: int
) -> None:
    image = imageLike(mask, extent, reference)
    slicer.vtkSlicerSegmentationsModuleLogic.SetBinaryLabelmapToSegment(
        image, segmentationNode, key, mode, extent
    )

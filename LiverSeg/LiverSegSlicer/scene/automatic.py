"""The automatic result, kept beside the one that is edited: what changed since, and back to it.

It is a hidden segmentation node that the result references, with the label map of the run alone. No module
lists it, nothing shows it, and it is saved with the scene. Its outline is shown by another hidden node, which
is not saved.
"""

from dataclasses import dataclass, replace
from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy as np
import slicer
from slicer.i18n import tr as _

from LiverSegLib.errors import InputChangedError, UsageError
from LiverSegLib.images.grid import bounding_box
from LiverSegLib.labels import LABELS

from . import parts
from .placed_masks import (
    NOTHING,
    RESAMPLED_SLAB_VOXELS,
    SLAB_VOXELS,
    Extent,
    PlacedImage,
    extentOn,
    isOnGrid,
    maskOn,
    placedImage,
    slabs,
    united,
)
from .reverting import revertedMasks, writeMask
from .segments import fillSegmentation, letGoOfSegments

OUTLINE_PIXELS = 1
OUTLINE_OPACITY = 0.9


@dataclass(frozen=True)
class Change:
    """How a segment differs from the automatic one.

    Attributes:
        key: of the segment.
        volumeMl: its volume now, ml; None if it has no label map, 0 if it was removed.
        automaticMl: volume of the automatic one, ml.
        dice: agreement of both, 0 to 1; None where neither has a voxel, or that cannot be told.
    """

    key: str
    volumeMl: Optional[float]
    automaticMl: float
    dice: Optional[float]


def keepAutomatic(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", labelmap: "slicer.vtkOrientedImageData"
) -> "slicer.vtkMRMLSegmentationNode":
    """Keep a run's label map as the automatic result of a segmentation, in the place of an earlier one.

    Args:
        labelmap: with the values of ``LiverSegLib.labels``; it is copied.

    Returns:
        The hidden node.
    """
    removeOrphans()
    removeAutomatic(segmentationNode)
    image = slicer.vtkOrientedImageData()
    image.DeepCopy(labelmap)
    name = _("{volume} automatic segmentation").format(volume=parts.scanName(segmentationNode))
    node = _addHidden(segmentationNode, parts.AUTOMATIC, slicer.mrmlScene.GenerateUniqueName(name))
    # never shown: without a display node Slicer would give it one, visible, when it loads the scene
    node.SetAndObserveDisplayNodeID(_addDisplay(visible=False).GetID())
    segmentationNode.SetNodeReferenceID(parts.AUTOMATIC, node.GetID())
    node.SetAndObserveTransformNodeID(segmentationNode.GetTransformNodeID())
    fillSegmentation(node.GetSegmentation(), image, {})
    return node


def automaticOf(
    segmentationNode: Optional["slicer.vtkMRMLSegmentationNode"],
) -> Optional["slicer.vtkMRMLSegmentationNode"]:
    """Return the automatic result kept of a segmentation, in the place where its scan is now.

    None if there is none, or its file was lost.
    """
    node = None if segmentationNode is None else parts.part(segmentationNode, parts.AUTOMATIC)
    if node is None or all(placedImage(node, info.key) is None for info in LABELS.values()):
        return None
    place = parts.volumeOf(segmentationNode) or segmentationNode
    if node.GetTransformNodeID() != place.GetTransformNodeID():
        node.SetAndObserveTransformNodeID(place.GetTransformNodeID())
    return node


def removeAutomatic(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> None:
    """Remove the automatic result of a segmentation and its outline from the scene."""
    for node in (_outlineOf(segmentationNode), parts.part(segmentationNode, parts.AUTOMATIC)):
        if node is not None:
            _remove(node)


def removeOrphans() -> None:
    """Remove hidden nodes whose segmentation was deleted: nobody else could.

    Nothing happens while a scene comes in or goes, whose references are not complete.
    """
    scene = slicer.mrmlScene
    if scene.IsImporting() or scene.IsClosing() or scene.IsRestoring():
        return
    for node in _hiddenNodes():
        if node.GetNodeReference(parts.OWNER) is None:
            _remove(node)


def compare(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> Iterator[None]:
    """Compare the segments with the automatic ones, in short pieces (see ``work.run.Turns``).

    Returns:
        A tuple with a ``Change`` for liver, spleen and tumor each.

    Raises:
        UsageError: no automatic result is kept.
        InputChangedError: the segments were changed between two pieces.
    """
    automaticNode = _requireAutomatic(segmentationNode)
    changes: List[Change] = []
    for info in LABELS.values():
        now, then = placedImage(segmentationNode, info.key), placedImage(automaticNode, info.key)
        change = yield from _change(info.key, now, then)
        if now is None and segmentationNode.GetSegmentation().GetSegment(info.key) is not None:
            change = replace(change, volumeMl=None, dice=None)
        changes.append(change)
    return tuple(changes)


def revert(segmentationNode: "slicer.vtkMRMLSegmentationNode", key: str) -> bool:
    """Make a segment the automatic one again, voxel by voxel.

    Tumor wins over spleen, spleen over liver: what she made of those that win stays. Voxels that leave the
    segment go back to the one that had them automatically, unless another segment has them now; what was
    tumor automatically and is liver now stays liver.

    Returns:
        Whether anything changed.

    Raises:
        UsageError: no automatic result is kept, or there is no such segment.
    """
    automaticNode = _requireAutomatic(segmentationNode)
    label = next((info.value for info in LABELS.values() if info.key == key), None)
    placed, then = _placedByLabel(segmentationNode), _placedByLabel(automaticNode)
    if label not in placed:
        raise UsageError(_("This segment is no longer there, or has no label map: it cannot be reverted."))
    # on the segment's own grid, unless it has no voxel
    reference = placed[label] if placed[label].voxels.size else then.get(label, placed[label])
    extent = _differing(placed[label], then.get(label), reference)
    now = {value: maskOn(item, reference, extent) for value, item in placed.items()}
    before = {value: maskOn(item, reference, extent) for value, item in then.items()}
    wanted = revertedMasks(label, now, before)
    order = (label, *(value for value in now if value != label))
    changed = [value for value in order if not np.array_equal(wanted[value], now[value])]
    with slicer.util.NodeModify(segmentationNode):
        for value in changed:
            writeMask(segmentationNode, value, wanted[value], extent, reference)
    return bool(changed)


def showOutline(segmentationNode: "slicer.vtkMRMLSegmentationNode", on: bool) -> None:
    """Show the automatic result as thin outlines in the slices, or no longer; it is never saved as shown.

    Raises:
        UsageError: no automatic result is kept that could be shown.
    """
    outlineNode = _outlineOf(segmentationNode)
    if not on and outlineNode is not None:
        _remove(outlineNode)
    if not on or outlineNode is not None:
        return
    automaticNode = _requireAutomatic(segmentationNode)
    outlineNode = _addHidden(segmentationNode, parts.OUTLINE, _("Automatic outline"), saved=False)
    outlineNode.SetAndObserveTransformNodeID(automaticNode.GetTransformNodeID())
    outlineNode.GetSegmentation().DeepCopy(automaticNode.GetSegmentation())
    outlineNode.SetAndObserveDisplayNodeID(_addDisplay(visible=True).GetID())


def isOutlineShown(segmentationNode: Optional["slicer.vtkMRMLSegmentationNode"]) -> bool:
    """Whether the outlines of the automatic result are shown."""
    return segmentationNode is not None and _outlineOf(segmentationNode) is not None


def _change(key: str, now: Optional[PlacedImage], then: Optional[PlacedImage]) -> Iterator[None]:
    """Return the ``Change`` of one segment; yields between pieces."""
    states = [None if item is None else item.state for item in (now, then)]
    onGrid = now is not None and then is not None and isOnGrid(now, then)
    sizes = []
    for item in (now, then):
        count = 0
        for extent in [] if item is None else slabs(item.extent):
            count += int(np.count_nonzero(maskOn(item, item, extent)))
            yield
            _checkUnchanged((now, then), states)
        sizes.append(0.0 if item is None else count * item.voxelMl)
    shared = 0
    for extent in slabs(then.extent, SLAB_VOXELS if onGrid else RESAMPLED_SLAB_VOXELS) if all(sizes) else []:
        mask = maskOn(then, then, extent)
        if mask.any():
            shared += int(np.count_nonzero(mask & maskOn(now, then, extent)))
        yield
        _checkUnchanged((now, then), states)
    dice = 2 * shared * then.voxelMl / sum(sizes) if all(sizes) else 0.0 if any(sizes) else None
    return Change(key, sizes[0], sizes[1], dice if dice is None else min(1.0, dice))


def _checkUnchanged(items: Tuple[Optional[PlacedImage], ...], states: List[Any]) -> None:
    if [None if item is None else item.state for item in items] != states:
        raise InputChangedError(
            _("The segmentation was changed while it was compared with the automatic one.")
        )


def _differing(now: PlacedImage, then: Optional[PlacedImage], reference: PlacedImage) -> Extent:
    """Return the part of a grid that holds all voxels in which a segment differs from the automatic one."""
    items = [now] if then is None else [now, then]
    extent = united(*(extentOn(item, reference) for item in items))
    difference = maskOn(now, reference, extent)
    if then is not None:
        difference ^= maskOn(then, reference, extent)
    box = bounding_box(difference)
    if box is None:
        return NOTHING
    ends = ((part.start, part.stop - 1) for part in box[::-1])
    return tuple(extent[axis * 2] + n for axis, pair in enumerate(ends) for n in pair)


def _placedByLabel(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> Dict[int, PlacedImage]:
    found = {value: placedImage(segmentationNode, info.key) for value, info in LABELS.items()}
    return {value: item for value, item in found.items() if item is not None}


def _requireAutomatic(segmentationNode: Any) -> "slicer.vtkMRMLSegmentationNode":
    automaticNode = automaticOf(segmentationNode)
    if automaticNode is None:
        raise UsageError(_("No automatic result is kept of this segmentation."))
    return automaticNode


def _addHidden(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", role: str, name: str, saved: bool = True
) -> "slicer.vtkMRMLSegmentationNode":
    """Add an empty segmentation that no selector, table or tree lists, marked with its role."""
    node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentationNode")
    node.UnRegister(None)  # Python holds it from here on
    node.SetName(name)
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(saved)
    node.SetAttribute(role, "1")
    hidden = slicer.vtkMRMLSubjectHierarchyConstants.GetSubjectHierarchyExcludeFromTreeAttributeName()
    node.SetAttribute(hidden, "1")
    node.SetNodeReferenceID(parts.OWNER, segmentationNode.GetID())
    slicer.mrmlScene.AddNode(node)
    return node


def _remove(node: "slicer.vtkMRMLSegmentationNode") -> None:
    for index in reversed(range(node.GetNumberOfDisplayNodes())):
        slicer.mrmlScene.RemoveNode(node.GetNthDisplayNode(index))
    slicer.mrmlScene.RemoveNode(node)
    letGoOfSegments(node.GetSegmentation())


def _addDisplay(visible: bool) -> "slicer.vtkMRMLSegmentationDisplayNode":
    """Add a display node for outlines in the slices; one that is visible is not saved."""
    displayNode = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentationDisplayNode")
    displayNode.UnRegister(None)
    displayNode.SetHideFromEditors(True)
    displayNode.SetSaveWithScene(not visible)
    displayNode.SetVisibility(visible)
    displayNode.SetVisibility3D(False)
    displayNode.SetVisibility2DFill(False)
    displayNode.SetVisibility2DOutline(True)
    displayNode.SetOpacity2DOutline(OUTLINE_OPACITY)
    displayNode.SetSliceIntersectionThickness(OUTLINE_PIXELS)
    slicer.mrmlScene.AddNode(displayNode)
    return displayNode


def _outlineOf(
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
) -> Optional["slicer.vtkMRMLSegmentationNode"]:
    nodes = (node for node in _hiddenNodes() if node.GetAttribute(parts.OUTLINE) is not None)
    return next((node for node in nodes if node.GetNodeReference(parts.OWNER) is segmentationNode), None)


def _hiddenNodes() -> List["slicer.vtkMRMLSegmentationNode"]:
    roles = (parts.AUTOMATIC, parts.OUTLINE)
    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    return [node for node in nodes if any(node.GetAttribute(role) is not None for role in roles)]

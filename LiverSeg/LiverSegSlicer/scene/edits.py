"""What a correction changes, written into segments: only the box that changed, the other segments stay."""

from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Iterator, List, Protocol, Sequence, Tuple

import numpy as np
import slicer
from slicer.i18n import tr as _

from LiverSegLib.errors import CancelledError
from LiverSegLib.images.grid import Box, bounding_box
from LiverSegLib.labels import LIVER, TUMOUR

from .roles import Roles
from .segments import SURFACE, imageOf, labelsIn


@dataclass(frozen=True)
class Edit:
    """A change of one segment.

    Attributes:
        box: slices (z, y, x) of the scan.
        before: uint8 (z, y, x), the labels in the box before.
        after: those after.
    """

    box: Box
    before: np.ndarray
    after: np.ndarray

    def tight(self) -> "Edit":
        """The same in the smallest box; of no size if nothing changes."""
        inner = bounding_box(self.before != self.after) or (slice(0, 0), slice(0, 0), slice(0, 0))
        z, y, x = (slice(a.start + b.start, a.start + b.stop) for a, b in zip(self.box, inner))
        return Edit((z, y, x), self.before[inner].copy(), self.after[inner].copy())

    @property
    def isEmpty(self) -> bool:
        """Whether nothing changes."""
        return not (self.before != self.after).any()


class Writer(Protocol):
    """Writes voxels into segments, and keeps what was there for undo.

    Attributes:
        makesRoom: whether other segments give up what is added, as far as they may, without being told.
    """

    makesRoom: bool

    def check(self) -> None:
        """Raise a LiverSegError if it can no longer write."""

    def save(self) -> None:
        """Keep the segments as they are now for one step of undo."""

    def add(self, segmentID: str, image: Any) -> None:
        """Add the voxels of a vtkOrientedImageData that are not 0 to a segment."""

    def remove(self, segmentID: str, image: Any) -> None:
        """Take them away from a segment."""


class NodeWriter:
    """Writes into the segments of a node, whichever editor is there or none. Nothing is kept for undo."""

    makesRoom = False

    def __init__(self, segmentationNode: "slicer.vtkMRMLSegmentationNode") -> None:
        self._node = segmentationNode

    def check(self) -> None:
        """Nothing: it can as long as there is the node."""

    def save(self) -> None:
        """Nothing: without an editor there is no undo."""

    def add(self, segmentID: str, image: Any) -> None:
        """See ``Writer``. Segments that lose voxels by it have to give them up before."""
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        mode = logic.MODE_MERGE_MASK  # MODE_MERGE_MAX would write 1 into the label map that segments share
        logic.SetBinaryLabelmapToSegment(image, self._node, segmentID, mode, image.GetExtent())

    def remove(self, segmentID: str, image: Any) -> None:
        """See ``Writer``."""
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        keep = inverted(image)
        logic.SetBinaryLabelmapToSegment(keep, self._node, segmentID, logic.MODE_MERGE_MIN, keep.GetExtent())


class EffectWriter:
    """Writes into segments as the Segment Editor does: its masking holds, undo is its own.

    Args:
        scriptedEffect: of the editor.
        segmentationNode: that was edited when the correction was asked for; the editor may have another or
            none when it has been computed.
    """

    makesRoom = True  # as the editor's settings say

    def __init__(self, scriptedEffect: Any, segmentationNode: Any) -> None:
        self._effect = scriptedEffect
        self._segmentationNode = segmentationNode

    def check(self) -> None:
        """See ``Writer``."""
        node = self._effect.parameterSetNode()
        if node is None or node.GetSegmentationNode() is not self._segmentationNode:
            raise CancelledError(_("The segmentation is no longer being edited; nothing was changed."))

    def save(self) -> None:
        """See ``Writer``."""
        self._effect.saveStateForUndo()

    def add(self, segmentID: str, image: Any) -> None:
        """See ``Writer``."""
        self._modify(segmentID, image, slicer.qSlicerSegmentEditorAbstractEffect.ModificationModeAdd)

    def remove(self, segmentID: str, image: Any) -> None:
        """See ``Writer``."""
        self._modify(segmentID, image, slicer.qSlicerSegmentEditorAbstractEffect.ModificationModeRemove)

    def _modify(self, segmentID: str, image: Any, mode: int) -> None:
        self._effect.modifySegmentByLabelmap(self._segmentationNode, segmentID, image, mode)


def writeEdit(
    writer: Writer, segmentationNode: Any, volumeNode: Any, roles: Roles, edit: Edit, *, save: bool = True
) -> Tuple[int, int]:
    """Write an edit as one step of undo, none if nothing changes.

    Voxels that a tumor gives up become liver, if the writer, whose masking may forbid it, took them away.

    Args:
        save: False: the edit belongs to the step before.

    Returns:
        How many voxels the corrected segment gained and lost.
    """
    if edit.isEmpty:
        return 0, 0
    edit = edit.tight()
    value, segmentID = roles.value, roles.segmentID
    added = (edit.after == value) & (edit.before != value)
    removed = (edit.before == value) & (edit.after != value)
    had = labelsIn(segmentationNode, volumeNode, {segmentID: 1}, edit.box).view(bool)
    if save:
        writer.save()
    with slicer.util.RenderBlocker(), _surfacesKept(segmentationNode, roles):
        if removed.any():
            writer.remove(segmentID, _image(removed, edit.box, volumeNode))
        if added.any():
            for name, lost in () if writer.makesRoom else _givingWay(roles, edit, added):
                writer.remove(name, _image(lost, edit.box, volumeNode))
            writer.add(segmentID, _image(added, edit.box, volumeNode))
        has = labelsIn(segmentationNode, volumeNode, {segmentID: 1}, edit.box).view(bool)
        liver = [name for name, label in roles.values.items() if label == LIVER and value == TUMOUR]
        given = had & ~has & (edit.after == LIVER)
        if liver and given.any():
            NodeWriter(segmentationNode).add(liver[0], _image(given, edit.box, volumeNode))
    return int(np.count_nonzero(has & ~had)), int(np.count_nonzero(had & ~has))


@contextmanager
def _surfacesKept(segmentationNode: Any, roles: Roles) -> Iterator[None]:
    """Leave the surfaces of the other segments as they are while a tumor is edited in this block.

    Slicer would make them anew for each voxel that the liver gives up or gets back, which takes most of a
    second for a large liver, and cut the tumor out of it; ours is that of the liver with its tumors.
    """
    segmentation = segmentationNode.GetSegmentation()
    held = []
    for name in roles.values if roles.value == TUMOUR else ():
        segment = segmentation.GetSegment(name)
        surface = None if segment is None or name == roles.segmentID else segment.GetRepresentation(SURFACE)
        if surface is not None:
            held.append((segment, surface))
            segment.RemoveRepresentation(SURFACE)
    try:
        yield
    finally:
        for segment, surface in held:
            segment.AddRepresentation(SURFACE, surface)


def inverted(image: Any) -> Any:
    """Return an image that is 1 where another is 0, and 0 elsewhere."""
    from vtk.util.numpy_support import vtk_to_numpy

    result = slicer.vtkOrientedImageData()
    result.DeepCopy(image)
    voxels = vtk_to_numpy(result.GetPointData().GetScalars())
    voxels[:] = voxels == 0
    return result


def _givingWay(roles: Roles, edit: Edit, added: np.ndarray) -> List[Tuple[str, np.ndarray]]:
    """Return the segments that give up voxels, with these, bool (z, y, x)."""
    found = []
    for name, label in roles.values.items():
        lost = added & (edit.before == label)
        if name != roles.segmentID and lost.any():
            found.append((name, lost))
    return found


def _image(mask: np.ndarray, box: Sequence[slice], volumeNode: Any) -> Any:
    return imageOf(mask, [part.start for part in box[::-1]], volumeNode)

"""Boxes put into the scene and taken out of it, a few in each turn of the event loop, and the way back.

A node that is taken out is kept with its display, its ID and its place in the subject hierarchy; putting it
back brings all of that back. Scene undo is off in Slicer, so this is the only way.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Iterator, List, Optional, Sequence, Tuple

import slicer
from slicer.i18n import tr as _

from LiverSegLib.errors import InputError

from ..scene import parts
from ..scene.folders import placeInHierarchy, placeOf
from .reading import SteatosisReading, keepReading, readingOf
from .rois import Box, fileRois

ROIS_PER_TURN = 2
"""A markups node costs up to 100 ms to add to the views: after so few the window is served."""


@dataclass(frozen=True)
class RoiChange:
    """What was changed, so that it can be taken back.

    Attributes:
        removed: boxes that were taken out.
        added: nodes that were put in.
        order: node IDs of all boxes before, as the result references them.
        reading: the reading before.
    """

    removed: Tuple[Box, ...]
    added: Tuple[Any, ...]
    order: Tuple[str, ...]
    reading: Optional[SteatosisReading]


def exchange(
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    removing: Sequence["slicer.vtkMRMLMarkupsROINode"],
    adding: Sequence[Box],
    order: Sequence[str] = (),
) -> Iterator[None]:
    """Take boxes out of a result and put others in, in pieces; returns a ``RoiChange``.

    Args:
        order: node IDs in the order in which the result is to reference them, if these are all.

    Raises:
        InputError: the result was removed meanwhile.
    """
    reading = readingOf(segmentationNode)
    before = tuple(node.GetID() for node in parts.roisOf(segmentationNode))
    removed = tuple(_boxOf(node) for node in removing if node.GetScene() is slicer.mrmlScene)
    with slicer.util.RenderBlocker():  # the views wait until all boxes are there
        for some in _portions(removed):
            with _batch(segmentationNode):
                for box in some:
                    slicer.mrmlScene.RemoveNode(box.node)
            yield
            _mustBeThere(segmentationNode)
        for some in _portions(adding):
            with _batch(segmentationNode):
                for box in some:
                    _add(segmentationNode, box)
            yield
            _mustBeThere(segmentationNode)
        with _batch(segmentationNode):
            _orderReferences(segmentationNode, order)
            placeInHierarchy({box.node: box.place for box in adding if box.place is not None})
            fileRois(segmentationNode)
    return RoiChange(removed, tuple(box.node for box in adding), before, reading)


def takeBack(segmentationNode: "slicer.vtkMRMLSegmentationNode", change: RoiChange) -> Iterator[None]:
    """Take a change back, in pieces; returns the ``RoiChange`` that this is."""
    inverse = yield from exchange(segmentationNode, change.added, change.removed, change.order)
    if change.reading is not None:
        keepReading(segmentationNode, change.reading)
    return inverse


def _boxOf(roiNode: "slicer.vtkMRMLMarkupsROINode") -> Box:
    count = roiNode.GetNumberOfDisplayNodes()
    others = [roiNode.GetNthDisplayNode(index) for index in range(count)] + [roiNode.GetStorageNode()]
    return Box(roiNode, tuple(node for node in others if node is not None), placeOf(roiNode))


def _add(segmentationNode: "slicer.vtkMRMLSegmentationNode", box: Box) -> None:
    for node in box.others:
        if node.GetScene() is None:
            slicer.mrmlScene.AddNode(node)
    if not box.node.GetNumberOfDisplayNodes():
        box.node.SetAndObserveDisplayNodeID(box.others[0].GetID())
    with parts.keepingPlaceNode():
        slicer.mrmlScene.AddNode(box.node)
    segmentationNode.AddNodeReferenceID(parts.ROIS, box.node.GetID())


def _orderReferences(segmentationNode: "slicer.vtkMRMLSegmentationNode", order: Sequence[str]) -> None:
    now = [node.GetID() for node in parts.roisOf(segmentationNode)]
    if now != list(order) and sorted(now) == sorted(order):
        segmentationNode.RemoveNodeReferenceIDs(parts.ROIS)
        for nodeID in order:
            segmentationNode.AddNodeReferenceID(parts.ROIS, nodeID)


def _portions(boxes: Sequence[Box]) -> Iterator[List[Box]]:
    for first in range(0, len(boxes), ROIS_PER_TURN):
        yield list(boxes[first : first + ROIS_PER_TURN])


def _mustBeThere(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> None:
    if segmentationNode.GetScene() is None or slicer.mrmlScene.IsClosing():
        raise InputError(_("The result was removed from the scene."))


@contextmanager
def _batch(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> Iterator[None]:
    """Let the views and lists of nodes look at several changes once."""
    scene = slicer.mrmlScene
    scene.StartState(scene.BatchProcessState)
    try:
        with slicer.util.NodeModify(segmentationNode):
            yield
    finally:
        scene.EndState(scene.BatchProcessState)

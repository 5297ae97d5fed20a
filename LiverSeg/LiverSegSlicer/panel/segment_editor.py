"""Slicer's segment editor inside the panel: on a node of its own, with the tools that are useful here."""

from typing import Any, Callable, List, Optional

import qt
import slicer
import vtk

from LiverSegLib.labels import LABELS, LIVER, SPLEEN, TUMOUR

from ..correct.effect import NAME, registerEffect
from ..correct.options import CORRECT
from ..scene import parts
from ..slots import guarded

EFFECTS = (NAME, "Paint", "Erase", "Scissors", "Islands", "Smoothing", "Margin")
"""The tools that are offered, in this order."""

TAG = "LiverSeg"
"""Singleton tag of the editor's node: the editors of other modules have their own."""
_UNDO_STATES = 10


class SegmentEditor:
    """Made when it is needed first; the views are connected between ``open`` and ``close`` only.

    Args:
        place: the widget that it fills.
        onChosen: called without arguments when another segment or tool is chosen.
    """

    def __init__(self, place: Any, onChosen: Callable[[], None]) -> None:
        self._place = place
        self._onChosen = onChosen
        self._widget: Any = None
        self._node: Any = None
        self._tags: List[int] = []
        self._isOpen = False
        self._result: Any = None

    def isOpen(self) -> bool:
        """Whether the views are connected."""
        return self._isOpen

    def open(self, segmentationNode: Any, volumeNode: Any) -> None:
        """Edit a segmentation of a scan. Where another one was edited until now, the same structure and tool
        stay chosen."""
        self._make()
        widget = self._widget
        node = self._editorNode()
        if widget.mrmlSegmentEditorNode() is not node:
            widget.setMRMLSegmentEditorNode(node)
        self._watch(node)
        segmentID, tool = self.chosen(), node.GetActiveEffectName() if self._isOpen else ""
        # the widget itself tells what its hidden selector shows
        if node.GetSegmentationNode() is not segmentationNode or self._result != _resultOf(segmentationNode):
            widget.setSegmentationNode(None)  # undo must not bring back the segments of an earlier run
            widget.setSegmentationNode(segmentationNode)
            self._result = _resultOf(segmentationNode)
        if widget.sourceVolumeNode() is not volumeNode:
            widget.setSourceVolumeNode(volumeNode)
        if not self._isOpen:
            self._isOpen = True
            widget.setupViewObservations()
        elif tool and widget.activeEffect() is None:  # put down, as the segmentation is another one
            self._takeUp(segmentID, tool)

    def close(self) -> None:
        """Let go of views and segmentation; the tool that was chosen is put down."""
        if not self._isOpen:
            return
        self._isOpen = False
        self._watch(None)
        self._widget.setActiveEffect(None)
        self._widget.removeViewObservations()
        self._widget.setSourceVolumeNode(None)  # first: without a segmentation it would be ignored
        self._widget.setSegmentationNode(None)

    def discard(self) -> None:
        """Close it for good. A widget that lives on in a hidden panel, as after a reload, would follow the
        editor's node, and each click in a view would be taken twice."""
        self.close()
        widget, self._widget = self._widget, None
        if widget is not None:
            effect = widget.effectByName(NAME)
            if effect is not None:  # Slicer 5.8 does not tell it
                effect.self().smartCorrect.cleanUp()
            widget.setMRMLSegmentEditorNode(None)
            widget.setParent(None)
            widget.deleteLater()

    # ---- what is chosen

    def chosen(self) -> str:
        """ID of the segment that is edited; empty without."""
        return self._widget.currentSegmentID() if self._isOpen else ""

    def choose(self, segmentID: str) -> None:
        """Edit this segment; with no tool chosen, it is corrected by clicks."""
        if self._isOpen:
            self._widget.setCurrentSegmentID(segmentID)
            if self._widget.activeEffect() is None:
                self._widget.setActiveEffectByName(NAME)
            self._setMasking()

    def smartCorrect(self) -> Optional[Any]:
        """Return what corrects by clicks, chosen as the tool; None without an editor, or where Slicer could
        not load it."""
        if not self._isOpen:
            return None
        self._widget.setActiveEffectByName(NAME)
        effect = self._widget.activeEffect()
        return effect.self().smartCorrect if effect is not None and effect.name == NAME else None

    def activeSmartCorrect(self) -> Optional[Any]:
        """Return what corrects by clicks if it is the chosen tool."""
        effect = self._widget.activeEffect() if self._isOpen else None
        return effect.self().smartCorrect if effect is not None and effect.name == NAME else None

    def saveState(self) -> None:
        """Keep the segments as they are now for one step of undo."""
        if self._isOpen:
            self._widget.saveStateForUndo()

    def undo(self) -> None:
        """Take the last step back, whichever tool made it."""
        if self._isOpen:
            self._widget.undo()

    def redo(self) -> None:
        """Do again what was taken back last."""
        if self._isOpen:
            self._widget.redo()

    def _takeUp(self, segmentID: str, tool: str) -> None:
        """Choose a segment, if it is there, and a tool; clicks correct again, not whole lesions."""
        self._widget.setActiveEffectByName(tool)
        if _hasSegment(self._node, segmentID):
            self.choose(segmentID)
        smart = self.activeSmartCorrect()
        if smart is not None:
            smart.setMode(CORRECT)

    # ---- making it

    def _make(self) -> None:
        if self._widget is not None:
            return
        registerEffect()
        widget = self._widget = slicer.qMRMLSegmentEditorWidget()
        widget.objectName = "liverSegEditor"
        widget.maximumNumberOfUndoStates = _UNDO_STATES
        widget.segmentationNodeSelectorVisible = False
        widget.sourceVolumeNodeSelectorVisible = False
        widget.switchToSegmentationsButtonVisible = False
        widget.specifyGeometryButtonVisible = False
        widget.addRemoveSegmentButtonsVisible = False
        widget.show3DButtonVisible = False
        widget.maskingSectionVisible = False
        widget.autoShowSourceVolumeNode = False  # the views are hers
        widget.effectColumnCount = 1
        widget.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Preferred)  # never wider than the dock
        widget.setEffectNameOrder(list(EFFECTS))
        widget.unorderedEffectsVisible = False
        widget.setMRMLScene(slicer.mrmlScene)
        for selector in widget.findChildren(slicer.qMRMLNodeComboBox):
            if selector.objectName == "SegmentationNodeComboBox":
                selector.noneEnabled = True  # else it takes any segmentation while this editor is closed
        for table in widget.findChildren(slicer.qMRMLSegmentsTableView):
            frame = table.parentWidget()  # makes it resizable, and would stay as an empty space
            isFrame = frame is not None and frame.className() == "ctkExpandableWidget"
            (frame if isFrame else table).setVisible(False)  # the panel has one already
        self._place.layout().addWidget(widget)

    def _editorNode(self) -> Any:
        """Return the editor's node, which a scene that was closed has taken along."""
        scene = slicer.mrmlScene
        node = scene.GetSingletonNode(TAG, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = scene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
            node.UnRegister(None)
            node.SetSingletonTag(TAG)
            node = scene.AddNode(node)
        node.SetSaveWithScene(False)  # a scene that is opened must not choose a tool, in whatever module
        return node

    def _watch(self, node: Any) -> None:
        if node is self._node:
            return
        for tag in self._tags:
            self._node.RemoveObserver(tag)
        self._node = node
        event = vtk.vtkCommand.ModifiedEvent
        self._tags = [] if node is None else [node.AddObserver(event, guarded(self._onNode))]

    def _onNode(self, _caller: Any = None, _event: Any = None) -> None:
        self._setMasking()
        self._onChosen()

    def _setMasking(self) -> None:
        """Protect the neighbors of the chosen segment: tumor is drawn inside the liver alone, liver and
        spleen where no other structure is. The smart correction sees to that itself."""
        node, everywhere = self._node, slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere
        if node is None:
            return
        mode, inside = everywhere, None
        if node.GetActiveEffectName() != NAME:
            segmentID = node.GetSelectedSegmentID()
            # the widget takes a mask back that is not there: both would correct each other for ever
            if segmentID == LABELS[TUMOUR].key and _hasSegment(node, LABELS[LIVER].key):
                mode = slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment
                inside = LABELS[LIVER].key
            elif segmentID in (LABELS[LIVER].key, LABELS[SPLEEN].key):
                mode = slicer.vtkMRMLSegmentationNode.EditAllowedOutsideAllSegments
        if inside is not None and node.GetMaskSegmentID() != inside:
            node.SetMaskSegmentID(inside)
        if node.GetMaskMode() != mode:
            node.SetMaskMode(mode)


def _resultOf(segmentationNode: Any) -> Any:
    """What tells a result from the one before that was in the same node."""
    return segmentationNode.GetAttribute(parts.TIME)


def _hasSegment(editorNode: Any, segmentID: str) -> bool:
    segmentationNode = editorNode.GetSegmentationNode()
    return (
        segmentationNode is not None and segmentationNode.GetSegmentation().GetSegment(segmentID) is not None
    )

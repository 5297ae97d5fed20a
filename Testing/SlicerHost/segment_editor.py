"""The segment editor: what its node says it shows and does, as in Slicer 5.8."""

from typing import Any, Callable, Optional

import slicer
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Property, Signal

from . import segment_editor_views as views
from .effect_base import qSlicerSegmentEditorAbstractEffect
from .effect_services import Services
from .modal import answers
from .registry import slicer_class, stored_property
from .segment_editor_effects import Effects, binary_labelmap_is_source
from .segment_editor_keys import Shortcuts
from .segment_editor_masking import Masking
from .segment_editor_segments import Segments
from .segment_editor_tools import EditorTools

Effect = qSlicerSegmentEditorAbstractEffect


def _visible(*widgets: str) -> Property:
    """A property that Slicer reads from the screen: False while the editor itself is not shown."""

    def write(self: Any, shown: bool) -> None:
        for widget in widgets:
            getattr(self._layout, widget).setVisible(shown)

    return Property(bool, lambda self: getattr(self._layout, widgets[0]).isVisible(), write)


def _user_agrees(question: str) -> bool:
    buttons = QtWidgets.QMessageBox.StandardButton
    return int(answers.answer(question, buttons.No.value)) == buttons.Yes.value


@slicer_class
class qMRMLSegmentEditorWidget(EditorTools):
    """The panel of the segment editor. Everything goes through the segment editor's node: a method changes
    it, and the widget follows.
    """

    currentSegmentIDChanged = Signal(str)

    logic_class: Optional[Callable[[], Any]] = getattr(slicer, "vtkSlicerSegmentEditorLogic", None)
    """Kept from before the release gate closed: later releases have it, a module in Slicer 5.8 has not."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._volume: Any = None
        self._history = slicer.vtkSegmentationHistory()
        self._logic = type(self).logic_class()
        self._logic.SetSegmentationHistory(self._history)
        self._views = views.ViewObservations(self, self._on_interaction, self._on_view_node)
        services = Services(self._logic, self._history, self.setActiveEffectByName, self._on_geometry)
        self._effects = Effects(self._layout, services, self.setActiveEffect)
        self._segments = Segments(self._layout, self._parameter_node, self.saveStateForUndo)
        self._masking = Masking(self._layout, self._parameter_node)
        self._shortcuts = Shortcuts(self, self._effects, lambda: self._locked)
        self._observations["history"].add(self._history, "ModifiedEvent", self._show_undo)
        self._connect()
        self.updateEffectList()
        own_views, own_effects = self._views, self._effects
        self.destroyed.connect(lambda: (own_views.remove(), own_effects.release()))

    def _connect(self) -> None:
        layout = self._layout
        layout.table.selectionChanged.connect(self._on_segment_chosen)
        layout.table.segmentAboutToBeModified.connect(lambda identifier: self.saveStateForUndo())
        layout.add.clicked.connect(self._on_add)
        layout.remove.clicked.connect(lambda: self._segments.remove())
        layout.undo.clicked.connect(lambda: self.undo())
        layout.redo.clicked.connect(lambda: self.redo())

    segmentationNodeSelectorVisible = _visible("segmentations", "segmentations_label")
    sourceVolumeNodeSelectorVisible = _visible("volumes", "volumes_label", "geometry")
    masterVolumeNodeSelectorVisible = _visible("volumes", "volumes_label", "geometry")
    specifyGeometryButtonVisible = _visible("geometry")
    show3DButtonVisible = _visible("show_3d")
    addRemoveSegmentButtonsVisible = _visible("add", "remove")
    switchToSegmentationsButtonVisible = _visible("switch")
    defaultTerminologyEntry = stored_property(str, "")
    defaultTerminologyEntrySettingsKey = stored_property(str, "Segmentations/DefaultTerminologyEntry")
    jumpToSelectedSegmentEnabled = stored_property(bool, False)

    # following the node

    def updateWidgetFromMRML(self) -> None:
        scene, node, layout = self._scene, self._parameter_node(), self._layout
        if scene is None or scene.IsClosing() or scene.IsBatchProcessing():
            return
        for widget in (layout.segmentations, layout.effects, layout.masking, layout.options_frame):
            widget.setEnabled(node is not None)
        layout.volumes.setEnabled(node is not None)
        if node is None:
            return
        was = node.StartModify()
        try:
            self._follow_segmentation(node)
            self._follow_volume(node)
            for widget in (layout.effects, layout.masking, layout.options_frame, layout.volumes):
                widget.setEnabled(self._segmentation is not None)
            self._segments.show(self._locked)
            self._follow_effect(node)
            self._show_undo()
            self._masking.show()
            self._masking.list_segments()
        finally:
            node.EndModify(was)

    def _follow_segmentation(self, node: Any) -> None:
        segmentation, layout = node.GetSegmentationNode(), self._layout
        if layout.segmentations.currentNode() is not segmentation:
            blocker = QtCore.QSignalBlocker(layout.segmentations)
            layout.segmentations.setCurrentNode(segmentation)
            blocker.unblock()
        if segmentation is not self._segmentation:
            self._segmentation = segmentation
            self._observe_segmentation()
            blocker = QtCore.QSignalBlocker(layout.table)
            layout.table.setSegmentationNode(segmentation)
            blocker.unblock()
            layout.show_3d.setSegmentationNode(segmentation)
            if segmentation is not None:
                self._begin_with(segmentation)
            self.segmentationNodeChanged.emit(segmentation)
        self._history.SetSegmentation(segmentation.GetSegmentation() if segmentation is not None else None)

    def _observe_segmentation(self) -> None:
        observations, node = self._observations["segmentation"], self._segmentation
        observations.clear()
        if node is None:
            return
        segmentation = slicer.vtkSegmentation
        observations.add(node, "ModifiedEvent", self.updateWidgetFromMRML)
        for event in (
            segmentation.ContainedRepresentationNamesModified,
            segmentation.SegmentAdded,
            segmentation.SegmentRemoved,
        ):
            observations.add(node, event, self._masking.list_segments)
        observations.add(node, segmentation.SegmentModified, self._on_segment_modified)
        observations.add(node, node.DisplayModifiedEvent, self._on_display_modified)

    def _on_segment_modified(self) -> None:
        if self._parameter_node() is not None and not self._scene.IsClosing():
            self._masking.show()

    def _begin_with(self, segmentation: Any) -> None:
        """Another segmentation was chosen: its reference volume is the source volume, its first segment the
        selected one.
        """
        role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
        self._layout.volumes.setCurrentNode(segmentation.GetNodeReference(role))
        segmentation.CreateDefaultDisplayNodes()
        identifiers = segmentation.GetSegmentation().GetSegmentIDs()
        if identifiers:
            self._layout.table.setSelectedSegmentIDs([identifiers[0]])

    def _follow_volume(self, node: Any) -> None:
        volume = node.GetSourceVolumeNode()
        if node.GetSegmentationNode() is None or volume is self._volume:
            return
        self._volume = volume
        blocker = QtCore.QSignalBlocker(self._layout.volumes)
        self._layout.volumes.setCurrentNode(volume)
        blocker.unblock()
        if volume is not None and self.property("autoShowSourceVolumeNode"):
            self.showSourceVolumeInSliceViewers()
        self.sourceVolumeNodeChanged.emit(volume)
        self.masterVolumeNodeChanged.emit(volume)
        self._effects.tell_source_volume()

    def _follow_effect(self, node: Any) -> None:
        effects = self._effects
        effects.enable(node, self._locked)
        wanted = effects.by_name(node.GetActiveEffectName())
        if wanted is effects.active:
            return
        if effects.active is not None:
            effects.active.deactivate()
        if wanted is not None and not binary_labelmap_is_source(self._segmentation, _user_agrees):
            wanted = None
        if wanted is not None:
            self.setupViewObservations()
            mouse = self._interaction
            if mouse is not None and mouse.GetCurrentInteractionMode() != mouse.ViewTransform:
                mouse.SetCurrentInteractionMode(mouse.ViewTransform)
            wanted.activate()
        else:
            self.removeViewObservations()
        effects.last_active, effects.active = effects.active, wanted
        effects.show_options(self._masking_visible)
        effects.show_active()
        views.set_cursors(wanted, self._logic.IsSegmentationDisplayableInView)

    # segments

    def currentSegmentID(self) -> str:
        node = self._parameter_node()
        return (node.GetSelectedSegmentID() if node is not None else "") or ""

    def setCurrentSegmentID(self, identifier: str) -> None:
        if self._parameter_node() is not None:
            self._node.SetSelectedSegmentID(identifier)

    def _on_segment_chosen(self, *_: Any) -> None:
        """By the user: whoever sets the ID by code hears no currentSegmentIDChanged, as in Slicer."""
        node = self._parameter_node()
        chosen = (self._layout.table.selectedSegmentIDs() or [""])[0]
        if node is None or (node.GetSelectedSegmentID() or "") == chosen:
            return
        node.SetSelectedSegmentID(chosen or None)
        active = self._effects.active
        if not chosen and active is not None and active.property("perSegment"):
            self.setActiveEffect(None)
        self.updateWidgetFromMRML()
        self.currentSegmentIDChanged.emit(chosen)

    def selectPreviousSegment(self) -> None:
        self._segments.select_at(-1)

    def selectNextSegment(self) -> None:
        self._segments.select_at(1)

    def selectSegmentAtOffset(self, offset: int) -> None:
        self._segments.select_at(offset)

    def _on_add(self) -> None:
        self._segments.add(self.property("defaultTerminologyEntry"))

    # undo

    def saveStateForUndo(self) -> None:
        if self._history.GetMaximumNumberOfStates() > 0:
            self._history.SaveState()

    def undo(self) -> None:
        self._logic.Undo()

    def redo(self) -> None:
        self._logic.Redo()

    def _show_undo(self) -> None:
        history, layout = self._history, self._layout
        layout.undo.setEnabled(not self._locked and bool(history.IsRestorePreviousStateAvailable()))
        layout.redo.setEnabled(not self._locked and bool(history.IsRestoreNextStateAvailable()))

    def setUndoEnabled(self, enabled: bool) -> None:
        if enabled:
            self._history.RemoveAllStates()
        self._layout.undo_redo.setVisible(enabled)

    undoEnabled = Property(bool, lambda self: self._layout.undo_redo.isVisible(), setUndoEnabled)

    def setMaximumNumberOfUndoStates(self, count: int) -> None:
        self._history.SetMaximumNumberOfStates(count)

    maximumNumberOfUndoStates = Property(
        int, lambda self: self._history.GetMaximumNumberOfStates(), setMaximumNumberOfUndoStates
    )

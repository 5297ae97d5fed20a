"""The segment editor's nodes: scene, editor node, segmentation, source volume."""

from typing import Any, Dict, Optional

import slicer
from PySide6 import QtCore
from PySide6.QtCore import Signal

from .effect_base import qSlicerSegmentEditorAbstractEffect
from .observing import Observations
from .pythonqt import unwrap
from .qmrml_widgets import qMRMLWidget
from .segment_editor_effects import Effects
from .segment_editor_layout import EditorLayout

Effect = qSlicerSegmentEditorAbstractEffect


class EditorNodes(qMRMLWidget):
    """The part of the segment editor that takes nodes. A method changes the segment editor's node, and
    `updateWidgetFromMRML` follows it, in `segment_editor`.
    """

    segmentationNodeChanged = Signal(object)
    sourceVolumeNodeChanged = Signal(object)
    masterVolumeNodeChanged = Signal(object)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._interaction: Any = None
        self._layout = EditorLayout(self)
        self._logic: Any = None
        self._effects: Effects
        self._observations: Dict[str, Observations] = {
            name: Observations(self)
            for name in ("scene", "node", "segmentation", "volume", "mouse mode", "history")
        }
        self._layout.segmentations.currentNodeChanged.connect(self._on_segmentation_chosen)
        self._layout.volumes.currentNodeChanged.connect(self._on_volume_chosen)

    def _parameter_node(self) -> Any:
        """The node while it is in a scene: in Slicer the widget forgets one that is gone."""
        return self._node if self._node is not None and self._node.GetScene() is not None else None

    def setMRMLScene(self, scene: Any) -> None:
        if scene is self._scene:
            return
        layout = self._layout
        blockers = [QtCore.QSignalBlocker(layout.segmentations), QtCore.QSignalBlocker(layout.volumes)]
        for widget in (layout.segmentations, layout.volumes, layout.table):
            widget.setMRMLScene(scene)
        super().setMRMLScene(scene)
        for blocker in blockers:
            blocker.unblock()
        self._logic.SetMRMLScene(scene)
        for name in ("scene", "mouse mode"):
            self._observations[name].clear()
        if scene is not None:
            manager = slicer.app.layoutManager()
            if manager is not None:
                unwrap(manager).layoutChanged.connect(self._on_layout_changed)
            self.setInteractionNode(scene.GetNodeByID("vtkMRMLInteractionNodeSingleton"))
            self._observations["scene"].add(scene, scene.EndCloseEvent, self._on_scene_closed)
            self._observations["scene"].add(scene, scene.EndBatchProcessEvent, self._on_batch_ended)
        self.updateWidgetFromMRML()

    def _on_scene_closed(self) -> None:
        if self._parameter_node() is not None:
            self._effects.use_node(self._node)
        self.updateWidgetFromMRML()

    def _on_batch_ended(self) -> None:
        if self._parameter_node() is not None:
            self.setSegmentationNode(self._layout.segmentations.currentNode())
            self.setSourceVolumeNode(self._layout.volumes.currentNode())
        self.updateWidgetFromMRML()

    def interactionNode(self) -> Any:
        return self._interaction

    def setInteractionNode(self, node: Any) -> None:
        self._observations["mouse mode"].clear()
        self._interaction = node
        if node is not None:
            self._observations["mouse mode"].add(node, "ModifiedEvent", self._on_mouse_mode)

    def _on_mouse_mode(self) -> None:
        if self._effects.active is not None:
            self._effects.active.interactionNodeModified(self._interaction)

    def mrmlSegmentEditorNode(self) -> Any:
        return self._parameter_node()

    def setMRMLSegmentEditorNode(self, node: Any) -> None:
        if node is self._node:
            return
        self._observations["node"].clear()
        self._node = node
        self._logic.SetSegmentEditorNode(node)
        if node is None:
            return
        self._observations["node"].add(node, "ModifiedEvent", self.updateWidgetFromMRML)
        self._observations["node"].add(node, node.EffectParameterModified, self._effects.tell_parameters)
        self._effects.use_node(node)
        self.updateWidgetFromMRML()

    def segmentationNode(self) -> Any:
        return self._layout.segmentations.currentNode()

    def segmentationNodeID(self) -> str:
        node = self.segmentationNode()
        return node.GetID() if node is not None else ""

    def setSegmentationNode(self, node: Any) -> None:
        editor_node = self._parameter_node()
        if editor_node is None or editor_node.GetSegmentationNode() is node:
            return
        self.setActiveEffect(None)
        right = node is not None and node.IsA("vtkMRMLSegmentationNode")
        editor_node.SetAndObserveSegmentationNode(node if right else None)

    def setSegmentationNodeID(self, identifier: str) -> None:
        self.setSegmentationNode(self._scene.GetNodeByID(identifier) if self._scene is not None else None)

    def sourceVolumeNode(self) -> Any:
        node = self._parameter_node()
        return node.GetSourceVolumeNode() if node is not None else None

    masterVolumeNode = sourceVolumeNode

    def sourceVolumeNodeID(self) -> str:
        node = self.sourceVolumeNode()
        return node.GetID() if node is not None else ""

    masterVolumeNodeID = sourceVolumeNodeID

    def setSourceVolumeNode(self, node: Any) -> None:
        editor_node = self._parameter_node()
        if editor_node is None or self.segmentationNode() is None:
            return
        node = node if node is not None and node.IsA("vtkMRMLScalarVolumeNode") else None
        if editor_node.GetSourceVolumeNode() is not node:
            editor_node.SetAndObserveSourceVolumeNode(node)

    setMasterVolumeNode = setSourceVolumeNode

    def setSourceVolumeNodeID(self, identifier: str) -> None:
        self.setSourceVolumeNode(self._scene.GetNodeByID(identifier) if self._scene is not None else None)

    setMasterVolumeNodeID = setSourceVolumeNodeID

    def _on_segmentation_chosen(self, node: Any) -> None:
        if self._scene is not None and not self._scene.IsBatchProcessing():
            self.setSegmentationNode(node)

    def _on_volume_chosen(self, node: Any) -> None:
        if self._scene is not None and not self._scene.IsBatchProcessing():
            self.setSourceVolumeNode(node)

    def updateWidgetFromMRML(self) -> None:
        raise NotImplementedError

    def setActiveEffect(self, effect: Optional[Effect]) -> None:
        raise NotImplementedError

    def _on_layout_changed(self) -> None:
        raise NotImplementedError

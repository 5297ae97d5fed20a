"""Slicer's module Segment Editor: the segment editor on a node that the whole application shares."""

from typing import Any, Optional

import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleWidget
from slicer.util import VTKObservationMixin

TAG = "SegmentEditor"
"""Singleton tag of the node."""


class SegmentEditor(ScriptedLoadableModule):
    """What the module says of itself."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        parent.title = "Segment Editor"
        parent.categories = ["", "Segmentation"]
        parent.dependencies = ["Segmentations", "SubjectHierarchy"]


class SegmentEditorWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Its panel: `editor` is the qMRMLSegmentEditorWidget, `parameterSetNode` its node."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.parameterSetNode: Any = None
        self.editor: Any = None

    def setup(self) -> None:
        super().setup()
        self.editor = slicer.qMRMLSegmentEditorWidget()
        self.editor.setMaximumNumberOfUndoStates(10)
        self.selectParameterNode()
        self.editor.setMRMLScene(slicer.mrmlScene)
        self.layout.addWidget(self.editor)
        # effects that are registered later show up here at once, in other editors with updateEffectList()
        self.effectFactorySingleton = slicer.qSlicerSegmentEditorEffectFactory.instance()
        self.effectFactorySingleton.connect("effectRegistered(QString)", self.editorEffectRegistered)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport)

    def cleanup(self) -> None:
        self.removeObservers()
        self.effectFactorySingleton.disconnect("effectRegistered(QString)", self.editorEffectRegistered)

    def editorEffectRegistered(self) -> None:
        self.editor.updateEffectList()

    def selectParameterNode(self) -> None:
        node = slicer.mrmlScene.GetSingletonNode(TAG, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
            node.UnRegister(None)
            node.SetSingletonTag(TAG)
            node = slicer.mrmlScene.AddNode(node)
        if node is not self.parameterSetNode:
            self.parameterSetNode = node
            self.editor.setMRMLSegmentEditorNode(node)

    def enter(self) -> None:
        self.editor.turnOffLightboxes()
        self.editor.installKeyboardShortcuts()
        self.selectParameterNode()
        self.editor.updateWidgetFromMRML()
        if self.editor.segmentationNodeID():
            return
        segmentation = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
        if segmentation is None:
            segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        self.editor.setSegmentationNode(segmentation)
        shown = self.getDefaultSourceVolumeNodeID()
        if shown and not self.editor.sourceVolumeNodeID():
            self.editor.setSourceVolumeNodeID(shown)

    def getDefaultSourceVolumeNodeID(self) -> Optional[str]:
        manager = slicer.app.layoutManager()
        names = manager.sliceViewNames() if manager is not None else ()
        nodes = [manager.sliceWidget(name).sliceLogic().GetSliceCompositeNode() for name in names]
        shown = [node.GetBackgroundVolumeID() for node in nodes]
        shown += [node.GetForegroundVolumeID() for node in nodes]
        return next((identifier for identifier in shown if identifier), None)

    def exit(self) -> None:
        self.editor.setActiveEffect(None)
        self.editor.uninstallKeyboardShortcuts()
        self.editor.removeViewObservations()

    def onSceneStartClose(self, caller: Any, event: str) -> None:
        self.parameterSetNode = None
        self.editor.setSegmentationNode(None)
        self.editor.removeViewObservations()

    def onSceneEndClose(self, caller: Any, event: str) -> None:
        if self.parent.isEntered:
            self.selectParameterNode()
            self.editor.updateWidgetFromMRML()

    onSceneEndImport = onSceneEndClose

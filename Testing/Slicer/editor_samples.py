"""An effect in Python that sets the voxel it is clicked on, a segment editor, and segments as arrays."""

import numpy as np

EFFECT = '''
import qt
import slicer
import vtk
import qSlicerSegmentationsEditorEffectsPythonQt as effects
from SegmentEditorEffects import AbstractScriptedSegmentEditorEffect


class SegmentEditorProbeEffect(AbstractScriptedSegmentEditorEffect):
    """Sets the voxel that is clicked; Ctrl takes it away."""

    made = []

    def __init__(self, scriptedEffect):
        scriptedEffect.name = "Probe"
        scriptedEffect.title = "Probe title"
        AbstractScriptedSegmentEditorEffect.__init__(self, scriptedEffect)
        self.told, self.hits, self.keys, self.events, self.fails = [], [], [], [], False
        SegmentEditorProbeEffect.made.append(self)

    def clone(self):
        clone = effects.qSlicerSegmentEditorScriptedEffect(None)
        clone.setPythonSource(__file__.replace("\\\\", "/"))
        return clone

    def helpText(self):
        return "Clicks voxels."

    def setupOptionsFrame(self):
        self.told.append("setupOptionsFrame")
        self.size = qt.QSpinBox()
        self.scriptedEffect.addLabeledOptionsWidget("Size:", self.size)
        self.size.connect("valueChanged(int)", lambda value: self.scriptedEffect.updateMRMLFromGUI())

    def setMRMLDefaults(self):
        self.scriptedEffect.setParameterDefault("Size", 3)

    def updateGUIFromMRML(self):
        self.size.setValue(self.scriptedEffect.integerParameter("Size"))

    def updateMRMLFromGUI(self):
        self.scriptedEffect.setParameter("Size", self.size.value)

    def activate(self):
        self.told.append("activate")

    def deactivate(self):
        self.told.append("deactivate")

    def layoutChanged(self):
        self.told.append("layoutChanged")

    def processViewNodeEvents(self, callerViewNode, eventId, viewWidget):
        self.told.append(callerViewNode.GetLayoutName())

    def sourceVolumeNodeChanged(self):
        self.told.append("sourceVolumeNodeChanged")

    def processInteractionEvents(self, callerInteractor, eventId, viewWidget):
        self.events.append(vtk.vtkCommand.GetStringFromEventId(eventId))
        if eventId == vtk.vtkCommand.KeyPressEvent:
            self.keys.append(callerInteractor.GetKeySym())
        if eventId != vtk.vtkCommand.LeftButtonPressEvent or viewWidget.className() != "qMRMLSliceWidget":
            return False
        if self.fails:
            raise RuntimeError("the effect fails")
        labelmap = self.scriptedEffect.defaultModifierLabelmap()
        ijk = self.xyToIjk(callerInteractor.GetEventPosition(), viewWidget, labelmap)
        self.hits.append(ijk)
        self.scriptedEffect.saveStateForUndo()
        labelmap.SetScalarComponentFromDouble(*ijk, 0, 1)
        away = callerInteractor.GetControlKey()
        effect = slicer.qSlicerSegmentEditorAbstractEffect
        mode = effect.ModificationModeRemove if away else effect.ModificationModeAdd
        self.scriptedEffect.modifySelectedSegmentByLabelmap(labelmap, mode)
        return True
'''

SHAPE = (20, 40, 40)
"""Voxels (k, j, i) of the test's volume."""

VOXEL = (13, 22, 9)
"""(i, j, k) of the voxel to aim at."""


def newEditor(scene, segmentation, volume):
    """A segment editor on a node of its own."""
    import slicer

    editor = slicer.qMRMLSegmentEditorWidget()
    editor.setMRMLScene(scene)
    editor.setMRMLSegmentEditorNode(scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
    editor.setSegmentationNode(segmentation)
    editor.setSourceVolumeNode(volume)
    return editor


def voxels(segmentation, segment, volume):
    """A segment as an array (k, j, i)."""
    import slicer

    return slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment, volume).copy()


def only(*places):
    """An array with ones at places (i, j, k)."""
    expected = np.zeros(SHAPE, np.uint8)
    for i, j, k in places:
        expected[k, j, i] = 1
    return expected

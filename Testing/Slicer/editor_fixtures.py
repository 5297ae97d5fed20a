"""An effect in Python that sets the voxel it is clicked on, and a segment editor that uses it."""

import numpy as np
import pytest

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
        self.told, self.hits, self.keys, self.fails = [], [], [], False
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

    def sourceVolumeNodeChanged(self):
        self.told.append("sourceVolumeNodeChanged")

    def processInteractionEvents(self, callerInteractor, eventId, viewWidget):
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


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The file of the effect; its folder's name becomes the name of a module."""
    folder = tmp_path_factory.mktemp("one") / "ProbeEffects"
    folder.mkdir()
    path = folder / "SegmentEditorProbeEffect.py"
    path.write_text(EFFECT)
    return str(path)


@pytest.fixture
def registered(host, source):
    """The effect is registered; returns the Python object of the registered one."""
    import qSlicerSegmentationsEditorEffectsPythonQt as effects
    import slicer

    effect = effects.qSlicerSegmentEditorScriptedEffect(None)
    assert effect.setPythonSource(source)
    assert slicer.qSlicerSegmentEditorEffectFactory.instance().registerEffect(effect)
    yield effect.self()
    host.forgetEffect("Probe")


@pytest.fixture
def volume(scene):
    """A volume that is oblique to the patient's axes, with anisotropic voxels; its values are i + j + k."""
    import slicer
    import vtk

    k, j, i = np.indices(SHAPE)
    made = slicer.util.addVolumeFromArray((i + j + k).astype(np.int16), name="CT")
    turn = vtk.vtkTransform()
    turn.RotateZ(20)
    turn.RotateX(15)
    made.SetSpacing(3, 2, 5)
    made.SetOrigin(-50, -30, -40)
    made.SetIJKToRASDirections(
        *[turn.GetMatrix().GetElement(row, column) for row in range(3) for column in range(3)]
    )
    made.CreateDefaultDisplayNodes()
    return made


@pytest.fixture
def segmentation(scene, volume):
    """Two empty segments in the volume's geometry."""
    made = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "S")
    made.CreateDefaultDisplayNodes()
    made.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    for name in ("liver", "tumor"):
        made.GetSegmentation().AddEmptySegment(name, name)
    return made


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


@pytest.fixture
def editor(host, window, scene, registered, segmentation, volume):
    """An editor with the effect active, beside four views that show the volume."""
    import slicer

    made = newEditor(scene, segmentation, volume)
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    host.settle(0.05)
    made.setActiveEffectByName("Probe")
    yield made
    made.delete()

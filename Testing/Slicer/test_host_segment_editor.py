"""The segment editor: an effect in Python gets the real mouse, in views of any orientation, and its masks,
undo states and options are Slicer's.
"""

import numpy as np
import pytest
from PySide6 import QtCore
from PySide6.QtTest import QTest

from SlicerHost.pythonqt import unwrap

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


def rasOf(volume, ijk):
    """RAS of a voxel's centre."""
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return matrix.MultiplyPoint((*ijk, 1.0))[:3]


def aim(host, name, ras):
    """Brings a point into a slice view; returns the view and Qt's pixel of the point."""
    import slicer

    widget = slicer.app.layoutManager().sliceWidget(name)
    widget.mrmlSliceNode().JumpSliceByCentering(*ras)
    host.settle(0.02)
    canvas = unwrap(widget.sliceView())
    x, y, _ = widget.sliceView().convertRASToXYZ(ras)
    ratio = canvas.devicePixelRatioF()
    return canvas, QtCore.QPoint(round(x / ratio), round((canvas.pixel_size()[1] - 1 - y) / ratio))


def click(host, name, ras, modifier=QtCore.Qt.NoModifier):
    """A click of the left button on a point of a slice view."""
    canvas, place = aim(host, name, ras)
    QTest.mouseMove(canvas, place)
    QTest.mousePress(canvas, QtCore.Qt.LeftButton, modifier, place)
    QTest.mouseRelease(canvas, QtCore.Qt.LeftButton, modifier, place)
    host.settle(0.02)


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


@pytest.mark.parametrize("view", ["Red", "Green", "Yellow", "oblique"])
def test_a_click_in_any_view_hits_the_voxel_aimed_at(host, editor, segmentation, volume, view):
    import slicer

    if view == "oblique":
        turn = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
        turn.SetSliceToRASByNTP(0.3, 0.5, 0.8, 0.9, 0.1, -0.4, *rasOf(volume, VOXEL), 0)
    click(host, "Red" if view == "oblique" else view, rasOf(volume, VOXEL))
    assert editor.activeEffect().self().hits == [list(VOXEL)]
    assert np.array_equal(voxels(segmentation, "liver", volume), only(VOXEL))


def test_ctrl_is_seen_and_each_click_is_one_undo_state(host, editor, segmentation, volume):
    other = (20, 22, 9)
    click(host, "Red", rasOf(volume, VOXEL))
    click(host, "Red", rasOf(volume, other))
    click(host, "Red", rasOf(volume, VOXEL), QtCore.Qt.ControlModifier)
    states = [only(), only(VOXEL), only(VOXEL, other), only(other)]
    for expected in reversed(states):
        assert np.array_equal(voxels(segmentation, "liver", volume), expected)
        editor.undo()
    for expected in states:
        assert np.array_equal(voxels(segmentation, "liver", volume), expected)
        editor.redo()


def test_undo_and_redo_buttons_know_what_they_can_do(host, editor, segmentation, volume):
    import qt

    undo, redo = (editor.findChild(qt.QToolButton, name) for name in ("UndoButton", "RedoButton"))
    assert not undo.enabled and not redo.enabled
    click(host, "Red", rasOf(volume, VOXEL))
    assert undo.enabled and not redo.enabled
    undo.click()
    assert not undo.enabled and redo.enabled
    assert not voxels(segmentation, "liver", volume).any()
    redo.click()
    assert np.array_equal(voxels(segmentation, "liver", volume), only(VOXEL))


def test_the_mask_is_honored(host, editor, segmentation, volume):
    import slicer

    inside = only(VOXEL)
    slicer.util.updateSegmentBinaryLabelmapFromArray(inside, segmentation, "tumor", volume)
    node = editor.mrmlSegmentEditorNode()
    node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedOutsideAllSegments)
    click(host, "Red", rasOf(volume, VOXEL))
    assert not voxels(segmentation, "liver", volume).any()
    node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere)
    node.SetSourceVolumeIntensityMask(True)
    node.SetSourceVolumeIntensityMaskRange(0, sum(VOXEL) - 1)
    click(host, "Red", rasOf(volume, VOXEL))
    assert not voxels(segmentation, "liver", volume).any()
    node.SetSourceVolumeIntensityMaskRange(sum(VOXEL), 1000)
    click(host, "Red", rasOf(volume, VOXEL))
    assert np.array_equal(voxels(segmentation, "liver", volume), inside)


@pytest.mark.parametrize("mode, gives_way", [("OverwriteAllSegments", True), ("OverwriteNone", False)])
def test_other_segments_give_way_only_if_they_may(host, editor, segmentation, volume, mode, gives_way):
    import slicer

    slicer.util.updateSegmentBinaryLabelmapFromArray(only(VOXEL), segmentation, "tumor", volume)
    editor.mrmlSegmentEditorNode().SetOverwriteMode(getattr(slicer.vtkMRMLSegmentEditorNode, mode))
    click(host, "Green", rasOf(volume, VOXEL))
    assert voxels(segmentation, "liver", volume).sum() == 1
    assert voxels(segmentation, "tumor", volume).sum() == (0 if gives_way else 1)


def test_a_transformed_scan_is_hit_where_it_is_seen(host, editor, segmentation, volume, scene):
    transform = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    import vtk

    matrix = vtk.vtkTransform()
    matrix.Translate(10, -7, 5)
    transform.SetMatrixTransformToParent(matrix.GetMatrix())
    for node in (segmentation, volume):
        node.SetAndObserveTransformNodeID(transform.GetID())
    ras = np.add(rasOf(volume, VOXEL), (10, -7, 5)).tolist()
    effect = editor.activeEffect()
    widget = _slice_widget("Red")
    _, place = aim(host, "Red", ras)
    x, y, _ = widget.sliceView().convertRASToXYZ(ras)
    labelmap = effect.defaultModifierLabelmap()
    found = effect.self().xyToIjk((round(x), round(y)), widget, labelmap, transform)
    assert found == list(VOXEL) != effect.self().xyToIjk((round(x), round(y)), widget, labelmap)


def _slice_widget(name):
    import slicer

    return slicer.app.layoutManager().sliceWidget(name)

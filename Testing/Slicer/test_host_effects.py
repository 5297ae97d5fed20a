"""Effects of the segment editor in Python: registered, copied, chosen, with options; the editor in panels and
in Slicer's own module.
"""

import pytest
from editor_samples import EFFECT, VOXEL, newEditor, voxels
from PySide6 import QtCore, QtWidgets
from PySide6.QtTest import QTest

from SlicerHost import view_mouse
from SlicerHost.pythonqt import unwrap

pytestmark = pytest.mark.slow  # of the stand-in itself, which changes seldom

pytest_plugins = ["editor_fixtures"]


def newEffect():
    import qSlicerSegmentationsEditorEffectsPythonQt as effects

    return effects.qSlicerSegmentEditorScriptedEffect(None)


def test_an_effect_is_registered_once(host, registered, source):
    import slicer

    factory = slicer.qSlicerSegmentEditorEffectFactory.instance()
    assert [effect.name for effect in factory.registeredEffects()].count("Probe") == 1
    heard = []
    factory.connect("effectRegistered(QString)", heard.append)
    again = newEffect()
    assert again.setPythonSource(source) and not factory.registerEffect(again)
    other = newEffect()
    other.setPythonSource(source)
    other.name = "Probe 2"
    other.self().register()
    host.forgetEffect("Probe 2")
    assert heard == ["Probe 2"]
    assert other.pythonSource() == source and slicer.ProbeEffects is other.self()


def test_a_file_without_its_class_is_refused(host, tmp_path):
    folder = tmp_path / "OtherEffects"
    folder.mkdir()
    (folder / "SegmentEditorOther.py").write_text("class Other:\n    pass\n")
    assert not newEffect().setPythonSource(str(folder / "SegmentEditorOther.py"))
    assert "class SegmentEditorOtherEffect was not found" in host.takeProblems()[0]
    (folder / "SegmentEditorBrokenEffect.py").write_text("1 / 0\n")
    assert not newEffect().setPythonSource(str(folder / "SegmentEditorBrokenEffect.py"))
    assert "ZeroDivisionError" in host.takeProblems()[0]
    assert not newEffect().setPythonSource(str(folder / "notes.txt"))


def test_without_clone_an_effect_is_in_no_editor(host, tmp_path):
    import slicer

    folder = tmp_path / "LonelyEffects"
    folder.mkdir()
    path = folder / "SegmentEditorProbeEffect.py"
    path.write_text(EFFECT.replace("def clone", "def copied").replace('"Probe"', '"Lonely"'))
    effect = newEffect()
    effect.setPythonSource(str(path))
    effect.self().register()
    names = slicer.qMRMLSegmentEditorWidget().availableEffectNames()
    host.forgetEffect("Lonely")
    assert "Lonely" not in names and "Paint" in names
    assert "clone()" in host.takeProblems()[0]


def test_editors_made_earlier_get_a_new_effect_when_they_are_told(host, scene, source):
    import slicer

    earlier = slicer.qMRMLSegmentEditorWidget()
    effect = newEffect()
    effect.setPythonSource(source)
    effect.self().register()
    later = slicer.qMRMLSegmentEditorWidget()
    assert earlier.effectByName("Probe") is None and later.effectByName("Probe") is not None
    earlier.updateEffectList()
    assert earlier.effectByName("Probe") is not None
    assert earlier.effectByName("Probe") != later.effectByName("Probe") != effect
    host.forgetEffect("Probe")


def test_buttons_come_in_the_order_that_was_set(host, scene, registered):
    import slicer

    editor = slicer.qMRMLSegmentEditorWidget()
    editor.setEffectNameOrder(["Probe", "Paint", "Nothing of that name"])
    assert editor.effectByIndex(0) is None and editor.effectByIndex(1).name == "Probe"
    assert editor.effectByIndex(3).name == "Erase"
    editor.unorderedEffectsVisible = False
    assert editor.effectCount() == 3 and editor.effectByIndex(3) is None
    assert editor.findChild("QToolButton", "Erase").isHidden()
    assert editor.findChild("QToolButton", "Probe").text == "Probe title"


def test_a_click_on_a_button_activates_the_effect_with_its_options(host, editor, window):
    import qt

    effect = editor.effectByName("Probe")
    editor.setActiveEffect(None)
    editor.show()
    host.settle(0.02)
    options = editor.findChild(qt.QGroupBox, "OptionsGroupBox")
    assert not options.visible
    QTest.mouseClick(unwrap(editor.findChild("QToolButton", "Probe")), QtCore.Qt.LeftButton)
    assert editor.activeEffect() == effect and effect.active()
    assert options.visible and options.title == "Probe title" and effect.optionsFrame().visible
    assert effect.self().size.visible and effect.self().size.value == 3
    assert effect.self().told.count("setupOptionsFrame") == 1
    QTest.mouseClick(unwrap(editor.findChild("QToolButton", "NULL")), QtCore.Qt.LeftButton)
    assert editor.activeEffect() is None and not options.visible
    assert not effect.optionsFrame().visible


def test_parameters_live_in_the_editors_node(host, editor, scene):
    effect, node = editor.activeEffect(), editor.mrmlSegmentEditorNode()
    effect.self().size.setValue(7)
    assert node.GetAttribute("Probe.Size") == "7" and effect.integerParameter("Size") == 7
    node.SetAttribute("Probe.Size", "9")
    node.InvokeCustomModifiedEvent(node.EffectParameterModified)
    assert effect.self().size.value == 9
    effect.setParameter("Fine", 0.123456789)
    assert effect.parameter("Fine") == "0.123457" and effect.doubleParameter("Fine") == 0.123457
    effect.setCommonParameter("Shared", "x")
    assert effect.parameter("Shared") == "x" and not effect.parameterDefined("Shared")
    with pytest.raises(ValueError):
        effect.setParameter("Size", None)
    assert effect.parameter("Unknown") == ""
    assert "no parameter 'Unknown'" in host.takeProblems()[0]


def test_what_slicer_has_not_is_refused(host, editor):
    effect = editor.activeEffect()
    for wrong in ("resetDefaultModifierLabelmap", "setVolumes", "clone", "setupOptionsFrame"):
        with pytest.raises(AttributeError):
            getattr(effect, wrong)
    with pytest.raises(AttributeError):
        effect.size = 1
    with pytest.raises(ValueError):
        effect.xyToIjk([1, 2], None, None)
    with pytest.raises(ValueError):
        effect.modifySelectedSegmentByLabelmap(effect.defaultModifierLabelmap(), 1, 5)
    effect.modifySelectedSegmentByLabelmap(None, effect.ModificationModeAdd)
    assert "no labelmap" in host.takeProblems()[0]


def test_the_volumes_of_an_effect_have_the_reference_geometry(host, editor, segmentation, volume):
    import numpy as np
    import slicer
    from vtk.util.numpy_support import vtk_to_numpy

    mask = np.zeros(slicer.util.arrayFromVolume(volume).shape, np.uint8)
    mask[VOXEL[::-1]] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentation, "liver", volume)
    effect = editor.activeEffect()
    for image in (effect.sourceVolumeImageData(), effect.referenceGeometryImage(), effect.maskLabelmap()):
        assert image.GetDimensions() == mask.shape[::-1]
    aligned = vtk_to_numpy(effect.sourceVolumeImageData().GetPointData().GetScalars())
    assert np.array_equal(aligned.reshape(mask.shape), slicer.util.arrayFromVolume(volume))
    assert effect.selectedSegmentLabelmap().GetScalarComponentAsDouble(*VOXEL, 0) == 1
    assert not vtk_to_numpy(effect.defaultModifierLabelmap().GetPointData().GetScalars()).any()


def test_a_part_of_the_labelmap_can_be_written(host, editor, segmentation, volume):
    effect = editor.activeEffect()
    labelmap = effect.defaultModifierLabelmap()
    for i in (5, 15):
        labelmap.SetScalarComponentFromDouble(i, 20, 10, 0, 1)
    effect.modifySelectedSegmentByLabelmap(labelmap, effect.ModificationModeAdd, [0, 9, 0, 39, 0, 19])
    found = voxels(segmentation, "liver", volume)
    assert found.sum() == found[10, 20, 5] == 1


def test_placing_markups_ends_the_effect(host, editor):
    import slicer

    mouse = slicer.mrmlScene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    mouse.SetCurrentInteractionMode(mouse.Place)
    assert editor.activeEffect() is None
    mouse.SetCurrentInteractionMode(mouse.ViewTransform)


def test_masking_section_and_node_agree(host, editor, segmentation):
    import slicer

    node, masking = editor.mrmlSegmentEditorNode(), unwrap(editor)
    mode = masking.findChild(QtWidgets.QComboBox, "MaskModeComboBox")
    overwrite = masking.findChild(QtWidgets.QComboBox, "OverwriteModeComboBox")
    mode.setCurrentIndex(mode.findText("Inside tumor"))
    assert node.GetMaskMode() == slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment
    assert node.GetMaskSegmentID() == "tumor"
    node.SetOverwriteMode(node.OverwriteNone)
    assert overwrite.currentText() == "Allow overlap"
    segmentation.GetSegmentation().RemoveSegment("tumor")
    assert mode.currentText() == "Everywhere"
    assert node.GetMaskMode() == slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere


def test_segments_are_added_chosen_and_removed_by_the_user(host, editor, segmentation):
    import qt

    heard = []
    editor.connect("currentSegmentIDChanged(QString)", heard.append)
    editor.setCurrentSegmentID("tumor")
    assert editor.currentSegmentID() == "tumor" and heard == [], "set by code: Slicer says nothing"
    editor.findChild(qt.QPushButton, "AddSegmentButton").click()
    added = segmentation.GetSegmentation().GetNthSegmentID(2)
    assert heard == [added] == [editor.currentSegmentID()]
    editor.selectPreviousSegment()
    assert editor.currentSegmentID() == "tumor" == heard[-1]
    editor.findChild(qt.QPushButton, "RemoveSegmentButton").click()
    assert list(segmentation.GetSegmentation().GetSegmentIDs()) == ["liver", added]
    assert editor.currentSegmentID() == added and editor.activeEffect() is not None
    editor.undo()
    assert "tumor" in segmentation.GetSegmentation().GetSegmentIDs()


def test_shortcuts_live_as_long_as_they_are_installed(host, editor, segmentation, volume, window):
    view_mouse.click("Red", view_mouse.ras_of_voxel(volume, VOXEL))
    main = unwrap(window)
    main.activateWindow()
    host.settle(0.05)
    editor.installKeyboardShortcuts()
    QTest.keyClick(main, QtCore.Qt.Key_Z)
    assert not voxels(segmentation, "liver", volume).any()
    QTest.keyClick(main, QtCore.Qt.Key_Escape)
    assert editor.activeEffect() is None
    editor.uninstallKeyboardShortcuts()
    QTest.keyClick(main, QtCore.Qt.Key_Y)
    assert not voxels(segmentation, "liver", volume).any()


UI = """<ui version="4.0"><widget class="qMRMLWidget" name="top"><layout class="QVBoxLayout"><item>
<widget class="ctkCollapsibleButton" name="section"><layout class="QVBoxLayout"><item>
<widget class="qMRMLSegmentEditorWidget" name="myEditor"><property name="maximumNumberOfUndoStates">
<number>7</number></property></widget></item></layout></widget></item></layout></widget><connections>
<connection><sender>top</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal><receiver>myEditor</receiver>
<slot>setMRMLScene(vtkMRMLScene*)</slot></connection></connections></ui>"""


def test_an_editor_in_a_ui_file_follows_its_panels_scene(host, scene, registered, volume, window, tmp_path):
    import slicer

    (tmp_path / "panel.ui").write_text(UI)
    panel = slicer.util.loadUI(str(tmp_path / "panel.ui"))
    editor = slicer.util.childWidgetVariables(panel).myEditor
    assert editor.maximumNumberOfUndoStates == 7 and editor.mrmlScene() is None
    panel.setMRMLScene(scene)
    assert editor.mrmlScene() is scene and "Probe" in editor.availableEffectNames()
    editor.setMRMLSegmentEditorNode(scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
    added = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert editor.segmentationNode() is added, "the first segmentation is chosen, as in Slicer"
    panel.delete()


def test_a_closed_scene_leaves_a_quiet_editor(host, editor, segmentation, volume, scene):
    effect = editor.activeEffect().self()
    place = view_mouse.ras_of_voxel(volume, VOXEL)
    host.clear()
    view_mouse.click("Red", place)
    assert effect.hits == [] and editor.mrmlSegmentEditorNode() is None
    editor.undo()
    editor.updateWidgetFromMRML()


def test_slicers_own_segment_editor_is_a_module(host, window, scene, segmentation, volume, source):
    import slicer

    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    slicer.util.selectModule("SegmentEditor")
    editor = slicer.modules.SegmentEditorWidget.editor
    assert editor == slicer.modules.segmenteditor.widgetRepresentation().self().editor
    node = scene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    assert editor.mrmlSegmentEditorNode() is node
    assert editor.segmentationNode() is segmentation and editor.sourceVolumeNode() is volume
    effect = newEffect()
    effect.setPythonSource(source)
    effect.self().register()
    editor.setActiveEffectByName("Probe")
    view_mouse.click("Green", view_mouse.ras_of_voxel(volume, VOXEL))
    assert voxels(segmentation, "liver", volume).sum() == 1
    host.clear()
    assert editor.activeEffect() is None and editor.segmentationNode() is None
    added = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert editor.segmentationNode() is added
    host.mainWindow.closeModule()
    host.forgetEffect("Probe")


def test_the_segmentations_logic_has_what_effects_use(host, scene, segmentation, volume):
    import slicer

    logic = slicer.vtkSlicerSegmentationsModuleLogic
    segment = segmentation.GetSegmentation().GetSegment("liver")
    assert logic.GetSegmentStatus(segment) == logic.NotStarted
    logic.SetSegmentStatus(segment, logic.Completed)
    assert logic.GetSegmentStatus(segment) == logic.Completed
    image = slicer.vtkOrientedImageData()
    image.SetExtent(2, 4, 2, 4, 2, 4)
    image.AllocateScalars(3, 1)
    slicer.vtkOrientedImageDataResample.FillImage(image, 1)
    matrix = newMatrix(volume)
    image.SetImageToWorldMatrix(matrix)
    assert logic.SetBinaryLabelmapToSegment(image, segmentation, "liver", logic.MODE_MERGE_MAX)
    found = voxels(segmentation, "liver", volume)
    assert found.sum() == 27 == found[2:5, 2:5, 2:5].sum()


def newMatrix(volume):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return matrix


def test_a_second_editor_has_an_active_effect_of_its_own(host, editor, scene, segmentation, volume):
    other = newEditor(scene, segmentation, volume)
    other.setActiveEffectByName("Paint")
    assert editor.activeEffect().name == "Probe" and other.activeEffect().name == "Paint"
    other.delete()
    view_mouse.click("Red", view_mouse.ras_of_voxel(volume, VOXEL))
    assert voxels(segmentation, "liver", volume).sum() == 1

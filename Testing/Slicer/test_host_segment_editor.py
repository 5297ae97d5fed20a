"""The segment editor in the views: an effect in Python gets the real mouse, in views of any orientation, and
masks and undo states are Slicer's.
"""

import numpy as np
import pytest
from editor_samples import VOXEL, only, voxels

from SlicerHost import view_mouse

pytestmark = pytest.mark.slow  # of the stand-in itself, which changes seldom

pytest_plugins = ["editor_fixtures"]


@pytest.mark.parametrize("view", ["Red", "Green", "Yellow", "oblique"])
def test_a_click_in_any_view_hits_the_voxel_aimed_at(host, editor, segmentation, volume, view):
    import slicer

    if view == "oblique":
        turn = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
        turn.SetSliceToRASByNTP(0.3, 0.5, 0.8, 0.9, 0.1, -0.4, *view_mouse.ras_of_voxel(volume, VOXEL), 0)
    view_mouse.click("Red" if view == "oblique" else view, view_mouse.ras_of_voxel(volume, VOXEL))
    assert editor.activeEffect().self().hits == [list(VOXEL)]
    assert np.array_equal(voxels(segmentation, "liver", volume), only(VOXEL))


def test_ctrl_is_seen_and_each_click_is_one_undo_state(host, editor, segmentation, volume):
    other = (20, 22, 9)
    view_mouse.click("Red", view_mouse.ras_of_voxel(volume, VOXEL))
    view_mouse.click("Red", view_mouse.ras_of_voxel(volume, other))
    view_mouse.click("Red", view_mouse.ras_of_voxel(volume, VOXEL), view_mouse.CONTROL)
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
    view_mouse.click("Red", view_mouse.ras_of_voxel(volume, VOXEL))
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
    view_mouse.click("Red", view_mouse.ras_of_voxel(volume, VOXEL))
    assert not voxels(segmentation, "liver", volume).any()
    node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere)
    node.SetSourceVolumeIntensityMask(True)
    node.SetSourceVolumeIntensityMaskRange(0, sum(VOXEL) - 1)
    view_mouse.click("Red", view_mouse.ras_of_voxel(volume, VOXEL))
    assert not voxels(segmentation, "liver", volume).any()
    node.SetSourceVolumeIntensityMaskRange(sum(VOXEL), 1000)
    view_mouse.click("Red", view_mouse.ras_of_voxel(volume, VOXEL))
    assert np.array_equal(voxels(segmentation, "liver", volume), inside)


@pytest.mark.parametrize("mode, gives_way", [("OverwriteAllSegments", True), ("OverwriteNone", False)])
def test_other_segments_give_way_only_if_they_may(host, editor, segmentation, volume, mode, gives_way):
    import slicer

    slicer.util.updateSegmentBinaryLabelmapFromArray(only(VOXEL), segmentation, "tumor", volume)
    editor.mrmlSegmentEditorNode().SetOverwriteMode(getattr(slicer.vtkMRMLSegmentEditorNode, mode))
    view_mouse.click("Green", view_mouse.ras_of_voxel(volume, VOXEL))
    assert voxels(segmentation, "liver", volume).sum() == 1
    assert voxels(segmentation, "tumor", volume).sum() == (0 if gives_way else 1)


def test_a_transformed_scan_is_hit_where_it_is_seen(host, editor, segmentation, volume, scene):
    import slicer
    import vtk

    transform = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    matrix = vtk.vtkTransform()
    matrix.RotateY(25)
    matrix.Translate(10, -7, 5)
    transform.SetMatrixTransformToParent(matrix.GetMatrix())
    for node in (segmentation, volume):
        node.SetAndObserveTransformNodeID(transform.GetID())
    effect, ras = editor.activeEffect(), view_mouse.ras_of_voxel(volume, VOXEL)
    widget = slicer.app.layoutManager().sliceWidget("Red")
    view_mouse.show_point("Red", ras)
    x, y, _ = widget.sliceView().convertRASToXYZ(ras)
    labelmap = effect.defaultModifierLabelmap()
    found = effect.self().xyToIjk((round(x), round(y)), widget, labelmap, transform)
    assert found == list(VOXEL) != effect.self().xyToIjk((round(x), round(y)), widget, labelmap)


def test_what_the_effect_takes_nobody_else_hears(host, editor, segmentation, volume):
    import slicer

    heard = []
    interactor = slicer.app.layoutManager().sliceWidget("Red").sliceView().interactor()
    tags = [
        interactor.AddObserver(event, lambda caller, name: heard.append(name))
        for event in ("LeftButtonPressEvent", "LeftButtonReleaseEvent")
    ]
    view_mouse.click("Red", view_mouse.ras_of_voxel(volume, VOXEL))
    assert heard == ["LeftButtonReleaseEvent"]
    editor.setActiveEffect(None)
    view_mouse.click("Red", view_mouse.ras_of_voxel(volume, VOXEL))
    assert heard[1:] == ["LeftButtonPressEvent", "LeftButtonReleaseEvent"]
    for tag in tags:
        interactor.RemoveObserver(tag)


def test_a_view_that_a_new_layout_brings_is_heard_too(host, editor, segmentation, volume):
    import slicer

    layout = slicer.app.layoutManager()
    layout.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpGreenSliceView)
    host.settle(0.05)
    effect = editor.activeEffect().self()
    view_mouse.click("Green", view_mouse.ras_of_voxel(volume, VOXEL))
    layout.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    assert effect.hits == [list(VOXEL)] and "layoutChanged" in effect.told
    effect.told.clear()
    layout.sliceWidget("Yellow").sliceLogic().SetSliceOffset(3)
    assert set(effect.told) == {"Yellow"}


def test_a_segmentation_that_a_view_does_not_show_is_not_edited_there(host, editor, segmentation, volume):
    import slicer

    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    segmentation.GetDisplayNode().AddViewNodeID(red.GetID())
    view_mouse.click("Green", view_mouse.ras_of_voxel(volume, VOXEL))
    assert not voxels(segmentation, "liver", volume).any()
    view_mouse.click("Red", view_mouse.ras_of_voxel(volume, VOXEL))
    assert voxels(segmentation, "liver", volume).any()


def test_keys_over_a_view_reach_the_effect(host, editor):
    from PySide6 import QtCore
    from PySide6.QtTest import QTest

    canvas = view_mouse.canvas_of("Red")
    for key in (QtCore.Qt.Key_X, QtCore.Qt.Key_Escape, QtCore.Qt.Key_Plus):
        QTest.keyClick(canvas, key)
    assert editor.activeEffect().self().keys == ["x", "Escape", "+"]


def test_the_second_of_two_quick_clicks_is_no_press(host, editor, volume):
    view_mouse.double_click("Red", view_mouse.ras_of_voxel(volume, VOXEL))
    effect = editor.activeEffect().self()
    assert [event for event in effect.events if event.startswith("LeftButton")] == [
        "LeftButtonPressEvent",
        "LeftButtonReleaseEvent",
        "LeftButtonDoubleClickEvent",
        "LeftButtonReleaseEvent",
    ]


def test_an_exception_in_the_effect_fails_the_test(host, editor, volume):
    editor.activeEffect().self().fails = True
    view_mouse.click("Red", view_mouse.ras_of_voxel(volume, VOXEL))
    problems = host.takeProblems()
    assert len(problems) == 1 and "the effect fails" in problems[0]
    assert editor.activeEffect().name == "Probe", "Slicer prints it and goes on"


def test_without_an_active_effect_the_mouse_edits_nothing(host, editor, segmentation, volume):
    effect = editor.activeEffect().self()
    editor.setActiveEffect(None)
    view_mouse.click("Red", view_mouse.ras_of_voxel(volume, VOXEL))
    editor.setActiveEffectByName("Probe")
    editor.readOnly = True
    view_mouse.click("Red", view_mouse.ras_of_voxel(volume, VOXEL))
    assert editor.activeEffect() is None and effect.hits == []
    assert effect.told[-4:] == ["activate", "deactivate", "activate", "deactivate"]
    assert host.undoStates(editor) == 0


def test_the_editor_keeps_as_many_states_as_it_may(host, editor, segmentation, volume):
    import qt

    editor.setMaximumNumberOfUndoStates(2)
    for i in range(4):
        view_mouse.click("Red", view_mouse.ras_of_voxel(volume, (10 + i, 20, 8)))
    editor.undo()
    button = editor.findChild(qt.QToolButton, "UndoButton")
    assert voxels(segmentation, "liver", volume).sum() == 3
    assert not button.enabled, "one of the two states is kept for redo"


@pytest.mark.parametrize("sphere", [False, True])
def test_paint_and_erase_use_the_mouse(host, editor, segmentation, volume, sphere):
    center = np.array((20.0, 20.0, 10.0))
    points = [view_mouse.ras_of_voxel(volume, center + (i, 0, 0)) for i in (0, 2)]
    turn = _slice_node("Red")
    turn.RotateToAxes(_matrix(volume))
    editor.setActiveEffectByName("Paint")
    paint = editor.activeEffect()
    paint.setCommonParameter("BrushDiameterIsRelative", 0)
    paint.setCommonParameter("BrushAbsoluteDiameter", 14.0)
    paint.setCommonParameter("BrushSphere", int(sphere))
    view_mouse.show_point("Red", points[0])
    view_mouse.stroke("Red", points)
    painted = voxels(segmentation, "liver", volume)
    k, j, i = np.indices(painted.shape)
    across = 5.0 * (k - 10)
    reach = [np.hypot(3.0 * (i - x), 2.0 * (j - 20)) for x in (20, 22)]
    expected = np.any([np.hypot(r, across) <= 7 for r in reach], axis=0) & (sphere | (k == 10))
    assert (painted != expected).sum() <= 8 < painted.sum()  # the mouse stands on whole pixels
    assert set(np.unique(np.nonzero(painted)[0])) == ({9, 10, 11} if sphere else {10})
    assert host.undoStates(editor) == 1
    editor.setActiveEffectByName("Erase")
    view_mouse.stroke("Red", points)
    assert not voxels(segmentation, "liver", volume).any()
    editor.undo()
    assert np.array_equal(voxels(segmentation, "liver", volume), painted)


def _slice_node(name):
    import slicer

    return slicer.app.layoutManager().sliceWidget(name).mrmlSliceNode()


def _matrix(volume):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return matrix


def test_clickAndDrag_paints_as_in_slicers_own_tests(host, editor, segmentation, volume):
    import slicer

    editor.setActiveEffectByName("Paint")
    widget = slicer.app.layoutManager().sliceWidget("Red")
    view_mouse.show_point("Red", view_mouse.ras_of_voxel(volume, VOXEL))
    width, height = view_mouse.canvas_of("Red").pixel_size()
    middle = (width // 2, height // 2)
    slicer.util.clickAndDrag(widget, start=middle, end=(middle[0] + 10, middle[1]), steps=5)
    assert voxels(segmentation, "liver", volume).any() and host.undoStates(editor) == 1


def test_a_hidden_segment_is_asked_about(host, editor, segmentation, volume):
    import qt

    segmentation.GetDisplayNode().SetSegmentVisibility("liver", False)
    editor.setActiveEffectByName("Paint")
    host.answers.expect("hidden", qt.QMessageBox.Yes)
    view_mouse.click("Red", view_mouse.ras_of_voxel(volume, VOXEL))
    assert segmentation.GetDisplayNode().GetSegmentVisibility("liver")
    assert not voxels(segmentation, "liver", volume).any(), "the question took the click"
    view_mouse.click("Red", view_mouse.ras_of_voxel(volume, VOXEL))
    assert voxels(segmentation, "liver", volume).any()


def test_an_effect_that_the_host_only_names_says_so(host, editor, volume):
    editor.setActiveEffectByName("Scissors")
    view_mouse.click("Red", view_mouse.ras_of_voxel(volume, VOXEL))
    assert len(host.takeProblems()) == 1
    with pytest.raises(NotImplementedError):
        editor.activeEffect().self()

"""Corrections with real mouse events in the views, through the worker, to changed segments."""

import numpy as np
import pytest
from correct_fixtures import FOUND, MISSED, labels, status, wait
from correct_hand import CONTROL, aim, clickAt, dragAlong, pixelOf, worldOf
from panel_doubles import madeUpLabels, madeUpScan

pytest_plugins = ["correct_fixtures"]


@pytest.fixture
def hand(correcting):
    """A panel with a result that misses a lesion."""
    return correcting


@pytest.mark.parametrize("view", ["Red", "Yellow", "Green"])
def test_a_click_adds_a_missed_lesion_in_every_view(hand, view):
    before = labels(hand)
    clickAt(hand.host, view, worldOf(hand.volumeNode, MISSED))
    wait(hand)
    added = (labels(hand) == 3) & (before != 3)
    truth = (madeUpLabels(2) == 3) & (madeUpLabels(1) != 3)
    assert 2 * (added & truth).sum() / (added.sum() + truth.sum()) > 0.8
    assert ((labels(hand) == 2) == (before == 2)).all()


def test_in_an_oblique_view(hand):
    import slicer

    node = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    node.SetOrientationToAxial()
    matrix = node.GetSliceToRAS()
    import vtk

    turn = vtk.vtkTransform()
    turn.SetMatrix(matrix)
    turn.RotateX(25)
    turn.RotateY(15)
    matrix.DeepCopy(turn.GetMatrix())
    node.UpdateMatrices()
    before = labels(hand)
    clickAt(hand.host, "Red", worldOf(hand.volumeNode, MISSED))
    wait(hand)
    assert ((labels(hand) == 3) & (before != 3))[14:17, 32:36, 24:28].mean() > 0.8


def falseLesion(hand):
    """Make healthy liver a tumor; return its middle, (z, y, x)."""
    from LiverSegSlicer.scene.edits import Edit, NodeWriter, writeEdit
    from LiverSegSlicer.scene.roles import rolesFor

    box = (slice(13, 18), slice(18, 24), slice(22, 28))
    before = labels(hand)[box]
    edit = Edit(box, before, np.full_like(before, 3))
    writeEdit(NodeWriter(hand.node), hand.node, hand.volumeNode, rolesFor(hand.node, "tumour"), edit)
    hand.settle()
    return (15, 21, 25)


def test_a_click_with_control_removes(hand):
    middle = falseLesion(hand)
    assert (labels(hand) == 3).sum() == (madeUpLabels(1) == 3).sum() + 180
    clickAt(hand.host, "Red", worldOf(hand.volumeNode, middle), CONTROL)
    wait(hand)
    after = labels(hand)
    assert (after[13:18, 18:24, 22:28] == 3).sum() < 45
    assert (after[13:18, 18:24, 22:28] != 0).all(), "a tumor that is none is liver"
    assert (after[madeUpLabels(1) == 3] == 3).all(), "the other lesion stays"


def test_undo_and_redo_are_exact_and_one_step_each(hand):
    editor = hand.panel._correct
    first = labels(hand)
    clickAt(hand.host, "Red", worldOf(hand.volumeNode, MISSED))
    wait(hand)
    second = labels(hand)
    clickAt(hand.host, "Green", worldOf(hand.volumeNode, FOUND), CONTROL)
    wait(hand)
    third = labels(hand)
    assert not (first == second).all() and not (second == third).all()
    for expected, step in (
        (second, editor.undo),
        (first, editor.undo),
        (first, editor.undo),
        (second, editor.redo),
        (third, editor.redo),
    ):
        step()
        hand.settle()
        assert (labels(hand) == expected).all()


def test_a_click_that_changes_nothing_is_no_step_of_undo(hand):
    before = labels(hand)
    clickAt(hand.host, "Red", worldOf(hand.volumeNode, MISSED))
    wait(hand)
    clickAt(hand.host, "Red", worldOf(hand.volumeNode, FOUND))  # is tumor already
    wait(hand)
    assert "Nothing" in status(hand)
    hand.panel._correct.undo()
    hand.settle()
    assert (labels(hand) == before).all()


def test_a_stroke_adds_along_its_way(hand):
    hand.click("correctSpleenButton")
    before = labels(hand)
    points = [worldOf(hand.volumeNode, (10, 46, x)) for x in (41, 43, 45, 47)]
    dragAlong(hand.host, "Red", points)
    wait(hand)
    after = labels(hand)
    assert (after[10, 46, 41:48] == 2).all()
    assert ((after == 1) == (before == 1)).all() and ((after == 3) == (before == 3)).all()


def smart(hand):
    """What the effect is, in the panel's editor."""
    return hand.panel._correct._editor.activeSmartCorrect()


class TestLesions:
    def test_one_click_adds_a_lesion_whose_size_follows_the_slider_until_it_is_kept(self, hand):
        before = labels(hand)
        hand.click("lesionAddButton")
        clickAt(hand.host, "Red", worldOf(hand.volumeNode, MISSED))
        wait(hand)
        first = (labels(hand) == 3).sum() - (before == 3).sum()
        assert first > 20
        slider = unwrapped(hand, "liverSegSize")
        assert slider.isEnabled()
        diameter = (6 * first * 0.08 * 1000 / np.pi) ** (1 / 3)
        assert slider.value == pytest.approx(diameter, rel=0.05)
        for wanted in (0.75 * diameter, 1.3 * diameter):
            slider.value = wanted
            hand.settle(0.3)
            wait(hand)
            count = (labels(hand) == 3).sum() - (before == 3).sum()
            assert count * 80 == pytest.approx(np.pi / 6 * wanted**3, rel=0.35)
        unwrapped(hand, "liverSegKeepButton").click()
        hand.settle()
        assert not slider.isEnabled()
        hand.panel._correct.undo()
        hand.settle()
        assert (labels(hand) == before).all(), "the lesion with all its sizes is one step"

    def test_the_slider_lets_go_when_something_else_was_edited(self, hand):
        hand.click("lesionAddButton")
        clickAt(hand.host, "Red", worldOf(hand.volumeNode, MISSED))
        wait(hand)
        hand.panel._correct.undo()
        undone = labels(hand)
        unwrapped(hand, "liverSegSize").value = 40
        hand.settle(0.4)
        wait(hand)
        assert (labels(hand) == undone).all()

    def test_delete_split_and_merge(self, hand):
        before = labels(hand)
        hand.click("lesionAddButton")
        clickAt(hand.host, "Red", worldOf(hand.volumeNode, MISSED))
        wait(hand)
        smart(hand).setMode("delete")
        clickAt(hand.host, "Red", worldOf(hand.volumeNode, MISSED))
        wait(hand)
        assert (labels(hand) == before).all()
        smart(hand).setMode("split")
        clickAt(hand.host, "Red", worldOf(hand.volumeNode, (8, 23, 13)))
        assert "other part" in status(hand)
        clickAt(hand.host, "Red", worldOf(hand.volumeNode, (8, 23, 18)))
        wait(hand)
        assert lesionCount(hand) == 2
        smart(hand).setMode("merge")
        clickAt(hand.host, "Red", worldOf(hand.volumeNode, (8, 23, 13)))
        clickAt(hand.host, "Red", worldOf(hand.volumeNode, (8, 23, 18)))
        wait(hand)
        assert lesionCount(hand) == 1
        for _ in range(4):
            hand.panel._correct.undo()
        hand.settle()
        assert (labels(hand) == before).all()

    def test_a_click_outside_the_liver_is_answered_in_words(self, hand):
        before = labels(hand)
        hand.click("lesionAddButton")
        clickAt(hand.host, "Red", worldOf(hand.volumeNode, (2, 8, 8)))
        wait(hand)
        assert "liver" in status(hand)
        assert (labels(hand) == before).all()

    def test_the_button_shows_what_clicks_are_for_and_ends_it(self, hand):
        hand.click("lesionAddButton")
        assert hand.widget("lesionAddButton").isChecked() and smart(hand).mode() == "add"
        hand.click("lesionAddButton")
        assert not hand.widget("lesionAddButton").isChecked() and smart(hand).mode() == "correct"


def lesionCount(hand):
    """How many lesions there are."""
    from scipy import ndimage

    return ndimage.label(labels(hand) == 3, structure=np.ones((3, 3, 3)))[1]


def unwrapped(hand, name):
    """A widget among the effect's options."""
    from PySide6 import QtCore

    found = hand.widget("correctEditorWidget").findChildren(QtCore.QObject, name)
    assert len(found) == 1
    return found[0]


def test_a_worker_that_dies_loses_nothing_and_the_next_click_works(hand):
    import os
    import signal

    from LiverSegSlicer.work.worker_process import sharedWorker

    child = sharedWorker().start()
    hand.host.waitFor(sharedWorker().isReady, 30)
    before, pid = labels(hand), child.pid
    os.kill(pid, signal.SIGSTOP)  # so that it dies in the middle of the correction
    clickAt(hand.host, "Red", worldOf(hand.volumeNode, MISSED))
    hand.settle(0.2)
    assert hand.logic.corrector.isBusy()
    os.kill(pid, signal.SIGKILL)
    wait(hand)
    assert (labels(hand) == before).all()
    assert "ended" in status(hand) or "stopped" in status(hand)
    clickAt(hand.host, "Red", worldOf(hand.volumeNode, MISSED))
    wait(hand)
    assert (labels(hand) == 3).sum() > (before == 3).sum() + 20
    hand.panel._correct.undo()
    hand.settle()
    assert (labels(hand) == before).all()


def test_a_scan_under_a_transform(hand, scene):
    import vtk

    transformNode = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    turn = vtk.vtkTransform()
    turn.Translate(30, -20, 10)
    turn.RotateZ(30)
    transformNode.SetMatrixTransformToParent(turn.GetMatrix())
    hand.volumeNode.SetAndObserveTransformNodeID(transformNode.GetID())
    hand.settle()
    clickAt(hand.host, "Red", worldOf(hand.volumeNode, MISSED))
    wait(hand)
    assert "different transforms" in status(hand)
    hand.node.SetAndObserveTransformNodeID(transformNode.GetID())
    before = labels(hand)
    clickAt(hand.host, "Red", worldOf(hand.volumeNode, MISSED))
    wait(hand)
    assert ((labels(hand) == 3) & (before != 3))[14:17, 32:36, 24:28].mean() > 0.8


def test_two_scans_are_corrected_in_turn(hand):
    first, volumeNode = labels(hand), hand.volumeNode
    clickAt(hand.host, "Red", worldOf(volumeNode, MISSED))
    wait(hand)
    corrected = labels(hand)
    other = madeUpScan("Other")
    hand.chooseScan(other)
    node = hand.segment()
    hand.settle()
    hand.node, hand.volumeNode = node, other
    clickAt(hand.host, "Red", worldOf(other, MISSED))
    wait(hand)
    assert (labels(hand) == corrected).all()
    hand.panel._correct.undo()
    hand.settle()
    assert (labels(hand) == first).all()


def test_two_quick_clicks_are_two_corrections_and_do_not_maximize_the_view(hand):
    from PySide6 import QtCore
    from PySide6.QtTest import QTest

    middle = falseLesion(hand)
    before = labels(hand)
    canvas = aim(hand.host, "Red", worldOf(hand.volumeNode, middle))
    place = pixelOf("Red", canvas, worldOf(hand.volumeNode, middle))
    QTest.mouseClick(canvas, QtCore.Qt.LeftButton, CONTROL, place)
    QTest.mouseDClick(canvas, QtCore.Qt.LeftButton, CONTROL, place)
    wait(hand)
    assert not (labels(hand) == before).all()
    import slicer

    layoutNode = slicer.app.layoutManager().layoutLogic().GetLayoutNode()
    assert layoutNode.GetMaximizedViewNode(0) is None if layoutNode.GetNumberOfMaximizedViewNodes() else True


def test_the_livers_surface_goes_round_its_tumors_and_is_not_made_anew_for_them(hand):
    hand.node.CreateClosedSurfaceRepresentation()
    segmentation = hand.node.GetSegmentation()
    liver, tumor = (segmentation.GetSegment(key) for key in ("liver", "tumour"))
    before, points = liver.GetRepresentation("Closed surface"), surfacePoints(tumor)
    clickAt(hand.host, "Red", worldOf(hand.volumeNode, MISSED))
    wait(hand)
    assert liver.GetRepresentation("Closed surface") is before
    assert surfacePoints(tumor) > points
    hand.panel.undo()
    hand.settle()
    assert surfacePoints(tumor) == points and liver.GetRepresentation("Closed surface") is not None


def surfacePoints(segment):
    """How many points a segment's surface has."""
    return segment.GetRepresentation("Closed surface").GetNumberOfPoints()

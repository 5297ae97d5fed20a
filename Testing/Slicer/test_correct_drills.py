"""What goes wrong around corrections: results exchanged, segments deleted, scenes opened, panels reloaded."""

import numpy as np
import pytest
from correct_fixtures import MISSED, labels, status, wait
from correct_hand import clickAt, worldOf

pytest_plugins = ["correct_fixtures"]


@pytest.fixture
def hand(correcting):
    """A panel with a result that misses a lesion."""
    return correcting


def click(hand):
    """Click on the lesion that is missing; return what takes the click."""
    taker = hand.panel._correct._editor.activeSmartCorrect()
    clickAt(hand.host, "Red", worldOf(hand.volumeNode, MISSED))
    return taker


@pytest.fixture
def letGo(hand, monkeypatch):
    """Answers of the worker are kept back until this is called."""
    from LiverSegSlicer.work.run import Run

    kept, answer, isHeld = [], Run._onAnswer, [True]

    def hold(run, *what):
        if isHeld:
            kept.append((run, what))
        else:
            answer(run, *what)

    def release():
        isHeld.clear()
        while kept:
            run, what = kept.pop(0)
            answer(run, *what)

    monkeypatch.setattr(Run, "_onAnswer", hold)
    yield release
    release()


def editorNode():
    """The node of the panel's editor."""
    import slicer

    return slicer.mrmlScene.GetSingletonNode("LiverSeg", "vtkMRMLSegmentEditorNode")


def test_a_correction_is_not_written_into_the_result_chosen_meanwhile(hand, letGo):
    from panel_doubles import madeUpResult

    from LiverSegSlicer.scene import results
    from LiverSegSlicer.scene.segments import labelsOf

    taker = click(hand)
    assert hand.logic.corrector.isBusy()
    other = results.applyResult(hand.volumeNode, madeUpResult(hand.volumeNode, 1))
    hand.settle()
    assert editorNode().GetSegmentationNode() is other
    before = labels(hand), labelsOf(other, hand.volumeNode)
    letGo()
    wait(hand)
    assert (labels(hand) == before[0]).all()
    assert (labelsOf(other, hand.volumeNode) == before[1]).all()
    assert "no longer being edited" in taker._options._status.text


def test_another_result_is_corrected_at_once_with_the_same_structure_and_tool(hand):
    from panel_doubles import madeUpResult

    from LiverSegSlicer.correct.options import ADD, CORRECT
    from LiverSegSlicer.scene import results

    hand.panel._correct.correctLesions(ADD)  # which lesions clicks are for ends with the result
    first, before = hand.node, labels(hand)
    hand.node = results.applyResult(hand.volumeNode, madeUpResult(hand.volumeNode, 1))
    hand.settle()
    assert editorNode().GetSegmentationNode() is hand.node
    assert editorNode().GetSelectedSegmentID() == "tumour"
    assert hand.panel.ui.correctTumorButton.checked and not hand.panel.ui.correctLiverButton.checked
    assert hand.panel._correct.lesionMode() == CORRECT
    assert "Click adds" in status(hand)
    count = (labels(hand) == 3).sum()
    click(hand)
    wait(hand)
    assert (labels(hand) == 3).sum() > count
    hand.node = first
    assert (labels(hand) == before).all()


def test_a_tool_that_was_put_down_stays_down_beside_another_result(hand):
    from panel_doubles import madeUpResult

    from LiverSegSlicer.scene import results

    hand.panel._correct._editor._widget.setActiveEffect(None)
    results.applyResult(hand.volumeNode, madeUpResult(hand.volumeNode, 1))
    hand.settle()
    assert editorNode().GetActiveEffectName() == ""


def test_a_module_that_is_left_changes_nothing_any_more(hand, letGo):
    click(hand)
    before = labels(hand)
    hand.panel.exit()
    letGo()
    wait(hand)
    assert (labels(hand) == before).all()
    assert editorNode().GetSegmentationNode() is None and editorNode().GetSourceVolumeNode() is None
    hand.panel.enter()
    hand.settle()
    click(hand)
    wait(hand)
    assert (labels(hand) == 3).sum() > (before == 3).sum()


def test_a_segment_that_is_deleted_meanwhile_is_told(hand, letGo):
    taker = click(hand)
    hand.node.GetSegmentation().RemoveSegment("tumour")
    letGo()
    wait(hand)
    assert "segment was removed" in taker._options._status.text


@pytest.mark.parametrize("key", ["liver", "tumour"])
def test_tools_work_on_when_a_segment_was_deleted(hand, key):
    editor = hand.panel._correct._editor._widget
    hand.click("correctTumorButton")
    editor.setActiveEffectByName("Paint")
    hand.settle()
    hand.node.GetSegmentation().RemoveSegment(key)
    hand.settle(0.4)
    editor.setActiveEffectByName("Paint")
    hand.click("correctTumorButton" if key == "liver" else "correctLiverButton")
    hand.settle()
    everywhere = hand.node.EditAllowedEverywhere
    assert (editorNode().GetMaskMode() == everywhere) == (key == "liver")


def test_several_slices_in_a_view_are_told_of(hand):
    import slicer

    before = labels(hand)
    node = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    node.GetLayoutGridRows = lambda: 2  # Slicer 5.12, whose MRML this is, no longer has light boxes
    clickAt(hand.host, "Red", worldOf(hand.volumeNode, MISSED))
    wait(hand)
    assert "one slice" in status(hand)
    assert (labels(hand) == before).all()
    del node.GetLayoutGridRows


def test_undo_does_not_bring_back_an_earlier_run(hand):
    from panel_doubles import madeUpResult

    from LiverSegSlicer.scene import results

    click(hand)
    wait(hand)
    hand.panel._correct.undo()
    hand.settle(0.4)
    replaced = results.applyResult(hand.volumeNode, madeUpResult(hand.volumeNode, 2), replace=hand.node)
    assert replaced is hand.node
    hand.settle()
    after = labels(hand)
    hand.panel._correct.undo()
    hand.panel._correct.redo()
    hand.settle()
    assert (labels(hand) == after).all() and (after == 3).any()


def test_a_scene_that_is_opened_chooses_no_tool(hand, tmp_path):
    editorNode().SetActiveEffectName("LiverSeg smart correct")
    hand.panel.exit()
    hand.panel.enter()
    hand.settle()
    assert editorNode().GetActiveEffectName() == "LiverSeg smart correct"
    import slicer

    path = str(tmp_path / "scene.mrml")
    slicer.mrmlScene.SetURL(path)
    slicer.mrmlScene.Commit(path)
    assert "SegmentEditor" not in (tmp_path / "scene.mrml").read_text()


def test_a_closed_panel_takes_no_clicks(hand, host):
    """Slicer only hides the panel of a module that is reloaded."""
    from panel_hand import makeHand

    hand.panel.close()
    other, end = makeHand(host)
    other.node, other.volumeNode = hand.node, hand.volumeNode
    other.panel.parameters.inputVolume = hand.volumeNode
    other.settle()
    other.open("correctSection")
    before = labels(hand)
    asked = []
    ask = other.logic.corrector.ask
    other.logic.corrector.ask = lambda *what: (asked.append(what), ask(*what))
    clickAt(host, "Red", worldOf(hand.volumeNode, MISSED))
    wait(other)
    del other.logic.corrector.ask
    assert len(asked) == 1 and not np.array_equal(labels(hand), before)
    end()


def test_a_panel_that_is_closed_while_a_correction_is_computed_says_nothing(hand, letGo, host):
    from LiverSegSlicer import slots

    click(hand)
    before, told = labels(hand), []
    hand.panel.close()
    host.settle(0.1)
    slots.addListener(told.append)
    letGo()
    wait(hand)
    slots.removeListener(told.append)
    assert not told and (labels(hand) == before).all()


def test_the_cursor_hides_nothing_of_what_is_clicked(hand):
    import slicer
    from PySide6 import QtCore

    from SlicerHost.pythonqt import unwrap

    view = unwrap(slicer.app.layoutManager().sliceWidget("Red").sliceView())
    assert view.cursor().shape() == QtCore.Qt.CrossCursor
    hand.panel.exit()
    assert view.cursor().shape() == QtCore.Qt.ArrowCursor
    hand.panel.enter()


def test_accept_waits_for_a_correction(hand, letGo):
    from LiverSegSlicer.scene.review import isAccepted

    click(hand)
    hand.widget("reviewReaderEdit").setText("Dr. A")
    hand.panel._review.accept()
    assert not isAccepted(hand.node) and "correction" in hand.text("messageLabel")
    letGo()
    wait(hand)


def test_segments_on_another_grid_are_read_a_slab_at_a_time(scene):
    import slicer
    import vtk
    from panel_doubles import madeUpScan

    from LiverSegSlicer.scene.segments import LabelSlabs, imageOf
    from LiverSegSlicer.scene.volumes import ijkToRas

    volumeNode, other = madeUpScan(), madeUpScan("Other")
    turn = vtk.vtkTransform()
    turn.RotateZ(20)
    turn.RotateX(-10)
    directions = [turn.GetMatrix().GetElement(row, column) for row in range(3) for column in range(3)]
    other.SetIJKToRASDirections(*directions)
    other.SetSpacing(3, 5, 2)
    transformNode = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 14.5)
    transformNode.SetMatrixTransformToParent(matrix)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.SetAndObserveTransformNodeID(transformNode.GetID())
    segment = slicer.vtkSegment()
    segment.AddRepresentation("Binary labelmap", imageOf(np.ones((20, 20, 30), bool), (5, 10, 2), other))
    node.GetSegmentation().AddSegment(segment, "S")
    slabs = LabelSlabs(node, volumeNode, {"S": 7})
    read = np.concatenate([slabs[first : first + 5] for first in range(0, slabs.shape[0], 5)])
    toOther = np.linalg.inv(ijkToRas(other)) @ np.linalg.inv(slicer.util.arrayFromVTKMatrix(matrix))
    voxels = np.indices(slabs.shape)[::-1].reshape(3, -1)
    places = (toOther @ ijkToRas(volumeNode) @ np.vstack([voxels, np.ones(voxels.shape[1])]))[:3]
    low, high = np.array([[5], [10], [2]]) - 0.5, np.array([[34], [29], [21]]) + 0.5
    whole = ((places > low) & (places < high)).all(axis=0).reshape(slabs.shape)
    assert whole.sum() > 200
    assert ((read == 7) != whole).sum() < 0.01 * whole.sum()

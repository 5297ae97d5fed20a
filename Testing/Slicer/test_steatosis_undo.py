"""ROIs that come and go in pieces, are taken back, and are locked once accepted."""

import pytest
from steatosis_patients import chooseRow, move, names, roisOf, rowOf, waitForNumbers

pytestmark = pytest.mark.slow

pytest_plugins = ["steatosis_fixtures"]


def stateOf(segmentationNode):
    """All that a box is: by name, in order."""
    import slicer

    hierarchyNode = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    found = []
    for name, node in roisOf(segmentationNode).items():
        item, display = hierarchyNode.GetItemByDataNode(node), node.GetDisplayNode()
        found.append(
            (
                name,
                node.GetName(),
                node.GetID(),
                tuple(node.GetCenter()),
                tuple(node.GetSize()),
                node.GetNthControlPointID(0),
                {key: node.GetAttribute(key) for key in node.GetAttributeNames()},
                (display.GetID(), display.GetOpacity(), display.GetVisibility(), display.GetSelectedColor()),
                hierarchyNode.GetItemParent(item),
                hierarchyNode.GetItemPositionUnderParent(item),
            )
        )
    return found


def referencesOf(segmentationNode):
    """Node IDs of the boxes in the order in which the result references them."""
    from LiverSegSlicer.scene import parts

    return [node.GetID() for node in parts.roisOf(segmentationNode)]


def test_nodes_of_rois_have_names_that_other_modules_can_show(hand, placed):
    assert [node.GetName() for node in roisOf(placed).values()][::5] == ["Liver ROI 1", "Spleen ROI 1"]
    assert all(not node.GetHideFromEditors() for node in roisOf(placed).values()), "else no tree shows them"


def test_names_of_rois_go_there_and_back_and_the_users_stay(host):
    from LiverSegSlicer.fatty_liver.rois import nodeName, shortName

    assert [nodeName(name) for name in ("L1", "S12", "Mine")] == ["Liver ROI 1", "Spleen ROI 12", "Mine"]
    assert [shortName(nodeName(name)) for name in ("L1", "S12", "Mine")] == ["L1", "S12", "Mine"]


def test_rois_are_ready_when_they_come_into_the_scene_few_in_a_turn(hand, segmented):
    import slicer
    import vtk

    from LiverSegSlicer.fatty_liver.roi_exchange import ROIS_PER_TURN

    added, changed, batches = [], [], []
    scene = slicer.mrmlScene

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onAdded(_scene, _event, node):
        if node.IsA("vtkMRMLMarkupsROINode"):
            added.append(scene.IsBatchProcessing() and node.GetNumberOfControlPoints() == 1)
            batches[-1] += 1
            for event in (node.PointModifiedEvent, vtk.vtkCommand.ModifiedEvent):
                node.AddObserver(event, lambda *_arguments, event=event: changed.append(event))

    tags = [
        scene.AddObserver(scene.StartBatchProcessEvent, lambda *_arguments: batches.append(0)),
        scene.AddObserver(scene.NodeAddedEvent, onAdded),
    ]
    hand.widget("fattyPlaceButton").click()
    waitForNumbers(hand)
    for tag in tags:
        scene.RemoveObserver(tag)
    assert added == [True] * 10, "in a batch, with their place"
    assert changed.count(slicer.vtkMRMLMarkupsNode.PointModifiedEvent) == 0, "nothing is moved after that"
    assert len(changed) <= 20, "adding sets the scene's references, no more"
    assert max(batches) == ROIS_PER_TURN and sum(batches) == 10


def test_reset_is_undone_exactly_and_can_be_done_again(hand, placed):
    from LiverSegSlicer.fatty_liver.reading import readingOf

    move(roisOf(placed)["L1"], right=3.0)
    roisOf(placed)["L2"].SetSize(12, 14, 11)
    tick = hand.widget("roisTable").item(6, 0)
    tick.setCheckState(type(tick.checkState())(0))
    hand.settle()
    before, order, ratio = stateOf(placed), referencesOf(placed), hand.text("fattyRatioLabel")
    rows = [rowOf(hand, name) for name in names(hand)]
    hand.click("roiResetButton")
    waitForNumbers(hand)
    fresh = stateOf(placed)
    assert fresh != before and "replaced" in hand.text("roiUndoLabel")
    hand.click("roiUndoButton")
    waitForNumbers(hand)
    assert stateOf(placed) == before and referencesOf(placed) == order
    assert [rowOf(hand, name) for name in names(hand)] == rows and hand.text("fattyRatioLabel") == ratio
    assert readingOf(placed).accepted is None
    assert hand.widget("roiUndoButton").text() == "Redo"
    hand.click("roiUndoButton")
    waitForNumbers(hand)
    assert stateOf(placed) == fresh


def test_deleted_roi_comes_back_where_it_was(hand, placed):
    before, order = stateOf(placed), referencesOf(placed)
    chooseRow(hand, "L3")
    hand.click("roiDeleteButton")
    waitForNumbers(hand)
    assert "L3" not in names(hand) and hand.text("roiUndoLabel") == "L3 was deleted."
    hand.click("roiUndoButton")
    waitForNumbers(hand)
    assert stateOf(placed) == before and referencesOf(placed) == order


def test_undo_is_offered_no_more_once_the_reading_is_accepted_or_the_scene_is_closed(hand, placed):
    import slicer

    hand.click("roiResetButton")
    waitForNumbers(hand)
    assert hand.seen("roiUndoButton")
    hand.click("fattyAcceptButton")
    assert not hand.seen("roiUndoButton")
    hand.click("fattyEditButton")
    hand.click("roiResampleButton")
    waitForNumbers(hand)
    assert hand.seen("roiUndoButton")
    slicer.mrmlScene.Clear(False)
    hand.settle()
    assert not hand.seen("roiUndoButton")


def test_scan_changed_while_rois_come_leaves_all_of_them(hand, placed):
    from steatosis_patients import unenhancedScan

    hand.widget("roiResampleButton").click()
    assert hand.panel._steatosis._work.isPlacing()
    unenhancedScan("Other", seed=4)
    hand.settle(0.3)
    assert len(roisOf(placed)) == 10 and not hand.panel._steatosis._work.isPlacing()


def test_accepting_locks_the_rois_and_edit_again_unlocks_them(hand, placed):
    from LiverSegSlicer.fatty_liver.reading import readingOf

    chooseRow(hand, "L2")
    assert roisOf(placed)["L2"].GetDisplayNode().GetHandlesInteractive()
    hand.click("fattyAcceptButton")
    hand.settle()
    for node in roisOf(placed).values():
        assert node.GetLocked() and not node.GetDisplayNode().GetHandlesInteractive()
    for action in ("AddLiver", "AddSpleen", "Delete", "Resample", "Reset"):
        name = f"roi{action}Button"
        assert not hand.enabled(name) and "Press Edit again" in hand.tip(name), name
    for name in ("fattyNormalSpinBox", "fattyVoltageSpinBox", "fattyPhaseComboBox"):
        assert not hand.enabled(name), name
    assert not (hand.widget("roisTable").item(0, 0).flags() & _checkable()), "no tick by mistake"
    assert hand.seen("fattyEditButton") and not hand.seen("fattyAcceptButton")
    chooseRow(hand, "L3")
    assert not roisOf(placed)["L3"].GetDisplayNode().GetHandlesInteractive(), "chosen, yet locked"
    hand.click("fattyEditButton")
    hand.settle()
    assert readingOf(placed).accepted is None and "Opened for editing" in hand.text("fattyAcceptanceLabel")
    assert not any(node.GetLocked() for node in roisOf(placed).values())
    assert roisOf(placed)["L3"].GetDisplayNode().GetHandlesInteractive()
    assert hand.enabled("roiResetButton") and hand.seen("fattyAcceptButton")
    move(roisOf(placed)["L3"], right=1.0)
    hand.settle()
    assert "Changed after" in hand.text("fattyAcceptanceLabel")


def test_saved_scene_keeps_the_rois_locked(hand, placed, tmp_path):
    import slicer

    from LiverSegSlicer.scene import parts

    hand.click("fattyAcceptButton")
    hand.settle()
    hand.saveAndOpen(tmp_path)
    waitForNumbers(hand)
    boxes = roisOf(parts.resultFor(slicer.util.getNode("Patient")))
    assert len(boxes) == 10 and all(node.GetLocked() for node in boxes.values())
    hand.click("fattyEditButton")
    hand.settle()
    assert not any(node.GetLocked() for node in boxes.values())


def test_console_locks_what_it_accepts(hand, placed):
    hand.logic.acceptSteatosis(placed, "Dr Example")
    assert all(node.GetLocked() for node in roisOf(placed).values())


@pytest.mark.parametrize("phase", ["unknown", "portal"])
def test_reader_says_the_contrast_phase(hand, unenhanced, phase):
    from steatosis_patients import addResult, placeByHand

    from LiverSegSlicer.fatty_liver.reading import readingOf

    segmentationNode = addResult(unenhanced, phase=phase)
    hand.settle()
    placeByHand(hand)
    assert hand.text("fattyGradeLabel") == "Not graded"
    assert hand.seen("fattyPhaseComboBox") == (phase == "unknown"), "asked for where nobody knows"
    hand.widget("fattyPhaseComboBox").setCurrentIndex(1)
    hand.settle()
    assert hand.text("fattyGradeLabel") == "Mild fatty liver"
    assert readingOf(segmentationNode).chosenPhase == "unenhanced"
    hand.widget("fattyPhaseComboBox").setCurrentIndex(0)
    hand.settle()
    assert hand.text("fattyGradeLabel") == "Not graded"


def test_screening_and_disagreement_of_the_core_are_said_once(hand, placed):
    from dataclasses import replace

    from LiverSegSlicer.fatty_liver.reading import readingOf

    reading = readingOf(placed)
    said = {"grade": None, "screening": "Below 90 HU.", "disagreement": "The liver alone says more fat."}
    hand.panel._steatosis._verdict.show(replace(reading, assessment={**reading.assessment, **said}))
    assert hand.text("fattyGradeLabel") == "Not graded"
    assert hand.text("fattyScreeningLabel") == "Below 90 HU."
    assert hand.text("fattyNumbersLabel").startswith("The liver alone says more fat.")


def _checkable():
    from PySide6 import QtCore

    return QtCore.Qt.ItemIsUserCheckable

"""The section Fatty liver as a reader uses it: place, move, reject, add, delete, grade, accept."""

import numpy as np
import pytest
from steatosis_patients import (
    LIVER_HU,
    SPLEEN_HU,
    addResult,
    chooseRow,
    move,
    names,
    placeByHand,
    roisOf,
    rowOf,
    waitForNumbers,
)

pytest_plugins = ["steatosis_fixtures"]

TEN = ["L1", "L2", "L3", "L4", "L5", "S1", "S2", "S3", "S4", "S5"]


def test_before_segmenting_the_section_says_why_it_waits(hand, unenhanced):
    assert "Segment the scan first" in hand.text("fattyEmptyLabel")
    assert not hand.enabled("fattyPlaceButton")
    assert "Segment the scan first" in hand.tip("fattyPlaceButton")


def test_place_makes_boxes_and_a_graded_ratio(hand, placed):
    assert names(hand) == TEN == list(roisOf(placed))
    assert float(hand.text("fattyRatioLabel")) == pytest.approx(LIVER_HU / SPLEEN_HU, abs=0.03)
    assert hand.text("fattyGradeLabel") == "Mild fatty liver"
    assert hand.text("fattyIntervalLabel").startswith("ratio 0.") and "95 %" in hand.tip("fattyIntervalLabel")
    assert hand.seen("fattyScaleWidget") and not hand.seen("fattyAnywayCheckBox")
    assert not hand.seen("fattyPlaceButton")
    for name in TEN:
        ticked, mean, sd, remark = rowOf(hand, name)
        assert ticked and not remark
        assert float(mean) == pytest.approx(LIVER_HU if name[0] == "L" else SPLEEN_HU, abs=4)


def test_boxes_can_be_dragged_and_resized_but_not_turned(hand, placed):
    for roiNode in roisOf(placed).values():
        displayNode = roiNode.GetDisplayNode()
        assert not displayNode.GetHandlesInteractive() and displayNode.GetTranslationHandleVisibility()
        assert not displayNode.GetScaleHandleVisibility() and not displayNode.GetRotationHandleVisibility()
        assert displayNode.GetVisibility2D() and displayNode.GetVisibility3D()
    colours = {name[0]: node.GetDisplayNode().GetSelectedColor() for name, node in roisOf(placed).items()}
    assert colours["L"] != colours["S"]
    chooseRow(hand, "S2")
    resizable = [
        name for name, node in roisOf(placed).items() if node.GetDisplayNode().GetScaleHandleVisibility()
    ]
    assert resizable == ["S2"], "of the chosen one: the handles cover a box of a centimetre"
    boxes = roisOf(placed).items()
    assert [name for name, node in boxes if node.GetDisplayNode().GetHandlesInteractive()] == ["S2"]


def test_same_scan_gives_the_same_boxes(hand, placed):
    before = {name: tuple(node.GetCenter()) for name, node in roisOf(placed).items()}
    hand.click("roiResetButton")
    waitForNumbers(hand)
    assert {name: tuple(node.GetCenter()) for name, node in roisOf(placed).items()} == before


def test_choosing_a_row_brings_all_slices_there(hand, placed):
    import slicer

    node = roisOf(placed)["S3"]
    chooseRow(hand, "S3")
    for sliceNode in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
        matrix = sliceNode.GetSliceToRAS()
        origin, normal = (np.array([matrix.GetElement(row, column) for row in range(3)]) for column in (3, 2))
        assert abs(np.dot(np.array(node.GetCenter()) - origin, normal)) < 3
    assert hand.text("roiDetailLabel") == "S3: placed automatically."


def test_moving_a_box_updates_row_ratio_and_grade_at_once(hand, placed):
    import slicer

    ratio, row = hand.text("fattyRatioLabel"), rowOf(hand, "L1")
    spleen = np.array(roisOf(placed)["S1"].GetCenter())
    roisOf(placed)["L1"].SetCenter(*spleen)
    slicer.app.processEvents()
    ticked, mean, _sd, remark = rowOf(hand, "L1")
    assert ticked and mean != row[1]
    assert remark == "100 % of it lies outside the liver."
    assert tuple(roisOf(placed)["L1"].GetCenter()) == tuple(spleen), "flagged, not moved back"
    assert hand.text("fattyRatioLabel") != ratio


def test_resized_box_is_measured_in_its_new_size(hand, placed):
    from LiverSegSlicer.fatty_liver.reading import readingOf

    roisOf(placed)["L2"].SetSize(12, 14, 9)
    hand.settle()
    (row,) = [row for row in readingOf(placed).rows if row["name"] == "L2"]
    assert row["size_mm"] == pytest.approx([12, 14, 9]) and not row["automatic"]
    assert any("L2 has a side of 9.0 mm" in text for text in readingOf(placed).assessment["warnings"])


def test_turned_box_is_refused_with_a_sentence_and_kept(hand, placed):
    import slicer
    import vtk

    node = roisOf(placed)["L3"]
    turn = vtk.vtkMatrix4x4()
    vtk.vtkMatrix4x4.DeepCopy(turn, node.GetObjectToNodeMatrix())
    for row, values in enumerate(((0.8, -0.6), (0.6, 0.8))):
        for column, value in enumerate(values):
            turn.SetElement(row, column, value)
    node.GetObjectToNodeMatrix().DeepCopy(turn)
    node.Modified()
    hand.settle()
    assert rowOf(hand, "L3")[1] == "–"
    assert "L3 is turned and does not count" in rowOf(hand, "L3")[3]
    hand.click("fattyWarningsButton")
    assert "L3 is turned" in hand.text("fattyWarningsLabel")
    assert slicer.mrmlScene.IsNodePresent(node)
    assert hand.text("fattyGradeLabel") == "Mild fatty liver", "the others still count"


def test_rejected_box_does_not_count_and_turns_pale(hand, placed):
    from LiverSegSlicer.fatty_liver.reading import readingOf

    table = hand.widget("roisTable")
    table.item(0, 0).setCheckState(type(table.item(0, 0).checkState())(0))
    hand.settle()
    assert not rowOf(hand, "L1")[0] and rowOf(hand, "L1")[1] != "–"
    assert [roi["name"] for roi in readingOf(placed).assessment["rois"]] == TEN[1:]
    assert roisOf(placed)["L1"].GetDisplayNode().GetOpacity() < 0.5


def test_added_box_lies_where_the_slices_cross(window, host, scene):
    import slicer
    from panel_hand import makeHand
    from steatosis_patients import unenhancedScan

    hand, end = makeHand(host)
    volumeNode = unenhancedScan()
    hand.settle()
    segmentationNode = addResult(volumeNode)
    hand.settle()
    placeByHand(hand)
    place = [-60.0, -10.0, 5.0]
    slicer.modules.markups.logic().JumpSlicesToLocation(*place, True)
    hand.click("roiAddLiverButton")
    hand.settle()
    assert names(hand)[:6] == [*TEN[:5], "L6"]
    assert list(roisOf(segmentationNode)["L6"].GetCenter()) == pytest.approx(place, abs=0.01)
    assert rowOf(hand, "L6")[3] in ("Yours", "") or "outside" in rowOf(hand, "L6")[3]
    assert "made, moved or resized by hand" in hand.text("roiDetailLabel"), "its row is chosen"
    hand.click("roiAddSpleenButton")
    hand.settle()
    assert "S6" in names(hand)
    end()


def test_delete_removes_the_chosen_box(hand, placed):
    assert not hand.enabled("roiDeleteButton")
    chooseRow(hand, "L2")
    hand.click("roiDeleteButton")
    waitForNumbers(hand)
    assert names(hand) == [name for name in TEN if name != "L2"]


def test_resample_places_others_and_keeps_what_the_reader_moved(hand, placed):
    before = {name: tuple(node.GetCenter()) for name, node in roisOf(placed).items()}
    move(roisOf(placed)["L1"], right=3.0)
    mine = tuple(roisOf(placed)["L1"].GetCenter())
    hand.settle()
    hand.click("roiResampleButton")
    waitForNumbers(hand)
    after = {name: tuple(node.GetCenter()) for name, node in roisOf(placed).items()}
    assert sorted(after) == TEN
    assert after["L1"] == mine
    assert sum(after[name] != before[name] for name in TEN[1:]) >= 7
    hand.click("roiResetButton")
    waitForNumbers(hand)
    assert {name: tuple(node.GetCenter()) for name, node in roisOf(placed).items()} == before


def test_settings_change_number_and_size(hand, segmented):
    hand.click("fattySettingsButton")
    hand.widget("fattyCountSpinBox").setValue(3)
    hand.widget("fattySideSpinBox").setValue(12.0)
    placeByHand(hand)
    assert names(hand) == ["L1", "L2", "L3", "S1", "S2", "S3"]
    assert roisOf(segmented)["L1"].GetSize()[0] == pytest.approx(12)


def test_cut_offs_change_the_grade_and_are_stored(hand, placed):
    from LiverSegSlicer.fatty_liver.reading import readingOf

    hand.click("fattySettingsButton")
    hand.widget("fattyModerateSpinBox").setValue(0.9)
    hand.settle()
    assert hand.text("fattyGradeLabel") == "Moderate fatty liver"
    assert readingOf(placed).assessment["cut_offs"]["moderate_below"] == pytest.approx(0.9)
    assert hand.text("fattyModerateBorderLabel") == "0.9"
    assert hand.panel.parameters.moderateBelow == pytest.approx(0.9)


def test_cut_offs_out_of_order_are_refused_and_what_was_typed_stays(hand, placed):
    from LiverSegSlicer.fatty_liver.reading import readingOf

    hand.click("fattySettingsButton")
    hand.widget("fattySevereSpinBox").setValue(0.8)
    hand.settle()
    assert "in order" in hand.text("fattySettingsLabel")
    move(roisOf(placed)["L1"], right=1.0)
    hand.settle()
    assert hand.widget("fattySevereSpinBox").value() == pytest.approx(0.8)
    assert readingOf(placed).cutOffs["severe_below"] == pytest.approx(0.5)
    hand.widget("fattySevereSpinBox").setValue(0.6)
    hand.settle()
    assert not hand.text("fattySettingsLabel")
    assert readingOf(placed).cutOffs["severe_below"] == pytest.approx(0.6)


def test_other_tube_voltage_is_a_reason_not_to_grade(hand, placed):
    hand.click("fattySettingsButton")
    hand.widget("fattyVoltageSpinBox").setValue(100)
    hand.settle()
    assert hand.text("fattyGradeLabel") == "Not graded"
    assert "100 kVp" in hand.text("fattyReasonsLabel")
    hand.widget("fattyVoltageSpinBox").setValue(120)
    hand.settle()
    assert hand.text("fattyGradeLabel") == "Mild fatty liver"


def test_enhanced_scan_is_graded_only_by_explicit_choice(hand, unenhanced):
    from LiverSegSlicer.fatty_liver.reading import readingOf

    segmentationNode = addResult(unenhanced, phase="portal")
    hand.settle()
    placeByHand(hand)
    assert hand.text("fattyGradeLabel") == "Not graded"
    assert "contrast medium" in hand.text("fattyReasonsLabel")
    assert not hand.seen("fattyScaleWidget")
    assert "Fat fraction" not in hand.text("fattyNumbersLabel")
    hand.click("fattyAnywayCheckBox")
    hand.settle()
    assert hand.text("fattyGradeLabel") == "Mild fatty liver"
    assert hand.text("fattyInvalidLabel") == "Not valid for grading"
    assert not hand.enabled("fattyGradeLabel") and not hand.enabled("fattyRatioLabel"), "grey"
    assert readingOf(segmentationNode).assessment["graded_anyway"]
    assert hand.seen("fattyScaleWidget") and "contrast medium" in hand.text("fattyReasonsLabel")
    hand.click("fattyAnywayCheckBox")
    hand.settle()
    assert hand.text("fattyGradeLabel") == "Not graded"


def test_without_a_spleen_only_the_liver_is_told(hand, unenhanced):
    addResult(unenhanced, spleen=False)
    hand.settle()
    placeByHand(hand)
    assert names(hand) == TEN[:5]
    assert hand.text("fattyRatioLabel") == "–"
    assert "no spleen" in hand.text("fattyReasonsLabel")


def test_accept_stores_who_when_and_how_and_a_change_opens_it_again(hand, placed):
    from LiverSegSlicer.fatty_liver.reading import readingOf

    hand.widget("fattyReaderEdit").setText("Dr Example")
    hand.click("fattyAcceptButton")
    accepted = readingOf(placed).accepted
    assert (accepted["by"], accepted["how"], accepted["rois"]) == ("Dr Example", "automatic", TEN)
    assert hand.text("fattyAcceptanceLabel").startswith("Accepted by Dr Example on 2")
    assert not hand.enabled("fattyAcceptButton")
    move(roisOf(placed)["S2"], superior=-2.0)
    hand.settle()
    assert readingOf(placed).accepted is None
    assert "Changed after Dr Example accepted it" in hand.text("fattyAcceptanceLabel")
    hand.click("fattyAcceptButton")
    assert readingOf(placed).accepted["how"] == "edited"


def test_every_kind_of_change_opens_an_accepted_reading(hand, placed):
    import slicer

    from LiverSegSlicer.fatty_liver.reading import readingOf
    from LiverSegSlicer.fatty_liver.rois import setAccepted

    hand.click("fattySettingsButton")
    changes = (
        lambda: setAccepted(roisOf(placed)["L1"], False),
        lambda: roisOf(placed)["L2"].SetSize(12, 12, 12),
        lambda: hand.widget("fattyNormalSpinBox").setValue(1.1),
        lambda: hand.widget("fattyVoltageSpinBox").setValue(120),
        lambda: slicer.mrmlScene.RemoveNode(roisOf(placed)["S1"]),
    )
    for change in changes:
        hand.click("fattyAcceptButton")
        assert readingOf(placed).accepted is not None
        change()
        hand.settle()
        assert readingOf(placed).accepted is None


def test_nobody_cannot_accept(hand, placed):
    hand.widget("fattyReaderEdit").setText("  ")
    assert not hand.enabled("fattyAcceptButton")
    assert hand.tip("fattyAcceptButton") == "Say who reads before you accept."


def test_constants_that_spare_an_import_are_those_of_the_core(host):
    from LiverSegLib.report.grade_scale import GRADE_COLOURS
    from LiverSegLib.steatosis.assessment import CutOffs
    from LiverSegSlicer.fatty_liver.reading import DEFAULT_CUT_OFFS
    from LiverSegSlicer.panel.verdict import FIELDS

    assert CutOffs().to_dict() == DEFAULT_CUT_OFFS
    assert {grade: colour for grade, (colour, _word) in FIELDS.items()} == GRADE_COLOURS


def test_window_waits_for_no_long_piece_while_a_scan_is_looked_at(hand, segmented):
    from LiverSegSlicer.fatty_liver.meters import Meters

    assert len(list(Meters().make(hand.panel.parameters.inputVolume, segmented))) > 12

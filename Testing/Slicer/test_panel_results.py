"""Results: numbers, lesions, edits, highlight view, report."""

import pytest
from panel_doubles import madeUpResult, madeUpScan
from PySide6 import QtCore
from PySide6.QtTest import QTest

pytest_plugins = ["panel_fixtures"]


@pytest.fixture
def result(hand, scan):
    """The made-up scan, segmented."""
    return hand.segment()


def edit(segmentationNode, volumeNode):
    """Remove half of the spleen, as a user would with an eraser."""
    import slicer

    array = slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, "spleen", volumeNode)
    array[:, :37, :] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, segmentationNode, "spleen", volumeNode)


def test_numbers_have_units(hand, result):
    assert hand.text("liverValueLabel") == "768.0 ml"
    assert hand.text("spleenValueLabel") == "89.6 ml"
    assert hand.text("tumourValueLabel") == "26.24 ml"
    assert hand.text("burdenValueLabel") == "3.42 %"
    assert hand.text("scanFactsLabel") == "Patient · Portal venous phase (estimated) · 5 mm slices"


def test_no_tumour_is_said(hand, scan):
    hand.logic.tumours = 0
    hand.segment()
    assert hand.text("burdenValueLabel") == "0.00 %"
    assert hand.text("lesionsTitleLabel") == "No liver tumor was found"
    assert not hand.seen("lesionsTable")


def test_warnings_are_folded_each_once_and_marked_at_their_numbers(hand, scan):
    from LiverSegSlicer.scene.results import applyResult

    made = madeUpResult(scan)
    measurements = made.summary["measurements"]
    said = {"liver": ["Thick."], "spleen": ["Cut.", "Thick."], "tumour": ["Thick.", "Two were left out."]}
    for organ in measurements["organs"]:
        organ["warnings"] = said[organ["key"]]
    measurements["tumour_burden_warnings"] = ["Two were left out.", "Of a part only."]
    applyResult(scan, made)
    hand.settle()
    hand.click("resultWarningsButton")
    lines = hand.text("resultWarningsLabel").splitlines()
    assert lines == ["• Thick.", "• Cut.", "• Two were left out.", "• Of a part only."]
    assert hand.text("spleenValueLabel").endswith("⚠")
    assert hand.tip("spleenValueLabel").splitlines() == ["Cut.", "Thick."]


def test_segments_are_listed(hand, result):
    assert hand.panel.ui.segmentsTable.segmentationNode() is result


def test_lesion_rows_have_units_and_warnings(hand, result):
    table = hand.widget("lesionsTable")
    row = [table.item(0, column).text() for column in range(4)]
    assert row == ["1", "22.40", "40.0 × 35.0", "60"]
    titles = [table.horizontalHeaderItem(column).text().split() for column in range(4)]
    assert titles == [["No."], ["Volume", "ml"], ["Diameters", "mm"], ["Mean", "HU"]]
    assert hand.text("lesionsTitleLabel") == "2 lesions"
    assert table.rowCount() == 2


def tick(hand, row):
    """Click on the tick of a row."""
    item = hand.widget("lesionsTable").item(row, 0)
    item.setCheckState(QtCore.Qt.Unchecked if item.checkState() == QtCore.Qt.Checked else QtCore.Qt.Checked)
    hand.settle(0.01)


def measured(hand):
    hand.logic.run.finish()
    hand.settle()


def test_an_unticked_lesion_leaves_every_number_and_its_tick_brings_it_back(hand, scan, result):
    from LiverSegSlicer.scene.fingerprint import isUntouched
    from LiverSegSlicer.scene.parts import summaryOf

    tick(hand, 1)
    measured(hand)
    assert hand.text("tumourValueLabel") == "22.40 ml" and hand.text("liverValueLabel") == "768.0 ml"
    assert hand.text("lesionsTitleLabel") == "1 lesion"
    assert hand.widget("lesionsTable").item(1, 0).text() == "–"
    assert len(summaryOf(result)["measurements"]["rejected_lesions"]) == 1
    tick(hand, 1)
    measured(hand)
    assert hand.text("tumourValueLabel") == "26.24 ml" and isUntouched(result)
    assert summaryOf(result)["measurements"]["rejected_lesions"] == []


def test_a_deleted_lesion_is_gone_until_undone(hand, scan, result):
    from LiverSegSlicer.scene.fingerprint import isUntouched

    assert not hand.enabled("lesionDeleteButton") and not hand.seen("lesionUndoButton")
    hand.clickRow("lesionsTable", 0)
    hand.click("lesionDeleteButton")
    measured(hand)
    assert hand.widget("lesionsTable").rowCount() == 1
    hand.click("lesionUndoButton")
    measured(hand)
    assert hand.widget("lesionsTable").rowCount() == 2 and isUntouched(result)
    assert not hand.seen("lesionUndoButton")


def test_what_was_done_with_a_lesion_is_told(hand, scan, result):
    tick(hand, 1)
    measured(hand)
    assert hand.text("messageLabel") == ("Lesion 2 was rejected: it is liver now. Its tick brings it back.")
    tick(hand, 1)
    measured(hand)
    assert hand.text("messageLabel") == "The lesion is a tumor again and counts."
    hand.clickRow("lesionsTable", 0)
    hand.click("lesionDeleteButton")
    measured(hand)
    assert hand.text("messageLabel").startswith("Lesion 1 was deleted")


def test_choosing_a_rejected_lesion_goes_there_and_hides_number_and_diameters(hand, window, scan, result):
    import slicer

    from LiverSegSlicer.scene import parts

    tick(hand, 1)
    measured(hand)
    hand.clickRow("lesionsTable", 0)
    lines = [parts.part(result, role) for role in (parts.LONGEST, parts.PERPENDICULAR)]
    assert all(line.GetDisplayVisibility() for line in lines)
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    before = red.GetSliceOffset()
    hand.clickRow("lesionsTable", 1)
    assert "Rejected" in hand.text("lesionDetailLabel") and red.GetSliceOffset() != before
    assert not any(line.GetDisplayVisibility() for line in lines)
    marks = parts.part(result, parts.LESION_MARKS)
    assert not any(marks.GetNthControlPointVisibility(index) for index in range(2))


def test_thick_slices_are_said_once_on_the_screen(hand):
    from LiverSegSlicer.scene.results import applyResult

    scan = madeUpScan("Thick")
    scan.SetSpacing(4.0, 4.0, 10.0)
    hand.settle()
    assert "10 mm apart" in hand.text("scanDoubtsLabel")
    applyResult(scan, madeUpResult(scan))
    hand.settle()
    hand.click("resultWarningsButton")
    hand.clickRow("lesionsTable", 0)
    assert "10.0 mm apart" in hand.text("resultWarningsLabel")
    assert not hand.seen("scanDoubtsLabel")
    assert "mm apart" not in hand.text("lesionDetailLabel") + hand.tip("lesionsTable")
    assert "mm apart" not in hand.widget("lesionsTable").item(0, 1).toolTip()


def test_ticks_stay_while_something_runs(hand, scan, result):
    hand.click("segmentButton")
    tick(hand, 1)
    assert hand.widget("lesionsTable").item(1, 0).checkState() == QtCore.Qt.Checked
    assert "running" in hand.text("lesionDetailLabel")
    hand.logic.run.finish()


def test_previous_and_next_go_through_the_lesions(hand, scan, result):
    hand.click("lesionNextButton")
    hand.click("lesionNextButton")
    assert "Lesion 2" in hand.text("lesionDetailLabel") and not hand.enabled("lesionNextButton")
    hand.click("lesionPreviousButton")
    assert "Lesion 1" in hand.text("lesionDetailLabel") and not hand.enabled("lesionPreviousButton")


def test_numbers_are_copied_with_their_units(hand, scan, result):
    import slicer

    hand.click("copyNumbersButton")
    lines = slicer.app.clipboard().text().splitlines()
    assert lines[:2] == ["Structure\tVolume (ml)", "Liver with tumors\t768.0"]
    assert "Tumor burden (%)\t3.42" in lines and lines[-2].startswith("1\t22.40\t40.0\t35.0\t60")


def test_show_3d_makes_and_removes_the_surfaces(hand, scan, result):
    hand.click("show3DButton")
    assert result.GetSegmentation().ContainsRepresentation("Closed surface")
    hand.click("show3DButton")
    assert not result.GetSegmentation().ContainsRepresentation("Closed surface")


def test_choosing_a_lesion_jumps_there(hand, result, monkeypatch):
    from LiverSegSlicer.scene import views

    jumps = []
    monkeypatch.setattr(views, "jumpToLesion", lambda node, number: jumps.append((node, number)))
    hand.clickRow("lesionsTable", 1)
    assert set(jumps) == {(result, 2)}
    assert "Lesion 2" in hand.text("lesionDetailLabel")
    jumps.clear()
    hand.clickRow("lesionsTable", 1)
    assert jumps == [(result, 2)], "a second click brings the views back"


def test_edit_is_noticed_and_measured_again(hand, scan, result):
    assert not hand.seen("editedWidget")
    edit(result, scan)
    hand.settle(0.6)
    assert "measuring it again" in hand.text("editedLabel")
    assert hand.text("spleenValueLabel") == "89.6 ml"
    assert not hand.seen("measureButton")
    hand.logic.background.pop().finish()
    hand.settle()
    assert not hand.seen("editedWidget")
    assert hand.text("spleenValueLabel") == "44.8 ml"


def test_what_was_edited_elsewhere_is_measured_on_a_click(hand, scan, result):
    hand.panel.exit()
    edit(result, scan)
    hand.settle(0.6)
    hand.panel.enter()
    hand.settle()
    assert "edited after" in hand.text("editedLabel")
    assert not hand.logic.background, "nothing starts because a panel is opened"
    hand.click("measureButton")
    assert not hand.enabled("measureButton")
    hand.logic.run.finish()
    hand.settle()
    assert not hand.seen("editedWidget")
    assert hand.text("spleenValueLabel") == "44.8 ml"
    assert hand.text("messageLabel") == "The numbers are now those of the segmentation as it is."


def test_measuring_in_the_background_that_fails_says_why_and_offers_the_button(hand, scan, result):
    from LiverSegLib.errors import WorkerError

    edit(result, scan)
    hand.settle(0.6)
    hand.logic.background.pop().finish(WorkerError("The worker was ended."))
    hand.settle()
    assert hand.text("messageLabel") == "The worker was ended."
    assert "edited after" in hand.text("editedLabel")
    assert hand.enabled("measureButton")


def test_rerun_keeps_the_edited_segmentation(hand, scan, result):
    edit(result, scan)
    again = hand.segment()
    assert again is not result
    assert result.GetScene() is not None
    assert hand.panel.parameters.segmentation is again


def test_earlier_result_can_be_chosen_again(hand, scan, result):
    assert not hand.seen("resultSelector")
    edit(result, scan)
    again = hand.segment()
    selector = hand.widget("resultSelector")
    assert selector.isVisible() and selector.count() == 2
    QTest.keyClick(selector, QtCore.Qt.Key_Down)
    hand.settle(0.6)
    assert hand.panel.parameters.segmentation is result
    assert result.GetDisplayVisibility() and not again.GetDisplayVisibility()
    assert hand.seen("editedWidget")


def test_result_of_a_script_appears(hand, scan):
    from LiverSegSlicer.scene.results import applyResult

    made = applyResult(scan, madeUpResult(scan))
    hand.settle()
    assert hand.panel.parameters.segmentation is made
    assert hand.text("liverValueLabel") == "768.0 ml"


def test_highlight_view_and_back(window, hand, scan, result):
    from LiverSegSlicer.scene.highlight import isHighlighted

    hand.click("highlightButton")
    assert hand.widget("highlightButton").isChecked()
    assert isHighlighted()
    assert not result.GetDisplayNode().GetVisibility2D()
    hand.click("highlightButton")
    assert not hand.widget("highlightButton").isChecked()
    assert not isHighlighted()
    assert result.GetDisplayNode().GetVisibility2D()


def test_highlight_volume_is_never_chosen_as_scan(hand, scan, result):
    hand.logic.makeHighlight(scan, result)
    hand.settle()
    hand.panel.enter()
    assert hand.panel.parameters.inputVolume is scan


def test_report_is_written_into_a_folder_of_its_own_and_opened(hand, scan, result, tmp_path):
    hand.panel.ui.reportFolderButton.directory = str(tmp_path)
    hand.click("reportButton")
    hand.logic.run.progress(0.5, "Writing the report")
    assert hand.text("segmentButton") == "Cancel"
    hand.logic.run.finish()
    hand.settle()
    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith("Patient ")
    assert hand.text("messageLabel") == f"The report is in {folder}."
    assert str(hand.host.opened_urls[-1]).find("report.html") >= 0


def test_report_folder_is_remembered(hand, tmp_path):
    from LiverSegSlicer.parameters import Preferences

    hand.panel.ui.reportFolderButton.directory = str(tmp_path)
    assert Preferences().reportFolder == str(tmp_path)


def test_names_that_are_no_file_names_get_a_folder_too(tmp_path):
    from LiverSegSlicer.panel.report_section import caseFolder

    assert caseFolder(str(tmp_path), "a/b\\c: d?").parent == tmp_path
    assert caseFolder(str(tmp_path), "///").name.startswith("scan ")


def test_switching_the_scan_shows_its_result(hand, scan, result):
    other = madeUpScan("Other")
    hand.settle()
    assert hand.panel.parameters.inputVolume is other
    assert not hand.seen("resultsWidget")
    assert "Press Segment" in hand.text("resultsEmptyLabel")
    assert not hand.seen("messageWidget")
    assert result.GetDisplayVisibility(), "nothing is hidden but by a click"
    hand.logic.tumours = 1
    second = hand.segment()
    assert not result.GetDisplayVisibility(), "the first scan's masks do not lie over the second scan"
    assert hand.text("tumourValueLabel") == "22.40 ml"
    hand.chooseScan(scan)
    assert hand.panel.parameters.segmentation is result
    assert hand.text("tumourValueLabel") == "26.24 ml"
    assert result.GetDisplayVisibility() and not second.GetDisplayVisibility()


def test_removed_numbers_are_said_to_be_missing(hand, result):
    import slicer

    from LiverSegSlicer.scene import parts

    slicer.mrmlScene.RemoveNode(parts.part(result, parts.SUMMARY))
    hand.settle()
    assert "removed from the scene" in hand.text("resultsEmptyLabel")
    assert not hand.enabled("reportButton")

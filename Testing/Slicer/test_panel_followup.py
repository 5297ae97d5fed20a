"""Section Follow-up: what can be compared, with which dates, what is started, what is shown and chosen."""

import numpy as np
import pytest
from panel_doubles import madeUpScan
from PySide6 import QtCore
from PySide6.QtTest import QTest

from LiverSegLib.errors import InputError
from LiverSegLib.sentences import Sentence

pytest_plugins = ["panel_fixtures"]

MARCH, JUNE = "2026-03-01", "2026-06-01"


@pytest.fixture
def march(hand, scan):
    """The result of the scan that was loaded first; the section is open."""
    scan.SetName("March CT")
    found = hand.segment()
    hand.open("followupSection")
    return found


@pytest.fixture
def june(hand, march):
    """The result of another scan, which the panel shows."""
    volumeNode = madeUpScan("June CT")
    hand.host.waitFor(lambda: hand.panel.parameters.inputVolume is volumeNode)
    return hand.segment()


def cell(hand, table, row, column):
    return hand.widget(table).item(row, column).text()


def typed(hand, row, text):
    """Double-click on the date of a row and type."""
    table = hand.widget("followupScansTable")
    position = table.visualItemRect(table.item(row, 1)).center()
    QTest.mouseClick(table.viewport(), QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, position)
    QTest.mouseDClick(table.viewport(), QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, position)
    (editor,) = table.viewport().findChildren(QtCore.QObject, "qt_editor") or [table.focusWidget()]
    editor.selectAll()
    QTest.keyClick(editor, QtCore.Qt.Key_Delete)
    QTest.keyClicks(editor, text)
    QTest.keyClick(editor, QtCore.Qt.Key_Return)
    hand.settle()


def tick(hand, row):
    table = hand.widget("followupScansTable")
    position = table.visualItemRect(table.item(row, 0)).topLeft() + QtCore.QPoint(10, 10)
    QTest.mouseClick(table.viewport(), QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, position)
    hand.settle()


def compare(hand, button="followupCompareButton"):
    hand.click(button)
    hand.logic.run.finish()
    hand.settle()


def test_without_a_result_and_with_one_it_says_what_is_missing(hand, scan):
    hand.open("followupSection")
    for button in ("followupCompareButton", "followupPageButton"):
        assert not hand.enabled(button) and "Segment the scan first" in hand.tip(button)
    assert not hand.seen("followupScansTable") and not hand.seen("followupResultWidget")
    hand.segment()
    for button in ("followupCompareButton", "followupPageButton"):
        assert not hand.enabled(button) and "only one result" in hand.tip(button)
    assert not hand.seen("followupOrderNote")


def test_dates_are_typed_and_decide_the_order(hand, june, march):
    assert [cell(hand, "followupScansTable", row, 0) for row in (0, 1)] == ["March CT", "June CT (shown)"]
    assert "in the order of this table" in hand.text("followupOrderLabel")
    typed(hand, 0, JUNE)
    typed(hand, 1, "20260301")
    assert [cell(hand, "followupScansTable", row, 0) for row in (0, 1)] == ["June CT (shown)", "March CT"]
    assert [cell(hand, "followupScansTable", row, 1) for row in (0, 1)] == [MARCH, JUNE]
    assert hand.text("followupOrderLabel") == ""
    hand.click("followupCompareButton")
    started = hand.logic.options[-1]
    assert started == {"nodes": [june, march], "dates": [MARCH, JUNE], "anyway": False, "folder": None}
    assert not hand.enabled("followupCompareButton") and "running" in hand.tip("followupCompareButton")
    hand.logic.run.finish()
    hand.settle()
    assert "Follow-up 2026-03-01 to 2026-06-01" in hand.text("messageLabel")


def test_what_is_no_date_is_said_and_changes_nothing(hand, june):
    typed(hand, 0, MARCH)
    typed(hand, 0, "last spring")
    assert '"last spring" is no date' in hand.text("messageLabel")
    assert cell(hand, "followupScansTable", 0, 1) == MARCH
    typed(hand, 0, "")
    assert cell(hand, "followupScansTable", 0, 1) == "–"


def test_a_result_without_its_tick_takes_no_part(hand, june):
    madeUpScan("September CT")
    hand.settle()
    september = hand.segment()
    assert hand.widget("followupScansTable").rowCount() == 3
    tick(hand, 0)
    hand.click("followupCompareButton")
    assert hand.logic.options[-1]["nodes"] == [june, september]
    hand.logic.run.finish()
    hand.settle()
    tick(hand, 1)
    assert "Tick at least one other" in hand.tip("followupCompareButton")
    tick(hand, 2)  # the one that is shown always takes part
    assert hand.widget("followupScansTable").item(2, 0).checkState() == QtCore.Qt.Checked


def test_the_result_shows_numbers_rule_and_warnings(hand, june):
    compare(hand)
    assert [cell(hand, "followupDatesTable", 1, column) for column in range(5)] == [
        "June CT", "66.0", "1500", "–", "SD",
    ]  # fmt: skip
    assert cell(hand, "followupDatesTable", 0, 3) == "-8"
    tip = hand.widget("followupDatesTable").item(0, 0).toolTip()
    assert "Liver 102 HU, spleen 110 HU" in tip and "not graded: there is contrast medium" in tip
    assert hand.text("followupRuleLabel").startswith(
        "Stable disease, liver alone. The sum of diameters is 66"
    )
    assert hand.text("followupWarningsButton") == "2 warnings"
    assert [cell(hand, "followupLesionsTable", row, 4) for row in (0, 1)] == ["target", "gone"]
    assert [cell(hand, "followupLesionsTable", row, 3) for row in (0, 1)] == ["+25", "-100"]
    hand.clickRow("followupDatesTable", 0)
    assert "target lesions: 1" in hand.text("followupRuleLabel")
    assert hand.text("followupLesionsLabel") == "Lesions, March CT"
    assert [cell(hand, "followupLesionsTable", row, 3) for row in (0, 1)] == ["–", "–"]


def slicesAt(place):
    """Whether all slices go through a point, RAS mm."""
    import slicer

    return max(offsetTo(place, node) for node in slicer.util.getNodesByClass("vtkMRMLSliceNode")) < 0.01


def offsetTo(place, sliceNode):
    """How far a point, RAS mm, lies from a slice, mm."""
    import slicer

    matrix = slicer.util.arrayFromVTKMatrix(sliceNode.GetSliceToRAS())
    return abs(np.dot(np.array(place) - matrix[:3, 3], matrix[:3, 2]))


def test_choosing_a_lesion_shows_it_in_the_scan_of_the_panel_or_its_place(hand, window, june):
    from LiverSegSlicer.scene import parts

    compare(hand)
    lesions = parts.summaryOf(june)["measurements"]["lesions"]
    marks = parts.part(june, parts.LESION_MARKS)
    for row in (0, 1):
        hand.clickRow("followupLesionsTable", row)
        middle = np.mean(lesions[row]["longest_ends_lps_mm"], axis=0) * (-1, -1, 1)
        assert slicesAt(middle)
        seen = [marks.GetNthControlPointVisibility(index) for index in range(2)]
        assert seen == ([True, False] if row == 0 else [False, False])  # the second one is gone in June
    text = hand.text("followupLesionLabel")
    assert text.startswith("Lesion 2:") and "June CT: gone" in text


def test_views_that_show_the_other_date_follow_in_their_own_scan(hand, window, march):
    import slicer

    from LiverSegSlicer.scene import parts

    volumeNode = madeUpScan("June CT", loaded=False)
    volumeNode.SetOrigin(-90, -120, -40)
    hand.chooseScan(volumeNode)
    june = hand.segment()
    compare(hand)
    yellow = slicer.app.layoutManager().sliceWidget("Yellow").sliceLogic()
    yellow.GetSliceNode().SetViewGroup(1)
    yellow.GetSliceCompositeNode().SetBackgroundVolumeID(parts.volumeOf(march).GetID())
    try:
        hand.clickRow("followupLesionsTable", 0)
        for node, name in ((march, "Yellow"), (june, "Red")):
            lesion = parts.summaryOf(node)["measurements"]["lesions"][0]
            place = np.mean(lesion["longest_ends_lps_mm"], axis=0) * (-1, -1, 1)
            assert offsetTo(place, slicer.mrmlScene.GetSingletonNode(name, "vtkMRMLSliceNode")) < 0.01
    finally:
        yellow.GetSliceNode().SetViewGroup(0)  # views outlive the scene


def test_an_edit_makes_it_out_of_date_and_so_does_another_date(hand, june):
    import slicer

    from LiverSegSlicer.scene.parts import volumeOf

    compare(hand)
    assert hand.text("followupChangedLabel") == ""
    typed(hand, 0, MARCH)
    assert "compare again" in hand.text("followupChangedLabel")
    compare(hand)
    assert hand.text("followupChangedLabel") == ""
    array = slicer.util.arrayFromSegmentBinaryLabelmap(june, "tumour", volumeOf(june))
    array[:8] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, june, "tumour", volumeOf(june))
    hand.host.waitFor(lambda: "compare again" in hand.text("followupChangedLabel"))


def test_livers_that_do_not_fit_can_be_compared_anyway(hand, june):
    hand.click("followupCompareButton")
    numbers = {"name": "March CT", "other": "June CT", "dice": 0.7}
    hand.logic.run.finish(InputError(Sentence("followup.not-registered", **numbers)))
    hand.settle()
    assert "do not fit onto each other (overlap 0.70" in hand.text("messageLabel")
    assert hand.text("followupCompareButton") == "Compare anyway"
    assert "different patients" in hand.text("followupOrderLabel")
    hand.click("followupCompareButton")
    assert hand.logic.options[-1]["anyway"] is True
    hand.logic.run.finish()
    hand.settle()
    assert hand.seen("followupDatesTable")


def test_another_patient_is_not_ticked_and_asked_about(hand, june, march):
    from test_logic_compare import fileUnderPatient

    from LiverSegSlicer.scene.parts import volumeOf

    for number, node in enumerate((march, june)):
        fileUnderPatient(volumeOf(node), f"patient {number}", f"2026030{number + 1}")
    hand.panel._draw()
    assert "Tick at least one other" in hand.tip("followupCompareButton")
    tick(hand, 0)
    assert hand.text("followupCompareButton") == "Compare anyway"
    assert "different patient IDs" in hand.text("followupOrderLabel")
    hand.click("followupCompareButton")
    assert hand.logic.options[-1]["anyway"] is False  # livers that do not fit are still refused
    hand.logic.run.finish()


def test_the_page_gets_a_folder_of_its_own(hand, june, tmp_path, monkeypatch):
    from LiverSegSlicer.panel import followup_section

    opened = []
    monkeypatch.setattr(followup_section, "openOnDesktop", lambda path: opened.append(path) or False)
    hand.panel.ui.reportFolderButton.directory = str(tmp_path)
    compare(hand, "followupPageButton")
    (page,) = tmp_path.glob("June CT follow-up */followup.html")
    assert opened == [page]
    assert f"in {page.parent}, but no program opened it" in hand.text("messageLabel")
    assert hand.seen("followupDatesTable")  # it was compared, too


def test_a_cancelled_comparison_says_so_and_changes_nothing(hand, june):
    import slicer

    tables = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode")
    hand.click("followupCompareButton")
    hand.logic.run.cancel()
    hand.logic.run.finishCancelled()
    hand.settle()
    assert hand.text("messageLabel") == "Cancelled."
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode") == tables
    assert hand.enabled("followupCompareButton")


def test_it_comes_back_with_a_saved_scene_and_goes_with_its_table(hand, june, tmp_path):
    import slicer

    from LiverSegSlicer.scene.followup import comparisonOf

    compare(hand)
    hand.saveAndOpen(tmp_path)
    assert hand.text("followupRuleLabel").startswith("Stable disease")
    found = comparisonOf(hand.panel.parameters.segmentation)
    assert not found.isOutOfDate
    slicer.mrmlScene.RemoveNode(found.tableNode)
    hand.settle()
    assert not hand.seen("followupResultWidget")


def test_it_stays_within_the_panel_s_width(hand, june):
    compare(hand)
    hand.click("followupWarningsButton")
    hand.clickRow("followupLesionsTable", 0)
    assert hand.widget("followupSection").minimumSizeHint().width() <= 320

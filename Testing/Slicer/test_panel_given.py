"""*Measure a segmentation…*: hers are offered, proposed as structures, changed in a table and measured."""

import given_samples as samples
import numpy as np
import pytest
from panel_doubles import madeUpLabels, madeUpScan
from PySide6 import QtCore, QtWidgets
from PySide6.QtTest import QTest

pytest_plugins = ["panel_fixtures"]

NAMES = {"Leber": 1, "Milz": 2, "Herd": 3}


def masks(names=NAMES):
    return {name: madeUpLabels() == value for name, value in names.items()}


@pytest.fixture
def hers(hand, scan):
    """A segmentation of hers on the chosen scan, with skin, which is nothing of ours, first."""
    node = samples.addSegmentation("Hers", scan)
    samples.addLabelmaps(node, scan, {"Haut": madeUpLabels() == 0, **masks()})
    hand.settle()
    return node


def opened(hand):
    hand.click("givenButton")
    assert hand.seen("givenWidget")
    return hand


def rows(hand):
    """Name of each segment in the table -> what its combo box says."""
    table = hand.widget("givenTable")
    return {
        table.item(row, 0).text(): table.cellWidget(row, 1).currentText() for row in range(table.rowCount())
    }


def choose(hand, name, text):
    """Choose what a segment is, with the keyboard."""
    table = hand.widget("givenTable")
    row = next(row for row in range(table.rowCount()) if table.item(row, 0).text() == name)
    box = table.cellWidget(row, 1)
    box.setFocus()
    wanted = box.findText(text)
    while box.currentIndex() != wanted:
        QTest.keyClick(box, QtCore.Qt.Key_Down if box.currentIndex() < wanted else QtCore.Qt.Key_Up)
    hand.settle(0.01)


def test_without_a_scan_or_a_segmentation_the_button_says_what_is_missing(hand):
    assert not hand.enabled("givenButton") and "Choose a scan" in hand.tip("givenButton")
    volumeNode = madeUpScan()
    hand.host.waitFor(lambda: hand.enabled("segmentButton"))
    assert not hand.enabled("givenButton") and "no segmentation but LiverSeg's own" in hand.tip("givenButton")
    samples.addLabelmaps(samples.addSegmentation("Hers", volumeNode), volumeNode, masks())
    hand.settle()
    assert hand.enabled("givenButton") and not hand.seen("givenWidget")


def test_our_own_results_are_not_offered(hand, scan):
    hand.segment()
    assert not hand.enabled("givenButton")


def test_segments_are_proposed_those_that_are_something_first(hand, hers):
    opened(hand)
    names = {"Leber": "Liver", "Milz": "Spleen", "Herd": "Leave out", "Haut": "Leave out"}
    assert rows(hand) == names
    table = hand.widget("givenTable")
    assert [table.item(row, 0).text() for row in range(2)] == ["Leber", "Milz"]
    assert table.columnWidth(1) >= table.cellWidget(0, 1).sizeHint().width()
    assert hand.enabled("givenMeasureButton") and not hand.text("givenLabel")
    assert "tumor counts before liver" in hand.tip("givenTable")


def test_what_she_chooses_is_measured_and_shown(hand, hers):
    opened(hand)
    choose(hand, "Herd", "Liver tumor")
    hand.widget("givenMadeSelector").setCurrentIndex(1)
    hand.click("givenMeasureButton")
    ids = hers.GetSegmentation().GetSegmentIdBySegmentName
    options = hand.logic.options[-1]
    assert options["roles"] == {
        ids("Leber"): "liver", ids("Milz"): "spleen", ids("Herd"): "tumor", ids("Haut"): "none"
    }  # fmt: skip
    assert (options["made"], options["modality"], options["replaceUntouched"]) == ("manual", "auto", True)
    assert hand.text("segmentButton") == "Cancel" and not hand.enabled("givenMeasureButton")
    assert "Something else is running" in hand.tip("givenMeasureButton")
    hand.logic.run.finish()
    hand.settle()
    result = hand.panel.parameters.segmentation
    assert result is not hers and hand.text("liverValueLabel").startswith("768.0 ml")
    assert hand.text("messageLabel") == "Hers was measured, as a result of its own; it stays as it is."
    assert hand.text("resultModelLabel") == "Measured from Hers, which LiverSeg did not draw."
    assert hand.text("reviewLabel") == "Given segmentation, not reviewed yet."
    assert not hand.seen("givenWidget") and hers.GetDisplayNode().GetVisibility()
    assert not hand.enabled("lesionWhyButton") and "No model drew" in hand.tip("lesionWhyButton")


def test_what_makes_it_doubtful_stands_with_the_numbers_and_correct_calls_it_given(hand, hers):
    from LiverSegLib.sentences import Sentence

    hand.logic.givenWarnings = [Sentence("segmentation.resampled", name="Hers")]
    opened(hand)
    hand.click("givenMeasureButton")
    hand.logic.run.finish()
    hand.open("correctSection")
    hand.host.waitFor(lambda: hand.seen("correctTable"))
    assert hand.text("resultModelLabel").split("\n") == [
        "Measured from Hers, which LiverSeg did not draw.",
        "Hers has another voxel grid than the scan and was resampled: volumes may differ a little.",
    ]
    assert hand.text("correctTableLabel") == "Against the given segmentation"
    assert hand.text("correctOutlineButton") == "Given outline"
    hand.segment()
    assert hand.text("correctTableLabel") == "Against the automatic result" and not hand.seen(
        "resultModelNote"
    )


def test_a_failure_leaves_her_choices_for_the_next_try(hand, hers):
    from LiverSegLib.errors import InputError

    opened(hand)
    choose(hand, "Herd", "Liver tumor")
    hand.click("givenMeasureButton")
    hand.logic.run.finish(InputError("Hers does not lie within the scan."))
    hand.settle()
    assert hand.text("messageLabel") == "Hers does not lie within the scan."
    assert rows(hand)["Herd"] == "Liver tumor" and hand.enabled("givenMeasureButton")


def test_without_a_liver_it_says_so_and_waits(hand, hers):
    opened(hand)
    choose(hand, "Leber", "Leave out")
    assert hand.text("givenLabel") == "No segment is the liver: say which one is."
    assert not hand.enabled("givenMeasureButton")
    assert hand.tip("givenMeasureButton") == "No segment is the liver: say which one is."
    choose(hand, "Haut", "Liver")
    assert hand.enabled("givenMeasureButton") and not hand.text("givenLabel")


def test_one_that_lies_elsewhere_or_was_drawn_on_another_scan(hand, scan):
    import slicer

    other = slicer.modules.volumes.logic().CloneVolume(slicer.mrmlScene, scan, "Other CT")
    samples.addLabelmaps(samples.addSegmentation("Hers", other), other, masks())
    hand.settle()
    hand.panel.parameters.inputVolume = scan
    hand.settle()
    opened(hand)
    assert hand.text("givenLabel") == "It was drawn on Other CT, not on the chosen scan."
    assert hand.enabled("givenMeasureButton")
    scan.SetOrigin(900, 900, 900)
    hand.panel._draw()
    assert hand.text("givenLabel") == "This segmentation lies outside the chosen scan."
    assert not hand.enabled("givenMeasureButton")


def test_the_one_that_fits_is_chosen_and_another_can_be(hand, scan, hers):
    second = samples.addSegmentation("Kidneys", scan)
    samples.addLabelmaps(second, scan, {"Niere": madeUpLabels() == 2})
    hand.settle()
    opened(hand)
    selector = hand.widget("givenSelector")
    assert [selector.itemText(index) for index in range(selector.count())] == ["Kidneys", "Hers"]
    assert selector.currentText() == "Hers"
    selector.setFocus()
    QTest.keyClick(selector, QtCore.Qt.Key_Up)
    hand.settle(0.01)
    assert rows(hand) == {"Niere": "Leave out"} and not hand.enabled("givenMeasureButton")


def test_a_segment_that_comes_or_goes_leaves_her_choices(hand, scan, hers):
    opened(hand)
    choose(hand, "Herd", "Liver tumor")
    samples.addLabelmaps(hers, scan, {"Zyste": np.zeros_like(madeUpLabels(), bool)})
    hand.panel._draw()
    assert rows(hand)["Herd"] == "Liver tumor" and rows(hand)["Zyste"] == "Leave out"


def test_one_that_is_deleted_is_offered_no_more(hand, scan, hers):
    import slicer

    opened(hand)
    slicer.mrmlScene.RemoveNode(hers)
    hand.settle()
    assert not hand.seen("givenWidget") and not hand.enabled("givenButton")


def test_choices_do_not_go_over_to_a_segmentation_of_another_scene(hand, hers):
    import slicer

    opened(hand)
    choose(hand, "Milz", "Liver tumor")
    slicer.mrmlScene.Clear()
    hand.settle()
    volumeNode = madeUpScan()
    hand.host.waitFor(lambda: hand.enabled("segmentButton"))
    node = samples.addSegmentation("Hers", volumeNode)
    samples.addLabelmaps(node, volumeNode, {"Haut": madeUpLabels() == 0, **masks()})
    hand.settle()
    assert hand.seen("givenWidget") and rows(hand)["Milz"] == "Spleen"


def test_many_segments_are_listed_in_turns_and_scroll(hand, scan):
    count = 117
    node = samples.addSegmentation("Total", scan)
    for number in range(count):
        node.GetSegmentation().AddEmptySegment("", f"structure {number}" if number != 60 else "liver")
    hand.settle()
    hand.panel.ui.givenButton.click()
    table = hand.widget("givenTable")
    assert sum(table.cellWidget(row, 1) is not None for row in range(count)) <= 12
    hand.host.waitFor(lambda: table.cellWidget(count - 1, 1) is not None)
    assert table.rowCount() == count and table.item(0, 0).text() == "liver"
    assert table.height() < 300 and isinstance(table.cellWidget(count - 1, 1), QtWidgets.QComboBox)

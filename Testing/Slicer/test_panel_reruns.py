"""Segment again: what nobody touched is replaced, everything else is kept, and the panel says which."""

import pytest
from steatosis_patients import move, roisOf
from test_panel_results import edit

pytest_plugins = ["panel_fixtures", "steatosis_fixtures"]


def test_an_untouched_result_is_replaced_and_that_is_said(hand, scan):
    result = hand.segment()
    hand.logic.tumours = 1
    assert hand.segment() is result
    assert hand.text("tumourValueLabel") == "22.40 ml"
    assert hand.text("messageLabel").endswith("It replaces the earlier result, which nobody had changed.")
    assert not hand.seen("resultSelector")


def test_an_edited_result_is_kept_and_that_is_said(hand, scan):
    result = hand.segment()
    edit(result, scan)
    assert hand.segment() is not result and result.GetScene() is not None
    assert hand.text("messageLabel").endswith("The earlier result, edited or accepted, is kept beside it.")


def test_every_result_is_kept_if_the_user_wants_that(hand, scan):
    hand.panel.parameters.replaceUntouched = False
    result = hand.segment()
    assert hand.segment() is not result
    assert hand.text("messageLabel").endswith("The earlier result is kept beside it.")


@pytest.mark.parametrize("what", ["accepted", "reopened", "moved", "rejected", "added"])
def test_a_result_with_her_reading_of_fatty_liver_is_kept(hand, placed, what):
    from LiverSegSlicer.fatty_liver.assess import addRoiAt
    from LiverSegSlicer.fatty_liver.rois import setAccepted
    from LiverSegSlicer.reruns import isReplaceable, replaceableResult

    volumeNode = hand.panel.parameters.inputVolume
    assert replaceableResult(volumeNode) is placed, "ROIs placed automatically are no work of hers"
    if what in ("accepted", "reopened"):
        hand.click("fattyAcceptButton")
    if what in ("moved", "reopened"):
        move(roisOf(placed)["L1"], right=3.0)
    elif what == "rejected":
        setAccepted(roisOf(placed)["L1"], False)
    elif what == "added":
        addRoiAt(volumeNode, placed, "liver", (0.0, 0.0, 0.0), 10.0)
    hand.settle(0.2)
    assert not isReplaceable(placed) and replaceableResult(volumeNode) is None

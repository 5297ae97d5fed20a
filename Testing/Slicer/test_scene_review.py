"""A result is automatic, edited or accepted by somebody; accepting signs it, and any change ends that."""

from datetime import datetime

import numpy as np
import pytest
import slicer
from scene_samples import addScan, addTransform, fingerprint, itemPath, paint, parts, results, runOn

from LiverSegLib.errors import UsageError
from LiverSegSlicer import acceptance
from LiverSegSlicer.fatty_liver.assess import addRoiAt
from LiverSegSlicer.fatty_liver.reading import SteatosisReading, keepReading, readingOf
from LiverSegSlicer.reruns import isReplaceable, replaceableResult
from LiverSegSlicer.scene import automatic, review
from LiverSegSlicer.scene.rejected_lesions import rejectLesion
from LiverSegSlicer.work.run import doAtOnce

LOGIC = slicer.vtkSlicerSegmentationsModuleLogic
BLOCK = (0, 1, 0, 1, 0, 1)


@pytest.fixture
def volumeNode(scene):
    return addScan()


@pytest.fixture
def segmentationNode(volumeNode):
    return results.applyResult(volumeNode, runOn(volumeNode))


def measured(segmentationNode):
    """Bring the numbers up to date, as the worker would."""
    results.updateMeasurements(segmentationNode, parts.summaryOf(segmentationNode))


def statuses(segmentationNode):
    segmentation = segmentationNode.GetSegmentation()
    return {LOGIC.GetSegmentStatus(segmentation.GetSegment(key)) for key in segmentation.GetSegmentIDs()}


def addReading(volumeNode, segmentationNode):
    """An ROI and an assessment that nobody accepted."""
    addRoiAt(volumeNode, segmentationNode, "liver", (0.0, 0.0, 0.0), 10.0)
    keepReading(segmentationNode, SteatosisReading(assessment={"grade": "none"}))


def test_a_result_is_automatic_until_it_is_edited(segmentationNode):
    assert review.reviewOf(segmentationNode) == review.Review("automatic")
    paint(segmentationNode, "tumour", BLOCK)
    assert review.reviewOf(segmentationNode) == review.Review("edited")
    assert parts.part(segmentationNode, parts.REVIEW) is None


def test_what_is_no_result_has_no_review(scene):
    foreign = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert review.reviewOf(foreign) is None and review.reviewOf(None) is None
    for node in (foreign, None):
        with pytest.raises(UsageError, match="Choose a segmentation"):
            acceptance.accept(node, "Dr. A")
    assert not acceptance.checkReview(None) and not acceptance.checkReview(foreign)


@pytest.mark.parametrize("edited", [False, True])
def test_accepting_signs_the_segments(segmentationNode, edited):
    if edited:
        paint(segmentationNode, "tumour", BLOCK)
        measured(segmentationNode)
    found = acceptance.accept(segmentationNode, "  Dr. A ")
    assert found == review.reviewOf(segmentationNode)
    assert (found.state, found.by, found.reopened) == ("accepted", "Dr. A", None)
    at = datetime.fromisoformat(found.at)
    assert at.tzinfo is not None and abs((datetime.now(at.tzinfo) - at).total_seconds()) < 60
    assert statuses(segmentationNode) == {LOGIC.Completed}
    assert itemPath(parts.part(segmentationNode, parts.REVIEW))[0] == "CT of the liver LiverSeg"
    assert not acceptance.checkReview(segmentationNode)
    with pytest.raises(UsageError, match="accepted already"):
        acceptance.accept(segmentationNode, "Dr. B")
    assert review.reviewOf(segmentationNode).by == "Dr. A"


def test_old_numbers_and_nobody_cannot_accept(segmentationNode):
    with pytest.raises(UsageError, match="Say who accepts"):
        acceptance.accept(segmentationNode, " ")
    paint(segmentationNode, "tumour", BLOCK)
    with pytest.raises(UsageError, match="update the numbers first"):
        acceptance.accept(segmentationNode, "Dr. A")
    assert review.reviewOf(segmentationNode).state == "edited"
    assert statuses(segmentationNode) == {LOGIC.NotStarted}
    parts.part(segmentationNode, parts.SUMMARY).SetText("")
    with pytest.raises(UsageError, match="Choose a segmentation"):
        acceptance.accept(segmentationNode, "Dr. A")


def test_accepting_locks_and_asking_unlocks_rois_and_reading(volumeNode, segmentationNode):
    addReading(volumeNode, segmentationNode)
    marksNode = parts.part(segmentationNode, parts.LESION_MARKS)
    marksNode.SetLocked(False)
    acceptance.accept(segmentationNode, "Dr. A")
    (roiNode,) = parts.roisOf(segmentationNode)
    assert roiNode.GetLocked() and marksNode.GetLocked()
    assert readingOf(segmentationNode).accepted["by"] == "Dr. A"
    before = review.reviewOf(segmentationNode)
    found = acceptance.reopen(segmentationNode)
    assert found == review.Review("automatic", reopened={"by": "Dr. A", "at": before.at, "how": "asked"})
    assert not roiNode.GetLocked()
    reading = readingOf(segmentationNode)
    assert reading.accepted is None and reading.reopened["unchanged"]
    assert statuses(segmentationNode) == {LOGIC.InProgress}
    assert acceptance.reopen(segmentationNode) == found, "what is open is left as it is"


def test_a_reading_that_another_accepted_stays_hers(volumeNode, segmentationNode):
    addReading(volumeNode, segmentationNode)
    keepReading(segmentationNode, readingOf(segmentationNode).withAcceptance("Dr. B"))
    acceptance.accept(segmentationNode, "Dr. A")
    assert readingOf(segmentationNode).accepted["by"] == "Dr. B"


def test_rois_that_were_not_assessed_are_locked_and_unlocked_too(volumeNode, segmentationNode):
    addRoiAt(volumeNode, segmentationNode, "liver", (0.0, 0.0, 0.0), 10.0)
    acceptance.accept(segmentationNode, "Dr. A")
    (roiNode,) = parts.roisOf(segmentationNode)
    assert roiNode.GetLocked() and readingOf(segmentationNode) is None
    paint(segmentationNode, "liver", BLOCK)
    assert acceptance.checkReview(segmentationNode)
    assert not roiNode.GetLocked()


def paintTumor(node):
    paint(node, "tumour", BLOCK)


def reject(node):
    rejectLesion(node, 1)


def script(node):
    array = slicer.util.arrayFromSegmentBinaryLabelmap(node, "spleen", parts.volumeOf(node))
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        np.roll(array, 1, axis=0), node, "spleen", parts.volumeOf(node)
    )


def removeSegment(node):
    node.GetSegmentation().RemoveSegment("tumour")


def revertLiver(node):
    paint(node, "liver", BLOCK)
    measured(node)
    if not acceptance.checkReview(node):
        raise AssertionError("the edit before was not noticed")
    acceptance.accept(node, "Dr. A")
    automatic.revert(node, "liver")


@pytest.mark.parametrize("change", [paintTumor, reject, script, removeSegment, revertLiver])
def test_any_change_reopens(volumeNode, segmentationNode, change):
    addReading(volumeNode, segmentationNode)
    acceptance.accept(segmentationNode, "Dr. A")
    change(segmentationNode)
    shown = review.reviewOf(segmentationNode)
    assert shown.state != "accepted" and shown.reopened["how"] == "changed"
    assert acceptance.checkReview(segmentationNode)
    assert not acceptance.checkReview(segmentationNode)
    assert review.reviewOf(segmentationNode) == shown
    assert shown.reopened["by"] == "Dr. A" and shown.by is None
    assert statuses(segmentationNode) == {LOGIC.InProgress}
    # the reading is the assessment's to reopen, if its numbers differ
    assert readingOf(segmentationNode).accepted is not None
    assert parts.roisOf(segmentationNode)[0].GetLocked()


def test_looking_at_it_or_moving_the_scan_reopens_nothing(volumeNode, segmentationNode):
    acceptance.accept(segmentationNode, "Dr. A")
    segmentationNode.GetDisplayNode().SetSegmentVisibility("liver", False)
    for node in (volumeNode, segmentationNode):
        node.SetAndObserveTransformNodeID(addTransform(np.eye(4)).GetID())
    automatic.showOutline(segmentationNode, True)
    assert not acceptance.checkReview(segmentationNode)
    assert review.isAccepted(segmentationNode)


def test_asking_is_cheap(segmentationNode, monkeypatch):
    acceptance.accept(segmentationNode, "Dr. A")
    review.reviewOf(segmentationNode)
    asked = []
    monkeypatch.setattr(fingerprint, "segmentMask", lambda *arguments: asked.append(arguments))
    assert not acceptance.checkReview(segmentationNode)
    assert review.reviewOf(segmentationNode).state == "accepted"
    assert asked == []


def test_a_rerun_replaces_neither_accepted_nor_reopened_results(volumeNode, segmentationNode):
    assert isReplaceable(segmentationNode)
    acceptance.accept(segmentationNode, "Dr. A")
    assert not isReplaceable(segmentationNode) and replaceableResult(volumeNode) is None
    assert (
        results.applyResult(volumeNode, runOn(volumeNode), replace=segmentationNode) is not segmentationNode
    )
    assert review.isAccepted(segmentationNode)
    acceptance.reopen(segmentationNode)
    assert not isReplaceable(segmentationNode)


@pytest.mark.parametrize("how", [None, "asked", "changed"])
def test_the_scene_file_keeps_the_review(host, volumeNode, segmentationNode, tmp_path, how):
    paint(segmentationNode, "tumour", BLOCK)
    measured(segmentationNode)
    acceptance.accept(segmentationNode, "Dr. Ä")
    if how == "changed":
        paint(segmentationNode, "spleen", BLOCK)
        acceptance.checkReview(segmentationNode)
    elif how == "asked":
        acceptance.reopen(segmentationNode)
    before = review.reviewOf(segmentationNode)
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    host.clear()
    slicer.util.loadScene(path)
    (segmentationNode,) = parts.allResults()
    assert review.reviewOf(segmentationNode) == before
    assert before.state == ("accepted" if how is None else "edited")
    if how is None:
        paint(segmentationNode, "liver", BLOCK)
        assert acceptance.checkReview(segmentationNode)
        assert review.reviewOf(segmentationNode).reopened["by"] == "Dr. Ä"


def test_two_scans_are_reviewed_apart(volumeNode, segmentationNode):
    other = addScan(name="Another")
    second = results.applyResult(other, runOn(other))
    acceptance.accept(segmentationNode, "Dr. A")
    assert review.reviewOf(second) == review.Review("automatic")
    paint(second, "liver", BLOCK)
    assert not acceptance.checkReview(segmentationNode) and review.isAccepted(segmentationNode)


@pytest.mark.parametrize(
    "text", ["", "a list", "[1]", '{"format": "liverseg-slicer-review-1", "state": "accepted"}']
)
def test_a_text_that_cannot_be_read_is_no_acceptance(segmentationNode, text):
    acceptance.accept(segmentationNode, "Dr. A")
    parts.part(segmentationNode, parts.REVIEW).SetText(text)
    assert review.reviewOf(segmentationNode) == review.Review("automatic")
    acceptance.accept(segmentationNode, "Dr. B")
    assert review.reviewOf(segmentationNode).by == "Dr. B"


def test_the_report_gets_state_and_changes(segmentationNode):
    told = doAtOnce(review.reviewForReport(segmentationNode))
    assert told == {"state": "automatic", "by": None, "at": None, "changes": []}
    paint(segmentationNode, "tumour", BLOCK)
    measured(segmentationNode)
    acceptance.accept(segmentationNode, "Dr. A")
    told = doAtOnce(review.reviewForReport(segmentationNode))
    assert (told["state"], told["by"]) == ("accepted", "Dr. A")
    assert told["at"] == review.reviewOf(segmentationNode).at
    (change,) = told["changes"]
    assert change["key"] == "tumour" and 0 < change["dice"] < 1
    automatic.removeAutomatic(segmentationNode)
    assert doAtOnce(review.reviewForReport(segmentationNode))["changes"] == []

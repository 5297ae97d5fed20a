"""Segment, Cancel, progress and the message line."""

import errno

from panel_doubles import madeUpScan

from LiverSegLib.errors import NoLiverError, UsageError, WorkerError

pytest_plugins = ["panel_fixtures"]


def startRun(hand):
    """Press Segment and let the guard against double clicks pass."""
    hand.click("segmentButton")
    hand.panel._runBar._started -= 1.0


def test_segment_becomes_cancel_with_progress(hand, scan):
    startRun(hand)
    assert hand.text("segmentButton") == "Cancel"
    hand.logic.run.progress(0.42, "Segmenting")
    assert hand.text("runStageLabel") == "Segmenting"
    assert hand.widget("runProgressBar").value() == 42
    assert hand.text("runTimeLabel") == "0:01"
    hand.panel._runBar._started -= 71
    hand.logic.run.finish()
    hand.settle()
    assert hand.text("segmentButton") == "Segment"
    assert not hand.seen("runWidget")
    assert hand.text("messageLabel") == "Segmented in 1 min 12 s."


def test_clock_goes_on_without_progress(hand, scan):
    startRun(hand)
    hand.panel._runBar._started -= 61
    hand.settle(0.4)
    assert hand.text("runTimeLabel") == "1:02"


def test_options_of_the_panel_reach_the_run(hand, scan):
    parameters = hand.panel.parameters
    hand.open("advancedSection")
    hand.click("mirrorCheckBox")
    hand.click("replaceCheckBox")
    hand.widget("minimumLesionSpinBox").setValue(0.3)
    hand.widget("deviceSelector").setCurrentIndex(1)
    hand.settle()
    assert parameters.device == "cpu"
    hand.click("segmentButton")
    assert hand.logic.options[-1] == {
        "model": "default",
        "tumors": None,
        "structures": None,
        "device": "cpu",
        "mirror": True,
        "minimumLesionMl": 0.3,
        "replaceUntouched": False,
    }
    hand.logic.run.finish()


def test_smallest_lesion_is_left_to_the_model_unless_set(hand, scan):
    hand.click("segmentButton")
    assert hand.logic.options[-1]["minimumLesionMl"] is None
    hand.logic.run.finish()


def test_cancel_stops_the_run_and_leaves_the_scene(hand, scan):
    startRun(hand)
    hand.click("segmentButton")
    assert hand.logic.run.cancelled
    assert not hand.enabled("segmentButton")
    hand.logic.run.finishCancelled()
    hand.settle()
    assert hand.text("messageLabel") == "Cancelled."
    assert hand.text("segmentButton") == "Segment"
    assert hand.enabled("segmentButton")
    assert hand.panel.parameters.segmentation is None


def test_second_half_of_a_double_click_does_not_cancel(hand, scan):
    hand.click("segmentButton")
    hand.click("segmentButton")
    assert not hand.logic.run.cancelled
    hand.logic.run.finish()


def test_failure_stands_in_the_panel_with_details_and_log_one_click_away(hand, scan):
    startRun(hand)
    hand.logic.run.finish(
        WorkerError("The computing process ended unexpectedly; please try again.", "signal 9")
    )
    hand.settle()
    assert hand.text("messageLabel") == "The computing process ended unexpectedly; please try again."
    assert hand.enabled("segmentButton")
    assert not hand.seen("messageText")
    hand.click("messageDetailsButton")
    assert hand.widget("messageText").toPlainText() == "signal 9"
    hand.click("messageLogButton")
    assert hand.widget("messageText").toPlainText() == "the worker's log"
    hand.click("messageCopyButton")
    hand.click("messageLogButton")
    assert not hand.seen("messageText")


def test_next_run_takes_the_old_message_away(hand, scan):
    startRun(hand)
    hand.logic.run.finish(NoLiverError("No liver was found in this scan."))
    hand.settle()
    hand.click("segmentButton")
    assert not hand.seen("messageWidget")
    hand.logic.run.finish()


def test_error_is_shown_whole_in_the_language_of_the_user(hand, scan):
    from LiverSegLib.errors import write_failure

    hand.host.translations["LiverSeg could not write the results: {reason}"] = "Nichts geschrieben: {reason}"
    hand.host.translations["{folder} is on a read-only disk."] = "{folder} ist nur lesbar."
    hand.panel.enter()
    hand.click("segmentButton")
    hand.logic.run.finish(write_failure(OSError(errno.EROFS, "read-only"), "/out"))
    assert hand.text("messageLabel") == "Nichts geschrieben: /out ist nur lesbar."


def test_refusal_at_once_is_shown(hand, scan, monkeypatch):
    def refuse(*arguments, **options):
        raise UsageError("LiverSeg is at work already.")

    monkeypatch.setattr(hand.logic, "segmentAsync", refuse)
    hand.click("segmentButton")
    assert hand.text("messageLabel") == "LiverSeg is at work already."
    assert hand.enabled("segmentButton")


def test_other_buttons_say_that_something_runs(hand, scan):
    hand.segment()
    hand.click("segmentButton")
    assert not hand.enabled("reportButton")
    assert "running" in hand.tip("reportButton")
    hand.logic.run.finish()


def test_another_scan_may_be_chosen_during_a_run(hand, scan):
    other = madeUpScan("Other", loaded=False)
    hand.settle()
    hand.click("segmentButton")
    hand.chooseScan(other)
    hand.logic.run.finish()
    hand.settle()
    assert hand.panel.parameters.inputVolume is other
    assert hand.panel.parameters.segmentation is None
    assert hand.text("messageLabel") == "Patient is segmented: choose it under Scan to see the result."
    hand.chooseScan(scan)
    assert hand.seen("resultsWidget")


def test_scan_loaded_during_a_run_does_not_change_the_choice(hand, scan):
    hand.click("segmentButton")
    madeUpScan("Later")
    hand.settle()
    assert hand.panel.parameters.inputVolume is scan
    hand.logic.run.finish()


def test_log_can_be_read_without_a_message(hand, scan):
    hand.open("advancedSection")
    hand.click("logButton")
    assert hand.widget("messageText").toPlainText() == "the worker's log"
    assert hand.seen("messageText")


def test_closing_the_panel_cancels_its_run(hand, scan):
    hand.click("segmentButton")
    hand.panel.close()
    assert hand.logic.run.cancelled
    hand.logic.run.finishCancelled()
    hand.settle()

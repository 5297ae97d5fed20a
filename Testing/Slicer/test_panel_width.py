"""No state of the panel asks for more width than Slicer's dock has, whatever its sentences say."""

import pytest
from panel_doubles import ENGINE_MISSING, FakeLogic, madeUpScan
from panel_hand import makeHand
from test_panel_layout import SENTENCE
from test_panel_models import hundred, modelFacts

from LiverSegLib.errors import WorkerError

LONG = "The scan has very thick slices, so that small lesions may be missed and volumes are uncertain. " * 4
"""Longer than any warning of ours."""


def withResult(hand):
    madeUpScan("A scan with a long name, as a hospital's archive gives them, series 4").SetSpacing(4, 4, 10)
    hand.host.waitFor(lambda: hand.enabled("segmentButton"))
    hand.segment()


def withRois(hand):
    withResult(hand)
    hand.click("fattyPlaceButton")
    hand.host.waitFor(lambda: hand.seen("fattyWidget") and hand.enabled("roiResetButton"))
    hand.settle()


def withChosenRoi(hand):
    withRois(hand)
    hand.clickRow("roisTable", 0)


def withLongWarnings(hand):
    withRois(hand)
    hand.panel._results._warnings.show([LONG, f"Also: {LONG}"])
    hand.clickRow("lesionsTable", 0)


def withGradeAnyway(hand):
    withRois(hand)
    hand.click("fattyAnywayCheckBox")


def withSettings(hand):
    withRois(hand)
    hand.click("fattySettingsButton")


def withoutEngine(hand):
    madeUpScan()
    hand.logic.engine = ENGINE_MISSING
    hand.panel.enter()
    assert hand.seen("installWidget")


def running(hand):
    madeUpScan()
    hand.host.waitFor(lambda: hand.enabled("segmentButton"))
    hand.click("segmentButton")
    hand.logic.run.progress(0.4, LONG)


def withDetails(hand):
    hand.panel._message.fail(WorkerError(LONG + SENTENCE, "signal 9 " * 100))
    hand.click("messageDetailsButton")


def withLog(hand):
    hand.panel._message.fail(WorkerError(SENTENCE, "signal 9"))
    hand.click("messageLogButton")


def withReport(hand):
    withResult(hand)
    hand.panel._message.tell("The report is in /a/folder/with/a/name/without/a/blank/" + "x" * 80)


def withAdvanced(hand):
    withResult(hand)
    hand.open("advancedSection")


def withModels(hand):
    withAdvanced(hand)
    hand.panel.parameters.model = "total"
    hand.panel._models.look()
    hand.panel._draw()
    hand.settle()
    hand.clickRow("modelsTable", 1)
    assert hand.seen("structuresWidget") and LONG.strip()[:40] in hand.text("modelDetailLabel")


def modelList():
    """A model with a hundred classes and a long license."""
    bundled = modelFacts("default", isBundled=True, hasTumors=True)
    return bundled, modelFacts("total", structures=hundred(), licence=LONG)


STATES = {
    "empty": lambda hand: None,
    "no engine": withoutEngine,
    "running": running,
    "result": withResult,
    "ROIs": withRois,
    "chosen ROI": withChosenRoi,
    "long warnings": withLongWarnings,
    "graded anyway": withGradeAnyway,
    "settings": withSettings,
    "details": withDetails,
    "log": withLog,
    "report": withReport,
    "advanced": withAdvanced,
    "models": withModels,
}


@pytest.fixture
def hand(host, scene, window):
    """A panel of the main window's, whose runs the test ends."""
    made, end = makeHand(host, FakeLogic())
    yield made
    end()


@pytest.mark.parametrize("state", STATES)
def test_the_panel_fits_the_dock(hand, state, monkeypatch):
    from LiverSegSlicer.selftest_hand import MOST_WIDTH, leastWidth, tooWide

    if state == "models":
        monkeypatch.setattr("LiverSegSlicer.panel.models_section.allModels", modelList)
    STATES[state](hand)
    hand.settle()
    assert leastWidth(hand.panel._uiWidget) <= MOST_WIDTH, tooWide(hand.panel._uiWidget)


def test_a_path_of_windows_breaks_into_lines(hand):
    hand.panel._message.tell("The report is in " + "C:\\folder" * 20)
    hand.settle()
    label = hand.widget("messageLabel")
    label.setSizePolicy(label.sizePolicy().Policy.Preferred, label.sizePolicy().verticalPolicy())
    assert label.minimumSizeHint().width() < 300

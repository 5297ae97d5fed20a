"""The panel before anything runs: what is chosen, what is said, what can be pressed."""

import pytest
from panel_doubles import ENGINE_MISSING, OPENVINO_ALONE, madeUpScan
from PySide6 import QtCore

from LiverSegLib.errors import DeviceError

pytest_plugins = ["panel_fixtures"]


def test_empty_scene_says_what_to_do(hand):
    assert "drag an abdominal CT" in hand.text("scanFactsLabel")
    assert not hand.enabled("segmentButton")
    assert hand.tip("segmentButton") == "Choose a scan first."
    assert hand.text("resultsEmptyLabel")
    assert not hand.seen("resultsWidget")
    assert not hand.enabled("reportButton")
    assert "Segment the scan first" in hand.tip("reportButton")


def test_last_loaded_scan_is_chosen(hand):
    madeUpScan("First")
    second = madeUpScan("Second")
    hand.settle()
    assert hand.panel.parameters.inputVolume is second
    assert hand.text("scanFactsLabel") == "Second · 5 mm slices"
    assert hand.tip("scanFactsLabel") == "60 × 60 × 24 voxels, 4 × 4 × 5 mm"
    assert hand.enabled("segmentButton")


def test_scan_loaded_later_is_chosen_then(hand, scan):
    later = madeUpScan("Later")
    hand.settle()
    assert hand.panel.parameters.inputVolume is later


def test_volume_that_another_module_computed_does_not_take_over(hand, scan):
    madeUpScan("Computed", loaded=False)
    hand.settle()
    assert hand.panel.parameters.inputVolume is scan


def test_choice_of_the_user_stays(hand):
    first = madeUpScan("First")
    madeUpScan("Second")
    hand.settle()
    hand.chooseScan(first)
    hand.panel.enter()
    hand.settle()
    assert hand.panel.parameters.inputVolume is first


def test_label_map_is_not_offered(hand):
    import slicer

    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Labels")
    hand.settle()
    assert hand.panel.parameters.inputVolume is None
    assert "No scan is loaded" in hand.text("scanFactsLabel")


def test_doubts_stand_under_the_facts_in_words_and_colour(hand, scan):
    scan.SetSpacing(4, 4, 10)
    hand.panel.enter()
    hand.settle()
    assert "10 mm apart" in hand.text("scanDoubtsLabel")
    assert "#e0a000" in hand.widget("scanDoubtsBar").styleSheet()


def test_volume_without_image_is_described_and_not_segmented(hand):
    import slicer

    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
    hand.settle()
    assert hand.text("scanFactsLabel") == "The volume holds no image."


class TestFirstUse:
    @pytest.fixture(autouse=True)
    def missing(self, hand, scan, monkeypatch):
        monkeypatch.setattr("LiverSegSlicer.work.engines._isForTorch", lambda model: False)
        hand.logic.engine = ENGINE_MISSING
        hand.panel.enter()
        hand.settle()

    def test_the_panel_says_what_is_needed_how_big_it_is_and_offers_one_click(self, hand):
        assert "49 MB" in hand.text("installLabel") and "151 MB on the disk" in hand.text("installLabel")
        assert hand.text("installButton") == "Install OpenVINO (49 MB)"
        assert hand.text("installOtherButton") == "PyTorch instead (250 MB)…"
        assert "runs models of other programs too" in hand.tip("installOtherButton")
        assert not hand.enabled("segmentButton")
        assert hand.tip("segmentButton") == "OpenVINO is needed first: see above."
        top = hand.widget("installWidget").mapToGlobal(QtCore.QPoint(0, 0)).y()
        assert top < hand.widget("scanSection").mapToGlobal(QtCore.QPoint(0, 0)).y()

    def test_one_click_installs_with_progress_and_makes_ready(self, hand):
        hand.click("installButton")
        hand.logic.run.progress(0.4, "Downloading OpenVINO")
        assert hand.text("runStageLabel") == "Downloading OpenVINO"
        assert not hand.enabled("installButton") and "running" in hand.tip("installButton")
        hand.logic.run.finish()
        hand.settle()
        assert not hand.seen("installWidget")
        assert hand.enabled("segmentButton")
        assert hand.text("messageLabel") == "OpenVINO is installed: press Segment."

    def test_a_failure_stands_in_the_panel_and_can_be_tried_again(self, hand):
        hand.click("installButton")
        hand.logic.run.finish(DeviceError("The package index does not answer.", "pip said no"))
        hand.settle()
        assert hand.text("messageLabel") == "The package index does not answer."
        assert hand.enabled("installButton")
        hand.click("messageDetailsButton")
        assert hand.widget("messageText").toPlainText() == "pip said no"

    def test_torch_asks_and_does_nothing_if_the_user_declines(self, hand):
        hand.host.answers.expect("250 MB", 0x00400000)
        hand.click("installOtherButton")
        assert not hand.enabled("segmentButton")
        assert not hand.text("messageLabel")

    def test_torch_makes_ready_too(self, hand):
        hand.host.answers.expect("250 MB", 0x00000400)
        hand.click("installOtherButton")
        assert hand.enabled("segmentButton")
        assert hand.text("messageLabel") == "PyTorch is installed: press Segment."

    def test_a_failed_torch_can_be_tried_again(self, hand):
        hand.logic.installError = DeviceError("The download failed; try again later.", "pip said no")
        hand.host.answers.expect("250 MB", 0x00000400)
        hand.click("installOtherButton")
        assert hand.text("messageLabel") == "The download failed; try again later."
        assert hand.enabled("installOtherButton")


def test_who_has_an_engine_is_asked_nothing(hand, scan):
    assert not hand.seen("installWidget")
    hand.open("advancedSection")
    assert hand.text("engineStateLabel") == "PyTorch 2.8.0, CPU"


def test_a_model_that_runs_in_torch_only_is_told_before_work(hand, scan, monkeypatch):
    monkeypatch.setattr("LiverSegSlicer.work.engines._isForTorch", lambda model: model == "other")
    hand.logic.engine = OPENVINO_ALONE
    hand.panel.enter()
    hand.settle()
    assert hand.enabled("segmentButton") and not hand.seen("installWidget")
    hand.panel.parameters.model = "other"
    hand.settle()
    assert "The model other runs in PyTorch only" in hand.text("installLabel")
    assert hand.text("installButton") == "Install PyTorch (250 MB)…"
    assert not hand.seen("installOtherButton")
    assert "runs in PyTorch only" in hand.tip("segmentButton")
    hand.host.answers.expect("250 MB", 0x00000400)
    hand.click("installButton")
    assert hand.enabled("segmentButton") and not hand.seen("installWidget")


def test_self_test_says_what_it_skipped_without_an_engine(host, scene, window, ownModules, monkeypatch):
    import slicer

    def runWithoutEngine():
        # each time: the self-test leaves a panel, and files, that it loaded anew
        host.closePanels()
        for name in ("requirements", "engines"):
            monkeypatch.setattr(f"LiverSegSlicer.work.{name}.installedVersion", lambda name: None)
        slicer.selfTests["LiverSeg"](msec=1)

    told = []
    monkeypatch.setattr(slicer.util, "delayDisplay", lambda text, *rest, **options: told.append(text))
    monkeypatch.delenv("LIVERSEG_TEST_NEEDS_ENGINE", raising=False)
    runWithoutEngine()
    assert any(text.startswith("SKIPPED, since this Slicer has no engine (not installed)") for text in told)
    monkeypatch.setenv("LIVERSEG_TEST_NEEDS_ENGINE", "1")
    with pytest.raises(AssertionError, match="LIVERSEG_TEST_NEEDS_ENGINE"):
        runWithoutEngine()


def test_module_says_what_it_is(host, scene):
    import slicer

    module = slicer.modules.liverseg
    assert module.title == "LiverSeg"
    assert module.categories == ("Segmentation",)
    assert "research use only" in module.helpText
    assert "HCC-TACE-Seg" in module.acknowledgementText
    assert not module.icon.isNull()


def test_the_scan_line_tells_series_and_date_from_the_header(hand, scan, monkeypatch):
    import slicer

    class Database:
        isOpen = True
        values = {"0008,103E": "Abdomen portal", "0008,0020": "20240131", "0018,0050": "2.5"}

        def instanceValue(self, _instance, tag):
            return self.values.get(tag, "")

    monkeypatch.setattr(slicer, "dicomDatabase", Database(), raising=False)
    scan.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    hand.panel._draw()
    assert hand.text("scanFactsLabel") == "Abdomen portal · 2024-01-31 · 2.5 mm slices"

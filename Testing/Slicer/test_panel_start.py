"""The panel before anything runs: what is chosen, what is said, what can be pressed."""

import pytest
from panel_doubles import TORCH_MISSING, madeUpScan

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


def test_without_torch_the_panel_says_what_is_needed_and_how_big(hand, scan):
    hand.logic.torch = TORCH_MISSING
    hand.panel.enter()
    assert "190 MB" in hand.text("installLabel")
    assert not hand.enabled("segmentButton")
    assert hand.tip("segmentButton") == "PyTorch is needed first: see below."


def test_install_asks_and_does_nothing_if_the_user_declines(hand, scan):
    hand.logic.torch = TORCH_MISSING
    hand.panel.enter()
    hand.host.answers.expect("190 MB", 0x00400000)
    hand.click("installButton")
    assert not hand.enabled("segmentButton")
    assert not hand.text("messageLabel")


def test_install_makes_ready(hand, scan):
    hand.logic.torch = TORCH_MISSING
    hand.panel.enter()
    hand.host.answers.expect("190 MB", 0x00000400)
    hand.click("installButton")
    assert hand.enabled("segmentButton")
    assert not hand.seen("installWidget")
    assert hand.text("messageLabel") == "PyTorch is installed: press Segment."


def test_failed_install_stands_in_the_panel_and_can_be_tried_again(hand, scan):
    from LiverSegLib.errors import DeviceError

    hand.logic.torch = TORCH_MISSING
    hand.logic.installError = DeviceError("The download failed; try again later.", "pip said no")
    hand.panel.enter()
    hand.host.answers.expect("190 MB", 0x00000400)
    hand.click("installButton")
    assert hand.text("messageLabel") == "The download failed; try again later."
    assert hand.enabled("installButton")
    hand.click("messageDetailsButton")
    assert hand.widget("messageText").toPlainText() == "pip said no"


def test_self_test_says_what_it_skipped_without_torch(host, scene, window, ownModules, monkeypatch):
    import slicer

    def runWithoutTorch():
        # each time: the self-test leaves a panel, and files, that it loaded anew
        host.closePanels()
        monkeypatch.setattr("LiverSegSlicer.work.requirements.installedVersion", lambda name: None)
        slicer.selfTests["LiverSeg"](msec=1)

    told = []
    monkeypatch.setattr(slicer.util, "delayDisplay", lambda text, *rest, **options: told.append(text))
    monkeypatch.delenv("LIVERSEG_TEST_NEEDS_TORCH", raising=False)
    runWithoutTorch()
    assert any(text.startswith("SKIPPED, since this Slicer has no PyTorch (not installed)") for text in told)
    monkeypatch.setenv("LIVERSEG_TEST_NEEDS_TORCH", "1")
    with pytest.raises(AssertionError, match="LIVERSEG_TEST_NEEDS_TORCH"):
        runWithoutTorch()


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

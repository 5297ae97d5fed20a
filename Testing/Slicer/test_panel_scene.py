"""The panel and the scene: closing, loading, deleting, switching, reloading."""

import pytest
from panel_doubles import FakeLogic, madeUpScan
from panel_hand import makeHand

from LiverSegLib.errors import InputChangedError

pytest_plugins = ["panel_fixtures"]


@pytest.fixture
def result(hand, scan):
    """The made-up scan, segmented."""
    return hand.segment()


def test_closing_the_scene_empties_the_panel(hand, scan, result):
    import slicer

    slicer.mrmlScene.Clear(False)
    hand.settle()
    assert "No scan is loaded" in hand.text("scanFactsLabel")
    assert not hand.seen("resultsWidget")
    assert not hand.enabled("segmentButton")
    later = madeUpScan("Later")
    hand.settle()
    assert hand.panel.parameters.inputVolume is later
    assert hand.segment() is not None


def test_choices_in_advanced_are_those_of_the_new_scene(hand, scan):
    import slicer

    hand.open("advancedSection")
    hand.panel.parameters.device = "cpu"
    hand.settle()
    assert hand.widget("deviceSelector").currentData() == "cpu"
    slicer.mrmlScene.Clear(False)
    hand.settle()
    assert hand.panel.parameters.device == "auto"
    assert hand.widget("deviceSelector").currentData() == "auto"


def test_scene_closed_during_a_run_leaves_the_panel_ready(hand, scan):
    import slicer

    hand.click("segmentButton")
    slicer.mrmlScene.Clear(False)
    hand.logic.run.finish(InputChangedError("The volume was removed while it was being segmented."))
    hand.settle()
    assert hand.text("messageLabel") == "The volume was removed while it was being segmented."
    assert hand.text("segmentButton") == "Segment"
    assert not hand.enabled("segmentButton")


def test_deleting_the_scan(hand, scan, result):
    import slicer

    slicer.mrmlScene.RemoveNode(scan)
    hand.settle()
    assert hand.panel.parameters.inputVolume is None
    assert not hand.seen("resultsWidget")
    assert result.GetScene() is not None


@pytest.mark.parametrize("position", [0, 1, 2])
def test_deleting_the_scan_chooses_no_other(hand, position):
    """Qt's combo boxes hand the choice to the next row: the numbers of another patient would appear."""
    import slicer

    scans = [madeUpScan(name) for name in ("One", "Two", "Three")]
    hand.settle()
    hand.chooseScan(scans[position])
    assert hand.panel.parameters.inputVolume is scans[position]
    slicer.mrmlScene.RemoveNode(scans[position])
    hand.settle()
    assert hand.panel.parameters.inputVolume is None
    assert hand.panel.ui.scanSelector.currentNode() is None


def test_deleting_the_result_shows_the_earlier_one(hand, scan, result):
    import slicer

    hand.panel.parameters.replaceUntouched = False
    again = hand.segment()
    assert again is not result
    slicer.mrmlScene.RemoveNode(again)
    hand.settle()
    assert hand.panel.parameters.segmentation is result
    slicer.mrmlScene.RemoveNode(result)
    hand.settle()
    assert not hand.seen("resultsWidget")
    assert hand.enabled("segmentButton")


def test_deleting_the_parameter_node_makes_a_new_one(hand, scan, result):
    import slicer

    slicer.mrmlScene.RemoveNode(hand.panel.parameters.parameterNode)
    hand.settle()
    assert hand.panel.parameters.parameterNode.GetScene() is not None
    assert hand.panel.parameters.inputVolume is scan
    assert hand.seen("resultsWidget")


def test_saved_scene_brings_the_panel_back(hand, scan, result, tmp_path):

    hand.panel.parameters.mirror = True
    hand.saveAndOpen(tmp_path)
    assert hand.panel.parameters.inputVolume.GetName() == "Patient"
    assert hand.text("liverValueLabel") == "768.0 ml"
    assert hand.panel.ui.segmentsTable.segmentationNode() is hand.panel.parameters.segmentation
    assert hand.panel.parameters.mirror
    assert hand.enabled("reportButton")
    assert not hand.seen("editedWidget")


def test_views_stay_as_they_are_when_the_choice_comes_with_a_scene_or_a_script(
    window, hand, scan, result, tmp_path
):
    """Slicer's selector says "activated" for these, too."""
    import slicer

    from LiverSegSlicer.scene.parts import LESION_MARKS

    other = madeUpScan("Follow-up")
    hand.panel.parameters.inputVolume = other
    hand.panel.parameters.inputVolume = scan
    hand.settle()
    layoutNode = slicer.app.layoutManager().layoutLogic().GetLayoutNode()
    layoutNode.SetViewArrangement(layoutNode.SlicerLayoutOneUpRedSliceView)
    scan.GetDisplayNode().SetAutoWindowLevel(False)
    scan.GetDisplayNode().SetWindowLevel(1500, -400)
    result.GetNodeReference(LESION_MARKS).SetDisplayVisibility(False)
    hand.panel.parameters.inputVolume = other
    hand.panel.parameters.inputVolume = scan
    hand.settle()
    path = str(tmp_path / "case.mrb")
    assert slicer.util.saveScene(path)
    for opened in (False, True):
        if opened:
            slicer.util.loadScene(path)
            hand.settle()
        displayNode = hand.panel.parameters.inputVolume.GetDisplayNode()
        assert (displayNode.GetWindow(), displayNode.GetLevel()) == (1500, -400)
        assert slicer.app.layoutManager().layout == layoutNode.SlicerLayoutOneUpRedSliceView
        marks = hand.panel.parameters.segmentation.GetNodeReference(LESION_MARKS)
        assert not marks.GetDisplayVisibility()


@pytest.mark.parametrize("clear", [True, False])
def test_scene_with_two_scans_opens_with_the_one_that_was_chosen(hand, scan, result, tmp_path, clear):
    """Also if that is not the one with a result, and the panel is open with the other; added to what is there
    or in its place.
    """
    import slicer

    hand.panel.parameters.inputVolume = madeUpScan("Follow-up")
    hand.settle()
    path = str(tmp_path / "case.mrb")
    assert slicer.util.saveScene(path)
    hand.panel.parameters.inputVolume = scan
    hand.settle()
    slicer.util.loadScene(path, {"clear": clear})
    hand.settle()
    assert hand.panel.parameters.inputVolume.GetName().startswith("Follow-up")
    assert hand.panel.ui.scanSelector.currentNode() is hand.panel.parameters.inputVolume
    assert not hand.seen("resultsWidget")


def test_after_a_closed_scene_no_old_binding_writes(hand, scan):
    import slicer

    def turn(box):
        box.setValue(box.value() + 1)

    for _ in range(2):
        slicer.mrmlScene.Clear(False)
        hand.settle()
    parameters, box = hand.panel.parameters, hand.widget("fattyCountSpinBox")
    count = parameters.roiCount
    turn(box)
    assert parameters.roiCount == count + 1
    hand.panel.close()
    turn(box)
    assert parameters.roiCount == count + 1


def test_scene_from_elsewhere_shows_its_result(hand, scan, result, tmp_path):
    """A scene whose results were made in a script, without a panel, and whose last volume is another one."""
    import slicer

    madeUpScan("Follow-up")
    hand.settle()
    hand.panel.close()
    slicer.mrmlScene.RemoveNode(slicer.mrmlScene.GetSingletonNode("LiverSeg", "vtkMRMLScriptedModuleNode"))
    path = str(tmp_path / "case.mrb")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear(False)
    second, end = makeHand(hand.host)
    slicer.util.loadScene(path)
    second.settle()
    assert second.panel.parameters.inputVolume.GetName() == "Patient"
    assert second.text("liverValueLabel") == "768.0 ml"
    end()


def test_leaving_and_entering_keeps_what_is_hers(hand, scan, result):
    displayNode = result.GetDisplayNode()
    displayNode.SetSegmentVisibility("liver", False)
    hand.panel.exit()
    madeUpScan("Loaded meanwhile")
    hand.settle()
    hand.panel.enter()
    hand.panel.parameters.inputVolume = scan
    hand.settle()
    assert hand.panel.parameters.segmentation is result
    assert hand.text("liverValueLabel") == "768.0 ml"
    assert not displayNode.GetSegmentVisibility("liver") and displayNode.GetVisibility()


def test_entering_notices_what_went_while_she_was_away(hand, scan, result):
    import slicer

    hand.panel.exit()
    slicer.mrmlScene.RemoveNode(result)
    hand.settle()
    hand.panel.enter()
    hand.settle()
    assert not hand.seen("resultsWidget")


def test_second_panel_on_the_same_scene_shows_the_same(hand, scan, result):
    second, end = makeHand(hand.host, FakeLogic())
    assert second.text("liverValueLabel") == "768.0 ml"
    end()


def test_worker_starts_with_the_panel_only_if_the_user_chose_so(hand, scan):
    hand.panel.enter()
    assert hand.logic.worker.started == []
    hand.open("advancedSection")
    hand.click("startWithPanelCheckBox")
    hand.panel.enter()
    assert hand.logic.worker.started == [("default", "auto")]


def test_idle_time_reaches_the_worker_and_is_remembered(hand):
    from LiverSegSlicer.parameters import Preferences

    assert hand.logic.worker.idleMinutes == 10
    hand.open("advancedSection")
    hand.widget("idleSpinBox").setValue(25)
    assert hand.logic.worker.idleMinutes == 25
    assert Preferences().idleMinutes == 25


def test_model_that_is_not_here_is_shown_as_such(hand, scan):
    hand.open("advancedSection")
    hand.panel.parameters.model = "other-hospital"
    hand.settle()
    assert hand.widget("modelSelector").currentText() == "other-hospital (not on this computer)"


def test_models_folder_is_made_and_opened(hand, tmp_path, monkeypatch):
    monkeypatch.setenv("LIVERSEG_MODELS", str(tmp_path / "models"))
    hand.open("advancedSection")
    hand.click("modelsFolderButton")
    assert (tmp_path / "models").is_dir()
    assert "models" in str(hand.host.opened_urls[-1])


def test_reloading_the_module_brings_the_panel_back(window, host, ownModules):
    import slicer
    from panel_doubles import madeUpResult

    from LiverSegSlicer.scene.results import applyResult

    volumeNode = madeUpScan()
    host.showModule("LiverSeg")
    applyResult(volumeNode, madeUpResult(volumeNode))
    host.showModule("LiverSeg")
    before = slicer.modules.LiverSegWidget.panel
    assert before.ui.liverValueLabel.text == "768.0 ml"
    slicer.modules.LiverSegWidget.onReload()
    host.settle(0.1)
    after = slicer.modules.LiverSegWidget.panel
    assert after is not before
    assert after.parameters.inputVolume is volumeNode
    assert after.ui.liverValueLabel.text == "768.0 ml"
    volumeNode.SetName("Renamed")
    madeUpScan("Next")
    host.settle(0.1)
    assert after.ui.scanFactsLabel.toolTip.startswith("60 × 60 × 24")

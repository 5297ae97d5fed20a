"""Why?: the heat map of a lesion over the scan, on a click, and away again on another."""

import tempfile

import numpy as np
import pytest
from logic_doubles import addVolume, command, leftFiles
from panel_doubles import ENGINE_OK, OPENVINO_ALONE, madeUpHeat

from LiverSegLib.errors import InputChangedError

pytest_plugins = ["panel_fixtures"]


@pytest.fixture
def result(hand, scan):
    """The made-up scan, segmented."""
    return hand.segment()


def composites():
    import slicer

    return slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")


def overlays():
    return {(node.GetForegroundVolumeID(), node.GetForegroundOpacity()) for node in composites()}


def ask(hand, row=1):
    """Choose a lesion, press Why? and let the run end well."""
    hand.clickRow("lesionsTable", row)
    hand.click("lesionWhyButton")
    hand.logic.run.finish()
    hand.settle()


def test_the_map_lies_over_the_scan_and_one_more_click_brings_back_what_was_there(hand, window, scan, result):
    from LiverSegSlicer.scene.why import whyOf

    before = underPet(hand, scan)
    ask(hand)
    map_ = whyOf(result)
    assert overlays() == {(map_.GetID(), 0.5)}
    assert map_.GetName() == "Why: lesion 2" and hand.text("lesionWhyButton") == "Hide"
    assert "memory" in hand.text("messageLabel")
    hand.click("lesionWhyButton")
    assert overlays() == before and hand.text("lesionWhyButton") == "Why?"


def test_the_map_is_where_the_core_says_and_filed_with_the_result(hand, result):
    import slicer

    from LiverSegSlicer.panel.scene_link import scansInScene
    from LiverSegSlicer.scene.volumes import volumeGrid
    from LiverSegSlicer.scene.why import whyOf

    ask(hand)
    map_, (heat, grid) = whyOf(result), madeUpHeat()
    assert volumeGrid(map_).coincides(grid) and np.array_equal(slicer.util.arrayFromVolume(map_), heat)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    folders = {hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) for node in (map_, result)}
    assert len(folders) == 1 and map_ not in scansInScene()
    display = map_.GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel()) == (1.0, 0.5) and display.GetApplyThreshold()
    assert "Heat" in display.GetColorNode().GetName()
    if hand.text("lesionWhyButton") == "Hide":
        hand.click("lesionWhyButton")
    ask(hand, 0)  # another lesion's takes its place
    assert whyOf(result) is map_ and map_.GetName() == "Why: lesion 1"


def test_why_says_what_it_lacks(hand, scan, result):
    import slicer

    assert not hand.enabled("lesionWhyButton") and "Choose a lesion" in hand.tip("lesionWhyButton")
    hand.clickRow("lesionsTable", 0)
    assert hand.enabled("lesionWhyButton")
    hand.logic.engine = OPENVINO_ALONE
    hand.panel.enter()
    assert not hand.enabled("lesionWhyButton") and "PyTorch" in hand.tip("lesionWhyButton")
    hand.logic.engine = ENGINE_OK
    hand.panel.enter()
    hand.clickRow("lesionsTable", 0)
    hand.click("lesionWhyButton")
    assert not hand.enabled("lesionWhyButton") and "running" in hand.tip("lesionWhyButton")
    hand.logic.run.cancel()
    hand.logic.run.finishCancelled()
    hand.settle()
    assert hand.enabled("lesionWhyButton") and hand.text("lesionWhyButton") == "Why?"
    result.SetNodeReferenceID("LiverSeg.Volume", None)
    hand.panel.enter()
    assert not hand.seen("lesionWhyButton") or not hand.enabled("lesionWhyButton")
    assert slicer.mrmlScene.IsNodePresent(scan)


def underPet(hand, scan):
    """Another volume lies over the scan, faintly."""
    import slicer

    hers = slicer.util.addVolumeFromArray(np.zeros((4, 4, 4), np.int16), name="PET")
    hand.settle(0.3)
    hand.chooseScan(scan)
    for node in composites():
        node.SetForegroundVolumeID(hers.GetID())
        node.SetForegroundOpacity(0.25)
    return {(hers.GetID(), 0.25)}


def test_nothing_is_left_of_a_map_that_is_deleted_nor_of_one_whose_result_is(hand, window, scan, result):
    import slicer

    from LiverSegSlicer.scene.why import whyOf

    before = underPet(hand, scan)
    ask(hand)
    assert overlays() != before
    slicer.mrmlScene.RemoveNode(whyOf(result))
    hand.settle()
    assert overlays() == before and hand.text("lesionWhyButton") == "Why?"
    ask(hand)
    slicer.mrmlScene.RemoveNode(result)
    hand.settle()
    assert overlays() == before


def test_a_new_run_takes_the_map_of_the_earlier_one_away(hand, window, scan, result):
    from LiverSegSlicer.scene.why import whyOf

    before = underPet(hand, scan)
    ask(hand)
    assert overlays() != before
    assert hand.segment() is result and whyOf(result) is None and overlays() == before


def test_a_scan_that_comes_is_not_covered_by_the_map_of_another(hand, window, scan, result):
    from panel_doubles import madeUpScan

    before = underPet(hand, scan)
    ask(hand)
    assert overlays() != before
    other = madeUpScan("Other")
    hand.settle(0.3)
    assert hand.panel.parameters.inputVolume is other and overlays() == before


def test_who_has_gone_elsewhere_finds_the_views_as_they_were(hand, window, scan, result):
    from LiverSegSlicer.scene.why import isWhyShown, whyOf

    hand.clickRow("lesionsTable", 0)
    hand.click("lesionWhyButton")
    hand.panel.exit()
    before = overlays()
    hand.logic.run.finish()
    hand.settle()
    assert overlays() == before and not isWhyShown(whyOf(result))
    assert "foreground of a slice view" in hand.text("messageLabel")
    hand.panel.enter()
    hand.settle()
    assert hand.text("lesionWhyButton") == "Why?"


def test_hide_after_the_map_was_taken_away_by_hand_starts_nothing(hand, window, result):
    ask(hand)
    assert hand.logic.explainedOn == "auto"
    runs = len(hand.logic.runs)
    for node in composites():
        node.SetForegroundVolumeID(None)
    hand.click("lesionWhyButton")
    assert len(hand.logic.runs) == runs and hand.text("lesionWhyButton") == "Why?"


@pytest.mark.parametrize("end", ["scene", "map's scan", "panel"])
def test_what_ends_while_a_lesion_is_explained(hand, scan, result, end):
    import slicer

    hand.panel.parameters.device = "cpu"
    hand.clickRow("lesionsTable", 0)
    hand.click("lesionWhyButton")
    assert hand.logic.explainedOn == "cpu"
    if end == "scene":
        slicer.mrmlScene.Clear(False)
    elif end == "panel":
        hand.panel.close()
    else:
        slicer.mrmlScene.RemoveNode(scan)
    hand.settle()
    run = hand.logic.run
    assert run.cancelled == (end == "panel")
    run.finish(InputChangedError("The scan was removed."))
    hand.settle()
    if end != "panel":
        assert "removed" in hand.text("messageLabel")


@pytest.fixture
def logic(host, scene, tmp_path, monkeypatch):
    """A logic with the real worker, whose segmenter is made up; nothing is left in its folder."""
    from LiverSegSlicer.logic import Logic
    from LiverSegSlicer.work.worker_process import WorkerProcess

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    worker = WorkerProcess(command(draw=False))
    yield Logic(worker)
    assert leftFiles(worker) == set()
    worker.quit()


def test_the_real_worker_explains_a_lesion_with_the_bundled_model(logic, monkeypatch):
    import slicer

    from LiverSegLib.errors import UsageError
    from LiverSegSlicer import explaining
    from LiverSegSlicer.scene.volumes import volumeGrid

    case = logic.segment(addVolume())
    monkeypatch.setattr(explaining, "modelOf", lambda summary: "default")
    texts = []
    why = logic.explainLesion(case, 1, lambda fraction, text: texts.append(text))
    heat = slicer.util.arrayFromVolume(why.node)
    assert heat.dtype == np.float32 and heat.min() >= 0 and heat.max() <= 1
    scan = volumeGrid(case.GetNodeReference("LiverSeg.Volume"))
    part = volumeGrid(why.node)
    assert np.allclose(part.steps, scan.steps) and part.shape == scan.shape  # the tile holds all of it
    assert "Computing the heat map" in texts
    with pytest.raises(UsageError, match="no lesion 7"):
        logic.explainLesion(case, 7)

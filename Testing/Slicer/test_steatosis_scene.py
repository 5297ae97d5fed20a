"""Fatty liver and the scene: saved and reloaded, under a transform, two scans, deletions, edits, reload."""

import numpy as np
import pytest
from panel_doubles import MODULE, FakeLogic
from panel_hand import makeHand
from steatosis_patients import (
    LIVER_HU,
    SPLEEN_HU,
    addResult,
    move,
    names,
    placeByHand,
    roisOf,
    rowOf,
    unenhancedScan,
    waitForNumbers,
)

pytest_plugins = ["steatosis_fixtures"]


def textsOf(hand):
    """What the section shows of a reading."""
    rows = [rowOf(hand, name) for name in names(hand)]
    return [
        hand.text("fattyRatioLabel"),
        hand.text("fattyGradeLabel"),
        rows,
        hand.text("fattyAcceptanceLabel"),
    ]


def folderOf(node, attribute):
    """The subject-hierarchy folder that a node lies in, and that folder's parent; 0 without the attribute."""
    import slicer

    hierarchyNode = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    folder = hierarchyNode.GetItemParent(hierarchyNode.GetItemByDataNode(node))
    return (folder if hierarchyNode.GetItemAttribute(folder, attribute) else 0), hierarchyNode.GetItemParent(
        folder
    )


def test_boxes_lie_in_their_own_folder_within_that_of_the_result(hand, placed):
    folders = {folderOf(node, "LiverSeg.RoiFolder") for node in roisOf(placed).values()}
    assert len(folders) == 1
    ((folder, parent),) = folders
    assert folder and parent == folderOf(placed, "LiverSeg.Folder")[0]


def test_saved_scene_brings_everything_back(hand, placed, tmp_path):
    import slicer

    from LiverSegSlicer.scene import parts

    move(roisOf(placed)["L1"], right=2.0)
    roisOf(placed)["S5"].SetAttribute("LiverSeg.Rejected", "1")
    hand.settle()
    hand.widget("fattyReaderEdit").setText("Dr Example")
    hand.click("fattyAcceptButton")
    before = textsOf(hand)
    assert "Accepted by Dr Example" in before[-1]
    path = str(tmp_path / "case.mrb")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear(False)
    hand.settle()
    assert not hand.seen("fattyWidget") and not hand.panel._steatosis._work._meters._kept
    slicer.util.loadScene(path)
    hand.settle()
    assert textsOf(hand)[0] == before[0], "shown before anything is measured again"
    waitForNumbers(hand)
    assert textsOf(hand) == before
    segmentationNode = parts.resultFor(slicer.util.getNode("Patient"))
    assert sorted(roisOf(segmentationNode)) == names(hand)
    table = parts.part(segmentationNode, parts.ROIS_TABLE)
    assert table.GetNumberOfRows() == 10
    move(roisOf(segmentationNode)["L2"], right=1.0)
    hand.settle()
    assert "Changed after Dr Example" in hand.text("fattyAcceptanceLabel")


def test_box_moved_while_the_panel_was_away_opens_the_reading(hand, placed):
    from LiverSegSlicer.fatty_liver.assess import acceptedReading
    from LiverSegSlicer.fatty_liver.reading import readingOf
    from LiverSegSlicer.scene.parts import volumeOf

    hand.click("fattyAcceptButton")
    assert acceptedReading(placed, volumeOf(placed))["accepted"]["how"] == "automatic"
    hand.panel.close()
    move(roisOf(placed)["L4"], anterior=3.0)
    assert acceptedReading(placed, volumeOf(placed)) is None, "and no report is written with it"
    second, end = makeHand(hand.host, FakeLogic())
    waitForNumbers(second)
    assert readingOf(placed).accepted is None
    assert rowOf(second, "L4")[3] in ("Yours", "") or rowOf(second, "L4")[3]
    end()


@pytest.mark.parametrize("angle", [0, 25])
def test_scan_under_a_transform_is_measured_in_its_own_space(hand, angle):
    import slicer
    import vtk

    volumeNode = unenhancedScan()
    transform = vtk.vtkTransform()
    transform.Translate(12, -7, 30)
    transform.RotateZ(angle)
    transformNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transformNode.SetMatrixTransformToParent(transform.GetMatrix())
    volumeNode.SetAndObserveTransformNodeID(transformNode.GetID())
    hand.settle()
    segmentationNode = addResult(volumeNode)
    hand.settle()
    placeByHand(hand)
    boxes = roisOf(segmentationNode)
    assert {node.GetTransformNodeID() for node in boxes.values()} == {transformNode.GetID()}
    assert float(hand.text("fattyRatioLabel")) == pytest.approx(LIVER_HU / SPLEEN_HU, abs=0.03)
    before = hand.text("fattyRatioLabel")
    if angle:
        boxes["L1"].SetAndObserveTransformNodeID(None)
        hand.settle()
        assert "L1 is turned" in rowOf(hand, "L1")[3]
    else:
        world = [0.0, 0.0, 0.0]
        boxes["L1"].GetCenterWorld(world)
        boxes["L1"].SetAndObserveTransformNodeID(None)
        boxes["L1"].SetCenter(*world)
        hand.settle()
        assert hand.text("fattyRatioLabel") == before, "it lies in the same place of the scan"
    hand.click("roiAddLiverButton")
    hand.settle()
    from LiverSegSlicer.scene.views import slicesCrossing

    world = [0.0, 0.0, 0.0]
    roisOf(segmentationNode)["L6"].GetCenterWorld(world)
    assert world == pytest.approx(slicesCrossing(), abs=0.01)


def test_two_scans_keep_their_own_boxes_and_readings(hand, placed):
    first = textsOf(hand)
    patient = hand.panel.parameters.inputVolume
    other = unenhancedScan("Other", liver=20, seed=5)
    hand.host.waitFor(lambda: not hand.seen("fattyWidget"))
    second = addResult(other)
    hand.settle()
    placeByHand(hand)
    hand.click("fattyAcceptButton")
    assert hand.text("fattyGradeLabel") == "Severe fatty liver"
    assert not set(roisOf(placed).values()) & set(roisOf(second).values())
    hand.chooseScan(patient)
    waitForNumbers(hand)
    assert textsOf(hand) == first
    assert all(node.GetDisplayVisibility() for node in roisOf(placed).values())
    assert not any(node.GetDisplayVisibility() for node in roisOf(second).values()), "hidden with their scan"
    hand.chooseScan(other)
    waitForNumbers(hand)
    assert "Accepted by" in hand.text("fattyAcceptanceLabel")
    assert not any(node.GetDisplayVisibility() for node in roisOf(placed).values()), "hidden with their scan"


def test_nodes_that_the_user_deletes(hand, placed):
    import slicer

    from LiverSegSlicer.scene import parts

    slicer.mrmlScene.RemoveNode(roisOf(placed)["L1"])
    hand.settle()
    assert "L1" not in names(hand)
    for role in (parts.STEATOSIS, parts.ROIS_TABLE):
        slicer.mrmlScene.RemoveNode(parts.part(placed, role))
    move(roisOf(placed)["L2"], right=1.0)
    hand.settle()
    assert parts.part(placed, parts.STEATOSIS) is not None and hand.text("fattyRatioLabel") != "–"
    for node in roisOf(placed).values():
        slicer.mrmlScene.RemoveNode(node)
    hand.settle()
    assert not hand.seen("fattyWidget") and hand.enabled("fattyPlaceButton")
    slicer.mrmlScene.RemoveNode(placed)
    hand.settle()
    assert not hand.enabled("fattyPlaceButton")


def test_result_deleted_or_scene_closed_while_it_is_looked_at(hand, segmented):
    import slicer

    hand.widget("fattyPlaceButton").click()
    slicer.mrmlScene.RemoveNode(segmented)
    hand.settle(0.3)
    assert not hand.seen("fattyWidget") and not hand.enabled("fattyPlaceButton")
    addResult(hand.panel.parameters.inputVolume)
    hand.settle()
    hand.widget("fattyPlaceButton").click()
    slicer.mrmlScene.Clear(False)
    hand.settle(0.3)
    assert not hand.seen("fattyWidget")


def test_edited_segmentation_is_measured_with_a_new_meter(hand, placed):
    import slicer

    volumeNode = hand.panel.parameters.inputVolume
    node = roisOf(placed)["S1"]
    assert rowOf(hand, "S1")[3] == ""
    spleen = slicer.util.arrayFromSegmentBinaryLabelmap(placed, "spleen", volumeNode)
    centre = np.array([*node.GetCenter(), 1.0])
    import vtk

    toIjk = vtk.vtkMatrix4x4()
    volumeNode.GetRASToIJKMatrix(toIjk)
    i, j, k = (int(round(value)) for value in toIjk.MultiplyPoint(centre)[:3])
    spleen[k - 4 : k + 5, j - 5 : j + 6, i - 5 : i + 6] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(spleen, placed, "spleen", volumeNode)
    hand.settle(0.6)
    waitForNumbers(hand)
    assert "outside the spleen" in rowOf(hand, "S1")[3]
    assert rowOf(hand, "S1")[0], "flagged, not rejected"


def test_plots_follow_the_boxes(window, host, scene):
    import slicer

    from LiverSegSlicer.scene import parts

    hand, end = makeHand(host)
    unenhancedScan()
    hand.settle()
    segmentationNode = addResult(hand.panel.parameters.inputVolume)
    hand.settle()
    placeByHand(hand)
    layoutManager = slicer.app.layoutManager()
    layoutManager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView)
    hand.click("fattyMeansButton")
    hand.settle(0.1)
    assert layoutManager.plotViewCount == 1
    nodes = {
        node.GetAttribute("LiverSeg.Plot"): node for node in parts.partsIn(segmentationNode, parts.PLOTS)
    }
    liver = nodes["liver table"]
    assert (liver.GetNumberOfRows(), nodes["pairs table"].GetNumberOfRows()) == (5, 25)
    assert nodes["normal_above table"].GetTable().GetColumn(1).GetValue(0) == pytest.approx(1.0)
    assert (
        nodes["means"].GetNumberOfPlotSeriesNodes() == 2 and nodes["ratios"].GetNumberOfPlotSeriesNodes() == 4
    )
    before = liver.GetTable().GetColumn(1).GetValue(0)
    roisOf(segmentationNode)["L1"].SetCenter(*roisOf(segmentationNode)["S1"].GetCenter())
    hand.settle()
    assert liver.GetTable().GetColumn(1).GetValue(0) != before
    hand.click("fattyRatiosButton")
    hand.settle(0.1)
    (viewNode,) = slicer.util.getNodesByClass("vtkMRMLPlotViewNode")
    assert viewNode.GetPlotChartNodeID() == nodes["ratios"].GetID()
    hand.click("fattyRatiosButton")
    hand.settle()
    assert layoutManager.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView
    end()


def test_console_makes_the_same_and_the_panel_shows_it(hand, segmented):
    volumeNode = hand.panel.parameters.inputVolume
    assessment = hand.logic.assessSteatosis(volumeNode, segmented)
    assert assessment.grade == "mild" and len(assessment.rois) == 10 == len(roisOf(segmented))
    waitForNumbers(hand)
    assert float(hand.text("fattyRatioLabel")) == pytest.approx(assessment.ratio, abs=0.006)
    move(roisOf(segmented)["L1"], right=3.0)
    again = hand.logic.assessSteatosis(volumeNode, segmented)
    assert again.edited and len(again.rois) == 10, "boxes that are there are measured as they lie"
    more = hand.logic.assessSteatosis(volumeNode, segmented, count=7, cutOffs=(1.2, 0.9, 0.5), kvp=120)
    assert len(more.rois) == 14 and more.grade == "moderate" and more.conditions.kvp == 120
    assert [roi.name for roi, _values in more.rois if not roi.automatic] == ["L1"]
    assert hand.logic.acceptSteatosis(segmented, "Dr Example")["how"] == "edited"
    hand.panel.enter()
    waitForNumbers(hand)
    assert "Accepted by Dr Example" in hand.text("fattyAcceptanceLabel")


def test_console_refuses_with_sentences_and_changes_nothing(hand, segmented):
    from LiverSegLib.errors import NoLiverError, UsageError

    volumeNode = hand.panel.parameters.inputVolume
    for settings in ({"count": 31}, {"sideMm": 5}, {"cutOffs": (0.5, 0.7, 1.0)}, {"seed": -1}):
        with pytest.raises(UsageError):
            hand.logic.assessSteatosis(volumeNode, segmented, **settings)
    with pytest.raises(UsageError):
        hand.logic.acceptSteatosis(segmented)
    assert not roisOf(segmented)
    for key in ("liver", "tumour"):
        segmented.GetSegmentation().RemoveSegment(key)
    with pytest.raises(NoLiverError):
        hand.logic.assessSteatosis(volumeNode, segmented)
    assert not roisOf(segmented)


def test_segmentation_of_another_module_can_be_assessed(hand, unenhanced):
    """A plain segmentation whose segments bear our IDs: its contrast phase is estimated."""
    import slicer
    from steatosis_patients import labelArray

    segmentationNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "By hand")
    segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(unenhanced)
    for value, key in ((1, "liver"), (2, "spleen")):
        segmentationNode.GetSegmentation().AddEmptySegment(key, key)
        mask = (labelArray() == value).astype(np.uint8)
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentationNode, key, unenhanced)
    assessment = hand.logic.assessSteatosis(unenhanced, segmentationNode)
    assert assessment.ratio == pytest.approx(LIVER_HU / SPLEEN_HU, abs=0.03)
    assert assessment.conditions.phase == "unenhanced"


def test_accepted_reading_goes_to_the_report(hand, placed):
    from LiverSegLib.steatosis.assessment import Assessment
    from LiverSegSlicer.fatty_liver.assess import acceptedReading

    volumeNode = hand.panel.parameters.inputVolume
    assert acceptedReading(placed, volumeNode) is None
    hand.click("fattyAcceptButton")
    data = acceptedReading(placed, volumeNode)
    assert Assessment.from_dict(data).grade == "mild"
    assert data["accepted"]["rejected"] == []


def test_reloading_the_module_keeps_the_reading_and_lets_go_of_the_boxes(window, host, ownModules):
    import slicer

    volumeNode = unenhancedScan()
    host.showModule("LiverSeg")
    segmentationNode = addResult(volumeNode)
    assert MODULE.is_file()
    before = slicer.modules.LiverSegWidget.panel
    before.logic.assessSteatosis(volumeNode, segmentationNode)
    host.waitFor(lambda: before.ui.fattyRatioLabel.text == "0.80")
    slicer.modules.LiverSegWidget.onReload()
    host.settle(0.2)
    after = slicer.modules.LiverSegWidget.panel
    assert after is not before
    host.waitFor(lambda: not after._steatosis._work.isBusy())
    assert after.ui.fattyRatioLabel.text == "0.80"
    roisOf(segmentationNode)["L1"].SetCenter(*roisOf(segmentationNode)["S1"].GetCenter())
    host.settle(0.1)
    assert after.ui.fattyRatioLabel.text != "0.80"
    with pytest.raises(ValueError, match="destroyed"):
        _ = before.ui.fattyRatioLabel.text

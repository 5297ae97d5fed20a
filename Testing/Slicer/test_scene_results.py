"""A result in the scene: its parts, its place in the hierarchy, reruns, and what a user does to it."""

import json
import math

import numpy as np
import pytest
import slicer
from scene_samples import (
    addScan,
    fingerprint,
    itemPath,
    labelArray,
    paint,
    parts,
    results,
    runOn,
    segments,
    volumes,
)

from LiverSegLib.labels import LABELS
from LiverSegLib.measure import Measurements, lesion_rows, measurement_rows
from LiverSegSlicer.fatty_liver.assess import addRoiAt

ROLES = (parts.VOLUMES_TABLE, parts.LESIONS_TABLE, parts.SUMMARY, parts.LESION_MARKS)


def applied(volumeNode=None, **options):
    """A volume and the result of a run on it."""
    volumeNode = addScan() if volumeNode is None else volumeNode
    return volumeNode, results.applyResult(volumeNode, runOn(volumeNode), **options)


def columnOf(tableNode, name) -> list:
    """The cells of a column."""
    array = tableNode.GetTable().GetColumnByName(name)
    return [array.GetValue(row) for row in range(array.GetNumberOfValues())]


def test_segments_have_names_colours_and_terminology(scene):
    _volume, segmentationNode = applied()
    segmentation = segmentationNode.GetSegmentation()
    assert tuple(segmentation.GetSegmentIDs()) == ("liver", "spleen", "tumour")
    assert segmentation.GetNumberOfLayers() == 1
    entry = slicer.vtkSlicerTerminologyEntry()
    logic = slicer.modules.terminologies.logic()
    for info in LABELS.values():
        segment = segmentation.GetSegment(info.key)
        assert segment.GetName() == info.name
        assert np.allclose(segment.GetColor(), np.array(info.colour) / 255)
        text = logic.SerializeTerminologyEntry(
            segments.SEGMENT_CONTEXT,
            *(info.category.value, info.category.scheme, info.category.meaning),
            *(info.type.value, info.type.scheme, info.type.meaning),
            *("", "", ""),
            segments.REGION_CONTEXT,
            *(("10200004", "SCT", "Liver") if info.key == "tumour" else ("", "", "")),
            *("", "", ""),
        )
        assert segments.terminologyEntry(info) == text
        assert logic.DeserializeTerminologyEntry(text, entry)
        assert entry.GetTypeObject().GetCodeValue() == info.type.value


def test_everything_is_named_after_the_scan_and_lies_in_one_folder(scene):
    _volume, segmentationNode = applied(addScan(name="CT 7"))
    nodes = [segmentationNode, *(parts.part(segmentationNode, role) for role in ROLES)]
    for node, name in zip(
        nodes, ("segmentation", "volumes", "lesions", "LiverSeg summary", "lesion numbers")
    ):
        assert itemPath(node) == ["CT 7 LiverSeg", f"CT 7 {name}"]


def test_the_folder_stands_in_the_study_of_the_scan(scene):
    volumeNode = addScan(name="CT 7")
    hierarchyNode = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    patient = hierarchyNode.CreateSubjectItem(hierarchyNode.GetSceneItemID(), "Patient A")
    study = hierarchyNode.CreateStudyItem(patient, "Abdomen")
    hierarchyNode.SetItemParent(hierarchyNode.GetItemByDataNode(volumeNode), study)
    _volume, segmentationNode = applied(volumeNode)
    assert itemPath(segmentationNode) == ["Patient A", "Abdomen", "CT 7 LiverSeg", "CT 7 segmentation"]
    assert itemPath(volumeNode) == ["Patient A", "Abdomen", "CT 7"]


def test_tables_hold_the_numbers_of_the_core_with_units(scene):
    _volume, segmentationNode = applied()
    measurements = Measurements.from_dict(parts.summaryOf(segmentationNode)["measurements"])
    names = {"volume_ml": 1, "share_of_liver_percent": 2, "mean_hu": 3, "sd_hu": 4, "median_hu": 5}
    _assertSameNumbers(segmentationNode, parts.VOLUMES_TABLE, measurement_rows(measurements)[1], names)
    names = {
        "volume_ml": 1,
        "longest_diameter_mm": 2,
        "perpendicular_mm": 3,
        "surface_distance_mm": 7,
        "probability": 8,
        "centre_s_mm": 11,
    }
    _assertSameNumbers(segmentationNode, parts.LESIONS_TABLE, lesion_rows(measurements)[1], names)
    tableNode = parts.part(segmentationNode, parts.LESIONS_TABLE)
    assert columnOf(tableNode, "lesion") == [1, 2]
    assert tableNode.GetColumnUnitLabel("volume_ml") == "ml"
    assert tableNode.GetColumnTitle("volume_ml") == "Volume (ml)"
    assert math.isclose(columnOf(tableNode, "centre_r_mm")[0], round(-measurements.lesions[0].centre[0], 1))


def _assertSameNumbers(segmentationNode, role, rows, names):
    """Columns of a table node against columns of the core's rows of text; an empty text is NaN."""
    tableNode = parts.part(segmentationNode, role)
    for name, column in names.items():
        expected = [float(row[column]) if row[column] else math.nan for row in rows]
        assert np.allclose(columnOf(tableNode, name), expected, equal_nan=True, rtol=0, atol=1e-9), name


def test_what_was_not_measured_is_no_number(scene):
    volumeNode, segmentationNode = applied()
    summary = parts.summaryOf(segmentationNode)
    for lesion in summary["measurements"]["lesions"]:
        lesion["probability"] = lesion["surface_distance_mm"] = None
    results.updateMeasurements(segmentationNode, summary)
    tableNode = parts.part(segmentationNode, parts.LESIONS_TABLE)
    for name in ("probability", "surface_distance_mm"):
        assert np.isnan(columnOf(tableNode, name)).all()
        assert tableNode.GetTable().GetColumnByName(name).GetDataTypeAsString() == "double"


def test_marks_carry_the_lesion_numbers_and_cannot_be_dragged(scene):
    _volume, segmentationNode = applied()
    marksNode = parts.part(segmentationNode, parts.LESION_MARKS)
    assert [marksNode.GetNthControlPointLabel(index) for index in range(2)] == ["1", "2"]
    assert marksNode.GetLocked() and marksNode.GetNthControlPointLocked(0)
    lesion = parts.summaryOf(segmentationNode)["measurements"]["lesions"][0]
    middle = np.mean(lesion["longest_ends_lps_mm"], axis=0) * (-1, -1, 1)
    assert np.allclose(marksNode.GetNthControlPointPosition(0), middle)


@pytest.mark.parametrize("placing", [False, True])
def test_what_the_user_is_placing_stays_the_target_of_her_clicks(scene, placing):
    """Slicer makes each markups node that comes into the scene the one that clicks add points to."""
    selectionNode = slicer.app.applicationLogic().GetSelectionNode()
    selectionNode.SetReferenceActivePlaceNodeID(None)
    if placing:
        hers = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsCurveNode")
        assert selectionNode.GetActivePlaceNodeID() == hers.GetID()
    before = selectionNode.GetActivePlaceNodeClassName(), selectionNode.GetActivePlaceNodeID()
    volumeNode, segmentationNode = applied()
    assert parts.part(segmentationNode, parts.LESION_MARKS) is not None
    assert (selectionNode.GetActivePlaceNodeClassName(), selectionNode.GetActivePlaceNodeID()) == before
    roiNode = addRoiAt(volumeNode, segmentationNode, "liver", (0.0, 0.0, 0.0), 10.0)
    assert roiNode.GetScene() is slicer.mrmlScene
    assert (selectionNode.GetActivePlaceNodeClassName(), selectionNode.GetActivePlaceNodeID()) == before


def test_liver_is_translucent_and_the_fill_light(scene):
    _volume, segmentationNode = applied()
    displayNode = segmentationNode.GetDisplayNode()
    assert displayNode.GetSegmentOpacity3D("liver") == pytest.approx(0.35)
    assert displayNode.GetSegmentOpacity3D("tumour") == 1
    assert displayNode.GetSegmentOpacity2DFill("liver") * displayNode.GetOpacity2DFill() < 0.2
    assert displayNode.GetVisibility2DOutline()


def test_a_liver_without_tumours_keeps_an_empty_segment_to_paint_in(scene):
    volumeNode = addScan()
    labels = labelArray()
    labels[labels == 3] = 1
    labels[labels == 2] = 0
    segmentationNode = results.applyResult(volumeNode, runOn(volumeNode, labels))
    segmentation = segmentationNode.GetSegmentation()
    assert segmentation.GetSegment("tumour").GetName() == "Liver tumor"
    assert not segments.segmentMask(segmentationNode, "tumour")[0].any()
    assert parts.part(segmentationNode, parts.LESIONS_TABLE).GetNumberOfRows() == 0
    assert parts.part(segmentationNode, parts.LESION_MARKS).GetNumberOfControlPoints() == 0
    assert fingerprint.isUntouched(segmentationNode)
    paint(segmentationNode, "tumour", (8, 9, 10, 11, 7, 7))
    assert (segments.labelsOf(segmentationNode, volumeNode) == 3).sum() == 4


def test_a_result_without_surfaces_has_none(scene):
    volumeNode = addScan()
    segmentationNode = results.applyResult(volumeNode, runOn(volumeNode, surfaces=False))
    assert not segmentationNode.GetSegmentation().ContainsRepresentation("Closed surface")
    assert segmentationNode.CreateClosedSurfaceRepresentation()


def test_ready_surfaces_are_shown_as_they_are(scene):
    volumeNode = addScan()
    result = runOn(volumeNode)
    segmentationNode = results.applyResult(volumeNode, result)
    for key, (points, _triangles) in result.surfaces.items():
        shown = segmentationNode.GetClosedSurfaceInternalRepresentation(key)
        assert shown.GetNumberOfPoints() == len(points)


def test_summary_is_the_workers(scene):
    volumeNode = addScan()
    result = runOn(volumeNode)
    segmentationNode = results.applyResult(volumeNode, result)
    assert parts.summaryOf(segmentationNode) == json.loads(json.dumps(result.summary))
    foreign = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "hers")
    assert parts.summaryOf(foreign) is None and parts.summaryOf(None) is None
    assert not fingerprint.isUntouched(foreign) and not fingerprint.isUntouched(None)
    parts.part(segmentationNode, parts.SUMMARY).SetText("a shopping list")
    assert parts.summaryOf(segmentationNode) is None


def test_results_are_found_by_volume_not_by_name(scene):
    one, other = addScan(name="CT"), addScan(name="CT")
    _volume, first = applied(one)
    _volume, second = applied(other)
    _volume, third = applied(one)
    assert parts.resultFor(one) is third
    assert parts.resultFor(other) is second
    assert parts.resultFor(addScan()) is None and parts.resultFor(None) is None
    assert parts.allResults() == [first, second, third]
    assert parts.volumeOf(first) is one
    scene.RemoveNode(third)
    assert parts.resultFor(one) is first
    scene.RemoveNode(one)
    assert parts.volumeOf(first) is None


def test_a_rerun_makes_a_new_segmentation_in_the_same_folder(scene):
    volumeNode, first = applied(addScan(name="CT 7"))
    _volume, second = applied(volumeNode)
    assert second is not first
    assert itemPath(first)[:-1] == itemPath(second)[:-1] == ["CT 7 LiverSeg"]
    assert first.GetName() != second.GetName()
    assert parts.part(first, parts.SUMMARY) is not parts.part(second, parts.SUMMARY)


def test_a_rerun_replaces_an_untouched_result_in_place(scene):
    volumeNode, segmentationNode = applied()
    segmentationNode.SetName("kept")
    nodes = scene.GetNumberOfNodes()
    labels = np.roll(labelArray(), 1, axis=0)
    again = results.applyResult(volumeNode, runOn(volumeNode, labels), replace=segmentationNode)
    assert again is segmentationNode and again.GetName() == "kept"
    assert scene.GetNumberOfNodes() == nodes
    assert np.array_equal(segments.labelsOf(again, volumeNode), labels)
    assert again.GetSegmentation().GetNumberOfSegments() == 3
    assert fingerprint.isUntouched(again) and not fingerprint.editedSinceMeasured(again)
    assert again.GetDisplayNode().GetSegmentOpacity3D("liver") == pytest.approx(0.35)


def test_an_edited_result_is_never_replaced(scene):
    volumeNode, segmentationNode = applied()
    paint(segmentationNode, "liver", (1, 2, 1, 2, 1, 2))
    before = segments.labelsOf(segmentationNode, volumeNode)
    again = results.applyResult(volumeNode, runOn(volumeNode), replace=segmentationNode)
    assert again is not segmentationNode
    assert np.array_equal(segments.labelsOf(segmentationNode, volumeNode), before)


def test_a_result_of_another_volume_is_never_replaced(scene):
    _volume, segmentationNode = applied()
    assert applied(addScan(), replace=segmentationNode)[1] is not segmentationNode


def test_new_numbers_after_an_edit(scene):
    volumeNode, segmentationNode = applied()
    paint(segmentationNode, "tumour", (20, 21, 11, 12, 7, 7))
    labels = segments.labelsOf(segmentationNode, volumeNode)
    assert fingerprint.editedSinceMeasured(segmentationNode)
    results.updateMeasurements(segmentationNode, runOn(volumeNode, labels).summary)
    assert not fingerprint.editedSinceMeasured(segmentationNode)
    assert not fingerprint.isUntouched(segmentationNode)
    assert parts.part(segmentationNode, parts.LESIONS_TABLE).GetNumberOfRows() == 3
    assert parts.part(segmentationNode, parts.LESION_MARKS).GetNumberOfControlPoints() == 3
    paint(segmentationNode, "tumour", (2, 2, 2, 2, 2, 2))
    assert fingerprint.editedSinceMeasured(segmentationNode)


@pytest.mark.parametrize("role", ROLES)
def test_a_part_that_was_deleted_comes_back_with_new_numbers(scene, role):
    volumeNode, segmentationNode = applied(addScan(name="CT 7"))
    scene.RemoveNode(parts.part(segmentationNode, role))
    assert (parts.summaryOf(segmentationNode) is None) == (role == parts.SUMMARY)
    assert fingerprint.isUntouched(segmentationNode)
    results.updateMeasurements(segmentationNode, runOn(volumeNode).summary)
    assert parts.summaryOf(segmentationNode) is not None
    assert itemPath(parts.part(segmentationNode, role))[0] == "CT 7 LiverSeg"


def test_parts_whose_hierarchy_item_was_removed_are_filed_again(scene):
    volumeNode, segmentationNode = applied(addScan(name="CT 7"))
    hierarchyNode = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    textNode = parts.part(segmentationNode, parts.SUMMARY)
    hierarchyNode.RemoveItem(hierarchyNode.GetItemByDataNode(textNode), False, False)
    results.updateMeasurements(segmentationNode, runOn(volumeNode).summary)
    assert itemPath(textNode) == ["CT 7 LiverSeg", "CT 7 LiverSeg summary"]


def test_numbers_can_be_updated_after_the_volume_was_deleted(scene):
    volumeNode, segmentationNode = applied()
    summary = runOn(volumeNode).summary
    scene.RemoveNode(volumeNode)
    results.updateMeasurements(segmentationNode, summary)
    assert parts.summaryOf(segmentationNode) == json.loads(json.dumps(summary))


def test_a_failure_half_way_leaves_the_scene_as_it_was(scene):
    volumeNode = addScan()
    result = runOn(volumeNode)
    result.summary["measurements"].pop("lesions")
    nodes = scene.GetNumberOfNodes()
    with pytest.raises(KeyError):
        results.applyResult(volumeNode, result)
    assert scene.GetNumberOfNodes() == nodes


def test_the_undo_of_the_scene_is_off_and_keeps_nothing(scene):
    """As in stock Slicer: what is to be taken back needs a way of its own."""
    assert not scene.GetUndoFlag()
    tableNode = scene.AddNewNodeByClass("vtkMRMLTableNode", "Before")
    scene.SaveStateForUndo()
    tableNode.SetName("After")
    scene.Undo()
    assert scene.GetNumberOfUndoLevels() == 0 and tableNode.GetName() == "After"


def test_a_large_result_comes_back_as_it_was(host, scene):
    shape = (110, 512, 512)
    z, y, x = np.ogrid[:110, :512, :512]
    labels = np.zeros(shape, np.uint8)
    labels[((z - 55) / 40) ** 2 + ((y - 250) / 130) ** 2 + ((x - 180) / 140) ** 2 < 1] = 1
    labels[((z - 55) / 30) ** 2 + ((y - 320) / 50) ** 2 + ((x - 400) / 50) ** 2 < 1] = 2
    labels[50:60, 230:260, 150:180] = 3
    small = addScan()
    result = runOn(small)
    volumeNode = slicer.util.addVolumeFromArray(np.zeros(shape, np.int16), name="large")
    surfaces = {key: _manyTriangles(60_000) for key in ("liver", "spleen", "tumour")}
    grid = volumes.volumeGrid(volumeNode)
    large = results.RunResult("large", labels, grid, result.summary, surfaces)
    segmentationNode = results.applyResult(volumeNode, large)
    host.settle(0.3)
    back = segments.labelsOf(segmentationNode, volumeNode)
    assert fingerprint.isUntouched(segmentationNode)
    assert np.array_equal(back, labels)


def _manyTriangles(count: int):
    """A sphere's points and about ``count`` triangles."""
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    source = vtk.vtkSphereSource()
    source.SetThetaResolution(int((count / 2) ** 0.5))
    source.SetPhiResolution(int((count / 2) ** 0.5))
    source.Update()
    mesh = source.GetOutput()
    triangles = vtk_to_numpy(mesh.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    return vtk_to_numpy(mesh.GetPoints().GetData()).astype(np.float32), triangles.astype(np.int32)

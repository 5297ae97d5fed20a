"""A saved scene comes back with everything of a result."""

import numpy as np
import pytest
import slicer
import vtk
from scene_samples import (
    GEOMETRIES,
    MOVED,
    addScan,
    addTransform,
    fingerprint,
    highlight,
    itemPath,
    labelArray,
    paint,
    parts,
    results,
    runOn,
    segments,
    volumes,
)

ROLES = (parts.VOLUMES_TABLE, parts.LESIONS_TABLE, parts.SUMMARY, parts.LESION_MARKS, parts.HIGHLIGHT)


def saveAndReload(host, folder) -> None:
    """Save the scene as .mrb, close it, load it again."""
    path = str(folder / "scene.mrb")
    assert slicer.util.saveScene(path)
    host.clear()
    assert not parts.allResults()
    slicer.util.loadScene(path)


def onlyResult():
    """The one segmentation that the scene shows: a result."""
    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    (node,) = (node for node in nodes if not node.GetHideFromEditors())
    assert parts.allResults() == [node]
    return node


@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_scene_file_keeps_every_part(host, scene, tmp_path, name):
    volumeNode = addScan(name, name="CT 7")
    volumeNode.SetAndObserveTransformNodeID(addTransform(MOVED).GetID())
    result = runOn(volumeNode)
    segmentationNode = results.applyResult(volumeNode, result)
    highlight.makeHighlight(volumeNode, segmentationNode)
    segmentationNode.GetDisplayNode().SetSegmentVisibility("spleen", False)
    points = segmentationNode.GetClosedSurfaceInternalRepresentation("liver").GetNumberOfPoints()
    assert points > 0
    saveAndReload(host, tmp_path)

    segmentationNode = onlyResult()
    volumeNode = parts.volumeOf(segmentationNode)
    assert volumeNode.GetName() == "CT 7" and not highlight.isHighlight(volumeNode)
    assert parts.resultFor(volumeNode) is segmentationNode
    assert fingerprint.isUntouched(segmentationNode) and not fingerprint.editedSinceMeasured(segmentationNode)
    # Slicer turns left-handed volumes round when it reads them, and the labels are given on the volume's grid
    turned = np.linalg.det(volumes.ijkToRas(volumeNode)) * np.linalg.det(GEOMETRIES[name]) < 0
    expected = labelArray()[::-1] if turned else labelArray()
    assert np.array_equal(segments.labelsOf(segmentationNode, volumeNode), expected)
    assert parts.summaryOf(segmentationNode) == result.summary
    for role in ROLES:
        assert itemPath(parts.part(segmentationNode, role))[0] == "CT 7 LiverSeg", role
    assert highlight.isHighlight(parts.part(segmentationNode, parts.HIGHLIGHT))
    assert segmentationNode.GetTransformNodeID() == volumeNode.GetTransformNodeID() is not None
    segment = segmentationNode.GetSegmentation().GetSegment("tumour")
    tag = vtk.reference("")
    assert segment.GetName() == "Liver tumor" and segment.GetTag("TerminologyEntry", tag)
    assert "SCT^108369006^Neoplasm" in tag


def test_what_is_seen_comes_back(host, scene, tmp_path):
    volumeNode = addScan()
    segmentationNode = results.applyResult(volumeNode, runOn(volumeNode))
    segmentationNode.GetDisplayNode().SetSegmentVisibility("spleen", False)
    saveAndReload(host, tmp_path)
    segmentationNode = onlyResult()
    displayNode = segmentationNode.GetDisplayNode()
    assert displayNode.GetSegmentOpacity3D("liver") == pytest.approx(0.35)
    assert displayNode.GetSegmentOpacity2DFill("tumour") == pytest.approx(0.25)
    assert not displayNode.GetSegmentVisibility("spleen")
    assert segmentationNode.GetSegmentation().ContainsRepresentation("Closed surface")
    for key in ("liver", "tumour"):
        assert segmentationNode.GetClosedSurfaceInternalRepresentation(key).GetNumberOfPoints() > 0


def test_surfaces_come_back_when_there_is_no_tumour(host, scene, tmp_path):
    volumeNode = addScan()
    labels = labelArray()
    labels[labels == 3] = 1
    segmentationNode = results.applyResult(volumeNode, runOn(volumeNode, labels))
    saveAndReload(host, tmp_path)
    segmentationNode = onlyResult()
    assert segmentationNode.GetSegmentation().GetNumberOfSegments() == 3
    assert segmentationNode.GetClosedSurfaceInternalRepresentation("liver").GetNumberOfPoints() > 0
    assert fingerprint.isUntouched(segmentationNode)


def test_tables_and_marks_come_back_with_types_and_units(host, scene, tmp_path):
    volumeNode = addScan()
    segmentationNode = results.applyResult(volumeNode, runOn(volumeNode))
    before = cells(parts.part(segmentationNode, parts.VOLUMES_TABLE))
    lesions = cells(parts.part(segmentationNode, parts.LESIONS_TABLE))
    saveAndReload(host, tmp_path)
    segmentationNode = onlyResult()
    tableNode = parts.part(segmentationNode, parts.VOLUMES_TABLE)
    assert cells(tableNode) == before
    assert cells(parts.part(segmentationNode, parts.LESIONS_TABLE)) == lesions
    assert tableNode.GetTable().GetColumnByName("volume_ml").GetDataTypeAsString() == "double"
    assert tableNode.GetColumnUnitLabel("volume_ml") == "ml"
    assert tableNode.GetColumnTitle("volume_ml") == "Volume (ml)"
    marksNode = parts.part(segmentationNode, parts.LESION_MARKS)
    assert [marksNode.GetNthControlPointLabel(index) for index in range(2)] == ["1", "2"]
    assert marksNode.GetLocked()


def cells(tableNode) -> list:
    """All of a table as text."""
    rows, columns = range(tableNode.GetNumberOfRows()), range(tableNode.GetNumberOfColumns())
    return [[tableNode.GetCellText(row, column) for column in columns] for row in rows]


def test_an_edit_before_or_after_saving_is_noticed(host, scene, tmp_path):
    volumeNode = addScan("oblique")
    results.applyResult(volumeNode, runOn(volumeNode))
    saveAndReload(host, tmp_path)
    segmentationNode = onlyResult()
    paint(segmentationNode, "spleen", (1, 2, 1, 2, 1, 2))
    assert not fingerprint.isUntouched(segmentationNode)
    edited = segments.labelsOf(segmentationNode, parts.volumeOf(segmentationNode))
    saveAndReload(host, tmp_path)
    segmentationNode = onlyResult()
    assert not fingerprint.isUntouched(segmentationNode)
    assert fingerprint.editedSinceMeasured(segmentationNode)
    volumeNode = parts.volumeOf(segmentationNode)
    assert np.array_equal(segments.labelsOf(segmentationNode, volumeNode), edited)


def test_a_rerun_after_reloading_replaces_or_adds(host, scene, tmp_path):
    volumeNode = addScan(name="CT 7")
    results.applyResult(volumeNode, runOn(volumeNode))
    saveAndReload(host, tmp_path)
    segmentationNode = onlyResult()
    volumeNode = parts.volumeOf(segmentationNode)
    assert results.applyResult(volumeNode, runOn(volumeNode), replace=segmentationNode) is segmentationNode
    assert fingerprint.isUntouched(segmentationNode)
    another = results.applyResult(volumeNode, runOn(volumeNode))
    assert itemPath(another)[:-1] == itemPath(segmentationNode)[:-1]
    assert parts.resultFor(volumeNode) is another


def test_two_scenes_added_to_each_other_keep_their_results_apart(host, scene, tmp_path):
    volumeNode = addScan(name="CT 7")
    results.applyResult(volumeNode, runOn(volumeNode))
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    slicer.util.loadScene(path, {"clear": False})
    volumeNodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    assert len(volumeNodes) == 2 and len(parts.allResults()) == 2
    found = [parts.resultFor(node) for node in volumeNodes]
    assert None not in found and found[0] is not found[1]
    for node in found:
        assert fingerprint.isUntouched(node)
        assert parts.summaryOf(node)["name"] == "CT 7"

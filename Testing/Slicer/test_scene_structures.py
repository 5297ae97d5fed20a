"""What a model of another program finds besides: further segments of a result, left alone by all that
corrects and measures.
"""

import dataclasses
import time

import numpy as np
import pytest
import slicer
import vtk
from scene_samples import addScan, fingerprint, labelArray, paint, parts, results, runOn, segments

from LiverSegLib.measure.structures import measure_structures
from LiverSegLib.structures import Structure, Structures
from LiverSegSlicer.scene import roles, structures

KIDNEY = Structure(3, "kidney_left", "Kidney left", (200, 80, 80))
VESSELS = Structure(7, "hepatic_vessels", "Hepatic vessels", (60, 80, 200))
ABSENT = Structure(9, "colon", "Colon", (10, 20, 30))
PART = Structure(300, "liver_segment_4", "Liver segment 4", (120, 160, 40), 1)


def mask(dtype=np.uint16):
    """A kidney beside the liver, vessels and a segment within it, as (z, y, x)."""
    found = np.zeros(labelArray().shape, dtype)
    found[2:6, 15:20, 20:25] = KIDNEY.value
    found[7, 8:15, 8] = VESSELS.value
    if dtype == np.uint16:
        found[8:10, 8:12, 4:8] = PART.value
    return found


def runWithStructures(volumeNode, found=None, table=(KIDNEY, VESSELS, ABSENT, PART)):
    """What a run with a model of another program brings."""
    result, found = runOn(volumeNode), mask() if found is None else found
    volumes = measure_structures(Structures(found, table), result.grid, 100.0)
    summary = {**result.summary, "structures": [volume.to_dict() for volume in volumes]}
    return dataclasses.replace(result, summary=summary, structures=found)


@pytest.fixture
def applied(scene):
    """A result with structures: volume node, what the run brought, segmentation node."""
    volumeNode = addScan("oblique")
    result = runWithStructures(volumeNode)
    return volumeNode, result, results.applyResult(volumeNode, result)


def names(segmentationNode):
    return list(segmentationNode.GetSegmentation().GetSegmentIDs())


def test_they_are_segments_with_name_color_code_and_voxels(host, applied):
    volumeNode, result, node = applied
    assert names(node) == [
        "liver", "spleen", "tumour", "structure-kidney_left", "structure-hepatic_vessels",
        "structure-liver_segment_4",
    ]  # fmt: skip
    segment = node.GetSegmentation().GetSegment("structure-kidney_left")
    assert segment.GetName() == "Kidney left"
    assert segment.GetColor() == pytest.approx([200 / 255, 80 / 255, 80 / 255])
    text = vtk.reference("")
    segment.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), text)
    assert "64033007^Kidney" in str(text) and "7771000^Left" in str(text)
    for item in (KIDNEY, VESSELS, PART):
        voxels = segments.segmentVoxels(node, structures.segmentID(item.key), volumeNode)
        assert np.array_equal(voxels, result.structures == item.value)


def test_codes_are_of_slicer_s_own_lists(host, scene):
    logic = slicer.modules.terminologies.logic()
    entry = slicer.vtkSlicerTerminologyEntry()
    for key in ("kidney_right", "aorta", "portal_vein_and_splenic_vein", "gallbladder"):
        assert logic.DeserializeTerminologyEntry(structures.terminologyOf(key), entry)
        assert entry.GetTypeObject().GetCodeMeaning()
    assert structures.terminologyOf("liver_segment_4") == ""


def test_the_organs_are_as_without_them(host, applied):
    volumeNode, _result, node = applied
    assert np.array_equal(segments.labelsOf(node, volumeNode), labelArray())
    assert node.GetClosedSurfaceInternalRepresentation("liver").GetNumberOfPoints() > 0


def test_volumes_stand_in_the_table_of_volumes(host, applied):
    _volumeNode, result, node = applied
    table = parts.part(node, parts.VOLUMES_TABLE).GetTable()
    rows = [table.GetValueByName(row, "structure").ToString() for row in range(table.GetNumberOfRows())]
    assert rows[4:] == ["Kidney left", "Hepatic vessels", "Liver segment 4"]
    expected = {row["name"]: row["volume_ml"] for row in result.summary["structures"]}
    assert table.GetValueByName(4, "volume_ml").ToDouble() == pytest.approx(expected["Kidney left"], abs=0.01)
    assert table.GetValueByName(6, "share_of_liver_percent").ToDouble() > 0


def test_corrections_do_not_see_them(host, applied):
    node = applied[2]
    found = roles.rolesFor(node, "tumour")
    assert set(found.values) == {"liver", "spleen", "tumour"}
    # by its name it would be taken for the liver
    assert roles.segmentNamed(node, "liver") == "liver"
    assert roles.tumorSegmentID(node) == "tumour"
    assert set(roles.rolesFor(node, "structure-hepatic_vessels").values) >= {
        "structure-hepatic_vessels",
        "liver",
    }


def test_editing_an_organ_keeps_them(host, applied):
    volumeNode, result, node = applied
    paint(node, "tumour", (7, 9, 9, 12, 6, 8))
    for item in (KIDNEY, VESSELS):
        voxels = segments.segmentVoxels(node, structures.segmentID(item.key), volumeNode)
        assert np.array_equal(voxels, result.structures == item.value)


def test_an_edited_one_makes_a_result_touched_but_no_number_old(host, applied):
    node = applied[2]
    assert fingerprint.isUntouched(node) and not fingerprint.editedSinceMeasured(node)
    paint(node, "structure-kidney_left", (1, 3, 1, 3, 1, 3))
    assert not fingerprint.isUntouched(node)
    assert not fingerprint.editedSinceMeasured(node) and not fingerprint.seemsEditedSinceMeasured(node)


def test_measuring_anew_keeps_their_volumes(host, applied):
    _volumeNode, result, node = applied
    summary = {key: value for key, value in result.summary.items() if key != "structures"}
    results.updateMeasurements(node, summary)
    assert structures.structureRows(parts.summaryOf(node)) == tuple(result.summary["structures"])
    assert parts.part(node, parts.VOLUMES_TABLE).GetTable().GetNumberOfRows() == 7


def test_a_result_without_them_takes_their_place(host, applied):
    volumeNode, _result, node = applied
    again = results.applyResult(volumeNode, runOn(volumeNode), replace=node)
    assert again is node and names(node) == ["liver", "spleen", "tumour"]
    assert not structures.structureRows(parts.summaryOf(node))


def test_they_come_back_with_the_scene(host, applied, tmp_path):
    found = applied[1].structures
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    host.clear()
    slicer.util.loadScene(path)
    (node,) = parts.allResults()
    volumeNode = parts.volumeOf(node)
    assert names(node)[3:] == [structures.segmentID(item.key) for item in (KIDNEY, VESSELS, PART)]
    for item in (KIDNEY, VESSELS, PART):
        voxels = segments.segmentVoxels(node, structures.segmentID(item.key), volumeNode)
        assert np.array_equal(voxels, found == item.value)
    assert fingerprint.isUntouched(node) and not fingerprint.editedSinceMeasured(node)
    values = structures.structureValues(node, parts.summaryOf(node))
    assert values == {structures.segmentID(item.key): item.value for item in (KIDNEY, VESSELS, PART)}


def test_a_hundred_keep_the_scene_usable(host, scene):
    """All in one label map, ten shown in 3D, and put there in a moment."""
    volumeNode = addScan()
    found = np.zeros(labelArray().shape, np.uint8)
    table = tuple(
        Structure(value, f"thing_{value}", f"Thing {value}", (value, 255 - value, 90))
        for value in range(1, 101)
    )
    for index, item in enumerate(table):
        found[1 + index // 50, 2 + (index // 10) % 5 * 3, 2 + (index % 10) * 2] = item.value
    began = time.process_time()
    node = results.applyResult(volumeNode, runWithStructures(volumeNode, found, table))
    assert time.process_time() - began < 3
    segmentation = node.GetSegmentation()
    assert segmentation.GetNumberOfSegments() == 103
    images = {segmentation.GetSegment(key).GetRepresentation(segments.LABELMAP) for key in names(node)}
    assert len(images) == 2
    shown = [key for key in names(node)[3:] if node.GetDisplayNode().GetSegmentVisibility3D(key)]
    assert len(shown) == structures.MOST_IN_3D

"""Lesions that the reader rejects: their voxels become liver, and come back exactly."""

import numpy as np
import pytest
import slicer
from scene_samples import (
    GEOMETRIES,
    MOVED,
    addScan,
    addTransform,
    fingerprint,
    paint,
    parts,
    results,
    runOn,
    segments,
)

from LiverSegLib.errors import UsageError
from LiverSegSlicer.scene.rejected_lesions import rejectedLesions, rejectLesion, restoreLesion, toldLesions


@pytest.fixture(params=["axial", "oblique", "sheared"])
def case(request, scene):
    """A scan with a result of two lesions, under a transform."""
    assert request.param in GEOMETRIES
    volumeNode = addScan(request.param)
    volumeNode.SetAndObserveTransformNodeID(addTransform(MOVED).GetID())
    return volumeNode, results.applyResult(volumeNode, runOn(volumeNode))


@pytest.mark.parametrize("order", [(0, 0), (1, 0)])
def test_rejected_lesions_become_liver_and_come_back_exactly(case, order):
    volumeNode, segmentationNode = case
    before = segments.labelsOf(segmentationNode, volumeNode)
    rejectLesion(segmentationNode, 2)
    small = segments.labelsOf(segmentationNode, volumeNode)
    assert (before[small != before] == 3).all() and (small[small != before] == 1).all()
    assert (small != before).sum() == 4 and (small == 3).sum() == 27
    results.updateMeasurements(segmentationNode, runOn(volumeNode, small).summary)
    rejectLesion(segmentationNode, 1)
    assert not (segments.labelsOf(segmentationNode, volumeNode) == 3).any()
    assert not fingerprint.isUntouched(segmentationNode)
    for index in order:
        restoreLesion(segmentationNode, index)
    assert np.array_equal(segments.labelsOf(segmentationNode, volumeNode), before)
    assert fingerprint.isUntouched(segmentationNode), "no voxel of any segment differs"
    assert rejectedLesions(segmentationNode) == []


def test_a_lesion_is_not_taken_from_a_segmentation_edited_since(scene):
    volumeNode = addScan()
    segmentationNode = results.applyResult(volumeNode, runOn(volumeNode))
    paint(segmentationNode, "tumour", (20, 21, 11, 12, 7, 7))
    with pytest.raises(UsageError, match="edited"):
        rejectLesion(segmentationNode, 1)
    assert rejectedLesions(segmentationNode) == []


def test_deleted_lesions_are_told_nowhere(scene):
    volumeNode = addScan()
    segmentationNode = results.applyResult(volumeNode, runOn(volumeNode))
    rejectLesion(segmentationNode, 2, delete=True)
    assert len(rejectedLesions(segmentationNode)) == 1 and toldLesions(segmentationNode) == []


def test_rejected_lesions_survive_a_saved_scene(scene, tmp_path):
    volumeNode = addScan()
    segmentationNode = results.applyResult(volumeNode, runOn(volumeNode))
    before = segments.labelsOf(segmentationNode, volumeNode)
    rejectLesion(segmentationNode, 1)
    assert slicer.util.saveScene(str(tmp_path / "case.mrb"))
    scene.Clear(False)
    slicer.util.loadScene(str(tmp_path / "case.mrb"))
    (segmentationNode,) = parts.allResults()
    assert [lesion["number"] for lesion in toldLesions(segmentationNode)] == [1]
    assert parts.part(segmentationNode, parts.REJECTED) is not None
    restoreLesion(segmentationNode, 0)
    assert np.array_equal(segments.labelsOf(segmentationNode, parts.volumeOf(segmentationNode)), before)

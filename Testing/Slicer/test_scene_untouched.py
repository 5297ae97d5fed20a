"""A result counts as untouched until someone changes its segments, by whatever means."""

import numpy as np
import pytest
import slicer
import vtk
from scene_samples import (
    addScan,
    addTransform,
    fingerprint,
    labelArray,
    paint,
    parts,
    results,
    runOn,
    segments,
)


@pytest.fixture
def segmentationNode(scene):
    volumeNode = addScan("oblique")
    return results.applyResult(volumeNode, runOn(volumeNode))


def show(node):
    displayNode = node.GetDisplayNode()
    displayNode.SetSegmentVisibility("liver", False)
    displayNode.SetSegmentOpacity3D("spleen", 0.1)
    displayNode.SetSegmentOverrideColor("tumour", 1, 0, 0)


def recolour(node):
    node.GetSegmentation().GetSegment("liver").SetColor(0, 0, 1)


def reorder(node):
    node.GetSegmentation().SetSegmentIndex("tumour", 0)


def separate(node):
    node.GetSegmentation().SeparateSegmentLabelmap("tumour")


def collapse(node):
    node.GetSegmentation().SeparateSegmentLabelmap("liver")
    node.GetSegmentation().CollapseBinaryLabelmaps()


def convert(node):
    node.RemoveClosedSurfaceRepresentation()
    node.CreateClosedSurfaceRepresentation()


def renameNode(node):
    node.SetName("something else")


def moveWithTransform(node):
    matrix = np.eye(4)
    matrix[0, 3] = 10
    node.SetAndObserveTransformNodeID(addTransform(matrix).GetID())


@pytest.mark.parametrize(
    "change", [show, recolour, reorder, separate, collapse, convert, renameNode, moveWithTransform]
)
def test_looking_at_a_result_does_not_touch_it(segmentationNode, change):
    change(segmentationNode)
    assert fingerprint.isUntouched(segmentationNode)
    assert not fingerprint.editedSinceMeasured(segmentationNode)


def addVoxels(node):
    paint(node, "tumour", (1, 2, 1, 2, 1, 2))


def takeVoxels(node):
    labels = segments.labelsOf(node, parts.volumeOf(node))
    labels[7, 11, 15] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        (labels == 1).astype(np.uint8), node, "liver", parts.volumeOf(node)
    )


def moveOneVoxel(node):
    mask = np.roll(labelArray() == 2, 1, axis=2).astype(np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, "spleen", parts.volumeOf(node))


def mirror(node):
    mask = np.ascontiguousarray((labelArray() == 3)[:, ::-1]).astype(np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, "tumour", parts.volumeOf(node))


def removeSegment(node):
    node.GetSegmentation().RemoveSegment("tumour")


def addSegment(node):
    node.GetSegmentation().AddEmptySegment("kidney", "Kidney")


def rename(node):
    node.GetSegmentation().GetSegment("tumour").SetName("HCC")


def giveUpLabelmap(node):
    node.SetSourceRepresentationToClosedSurface()
    node.RemoveBinaryLabelmapRepresentation()


def harden(node):
    matrix = np.eye(4)
    matrix[2, 3] = 5
    node.SetAndObserveTransformNodeID(addTransform(matrix).GetID())
    node.HardenTransform()


def swapNames(node):
    segmentation = node.GetSegmentation()
    for key, name in (("liver", "Spleen"), ("spleen", "Liver")):
        segmentation.GetSegment(key).SetName(name)


def writeVoxelsInPlace(node):
    image = node.GetBinaryLabelmapInternalRepresentation("liver")
    image.SetScalarComponentFromDouble(*image.GetExtent()[::2], 0, 1)


@pytest.mark.parametrize(
    "change",
    [
        addVoxels,
        takeVoxels,
        moveOneVoxel,
        mirror,
        removeSegment,
        addSegment,
        rename,
        swapNames,
        giveUpLabelmap,
        harden,
        writeVoxelsInPlace,
    ],
)
def test_every_change_of_the_segments_touches_it(segmentationNode, change):
    change(segmentationNode)
    assert not fingerprint.isUntouched(segmentationNode)
    assert fingerprint.editedSinceMeasured(segmentationNode)


def test_an_edit_that_was_undone_leaves_it_untouched(segmentationNode):
    kept = vtk.vtkImageData()
    kept.DeepCopy(segmentationNode.GetBinaryLabelmapInternalRepresentation("spleen"))
    paint(segmentationNode, "spleen", (1, 2, 1, 2, 1, 2))
    assert not fingerprint.isUntouched(segmentationNode)
    mask = (labelArray() == 2).astype(np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        mask, segmentationNode, "spleen", parts.volumeOf(segmentationNode)
    )
    assert fingerprint.isUntouched(segmentationNode)


@pytest.mark.parametrize("text", ["", "nonsense", "2 a,b", "1 zz,1,1,1,", "1 6c,1", None])
def test_a_fingerprint_that_cannot_be_read_counts_as_touched(segmentationNode, text):
    segmentationNode.SetAttribute(fingerprint.APPLIED, text)
    assert not fingerprint.isUntouched(segmentationNode)


def test_voxels_are_looked_at_only_after_they_were_modified(segmentationNode, monkeypatch):
    """On a long scan that takes longer than a scene event may."""
    asked = []
    original = fingerprint.segmentMask
    monkeypatch.setattr(
        fingerprint, "segmentMask", lambda node, key: asked.append(key) or original(node, key)
    )
    assert not fingerprint.seemsEditedSinceMeasured(segmentationNode)
    show(segmentationNode)
    convert(segmentationNode)
    assert not fingerprint.seemsEditedSinceMeasured(segmentationNode)
    assert asked == []
    paint(segmentationNode, "tumour", (0, 1, 0, 1, 0, 1))
    assert fingerprint.seemsEditedSinceMeasured(segmentationNode)
    assert "tumour" in asked


def test_few_fingerprints_are_kept(segmentationNode):
    for number in range(3 * fingerprint.MOST_KEPT):
        segmentationNode.GetSegmentation().GetSegment("liver").SetName(f"Liver {number}")
        assert fingerprint.seemsEditedSinceMeasured(segmentationNode)
    assert len(fingerprint._kept) <= fingerprint.MOST_KEPT

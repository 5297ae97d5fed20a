"""The automatic result is kept beside the edited one: hidden, saved, compared with, and gone back to."""

import time

import numpy as np
import pytest
import slicer
from scene_samples import (
    GEOMETRIES,
    MOVED,
    addScan,
    addTransform,
    fingerprint,
    itemPath,
    labelArray,
    paint,
    parts,
    results,
    runOn,
    segments,
    timed,
)

from LiverSegLib.errors import InputChangedError, UsageError
from LiverSegSlicer.scene import automatic
from LiverSegSlicer.scene.rejected_lesions import rejectedLesions, rejectLesion
from LiverSegSlicer.work.run import doAtOnce

KEYS = ("liver", "spleen", "tumour")


def applied(geometry="axial", **options):
    """A scan and its result."""
    volumeNode = addScan(geometry)
    return volumeNode, results.applyResult(volumeNode, runOn(volumeNode, **options))


def changes(segmentationNode):
    """What changed, by key."""
    return {change.key: change for change in doAtOnce(automatic.compare(segmentationNode))}


def kept(segmentationNode, volumeNode):
    """The labels of the automatic copy on the scan's grid."""
    return segments.labelsOf(automatic.automaticOf(segmentationNode), volumeNode)


def setLabels(segmentationNode, labels):
    """Make the segments those of an array on the scan's grid, as an editor does, one after the other."""
    volumeNode = parts.volumeOf(segmentationNode)
    for value, key in enumerate(KEYS, start=1):
        mask = (labels == value).astype(np.uint8)
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentationNode, key, volumeNode)


def test_the_copy_is_hidden_and_no_result(scene):
    volumeNode, segmentationNode = applied()
    copy = automatic.automaticOf(segmentationNode)
    assert copy is not None and copy is not segmentationNode
    assert copy.GetHideFromEditors() and copy.GetSaveWithScene()
    assert not copy.GetDisplayVisibility() and not copy.GetDisplayNode().GetVisibility3D()
    assert not copy.GetSegmentation().ContainsRepresentation("Closed surface")
    assert tuple(copy.GetSegmentation().GetSegmentIDs()) == KEYS
    assert not parts.isResult(copy) and parts.allResults() == [segmentationNode]
    assert parts.resultFor(volumeNode) is segmentationNode
    assert itemPath(copy) == []
    combo = slicer.qMRMLNodeComboBox()
    combo.nodeTypes = ["vtkMRMLSegmentationNode"]
    combo.setMRMLScene(scene)
    assert combo.nodeCount() == 1


def test_edits_leave_the_copy_as_the_run_brought_it(scene):
    volumeNode, segmentationNode = applied()
    paint(segmentationNode, "tumour", (4, 9, 8, 12, 6, 8))
    paint(segmentationNode, "spleen", (0, 1, 0, 1, 0, 1))
    assert np.array_equal(kept(segmentationNode, volumeNode), labelArray())


def test_a_result_replaced_in_place_has_its_own_automatic_result(scene):
    volumeNode, segmentationNode = applied()
    labels = np.roll(labelArray(), 1, axis=0)
    results.applyResult(volumeNode, runOn(volumeNode, labels), replace=segmentationNode)
    nodes = scene.GetNodesByClass("vtkMRMLSegmentationNode")
    assert nodes.GetNumberOfItems() == 2, "the result and its one automatic copy"
    assert np.array_equal(kept(segmentationNode, volumeNode), labels)


def test_the_copy_goes_with_its_segmentation(scene):
    _volume, segmentationNode = applied()
    _volume, other = applied()
    automatic.showOutline(segmentationNode, True)
    scene.RemoveNode(segmentationNode)
    automatic.removeOrphans()
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 2
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationDisplayNode") == 2
    assert automatic.automaticOf(other) is not None
    automatic.removeAutomatic(other)
    assert automatic.automaticOf(other) is None
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1


def test_a_clone_has_no_automatic_result_of_its_own(scene):
    _volume, segmentationNode = applied()
    clone = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "clone")
    clone.Copy(segmentationNode)
    assert automatic.automaticOf(clone) is None
    with pytest.raises(UsageError, match="No automatic result"):
        automatic.revert(clone, "liver")


def test_the_panel_removes_the_copy_of_a_segmentation_that_was_deleted(host, hand, scene):
    volumeNode, segmentationNode = applied()
    hand.settle()
    scene.RemoveNode(segmentationNode)
    hand.settle()
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


@pytest.mark.parametrize("geometry", ["axial", "left-handed", "oblique"])
def test_the_scene_file_keeps_the_copy(host, scene, tmp_path, geometry):
    volumeNode, segmentationNode = applied(geometry)
    for node in (volumeNode, segmentationNode):
        node.SetAndObserveTransformNodeID(addTransform(MOVED).GetID())
    paint(segmentationNode, "tumour", (4, 9, 8, 12, 6, 8))
    automatic.showOutline(segmentationNode, True)
    before = changes(segmentationNode)
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    host.clear()
    slicer.util.loadScene(path)
    (segmentationNode,) = parts.allResults()
    copy = automatic.automaticOf(segmentationNode)
    assert copy.GetHideFromEditors() and copy.GetNumberOfDisplayNodes() == 1
    assert not copy.GetDisplayVisibility() and not copy.GetDisplayNode().GetVisibility3D()
    assert itemPath(copy) == []
    assert not automatic.isOutlineShown(segmentationNode)
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 2
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationDisplayNode") == 2
    after = changes(segmentationNode)
    for key in KEYS:
        assert after[key].volumeMl == pytest.approx(before[key].volumeMl)
        assert after[key].dice == pytest.approx(before[key].dice)
    automatic.revert(segmentationNode, "tumour")
    assert {change.dice for change in changes(segmentationNode).values()} == {1.0}


def test_two_scans_and_their_copies_stay_apart(host, scene, tmp_path):
    volumeNode, segmentationNode = applied()
    paint(segmentationNode, "spleen", (0, 1, 0, 1, 0, 1))
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    slicer.util.loadScene(path, {"clear": False})
    one, other = parts.allResults()
    assert automatic.automaticOf(one) is not automatic.automaticOf(other)
    automatic.revert(one, "spleen")
    assert changes(one)["spleen"].dice == 1.0 and changes(other)["spleen"].dice < 1.0


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_changes_are_counted_in_ml_and_dice(scene, geometry):
    volumeNode, segmentationNode = applied(geometry)
    assert {change.dice for change in changes(segmentationNode).values()} == {1.0}
    labels = labelArray()
    labels[0:2, 0:2, 0:4] = 2
    labels[labels == 3] = 1
    setLabels(segmentationNode, labels)
    found, voxel = changes(segmentationNode), abs(np.linalg.det(GEOMETRIES[geometry])) / 1000
    for value, key in enumerate(KEYS, start=1):
        now, then = labels == value, labelArray() == value
        assert found[key].volumeMl == pytest.approx(now.sum() * voxel)
        assert found[key].automaticMl == pytest.approx(then.sum() * voxel)
        assert found[key].dice == pytest.approx(2 * (now & then).sum() / (now.sum() + then.sum()))


def test_what_has_no_voxel_has_no_dice(scene):
    volumeNode = addScan()
    labels = labelArray()
    labels[labels == 3] = 1
    segmentationNode = results.applyResult(volumeNode, runOn(volumeNode, labels))
    assert changes(segmentationNode)["tumour"] == automatic.Change("tumour", 0.0, 0.0, None)
    segmentationNode.GetSegmentation().RemoveSegment("spleen")
    found = changes(segmentationNode)["spleen"]
    assert found.volumeMl == 0 and found.automaticMl > 0 and found.dice == 0
    segmentationNode.SetSourceRepresentationToClosedSurface()
    segmentationNode.RemoveBinaryLabelmapRepresentation()
    found = changes(segmentationNode)["liver"]
    assert found.volumeMl is None and found.dice is None


def test_segments_on_another_grid_are_resampled(scene):
    volumeNode, segmentationNode = applied("anisotropic")
    finer = slicer.vtkOrientedImageData()
    placed = segmentationNode.GetSegmentation().GetSegment("spleen").GetRepresentation("Binary labelmap")
    finer.SetDirections([[-1, 0, 0], [0, -1, 0], [0, 0, 1]])
    finer.SetSpacing(0.35, 0.7, 2.0)
    # so that the voxels of the scan hold 2 x 3 x 4 of these
    finer.SetOrigin(*(np.array(addScanOrigin(volumeNode)) + (0.175, 0.7, -3.0)))
    finer.SetExtent(0, 51, 0, 65, 0, 55)
    finer.AllocateScalars(3, 1)
    finer.GetPointData().GetScalars().Fill(0)
    assert slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
        placed, finer, finer
    )
    array = np.repeat(np.repeat(np.repeat(labelArray() == 2, 4, 0), 3, 1), 2, 2)
    from vtk.util.numpy_support import vtk_to_numpy

    vtk_to_numpy(finer.GetPointData().GetScalars()).reshape(array.shape)[:] = array
    segment = segmentationNode.GetSegmentation().GetSegment("spleen")
    segment.SetLabelValue(1)
    segment.AddRepresentation("Binary labelmap", finer)
    found = changes(segmentationNode)["spleen"]
    assert found.volumeMl == pytest.approx(found.automaticMl)
    assert found.dice == pytest.approx(1.0)


def addScanOrigin(volumeNode):
    """The center of the first voxel, RAS mm."""
    return volumeNode.GetOrigin()


def test_a_transform_on_the_scan_takes_the_copy_along(scene):
    volumeNode, segmentationNode = applied("oblique")
    transformNode = addTransform(MOVED)
    for node in (volumeNode, segmentationNode):
        node.SetAndObserveTransformNodeID(transformNode.GetID())
    assert {change.dice for change in changes(segmentationNode).values()} == {1.0}
    assert automatic.automaticOf(segmentationNode).GetTransformNodeID() == transformNode.GetID()
    paint(segmentationNode, "spleen", (0, 1, 0, 1, 0, 1))
    assert automatic.revert(segmentationNode, "spleen")
    assert np.array_equal(segments.labelsOf(segmentationNode, volumeNode), labelArray())


def test_a_segmentation_moved_against_its_scan_agrees_less(scene):
    _volume, segmentationNode = applied()
    matrix = np.eye(4)
    matrix[0, 3] = 8.0  # two voxels
    segmentationNode.SetAndObserveTransformNodeID(addTransform(matrix).GetID())
    now = np.roll(labelArray() == 2, -2, axis=2)
    then = labelArray() == 2
    expected = 2 * (now & then).sum() / (now.sum() + then.sum())
    assert changes(segmentationNode)["spleen"].dice == pytest.approx(expected)
    assert automatic.revert(segmentationNode, "spleen")
    assert changes(segmentationNode)["spleen"].dice == pytest.approx(1.0)


def test_a_change_between_two_pieces_ends_the_comparison(scene):
    _volume, segmentationNode = applied()
    work = automatic.compare(segmentationNode)
    next(work)
    paint(segmentationNode, "liver", (0, 1, 0, 1, 0, 1))
    with pytest.raises(InputChangedError, match="changed while it was compared"):
        doAtOnce(work)


# ---- back to the automatic segments


def edited():
    """Labels after edits of all kinds: grown, cut, moved, one taken from another."""
    labels = labelArray()
    labels[5:8, 6:9, 4:7] = 0  # a piece of liver is gone
    labels[0:2, 0:3, 0:3] = 1  # liver outside
    labels[6:8, 9:11, 7:10] = 1  # most of a tumor is liver
    labels[7:9, 14:16, 8:10] = 3  # a tumor in the liver
    labels[6:8, 10:12, 19:21] = 3  # and one in the spleen
    labels[7, 12:14, 12:15] = 2  # spleen in the liver
    return labels


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1), (1, 2, 0), (0, 2, 1)])
def test_all_segments_reverted_are_the_automatic_result_voxel_by_voxel(scene, order):
    volumeNode, segmentationNode = applied()
    setLabels(segmentationNode, edited())
    for index in (*order, *order):  # tumor that won over liver is gone in the second round
        automatic.revert(segmentationNode, KEYS[index])
    assert np.array_equal(segments.labelsOf(segmentationNode, volumeNode), labelArray())
    assert fingerprint.isUntouched(segmentationNode)
    assert not automatic.revert(segmentationNode, "liver")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("layers", ["shared", "own"])
def test_a_segment_that_alone_was_edited_comes_back_exactly(scene, key, layers):
    volumeNode, segmentationNode = applied()
    if layers == "own":
        for each in KEYS:
            segmentationNode.GetSegmentation().SeparateSegmentLabelmap(each)
    paint(segmentationNode, key, (5, 8, 6, 13, 2, 8))
    assert changes(segmentationNode)[key].dice < 1
    assert automatic.revert(segmentationNode, key)
    assert np.array_equal(
        segments.segmentVoxels(segmentationNode, key, volumeNode), labelArray() == KEYS.index(key) + 1
    )
    others = segments.labelsOf(segmentationNode, volumeNode)
    if layers == "own" or key == "tumour":
        assert np.array_equal(others, labelArray())


def test_a_reverted_tumor_gives_the_liver_back(scene):
    volumeNode, segmentationNode = applied()
    labels = edited()
    setLabels(segmentationNode, labels)
    automatic.revert(segmentationNode, "tumour")
    expected, then = labels.copy(), labelArray()
    left = (labels == 3) & (then != 3)
    expected[left] = then[left]
    expected[then == 3] = 3
    assert np.array_equal(segments.labelsOf(segmentationNode, volumeNode), expected)
    assert (expected[left] == 1).any() and (expected[left] == 2).any()


def test_a_rejected_lesion_that_is_tumor_again_is_no_longer_told_as_rejected(scene):
    _volume, segmentationNode = applied()
    rejectLesion(segmentationNode, 1)
    assert len(rejectedLesions(segmentationNode)) == 1
    automatic.revert(segmentationNode, "liver")
    assert len(rejectedLesions(segmentationNode)) == 1, "it stays liver"
    automatic.revert(segmentationNode, "tumour")
    assert rejectedLesions(segmentationNode) == []
    assert fingerprint.isUntouched(segmentationNode)


def test_a_reverted_liver_takes_nothing_of_hers(scene):
    volumeNode, segmentationNode = applied()
    labels = edited()
    setLabels(segmentationNode, labels)
    automatic.revert(segmentationNode, "liver")
    found, then = segments.labelsOf(segmentationNode, volumeNode), labelArray()
    for value in (2, 3):
        assert np.array_equal(found == value, labels == value)
    hers = (labels == 2) | (labels == 3)
    madeLiver = (labels == 1) & (then == 3)
    assert madeLiver.any()
    assert np.array_equal(found == 1, ((then == 1) | madeLiver) & ~hers)


def test_other_segments_of_hers_stay(scene):
    volumeNode, segmentationNode = applied()
    segmentationNode.GetSegmentation().AddEmptySegment("cyst", "Cyst")
    mask = np.zeros(labelArray().shape, np.uint8)
    mask[6:9, 9:12, 7:10] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentationNode, "cyst", volumeNode)
    paint(segmentationNode, "tumour", (4, 9, 8, 12, 6, 8))
    automatic.revert(segmentationNode, "tumour")
    assert np.array_equal(segments.segmentVoxels(segmentationNode, "cyst", volumeNode), mask > 0)


def test_a_segment_that_is_gone_cannot_be_reverted(scene):
    _volume, segmentationNode = applied()
    segmentationNode.GetSegmentation().RemoveSegment("tumour")
    for key in ("tumour", "kidney"):
        with pytest.raises(UsageError, match="no longer there"):
            automatic.revert(segmentationNode, key)


# ---- the outline


def test_the_outline_is_shown_in_slices_only_and_leaves_her_nodes_alone(scene):
    _volume, segmentationNode = applied()
    displayNode = segmentationNode.GetDisplayNode()
    before = displayNode.GetMTime(), scene.GetNumberOfNodes()
    automatic.showOutline(segmentationNode, True)
    automatic.showOutline(segmentationNode, True)
    assert automatic.isOutlineShown(segmentationNode)
    assert scene.GetNumberOfNodes() == before[1] + 2
    (outlineNode,) = (
        node
        for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
        if node.GetAttribute(parts.OUTLINE)
    )
    shown = outlineNode.GetDisplayNode()
    assert shown.GetVisibility() and not shown.GetVisibility3D()
    assert shown.GetVisibility2DOutline() and not shown.GetVisibility2DFill()
    assert outlineNode.GetHideFromEditors() and not outlineNode.GetSaveWithScene()
    assert not parts.isResult(outlineNode) and itemPath(outlineNode) == []
    automatic.showOutline(segmentationNode, False)
    automatic.showOutline(segmentationNode, False)
    assert not automatic.isOutlineShown(segmentationNode)
    assert (displayNode.GetMTime(), scene.GetNumberOfNodes()) == before
    assert segmentationNode.GetDisplayNode() is displayNode


# ---- what it costs


def large(slices):
    """Labels as on a real scan: liver over a third of the slices and of each side."""
    labels = np.zeros((slices, 512, 512), np.uint8)
    part = slice(slices // 3, 2 * slices // 3)
    labels[part, 120:420, 60:340] = 1
    labels[part, 250:420, 380:460] = 2
    labels[slices // 2 : slices // 2 + 10, 200:240, 150:190] = 3
    return labels


@pytest.mark.parametrize("slices", [110, pytest.param(600, marks=pytest.mark.slow)])
def test_keeping_and_comparing_takes_short_pieces(scene, slices):
    labels = large(slices)
    volumeNode = slicer.util.addVolumeFromArray(np.zeros(labels.shape, np.int16))
    segmentationNode = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    segmentationNode.SetNodeReferenceID(parts.VOLUME, volumeNode.GetID())
    labelmap = segments.sharedLabelmap(labels, volumeNode)
    segments.fillSegmentation(segmentationNode.GetSegmentation(), labelmap, {})
    begin = time.process_time()
    automatic.keepAutomatic(segmentationNode, labelmap)
    took = time.process_time() - begin
    automatic.showOutline(segmentationNode, True)
    begin = time.process_time()
    automatic.keepAutomatic(segmentationNode, labelmap)
    again = time.process_time() - begin
    work, pieces = automatic.compare(segmentationNode), []
    timed(work, pieces)
    told = f"kept in {1000 * took:.1f} ms, again in {1000 * again:.1f} ms"
    print(f"x{slices}: {told}; {len(pieces)} pieces, longest {1000 * max(pieces):.1f} ms")
    assert max(took, again) < 0.1
    assert max(pieces) < 0.1 and sorted(pieces)[len(pieces) * 9 // 10] < 0.03

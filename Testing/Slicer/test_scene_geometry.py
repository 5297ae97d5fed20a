"""A result lies where its scan lies, voxel for voxel, however the scan lies in patient and world."""

import numpy as np
import pytest
import slicer
import vtk
from scene_samples import (
    GEOMETRIES,
    MOVED,
    SHAPE,
    addScan,
    addTransform,
    labelArray,
    paint,
    results,
    runOn,
    segments,
    setGeometry,
    volumes,
)
from vtk.util.numpy_support import vtk_to_numpy

from LiverSegLib.errors import InputChangedError, InputError


def exported(segmentationNode, volumeNode) -> dict:
    """Segment ID -> its voxels as Slicer exports them on the volume's grid."""
    return {
        key: slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, key, volumeNode) > 0
        for key in ("liver", "spleen", "tumour")
    }


@pytest.mark.parametrize("transformed", [False, True], ids=["", "transformed"])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_export_gives_back_every_voxel(scene, name, transformed):
    volumeNode = addScan(name)
    if transformed:
        volumeNode.SetAndObserveTransformNodeID(addTransform(MOVED).GetID())
    segmentationNode = results.applyResult(volumeNode, runOn(volumeNode))
    assert segmentationNode.GetTransformNodeID() == volumeNode.GetTransformNodeID()
    masks = exported(segmentationNode, volumeNode)
    for value, key in ((1, "liver"), (2, "spleen"), (3, "tumour")):
        assert np.array_equal(masks[key], labelArray() == value), key
    assert np.array_equal(segments.labelsOf(segmentationNode, volumeNode), labelArray())


@pytest.mark.parametrize("name", GEOMETRIES)
def test_surfaces_lie_around_their_voxels_in_the_world(scene, name):
    volumeNode = addScan(name)
    volumeNode.SetAndObserveTransformNodeID(addTransform(MOVED).GetID())
    segmentationNode = results.applyResult(volumeNode, runOn(volumeNode))
    voxel = np.linalg.norm(GEOMETRIES[name], axis=0).max()
    for key in ("liver", "spleen", "tumour"):
        surface = vtk.vtkPolyData()
        segmentationNode.GetClosedSurfaceRepresentation(key, surface)
        points = vtk_to_numpy(surface.GetPoints().GetData())
        matrix = volumes.toWorld(segmentationNode)
        world = points @ matrix[:3, :3].T + matrix[:3, 3]
        own = labelArray() > 0 if key == "liver" else labelArray() == {"spleen": 2, "tumour": 3}[key]
        own &= (labelArray() != 2) if key == "liver" else True
        matrix = matrix @ volumes.ijkToRas(volumeNode)
        voxels = np.argwhere(own)[:, ::-1] @ matrix[:3, :3].T + matrix[:3, 3]
        assert np.allclose([world.min(0), world.max(0)], [voxels.min(0), voxels.max(0)], atol=voxel), key


def test_surfaces_face_outwards_and_have_normals(scene):
    volumeNode = addScan("left-handed")
    segmentationNode = results.applyResult(volumeNode, runOn(volumeNode))
    surface = segmentationNode.GetClosedSurfaceInternalRepresentation("spleen")
    properties = vtk.vtkMassProperties()
    properties.SetInputData(surface)
    assert properties.GetVolume() > 0
    points, normals = (
        vtk_to_numpy(array) for array in (surface.GetPoints().GetData(), surface.GetPointData().GetNormals())
    )
    assert (((points - points.mean(0)) * normals).sum(1) > 0).mean() > 0.95


def test_segments_cover_only_the_labelled_part(scene):
    volumeNode = addScan()
    segmentationNode = results.applyResult(volumeNode, runOn(volumeNode))
    image = segmentationNode.GetBinaryLabelmapInternalRepresentation("liver")
    assert image.GetNumberOfPoints() < np.prod(SHAPE)
    z, y, x = (np.flatnonzero(labelArray().any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    assert image.GetExtent() == (x[0], x[-1], y[0], y[-1], z[0], z[-1])
    reference = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    assert segmentationNode.GetNodeReference(reference) is volumeNode


def test_edits_come_back_with_the_labels(scene):
    volumeNode = addScan("oblique")
    segmentationNode = results.applyResult(volumeNode, runOn(volumeNode))
    paint(segmentationNode, "tumour", (0, 3, 2, 4, 1, 2))  # beyond the labels' box
    paint(segmentationNode, "spleen", (8, 9, 10, 11, 7, 7))  # over the tumour
    labels = segments.labelsOf(segmentationNode, volumeNode)
    assert (labels[1:3, 2:5, 0:4] == 3).all()
    expected = labelArray()
    expected[1:3, 2:5, 0:4] = 3
    expected[7, 10:12, 8:10] = 2
    masks = exported(segmentationNode, volumeNode)
    assert np.array_equal(labels == 3, masks["tumour"])
    assert np.array_equal(labels == 2, masks["spleen"] & ~masks["tumour"])
    assert np.array_equal(labels > 0, expected > 0)


def test_a_deleted_segment_is_empty_and_others_are_left_out(scene):
    volumeNode = addScan()
    segmentationNode = results.applyResult(volumeNode, runOn(volumeNode))
    segmentation = segmentationNode.GetSegmentation()
    segmentation.RemoveSegment("spleen")
    segmentation.AddEmptySegment("kidney", "Kidney")
    paint(segmentationNode, "kidney", (0, 2, 0, 2, 0, 2))
    labels = segments.labelsOf(segmentationNode, volumeNode)
    assert set(np.unique(labels)) == {0, 1, 3}
    assert np.array_equal(labels == 1, labelArray() == 1)
    for key in ("liver", "tumour"):
        segmentation.RemoveSegment(key)
    with pytest.raises(InputError, match="none of the segments"):
        segments.labelsOf(segmentationNode, volumeNode)


def test_labels_are_resampled_to_a_volume_elsewhere(scene):
    volumeNode = addScan()
    segmentationNode = results.applyResult(volumeNode, runOn(volumeNode))
    shifted = addScan(name="another")
    setGeometry(
        shifted, GEOMETRIES["axial"], np.array((31.5, -12.25, 400.0)) + GEOMETRIES["axial"] @ (3, 0, -1)
    )
    labels = segments.labelsOf(segmentationNode, shifted)
    assert np.array_equal(labels[1:, :, :-3], labelArray()[:-1, :, 3:])
    moved = np.eye(4)
    moved[:3, 3] = GEOMETRIES["axial"] @ (0, 2, 0)
    volumeNode.SetAndObserveTransformNodeID(addTransform(moved).GetID())
    assert np.array_equal(segments.labelsOf(segmentationNode, volumeNode)[:, :-2], labelArray()[:, 2:])


def test_a_volume_that_moved_or_went_meanwhile_gets_no_result(scene):
    volumeNode = addScan()
    result = runOn(volumeNode)
    nodes = scene.GetNumberOfNodes()
    setGeometry(volumeNode, GEOMETRIES["axial"], (0, 0, 0))
    with pytest.raises(InputChangedError, match="was changed while"):
        results.applyResult(volumeNode, result)
    slicer.util.updateVolumeFromArray(volumeNode, np.zeros((4, 5, 6), np.int16))
    with pytest.raises(InputChangedError, match="was changed while"):
        results.applyResult(volumeNode, result)
    assert scene.GetNumberOfNodes() == nodes
    scene.RemoveNode(volumeNode)
    with pytest.raises(InputChangedError, match="was removed while"):
        results.applyResult(volumeNode, result)

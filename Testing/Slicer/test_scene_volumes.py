"""The scan as the scene holds it: described, checked, its grid."""

import numpy as np
import pytest
import slicer
import vtk
from scene_samples import GEOMETRIES, addScan, addTransform, setGeometry
from scene_samples import volumes as scans

from LiverSegLib.errors import ImageGeometryError, InputError, NotCTError

checkVolume, describeVolume = scans.checkVolume, scans.describeVolume
volumeGrid, voxelArray = scans.volumeGrid, slicer.util.arrayFromVolume


def test_a_volume_is_told_in_one_line(scene):
    facts = describeVolume(addScan("anisotropic"))
    assert facts.size == (26, 22, 14)
    assert facts.text == "26 × 22 × 14 voxels, 0.7 × 2.1 × 8 mm"


@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_grid_puts_every_voxel_where_the_scene_has_it(scene, name):
    volumeNode = addScan(name)
    image = volumeGrid(volumeNode).image(voxelArray(volumeNode))
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    for index in ((0, 0, 0), (25, 0, 3), (7, 21, 13)):
        r, a, s, _one = matrix.MultiplyPoint((*index, 1))
        assert np.allclose(image.TransformContinuousIndexToPhysicalPoint(index), (-r, -a, s), atol=1e-6)


def test_voxels_are_not_copied(scene):
    volumeNode = addScan()
    voxelArray(volumeNode)[3, 4, 5] = 1234
    assert volumeNode.GetImageData().GetScalarComponentAsDouble(5, 4, 3, 0) == 1234


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_every_scalar_type_can_be_segmented(scene, dtype):
    volumeNode = addScan(dtype=dtype)
    checkVolume(volumeNode)
    assert voxelArray(volumeNode).dtype == dtype
    describeVolume(volumeNode)


def test_no_volume_is_a_sentence(scene):
    assert describeVolume(None).text == "No volume is chosen."
    with pytest.raises(InputError, match="Choose a CT volume"):
        checkVolume(None)
    with pytest.raises(InputError, match="Choose a CT volume"):
        checkVolume(scene.AddNewNodeByClass("vtkMRMLTableNode"))


def test_a_volume_without_image_is_refused(scene):
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    assert describeVolume(empty).text == "The volume holds no image."
    with pytest.raises(InputError, match="no image data"):
        checkVolume(empty)


def test_label_maps_and_colour_are_refused(scene):
    labelmap = slicer.util.addVolumeFromArray(
        np.ones((5, 5, 5), np.uint8), nodeClassName="vtkMRMLLabelMapVolumeNode"
    )
    with pytest.raises(NotCTError, match="label map"):
        checkVolume(labelmap)
    colour = slicer.util.addVolumeFromArray(
        np.ones((5, 5, 5, 3), np.uint8), nodeClassName="vtkMRMLVectorVolumeNode"
    )
    describeVolume(colour)
    with pytest.raises(NotCTError, match="several values"):
        checkVolume(colour)
    scalar = slicer.util.addVolumeFromArray(np.ones((5, 5, 5), np.uint8))
    scalar.SetAndObserveImageData(colour.GetImageData())
    with pytest.raises(NotCTError, match="several values"):
        checkVolume(scalar)


@pytest.mark.parametrize(("shape", "words"), [((1, 9, 9), "a single slice"), ((9, 2, 9), "only 2 slices")])
def test_too_few_slices_are_refused(scene, shape, words):
    with pytest.raises(ImageGeometryError, match=words):
        checkVolume(slicer.util.addVolumeFromArray(np.zeros(shape, np.int16)))


def test_a_position_that_is_no_number_is_refused_and_described(scene):
    volumeNode = addScan()
    setGeometry(volumeNode, GEOMETRIES["axial"], (float("nan"), 0, 0))
    describeVolume(volumeNode)
    with pytest.raises(ImageGeometryError, match="not a number"):
        checkVolume(volumeNode)


def test_a_linear_transform_is_fine_and_told_only_if_it_changes_sizes(scene):
    volumeNode = addScan()
    turned = np.eye(4)
    turned[:3, :3] = GEOMETRIES["oblique"] / np.linalg.norm(GEOMETRIES["oblique"], axis=0)
    volumeNode.SetAndObserveTransformNodeID(addTransform(turned).GetID())
    checkVolume(volumeNode)
    assert describeVolume(volumeNode).doubts == ()
    volumeNode.SetAndObserveTransformNodeID(addTransform(np.diag([1.1, 1, 1, 1])).GetID())
    checkVolume(volumeNode)
    assert "changes sizes" in describeVolume(volumeNode).doubts[0]


def test_a_non_linear_transform_is_refused_with_what_to_do(scene):
    volumeNode = addScan()
    spline = vtk.vtkThinPlateSplineTransform()
    for set_points, shift in ((spline.SetSourceLandmarks, 0), (spline.SetTargetLandmarks, 5)):
        points = vtk.vtkPoints()
        for x, y, z in ((0, 0, 0), (99, 0, 0), (0, 99, 0), (0, 0, 99), (50, 50, 50)):
            points.InsertNextPoint(x, y, z + shift * (x == 50))
        set_points(points)
    spline.SetBasisToR()
    bent = scene.AddNewNodeByClass("vtkMRMLTransformNode", "bent")
    bent.SetAndObserveTransformToParent(spline)
    linear = addTransform(np.eye(4))
    linear.SetAndObserveTransformNodeID(bent.GetID())
    for transformNode in (bent, linear):
        volumeNode.SetAndObserveTransformNodeID(transformNode.GetID())
        assert "non-linear" in describeVolume(volumeNode).doubts[0]
        with pytest.raises(InputError, match="harden it in the Transforms module"):
            checkVolume(volumeNode)


def test_thick_slices_and_sheared_axes_are_doubts(scene):
    assert "8 mm apart" in describeVolume(addScan("anisotropic")).doubts[0]
    assert "not perpendicular (by 18.4°)" in describeVolume(addScan("sheared")).doubts[0]
    assert describeVolume(addScan("oblique")).doubts == ()


def test_a_frame_of_a_sequence_is_segmented_and_told(scene):
    sequenceNode = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "phases")
    for number in range(3):
        frame = addScan(name=f"phase {number}")
        sequenceNode.SetDataNodeAtValue(frame, str(number))
        scene.RemoveNode(frame)
    browserNode = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "browser")
    browserNode.SetAndObserveMasterSequenceNodeID(sequenceNode.GetID())
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browserNode)
    browserNode.SetSelectedItemNumber(1)
    proxyNode = browserNode.GetProxyNode(sequenceNode)
    assert proxyNode is not None
    checkVolume(proxyNode)
    assert "frame 2 of 3" in describeVolume(proxyNode).doubts[0]


def test_values_that_are_no_hounsfield_units_are_a_doubt(scene):
    assert "Hounsfield" in describeVolume(addScan(dtype=np.uint8)).doubts[0]
    volumeNode = addScan(dtype=np.float32)
    voxelArray(volumeNode)[:] = np.nan
    assert "Hounsfield" in describeVolume(volumeNode).doubts[0]

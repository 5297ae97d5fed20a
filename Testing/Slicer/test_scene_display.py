"""What is seen of a result: window, layout, slices, 3D, lesions, highlight."""

import numpy as np
import pytest
import slicer
import vtk
from scene_samples import (
    GEOMETRIES,
    MOVED,
    ORIGIN,
    addScan,
    addTransform,
    highlight,
    itemPath,
    labelArray,
    paint,
    parts,
    results,
    runOn,
    views,
    volumes,
)

import LiverSegLib.outputs.highlight as core_highlight


def applied(geometry="axial", transformed=False):
    """A volume and its result."""
    volumeNode = addScan(geometry, name="CT 7")
    if transformed:
        volumeNode.SetAndObserveTransformNodeID(addTransform(MOVED).GetID())
    return volumeNode, results.applyResult(volumeNode, runOn(volumeNode))


def seenIn(name, place) -> np.ndarray:
    """Place in a slice view, mm from its middle: across, up, off the plane."""
    sliceNode = slicer.app.layoutManager().sliceWidget(name).mrmlSliceNode()
    inverse = vtk.vtkMatrix4x4()
    vtk.vtkMatrix4x4.Invert(sliceNode.GetSliceToRAS(), inverse)
    return np.array(inverse.MultiplyPoint((*place, 1))[:3])


def lesionPlace(segmentationNode, number) -> tuple:
    """Where the mark of a lesion lies in the world, RAS mm."""
    place = [0.0] * 3
    marksNode = parts.part(segmentationNode, parts.LESION_MARKS)
    marksNode.GetNthControlPointPositionWorld(number - 1, place)
    return tuple(place)


def test_without_a_main_window_the_scene_is_set_all_the_same(scene):
    volumeNode, segmentationNode = applied()
    assert slicer.app.layoutManager() is None
    views.showResult(volumeNode, segmentationNode)
    assert volumeNode.GetDisplayNode().GetWindow() == 400
    assert volumeNode.GetDisplayNode().GetLevel() == 40
    assert views.jumpToLesion(segmentationNode, 1)
    highlight.showHighlight(volumeNode, segmentationNode)
    highlight.hideHighlight(segmentationNode)


@pytest.mark.parametrize("transformed", [False, True], ids=["", "transformed"])
def test_the_views_turn_to_the_liver(window, scene, transformed):
    volumeNode, segmentationNode = applied("oblique", transformed)
    views.showResult(volumeNode, segmentationNode)
    layoutManager = slicer.app.layoutManager()
    assert layoutManager.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    matrix = volumes.toWorld(volumeNode) @ volumes.ijkToRas(volumeNode)
    liver = np.argwhere(labelArray() == 1)[:, ::-1] @ matrix[:3, :3].T + matrix[:3, 3]
    for name in layoutManager.sliceViewNames():
        logic = layoutManager.sliceWidget(name).sliceLogic()
        assert logic.GetSliceCompositeNode().GetBackgroundVolumeID() == volumeNode.GetID()
        across, up, off = seenIn(name, liver.mean(axis=0))
        width, height, _depth = logic.GetSliceNode().GetFieldOfView()
        assert abs(off) < 5 and abs(across) < width / 3 and abs(up) < height / 3, name


def seenBox(cameraNode, segmentationNode) -> np.ndarray:
    """Corners of the box around liver and spleen as a camera sees them: across to the
    viewer's right and up, as parts of half the view's height."""
    from LiverSegSlicer.scene.segments import segmentBox

    boxes = [segmentBox(segmentationNode, key) for key in ("liver", "spleen")]
    low, high = np.min([box[0] for box in boxes], axis=0), np.max([box[1] for box in boxes], axis=0)
    corners = np.array(np.meshgrid(*zip(low, high))).reshape(3, -1).T
    position, up = np.array(cameraNode.GetPosition()), np.array(cameraNode.GetViewUp())
    forward = np.array(cameraNode.GetFocalPoint()) - position
    forward /= np.linalg.norm(forward)
    depth = (corners - position) @ forward
    scale = np.tan(np.radians(cameraNode.GetViewAngle()) / 2) * depth
    return np.stack([(corners - position) @ np.cross(forward, up) / scale, (corners - position) @ up / scale])


@pytest.mark.parametrize("size", [(1280, 800), (700, 900)], ids=["wide", "narrow"])
def test_the_organs_stand_in_3d_as_seen_from_in_front_and_fill_the_view(
    host, window, scene, screenshot, size
):
    host.openWindow(size=size)
    volumeNode, segmentationNode = applied()
    segmentationNode.CreateClosedSurfaceRepresentation()
    distant = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    distant.AddControlPoint(900, 900, 900)  # what else stands in the scene must not matter
    view = slicer.app.layoutManager().threeDWidget(0).threeDView()
    view.cameraNode().SetPosition(0, 1090, 336)
    views.showResult(volumeNode, segmentationNode)
    host.settle(0.2)
    cameraNode = view.cameraNode()
    middle, position = np.array(cameraNode.GetFocalPoint()), np.array(cameraNode.GetPosition())
    toCamera = (position - middle) / np.linalg.norm(position - middle)
    assert np.allclose(toCamera, (0, 1, 0)) and np.allclose(cameraNode.GetViewUp(), (0, 0, 1))
    across, up = seenBox(cameraNode, segmentationNode)
    filled = max(np.abs(across).max() * view.height / view.width, np.abs(up).max())
    assert 0.8 < filled <= 1
    assert abs(across.max() + across.min()) < 0.01 and abs(up.max() + up.min()) < 0.01
    screenshot(f"organs-from-the-front-{size[0]}")


def test_jumping_moves_the_slices_of_the_view_group_that_shows_the_scan_and_no_others(window, scene):
    volumeNode, segmentationNode = applied()
    views.showResult(volumeNode, segmentationNode)
    layoutManager = slicer.app.layoutManager()
    other = addScan("axial", name="Another patient")
    logics = {name: layoutManager.sliceWidget(name).sliceLogic() for name in ("Red", "Yellow", "Green")}
    logics["Red"].GetSliceCompositeNode().SetBackgroundVolumeID(other.GetID())
    for name in ("Yellow", "Green"):
        logics[name].GetSliceNode().SetViewGroup(3)
    try:
        before = logics["Red"].GetSliceOffset()
        assert views.jumpToLesion(segmentationNode, 2)
        assert logics["Red"].GetSliceOffset() == before
        for name in ("Yellow", "Green"):
            assert abs(seenIn(name, lesionPlace(segmentationNode, 2))[2]) < 0.01
    finally:
        for name in ("Yellow", "Green"):
            logics[name].GetSliceNode().SetViewGroup(0)


def test_the_highlight_replaces_the_scan_only_where_it_is_shown(window, scene):
    volumeNode, segmentationNode = applied()
    views.showResult(volumeNode, segmentationNode)
    other = addScan("axial", name="Another patient")
    composites = [
        slicer.app.layoutManager().sliceWidget(name).sliceLogic().GetSliceCompositeNode()
        for name in ("Red", "Yellow")
    ]
    composites[1].SetBackgroundVolumeID(other.GetID())
    highlightNode = highlight.showHighlight(volumeNode, segmentationNode)
    shown = [composite.GetBackgroundVolumeID() for composite in composites]
    assert shown == [highlightNode.GetID(), other.GetID()]
    highlight.hideHighlight(segmentationNode)
    shown = [composite.GetBackgroundVolumeID() for composite in composites]
    assert shown == [volumeNode.GetID(), other.GetID()]


def test_only_the_shown_result_is_visible(scene):
    volumeNode, first = applied()
    second = results.applyResult(volumeNode, runOn(volumeNode))
    views.showResult(volumeNode, second)
    marks = [parts.part(node, parts.LESION_MARKS) for node in (first, second)]
    nodes = (first, second, *marks)
    assert [bool(node.GetDisplayVisibility()) for node in nodes] == [False, True, False, True]
    views.showResult(volumeNode, first)
    assert [bool(node.GetDisplayVisibility()) for node in nodes] == [True, False, True, False]


def test_a_result_without_liver_is_shown_too(window, scene):
    volumeNode, segmentationNode = applied()
    segmentationNode.GetSegmentation().RemoveSegment("liver")
    views.showResult(volumeNode, segmentationNode)


@pytest.mark.parametrize("transformed", [False, True], ids=["", "transformed"])
def test_all_slices_go_through_the_chosen_lesion(window, scene, transformed):
    volumeNode, segmentationNode = applied("sagittal", transformed)
    views.showResult(volumeNode, segmentationNode)
    for number in (2, 1):
        assert views.jumpToLesion(segmentationNode, number)
        for name in slicer.app.layoutManager().sliceViewNames():
            assert abs(seenIn(name, lesionPlace(segmentationNode, number))[2]) < 0.01
        marksNode = parts.part(segmentationNode, parts.LESION_MARKS)
        assert [bool(marksNode.GetNthControlPointVisibility(index)) for index in range(2)] == [
            number == 1,
            number == 2,
        ]


def test_a_lesion_in_view_leaves_the_picture_where_it_is(window, scene):
    volumeNode, segmentationNode = applied()
    views.showResult(volumeNode, segmentationNode)
    before = seenIn("Red", ORIGIN)
    assert views.jumpToLesion(segmentationNode, 1)
    assert np.allclose(seenIn("Red", ORIGIN)[:2], before[:2])
    redNode = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    redNode.SetFieldOfView(8.0, 8.0, 1.0)
    assert views.jumpToLesion(segmentationNode, 2)
    assert np.allclose(seenIn("Red", lesionPlace(segmentationNode, 2)), 0, atol=0.01)


def test_an_unknown_lesion_moves_nothing(scene):
    _volume, segmentationNode = applied()
    assert not views.jumpToLesion(segmentationNode, 99)
    scene.RemoveNode(parts.part(segmentationNode, parts.SUMMARY))
    assert not views.jumpToLesion(segmentationNode, 1)


def test_deleted_marks_are_made_again(scene):
    _volume, segmentationNode = applied()
    scene.RemoveNode(parts.part(segmentationNode, parts.LESION_MARKS))
    assert views.jumpToLesion(segmentationNode, 2)
    marksNode = parts.part(segmentationNode, parts.LESION_MARKS)
    assert marksNode.GetNumberOfControlPoints() == 2
    assert itemPath(marksNode)[0] == "CT 7 LiverSeg"


@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_highlight_is_the_cores_in_the_place_of_the_scan(scene, name):
    volumeNode, segmentationNode = applied(name, transformed=True)
    highlightNode = highlight.makeHighlight(volumeNode, segmentationNode)
    grid = volumes.volumeGrid(volumeNode)
    expected = core_highlight.highlight(
        grid.image(slicer.util.arrayFromVolume(volumeNode)), grid.image(labelArray())
    )
    voxels = slicer.util.arrayFromVolume(highlightNode)
    assert voxels.dtype == np.uint8
    assert np.array_equal(voxels, np.asarray(core_highlight.sitk.GetArrayViewFromImage(expected)))
    assert volumes.volumeGrid(highlightNode) == grid
    assert highlightNode.GetTransformNodeID() == volumeNode.GetTransformNodeID()
    assert itemPath(highlightNode) == ["CT 7 LiverSeg", "CT 7 highlight"]
    assert highlight.isHighlight(highlightNode) and not highlight.isHighlight(volumeNode)


def test_the_highlight_follows_edits_in_the_same_node(scene):
    volumeNode, segmentationNode = applied()
    highlightNode = highlight.makeHighlight(volumeNode, segmentationNode)
    paint(segmentationNode, "tumour", (0, 1, 0, 1, 0, 1))
    assert highlight.makeHighlight(volumeNode, segmentationNode) is highlightNode
    assert (slicer.util.arrayFromVolume(highlightNode)[:2, :2, :2] == 255).all()


def test_the_highlight_takes_the_place_of_the_scan_and_gives_it_back(window, scene):
    volumeNode, segmentationNode = applied()
    views.showResult(volumeNode, segmentationNode)
    highlightNode = highlight.showHighlight(volumeNode, segmentationNode)
    composite = slicer.app.layoutManager().sliceWidget("Red").sliceLogic().GetSliceCompositeNode()
    assert composite.GetBackgroundVolumeID() == highlightNode.GetID()
    assert not segmentationNode.GetDisplayNode().GetVisibility2D()
    highlight.hideHighlight(segmentationNode)
    assert composite.GetBackgroundVolumeID() == volumeNode.GetID()
    assert segmentationNode.GetDisplayNode().GetVisibility2D()


def test_the_chosen_lesion_shows_its_two_diameters_and_no_other_does(scene):
    volumeNode = addScan()
    segmentationNode = results.applyResult(volumeNode, runOn(volumeNode))
    nodes = lambda: slicer.util.getNodesByClass("vtkMRMLMarkupsLineNode")  # noqa: E731
    assert not nodes()
    for number in (1, 2):
        views.jumpToLesion(segmentationNode, number)
        lesion = parts.summaryOf(segmentationNode)["measurements"]["lesions"][number - 1]
        longest, perpendicular = nodes()
        assert longest.GetLineLengthWorld() == pytest.approx(lesion["longest_diameter_mm"], abs=0.01)
        assert perpendicular.GetLineLengthWorld() == pytest.approx(lesion["perpendicular_mm"], abs=0.01)
        assert all(
            node.GetLocked() and node.GetHideFromEditors() and node.GetDisplayVisibility() for node in nodes()
        )
    results.updateMeasurements(segmentationNode, runOn(volumeNode).summary)
    assert not any(node.GetDisplayVisibility() for node in nodes()), "no lesion is chosen any more"

"""The main window: four real views that are painted, respond to the mouse, and can be pictured."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6 import QtGui

pytestmark = pytest.mark.slow  # of the stand-in itself, which changes seldom

HALF = 20
"""Half the edge of the test's cube, in voxels."""


@pytest.fixture
def cube(window, scene):
    """A volume, and a segmentation of a cube in its middle with surface, shown in all views."""
    import slicer

    voxels = np.full((40, 100, 100), -1000, np.int16)
    voxels[5:35, 10:90, 10:90] = 60
    volume = slicer.util.addVolumeFromArray(voxels, name="CT")
    volume.SetSpacing(2, 2, 4)
    volume.SetOrigin(-100, -100, -80)
    volume.CreateDefaultDisplayNodes()
    volume.GetDisplayNode().SetAutoWindowLevel(False)
    volume.GetDisplayNode().SetWindowLevel(400, 40)
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Cube")
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    mask = np.zeros(voxels.shape, np.uint8)
    mask[10:30, 50 - HALF : 50 + HALF, 50 - HALF : 50 + HALF] = 1
    segment = segmentation.GetSegmentation().AddEmptySegment("cube", "Cube", (1, 0, 0))
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentation, segment, volume)
    segmentation.CreateClosedSurfaceRepresentation()
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    slicer.util.resetThreeDViews()
    slicer.app.layoutManager().threeDWidget(0).threeDView().resetCamera()
    return segmentation


def _pixels(path: Path) -> np.ndarray:
    image = QtGui.QImage(str(path)).convertToFormat(QtGui.QImage.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)


def _red(pixels: np.ndarray) -> np.ndarray:
    return (
        (pixels[..., 0] > 90)
        & (pixels[..., 0] > pixels[..., 1] + 40)
        & (pixels[..., 0] > pixels[..., 2] + 40)
    )


def test_all_four_views_are_painted(host, cube, screenshot):
    import slicer

    layout = slicer.app.layoutManager()
    assert layout.sliceViewNames() == ("Red", "Green", "Yellow") and layout.threeDViewCount == 1
    screenshot("host-four-up")
    views = [layout.sliceWidget(name).sliceView() for name in layout.sliceViewNames()]
    views.append(layout.threeDWidget(0).threeDView())
    for view in views:
        pixels = _pixels(screenshot("host-view", view))
        assert _red(pixels).mean() > 0.01
        assert np.ptp(pixels) > 100


def test_a_hidden_segment_disappears_from_the_views(host, cube, screenshot):
    import slicer

    view = slicer.app.layoutManager().sliceWidget("Red").sliceView()
    before = _red(_pixels(screenshot("shown", view))).sum()
    cube.GetDisplayNode().SetVisibility(False)
    after = _red(_pixels(screenshot("hidden", view))).sum()
    assert after < before / 10


def test_slices_follow_a_jump(host, cube):
    import slicer

    slicer.modules.markups.logic().JumpSlicesToLocation(10, -20, 8, True)
    offsets = [
        slicer.app.layoutManager().sliceWidget(name).sliceLogic().GetSliceOffset()
        for name in ("Red", "Green")
    ]
    assert offsets == pytest.approx([8, -20])


def test_the_mouse_reaches_the_views(host, cube):
    import slicer

    view = slicer.app.layoutManager().threeDWidget(0).threeDView()
    before = view.cameraNode().GetCamera().GetPosition()
    slicer.util.clickAndDrag(view, start=(50, 50), end=(120, 90), steps=5)
    assert np.linalg.norm(np.subtract(view.cameraNode().GetCamera().GetPosition(), before)) > 10
    widget = slicer.app.layoutManager().sliceWidget("Red")
    field = widget.mrmlSliceNode().GetFieldOfView()[0]
    slicer.util.clickAndDrag(widget, button="Right", start=(50, 50), end=(50, 120), steps=5)
    assert widget.mrmlSliceNode().GetFieldOfView()[0] != pytest.approx(field)


def test_handles_of_markups_are_drawn_where_they_are(host, window, scene, screenshot):
    import slicer

    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Box")
    roi.SetCenter(30, 20, 0)
    roi.SetSize(40, 40, 40)
    roi.CreateDefaultDisplayNodes()
    view = slicer.app.layoutManager().sliceWidget("Red").sliceView()
    x, y, _z = view.convertRASToXYZ([30, 20, 0])

    def centre():
        host.settle(0.2)
        pixels = _pixels(screenshot("handles", view))
        return pixels[len(pixels) - 1 - int(y), int(x)]

    roi.GetDisplayNode().SetHandlesInteractive(False)
    assert np.ptp(centre()) > 50, "the red point of the box"
    roi.GetDisplayNode().SetHandlesInteractive(True)
    assert np.ptp(centre()) < 20, "the grey handle over it"


def test_a_chart_is_drawn(host, window, scene, screenshot):
    import slicer

    table = scene.AddNewNodeByClass("vtkMRMLTableNode")
    slicer.util.updateTableFromArray(table, np.array([[1.0, 2.0], [2.0, 5.0]]), ["x", "y"])
    series = scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode")
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetXColumnName("x")
    series.SetYColumnName("y")
    series.SetColor(1, 0, 0)
    series.SetLineWidth(6)
    series.SetPlotType(series.PlotTypeScatter)
    series.SetLineStyle(series.LineStyleSolid)
    chart = scene.AddNewNodeByClass("vtkMRMLPlotChartNode")
    chart.AddAndObservePlotSeriesNodeID(series.GetID())
    slicer.modules.plots.logic().ShowChartInLayout(chart)
    host.settle(0.2)
    view = slicer.app.layoutManager().plotWidget(0).plotView()
    assert _red(_pixels(screenshot("chart", view))).mean() > 0.005


def test_layouts_change(host, window):
    import slicer

    layout = slicer.app.layoutManager()
    seen = []
    layout.connect("layoutChanged(int)", seen.append)
    layout.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    assert layout.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView == seen[-1]
    assert layout.sliceWidget("Red").visible and not layout.threeDWidget(0).visible
    layout.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    assert layout.threeDWidget(0).visible


def test_views_outlive_the_scene(host, cube, screenshot):
    import slicer

    host.clear()
    assert slicer.app.layoutManager().layout == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    pixels = _pixels(screenshot("empty", slicer.app.layoutManager().sliceWidget("Red").sliceView()))
    assert pixels.max() < 30


def test_dark_and_light_differ(host, window, screenshot):
    import slicer

    light = _pixels(screenshot("light", slicer.util.mainWindow()))
    host.setTheme("dark")
    dark = _pixels(screenshot("dark", slicer.util.mainWindow()))
    assert light[100:, :300].mean() - dark[100:, :300].mean() > 100


SCALED = """
import sys
sys.path.insert(0, sys.argv[1])
from SlicerHost import boot
host = boot()
host.openWindow(size=(900, 600))
host.screenshot(sys.argv[2])
"""


def test_the_window_can_be_scaled(tmp_path):
    environment = {**os.environ, "QT_SCALE_FACTOR": "1.5", "QT_QPA_PLATFORM": "offscreen"}
    picture = tmp_path / "scaled.png"
    testing = str(Path(__file__).resolve().parents[1])
    subprocess.run(
        [sys.executable, "-c", SCALED, testing, str(picture)], env=environment, check=True, timeout=120
    )
    assert _pixels(picture).shape == (900, 1350, 3)


def test_an_exception_while_painting_is_a_problem(host):
    import qt

    label = qt.QLabel("x")
    label.destroyed.connect(lambda: 1 / 0)
    label.delete()
    assert len(host.takeProblems()) == 1

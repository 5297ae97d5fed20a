"""A hand that corrects with the mouse in slice views, beside the one that clicks on the panel."""

from PySide6 import QtCore
from PySide6.QtTest import QTest

CONTROL = QtCore.Qt.ControlModifier
NONE = QtCore.Qt.NoModifier


def worldOf(volumeNode, zyx):
    """World RAS mm of the centre of a voxel (z, y, x)."""
    import slicer
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    point = matrix.MultiplyPoint((*zyx[::-1], 1.0))
    transformNode = volumeNode.GetParentTransformNode()
    if transformNode is not None:
        toWorld = vtk.vtkMatrix4x4()
        transformNode.GetMatrixTransformToWorld(toWorld)
        point = toWorld.MultiplyPoint(point)
    assert slicer.mrmlScene.IsNodePresent(volumeNode)
    return point[:3]


def aim(host, view, ras):
    """Bring a point of the world into a slice view; return the view's canvas."""
    import slicer

    from SlicerHost.pythonqt import unwrap

    widget = slicer.app.layoutManager().sliceWidget(view)
    widget.mrmlSliceNode().JumpSliceByCentering(*ras)
    host.settle(0.02)
    return unwrap(widget.sliceView())


def pixelOf(view, canvas, ras):
    """Qt's pixel of a point of the world in a slice view."""
    import slicer

    sliceView = slicer.app.layoutManager().sliceWidget(view).sliceView()
    x, y, _ = sliceView.convertRASToXYZ(ras)
    ratio = canvas.devicePixelRatioF()
    return QtCore.QPoint(round(x / ratio), round((canvas.pixel_size()[1] - 1 - y) / ratio))


def clickAt(host, view, ras, modifier=NONE):
    """Click with the left button on a point of the world."""
    canvas = aim(host, view, ras)
    place = pixelOf(view, canvas, ras)
    QTest.mouseMove(canvas, place)
    QTest.mousePress(canvas, QtCore.Qt.LeftButton, modifier, place)
    QTest.mouseRelease(canvas, QtCore.Qt.LeftButton, modifier, place)
    host.settle(0.02)


def dragAlong(host, view, points, modifier=NONE):
    """Draw a line through points of the world that lie in one slice."""
    canvas = aim(host, view, points[0])
    places = [pixelOf(view, canvas, ras) for ras in points]
    QTest.mouseMove(canvas, places[0])
    QTest.mousePress(canvas, QtCore.Qt.LeftButton, modifier, places[0])
    for place in places[1:]:
        QTest.mouseMove(canvas, place)
        host.settle(0.01)
    QTest.mouseRelease(canvas, QtCore.Qt.LeftButton, modifier, places[-1])
    host.settle(0.02)

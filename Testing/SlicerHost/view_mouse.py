"""For tests: the mouse in a slice view, by real events of Qt, at points of the patient."""

from typing import Any, Sequence, Tuple

import numpy as np
import slicer
import vtk
from PySide6 import QtCore, QtGui
from PySide6.QtTest import QTest

from . import waiting
from .pythonqt import unwrap

Point = Sequence[float]
"""RAS mm."""

LEFT = QtCore.Qt.MouseButton.LeftButton
NONE = QtCore.Qt.KeyboardModifier.NoModifier
CONTROL = QtCore.Qt.KeyboardModifier.ControlModifier
SHIFT = QtCore.Qt.KeyboardModifier.ShiftModifier


def canvas_of(view: str) -> Any:
    """The Qt widget of a slice view ("Red"), which takes the events."""
    return unwrap(slicer.app.layoutManager().sliceWidget(view).sliceView())


def show_point(view: str, ras: Point) -> None:
    """Brings a point into the middle of a slice view, in the view's own direction."""
    slicer.app.layoutManager().sliceWidget(view).mrmlSliceNode().JumpSliceByCentering(*ras)
    waiting.settle(0.02)


def pixel_of(view: str, ras: Point) -> QtCore.QPoint:
    """Qt's pixel of a point in a slice view, whether or not it lies in the plane that is shown."""
    canvas = canvas_of(view)
    x, y, _ = slicer.app.layoutManager().sliceWidget(view).sliceView().convertRASToXYZ(list(ras))
    ratio = canvas.devicePixelRatioF()
    return QtCore.QPoint(round(x / ratio), round((canvas.pixel_size()[1] - 1 - y) / ratio))


def click(view: str, ras: Point, modifier: QtCore.Qt.KeyboardModifier = NONE) -> None:
    """Brings a point into a slice view and clicks on it with the left button."""
    show_point(view, ras)
    stroke(view, [ras], modifier)


def double_click(view: str, ras: Point) -> None:
    """Two quick clicks on a point. VTK makes press, release, LeftButtonDoubleClickEvent, release of them: the
    second press is no press.
    """
    show_point(view, ras)
    canvas, place = canvas_of(view), pixel_of(view, ras)
    for press in (QTest.mousePress, QTest.mouseDClick):
        press(canvas, LEFT, NONE, place)
        QTest.mouseRelease(canvas, LEFT, NONE, place)
    waiting.settle(0.02)


def stroke(view: str, points: Sequence[Point], modifier: QtCore.Qt.KeyboardModifier = NONE) -> None:
    """Presses the left button at the first point, moves over the others, lets go at the last: points of the
    plane that is shown.
    """
    canvas = canvas_of(view)
    places = [pixel_of(view, ras) for ras in points]
    QTest.mouseMove(canvas, places[0])
    QTest.mousePress(canvas, LEFT, modifier, places[0])
    for place in places[1:]:
        _move(canvas, place, modifier)
    QTest.mouseRelease(canvas, LEFT, modifier, places[-1])
    waiting.settle(0.02)


def _move(canvas: Any, place: QtCore.QPoint, modifier: QtCore.Qt.KeyboardModifier) -> None:
    """A move with the button held: QTest's own knows neither buttons nor modifiers."""
    event = QtGui.QMouseEvent(
        QtCore.QEvent.Type.MouseMove,
        QtCore.QPointF(place),
        QtCore.QPointF(canvas.mapToGlobal(place)),
        QtCore.Qt.MouseButton.NoButton,
        LEFT,
        modifier,
    )
    QtCore.QCoreApplication.sendEvent(canvas, event)
    waiting.turn()


def ras_of_voxel(volume: Any, ijk: Tuple[float, float, float]) -> Tuple[float, float, float]:
    """The centre of a volume's voxel in the world, transforms above the volume included."""
    to_ras = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(to_ras)
    point = to_ras.MultiplyPoint((*ijk, 1.0))
    if volume.GetParentTransformNode() is not None:
        to_world = vtk.vtkMatrix4x4()
        volume.GetParentTransformNode().GetMatrixTransformToWorld(to_world)
        point = to_world.MultiplyPoint(point)
    return tuple(np.array(point[:3]).tolist())

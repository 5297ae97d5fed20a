"""A Qt widget that shows an offscreen VTK window and hands it the mouse: on every platform of Qt, and seen
by grab().
"""

from typing import Any, Optional, Tuple

import numpy as np
import vtk
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Qt
from vtk.util.numpy_support import vtk_to_numpy

BUTTONS = {
    Qt.MouseButton.LeftButton: "LeftButton",
    Qt.MouseButton.RightButton: "RightButton",
    Qt.MouseButton.MiddleButton: "MiddleButton",
}
"""Button of Qt -> how VTK's events for it begin."""

KEY_SYMBOLS = {
    Qt.Key.Key_Escape: "Escape",
    Qt.Key.Key_Return: "Return",
    Qt.Key.Key_Space: "space",
    Qt.Key.Key_Tab: "Tab",
    Qt.Key.Key_Backspace: "BackSpace",
    Qt.Key.Key_Delete: "Delete",
    Qt.Key.Key_Left: "Left",
    Qt.Key.Key_Right: "Right",
    Qt.Key.Key_Up: "Up",
    Qt.Key.Key_Down: "Down",
    Qt.Key.Key_Control: "Control_L",
    Qt.Key.Key_Shift: "Shift_L",
    Qt.Key.Key_Alt: "Alt_L",
}
"""Key of Qt -> VTK's name of it, where that is not the letter."""

SMALLEST = 16
"""Pixels a side: VTK needs a window of some size."""


class VtkCanvas(QtWidgets.QWidget):
    """The picture of a vtkRenderWindow. Renders at most once a turn of the event loop, and only while it is
    visible.
    """

    resized = QtCore.Signal()

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.render_window = vtk.vtkRenderWindow()
        self.render_window.SetOffScreenRendering(1)
        # with depth peeling on a software renderer, multisampling drops translucent surfaces
        self.render_window.SetMultiSamples(0)
        self.render_window.SetSize(300, 300)
        self.vtk_interactor = vtk.vtkGenericRenderWindowInteractor()
        self.vtk_interactor.SetRenderWindow(self.render_window)
        self.vtk_interactor.Initialize()
        self._picture: Optional[QtGui.QImage] = None
        self._scheduled = QtCore.QTimer(self)
        self._scheduled.setSingleShot(True)
        self._scheduled.timeout.connect(self._render_if_seen)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.StrongFocus)
        self.setMinimumSize(60, 60)
        self.setAttribute(Qt.WA_OpaquePaintEvent)

    def schedule_render(self) -> None:
        """Renders in the next turn of the event loop."""
        if not self._scheduled.isActive():
            self._scheduled.start(0)

    def force_render(self) -> None:
        """Renders now."""
        self._scheduled.stop()
        self._picture = None
        self.repaint()

    def _render_if_seen(self) -> None:
        self._picture = None
        if self.isVisible():
            self.update()

    def pixel_size(self) -> Tuple[int, int]:
        """Width and height in pixels of the screen, which are more than those of Qt where it scales."""
        ratio = self.devicePixelRatioF()
        return max(SMALLEST, round(self.width() * ratio)), max(SMALLEST, round(self.height() * ratio))

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        self.render_window.SetSize(*self.pixel_size())
        self.vtk_interactor.UpdateSize(*self.pixel_size())
        self.resized.emit()
        self.schedule_render()

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        self.schedule_render()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        if self._picture is None:
            pixels = self.pixels()
            height, width = pixels.shape[:2]
            image = QtGui.QImage(pixels.tobytes(), width, height, 3 * width, QtGui.QImage.Format_RGB888)
            self._picture = image.copy()
            self._picture.setDevicePixelRatio(self.devicePixelRatioF())
        QtGui.QPainter(self).drawImage(0, 0, self._picture)

    def pixels(self) -> np.ndarray:
        """Renders; returns RGB values, uint8, (height, width, 3), top row first."""
        self.render_window.Render()
        reader = vtk.vtkWindowToImageFilter()
        reader.SetInput(self.render_window)
        reader.ReadFrontBufferOff()
        reader.ShouldRerenderOff()
        reader.Update()
        image = reader.GetOutput()
        width, height, _ = image.GetDimensions()
        return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, 3)[::-1]

    def _send(self, event: Any, name: str) -> None:
        ratio = self.devicePixelRatioF()
        position, modifiers = event.position(), QtWidgets.QApplication.keyboardModifiers()
        if hasattr(event, "modifiers"):
            modifiers = event.modifiers()
        self.vtk_interactor.SetEventInformationFlipY(
            int(position.x() * ratio),
            int(position.y() * ratio),
            int(bool(modifiers & Qt.ControlModifier)),
            int(bool(modifiers & Qt.ShiftModifier)),
            chr(0),
            0,
            None,
        )
        self.vtk_interactor.SetAltKey(int(bool(modifiers & Qt.AltModifier)))
        self.vtk_interactor.InvokeEvent(name)

    def _send_key(self, event: QtGui.QKeyEvent, name: str) -> None:
        text, modifiers = event.text(), event.modifiers()
        symbol = KEY_SYMBOLS.get(Qt.Key(event.key()), text)
        self.vtk_interactor.SetKeyEventInformation(
            int(bool(modifiers & Qt.ControlModifier)),
            int(bool(modifiers & Qt.ShiftModifier)),
            text if len(text) == 1 and text.isascii() else chr(0),
            event.count(),
            symbol,
        )
        self.vtk_interactor.SetAltKey(int(bool(modifiers & Qt.AltModifier)))
        self.vtk_interactor.InvokeEvent(name)

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        self._send_key(event, "KeyPressEvent")

    def keyReleaseEvent(self, event: QtGui.QKeyEvent) -> None:
        self._send_key(event, "KeyReleaseEvent")

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        self._send(event, f"{BUTTONS[event.button()]}PressEvent")

    def mouseReleaseEvent(self, event: QtGui.QMouseEvent) -> None:
        self._send(event, f"{BUTTONS[event.button()]}ReleaseEvent")

    def mouseDoubleClickEvent(self, event: QtGui.QMouseEvent) -> None:
        self._send(event, f"{BUTTONS[event.button()]}DoubleClickEvent")

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        self._send(event, "MouseMoveEvent")

    def enterEvent(self, event: QtGui.QEnterEvent) -> None:
        self._send(event, "EnterEvent")

    def leaveEvent(self, event: QtCore.QEvent) -> None:
        self.vtk_interactor.InvokeEvent("LeaveEvent")

    def wheelEvent(self, event: QtGui.QWheelEvent) -> None:
        forward = event.angleDelta().y() > 0
        self._send(event, "MouseWheelForwardEvent" if forward else "MouseWheelBackwardEvent")

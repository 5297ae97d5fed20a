"""What LiverSegTest does to the panel: as a user does, by the widgets' object names."""

import os
import time
from pathlib import Path
from typing import Any, Callable, List, Sequence, Tuple

import numpy as np
import qt
import slicer

PICTURES = "LIVERSEG_TEST_PICTURES"
"""Environment variable: the folder in which a picture of each state is saved; none are saved without it."""

MODULE = "LiverSeg"
ELSEWHERE = "Data"
"""Another module of Slicer, to which the test switches."""
MOST_WIDTH = 320
"""Pixels that no state of the panel may ask for more than, at 96 dpi and Slicer's usual font; Slicer's dock
has 330 at rest."""
_LIMIT_S = 600.0
_DRAG_STEPS = 8


class PanelHand:
    """The hand of a user on the module's own panel, with or without Slicer's main window.

    Args:
        test: the ScriptedLoadableModuleTest that asserts.
    """

    def __init__(self, test: Any) -> None:
        self._test = test
        self._pictures = 0
        self._errors: List[BaseException] = []
        self.widest = 0

    # ---- the module

    @property
    def ui(self) -> Any:
        """The widgets of the panel that there is now: after a reload they are others."""
        return slicer.util.getModuleWidget(MODULE).panel.ui

    def openModule(self) -> None:
        """Switch to LiverSeg, and listen for what goes wrong in its slots."""
        self.listen()
        if slicer.util.mainWindow() is not None:
            slicer.util.selectModule(MODULE)
        else:
            representation = slicer.modules.liverseg.widgetRepresentation()
            representation.show()
            representation.enter()
        self.settle()

    def listen(self) -> None:
        """Have every exception in a slot of ours, which Slicer would only print, fail the test."""
        from . import slots  # anew after a reload

        slots.removeListener(self._errors.append)
        slots.addListener(self._errors.append)

    def leaveModule(self) -> None:
        """Switch to another module."""
        if slicer.util.mainWindow() is not None:
            slicer.util.selectModule(ELSEWHERE)
        else:
            representation = slicer.modules.liverseg.widgetRepresentation()
            representation.exit()
            representation.hide()
        self.settle()

    # ---- widgets

    def press(self, name: str) -> None:
        """Press a button, which must be there and enabled."""
        button = getattr(self.ui, name)
        self._test.assertTrue(button.isVisible(), f"{name} is not to be seen")
        self._test.assertTrue(button.isEnabled(), f"{name} is disabled: {button.toolTip}")
        button.click()
        self.settle()

    def text(self, name: str) -> str:
        """What a label says; nothing if it is not to be seen."""
        label = getattr(self.ui, name)
        return label.text if label.isVisible() else ""

    def number(self, name: str) -> float:
        """The number with which the text of a label begins."""
        return float(self.text(name).split()[0])

    def chooseRow(self, name: str, row: int) -> None:
        """Choose a row of a table."""
        getattr(self.ui, name).selectRow(row)
        self.settle()

    def isRunning(self) -> bool:
        """Whether the panel shows that something runs."""
        return self.ui.runWidget.isVisible()

    # ---- looking

    def look(self, state: str) -> None:
        """Check the panel's width in this state, and save a picture if pictures are wanted."""
        self.settle()
        self._test.assertEqual([str(error) for error in self._errors], [], f"errors in slots, {state}")
        uiWidget = self.ui.scanSection.parentWidget()
        width = leastWidth(uiWidget)
        self.widest = max(self.widest, width)
        if width > MOST_WIDTH:
            self._test.fail(f"the panel asks for {width} pixels, too wide, {state}: {tooWide(uiWidget)}")
        folder = os.environ.get(PICTURES)
        if folder:
            self._pictures += 1
            Path(folder).mkdir(parents=True, exist_ok=True)
            path = str(Path(folder) / f"{self._pictures:02d} {state}.png")
            shown = slicer.util.mainWindow() or outermost(uiWidget)
            self._test.assertTrue(shown.grab().save(path), f"cannot write {path}")

    # ---- waiting

    def settle(self, seconds: float = 0.1) -> None:
        """Let Slicer do what is waiting to be done."""
        end = time.monotonic() + seconds
        self.waitFor(lambda: time.monotonic() >= end)

    def waitFor(self, condition: Callable[[], Any], what: str = "", limit: float = _LIMIT_S) -> None:
        """Let the event loop turn until the condition holds."""
        end = time.monotonic() + limit
        while not condition():
            self._test.assertLess(time.monotonic(), end, f"waited too long for: {what}")
            # lint: allow reentry nothing else of this test runs in slots
            slicer.app.processEvents()
            time.sleep(0.01)  # lint: allow blocking gives the worker the processor between looks

    # ---- the mouse in a view

    def drag(self, roiNode: Any, by: Tuple[float, float]) -> bool:
        """Drag an ROI by the handle in its middle, in the red view, by so many pixels; False if there is no
        view, in which case it is moved by code."""
        layoutManager = slicer.app.layoutManager()
        if layoutManager is None:
            centre = np.array(roiNode.GetCenter())
            roiNode.SetCenter(*(centre + (3.0, 0.0, 0.0)))
            self.settle()
            return False
        sliceWidget = layoutManager.sliceWidget("Red")
        interactor = sliceWidget.interactorStyle().GetInteractor()
        start = _pixelOf(sliceWidget.mrmlSliceNode(), roiNode)
        for offset in ((3, 3), (0, 0), (0, 0)):  # the handle must be under the mouse before it is pressed
            self._moveTo(interactor, start + offset)
        interactor.LeftButtonPressEvent()
        for step in range(1, _DRAG_STEPS + 1):
            self._moveTo(interactor, start + np.array(by) * step / _DRAG_STEPS)
        interactor.LeftButtonReleaseEvent()
        self.settle()
        return True

    def clickAt(self, ras: Sequence[float], control: bool = False) -> None:
        """Click on a point of the world in the red view, which is brought there."""
        sliceWidget = slicer.app.layoutManager().sliceWidget("Red")
        sliceNode = sliceWidget.mrmlSliceNode()
        sliceNode.JumpSliceByCentering(*ras)
        self.settle()
        pixel = tuple(int(round(value)) for value in _pixelAt(sliceNode, ras))
        modifiers = ["Control"] if control else []
        slicer.util.clickAndDrag(sliceWidget, start=pixel, end=pixel, steps=1, modifiers=modifiers)
        self.settle()

    def _moveTo(self, interactor: Any, point: Sequence[float]) -> None:
        interactor.SetEventInformation(int(round(point[0])), int(round(point[1])), 0, 0, "\0", 0, None)
        interactor.MouseMoveEvent()
        self.settle(0.03)


def leastWidth(uiWidget) -> int:
    """Pixels that the panel and all around it, out to the module's own widget, ask for at least."""
    return outermost(uiWidget).minimumSizeHint.width()


def tooWide(uiWidget) -> List[str]:
    """The names of visible widgets that ask for more than ``MOST_WIDTH``, each with its width."""
    widgets = [widget for widget in uiWidget.findChildren(qt.QWidget) if widget.isVisible()]
    widths = [(widget.objectName, widget.minimumSizeHint.width()) for widget in widgets]
    return [f"{name or 'unnamed'}: {width}" for name, width in widths if width > MOST_WIDTH]


def outermost(uiWidget):
    """The module's own widget, which Slicer puts into its dock; the panel itself where it stands alone."""
    widget = uiWidget
    while widget is not None and not widget.className().endswith("ModuleWidget"):
        widget = widget.parentWidget()
    return uiWidget if widget is None else widget


def _pixelOf(sliceNode: Any, roiNode: Any) -> np.ndarray:
    """The place of an ROI's centre in a slice view, (x, y) in pixels from its lower left corner."""
    centre = [0.0, 0.0, 0.0]
    roiNode.GetCenterWorld(centre)
    return _pixelAt(sliceNode, centre)


def _pixelAt(sliceNode: Any, ras: Sequence[float]) -> np.ndarray:
    """The place of a point of the world in a slice view, (x, y) in pixels from its lower left corner."""
    matrix = sliceNode.GetXYToRAS()
    toRas = np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
    return (np.linalg.inv(toRas) @ np.array([*ras, 1.0]))[:2]

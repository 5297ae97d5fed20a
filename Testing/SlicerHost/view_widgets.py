"""Views with their bars, as the layout manager hands them out."""

from typing import Any

import slicer
from PySide6 import QtWidgets

from .qmrml_widgets import qMRMLWidget
from .registry import slicer_class
from .views import (
    qMRMLSliceControllerWidget,
    qMRMLSliceView,
    qMRMLThreeDView,
    qMRMLThreeDViewControllerWidget,
)


class _ViewWidget(qMRMLWidget):
    """A bar over a view."""

    def _stack(self, bar: QtWidgets.QWidget, view: QtWidgets.QWidget) -> None:
        self._bar, self._view = bar, view
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        column.addWidget(view, 1)

    def viewWidget(self) -> Any:
        return self._view


@slicer_class
class qMRMLSliceWidget(_ViewWidget):
    """A slice view with its bar."""

    def __init__(self, node: Any, parent: Any = None) -> None:
        super().__init__(parent)
        self._scene = slicer.mrmlScene
        application_logic = slicer.app.applicationLogic()
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(application_logic)
        application_logic.GetSliceLogics().AddItem(self._logic)
        self._logic.SetMRMLScene(slicer.mrmlScene)
        self._logic.SetSliceNode(node)
        color = "#{:02x}{:02x}{:02x}".format(*[round(255 * part) for part in node.GetLayoutColor()])
        bar = qMRMLSliceControllerWidget(self._logic, node.GetLayoutLabel() or node.GetLayoutName(), color)
        self._stack(bar, qMRMLSliceView(self._logic))

    def sliceView(self) -> qMRMLSliceView:
        return self._view

    def sliceController(self) -> qMRMLSliceControllerWidget:
        return self._bar

    def sliceLogic(self) -> Any:
        return self._logic

    logic = sliceLogic

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    mrmlAbstractViewNode = mrmlSliceNode

    def interactorStyle(self) -> Any:
        return self._view.sliceViewInteractorStyle()

    def fitSliceToBackground(self) -> None:
        self._view._fit_node()
        self._logic.FitSliceToBackground()


@slicer_class
class qMRMLThreeDWidget(_ViewWidget):
    """A 3D view with its bar."""

    def __init__(self, node: Any, parent: Any = None) -> None:
        super().__init__(parent)
        self._scene = slicer.mrmlScene
        view = qMRMLThreeDView(node)
        self._stack(qMRMLThreeDViewControllerWidget(view, node.GetLayoutLabel() or "1"), view)

    def threeDView(self) -> qMRMLThreeDView:
        return self._view

    def threeDController(self) -> qMRMLThreeDViewControllerWidget:
        return self._bar

    def mrmlViewNode(self) -> Any:
        return self._view.mrmlViewNode()

    mrmlAbstractViewNode = mrmlViewNode

    def viewLogic(self) -> Any:
        return self._view.logic()

    logic = viewLogic

"""slicer.app.layoutManager(): shows the views that the scene's layout node describes."""

import xml.etree.ElementTree as ElementTree
from typing import Any, Dict, List, Optional

import slicer
from PySide6 import QtCore, QtWidgets

from .plot_view import qMRMLPlotWidget
from .registry import slicer_class
from .table_view import qMRMLTableWidget
from .view_widgets import qMRMLSliceWidget, qMRMLThreeDWidget

WIDGETS = {
    "vtkMRMLSliceNode": qMRMLSliceWidget,
    "vtkMRMLViewNode": qMRMLThreeDWidget,
    "vtkMRMLTableViewNode": qMRMLTableWidget,
    "vtkMRMLPlotViewNode": qMRMLPlotWidget,
}
"""Class of view node -> its widget."""


@slicer_class
class qSlicerLayoutManager(QtCore.QObject):
    """Views are made when a layout first shows them, and kept."""

    layoutChanged = QtCore.Signal(int)
    activeMRMLThreeDViewNodeChanged = QtCore.Signal(object)
    selectModule = QtCore.Signal(str)

    def __init__(self, viewport: QtWidgets.QWidget) -> None:
        super().__init__()
        self._viewport = viewport
        self._column = QtWidgets.QVBoxLayout(viewport)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._arranged: Optional[QtWidgets.QWidget] = None
        self._shown: Optional[str] = None
        self._widgets: Dict[str, QtWidgets.QWidget] = {}
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        self._logic.SetMRMLScene(slicer.mrmlScene)
        self._node = self._logic.GetLayoutNode()
        self._node.AddObserver("ModifiedEvent", lambda caller, event: self._follow())
        slicer.mrmlScene.AddObserver(
            slicer.mrmlScene.EndCloseEvent, lambda caller, event: self._on_scene_closed()
        )
        self._last = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
        self.setLayout(self._last)

    def setLayout(self, layout: int) -> None:
        self._node.SetViewArrangement(layout)

    layout = QtCore.Property(int, lambda self: self._node.GetViewArrangement(), setLayout)
    threeDViewCount = QtCore.Property(int, lambda self: len(self._of(qMRMLThreeDWidget)))
    tableViewCount = QtCore.Property(int, lambda self: len(self._of(qMRMLTableWidget)))
    plotViewCount = QtCore.Property(int, lambda self: len(self._of(qMRMLPlotWidget)))

    def _on_scene_closed(self) -> None:
        if self._node.GetViewArrangement() != self._last:
            self.setLayout(self._last)
        else:
            self._follow()

    def _follow(self) -> None:
        description = self._node.GetCurrentLayoutDescription()
        if not description or description == self._shown or slicer.mrmlScene.IsClosing():
            return
        self._shown = description
        self._last = self._node.GetViewArrangement()
        for widget in self._widgets.values():
            widget.setParent(None)
        arranged = self._arrange(ElementTree.fromstring(description))
        if self._arranged is not None:
            self._column.removeWidget(self._arranged)
            self._arranged.deleteLater()
        self._arranged = arranged
        self._column.addWidget(arranged)
        arranged.show()
        self.layoutChanged.emit(self._last)

    def _arrange(self, element: ElementTree.Element) -> QtWidgets.QWidget:
        if element.tag == "view":
            widget = self._view(element.get("class"), element.get("singletontag"))
            widget.show()
            return widget
        holder = QtWidgets.QTabWidget() if element.get("type") == "tab" else QtWidgets.QWidget()
        if element.get("type") == "tab":
            for item in element.findall("item"):
                holder.addTab(self._arrange(item[0]), item.get("name", ""))
            return holder
        along = QtWidgets.QBoxLayout.LeftToRight
        if element.get("type") == "vertical":
            along = QtWidgets.QBoxLayout.TopToBottom
        box = QtWidgets.QBoxLayout(along, holder)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(2)
        for item in element.findall("item"):
            box.addWidget(self._arrange(item[0]), int(item.get("splitSize", "1")))
        return holder

    def _view(self, class_name: str, tag: str) -> QtWidgets.QWidget:
        key = class_name + tag
        if key not in self._widgets:
            node = slicer.mrmlScene.GetSingletonNode(tag, class_name)
            if class_name not in WIDGETS:
                raise NotImplementedError(f"the host has no view for {class_name}")
            self._widgets[key] = WIDGETS[class_name](node)
        return self._widgets[key]

    def _of(self, cls: type) -> List[Any]:
        return [widget for widget in self._widgets.values() if isinstance(widget, cls)]

    def mrmlScene(self) -> Any:
        return slicer.mrmlScene

    def layoutLogic(self) -> Any:
        return self._logic

    def viewport(self) -> QtWidgets.QWidget:
        return self._viewport

    def viewWidget(self, node: Any) -> Optional[QtWidgets.QWidget]:
        return self._widgets.get(node.GetClassName() + (node.GetSingletonTag() or ""))

    def sliceViewNames(self) -> List[str]:
        return [widget.mrmlSliceNode().GetLayoutName() for widget in self._of(qMRMLSliceWidget)]

    def sliceWidget(self, name: str) -> Optional[qMRMLSliceWidget]:
        for widget in self._of(qMRMLSliceWidget):
            if widget.mrmlSliceNode().GetLayoutName() == name:
                return widget
        return None

    def threeDWidget(self, which: Any) -> Optional[qMRMLThreeDWidget]:
        found = self._of(qMRMLThreeDWidget)
        if isinstance(which, str):
            found = [widget for widget in found if widget.mrmlViewNode().GetName() == which]
            which = 0
        return found[which] if which < len(found) else None

    def tableWidget(self, index: int) -> Optional[qMRMLTableWidget]:
        found = self._of(qMRMLTableWidget)
        return found[index] if index < len(found) else None

    def plotWidget(self, index: int) -> Optional[qMRMLPlotWidget]:
        found = self._of(qMRMLPlotWidget)
        return found[index] if index < len(found) else None

    def mrmlSliceLogics(self) -> Any:
        return slicer.app.applicationLogic().GetSliceLogics()

    def mrmlViewLogics(self) -> Any:
        return slicer.app.applicationLogic().GetViewLogics()

    def resetThreeDViews(self) -> None:
        for widget in self._of(qMRMLThreeDWidget):
            widget.threeDView().resetFocalPoint()

    def resetSliceViews(self) -> None:
        for widget in self._of(qMRMLSliceWidget):
            widget.fitSliceToBackground()

    def setRenderPaused(self, paused: bool) -> None:
        slicer.app.setRenderPaused(paused)

    def pauseRender(self) -> None:
        self.setRenderPaused(True)

    def resumeRender(self) -> None:
        self.setRenderPaused(False)

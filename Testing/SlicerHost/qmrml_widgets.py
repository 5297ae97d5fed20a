"""qMRML widgets: the base, and the node selector."""

from typing import Any, List, Optional

from PySide6 import QtWidgets
from PySide6.QtCore import Property, Signal

from .observing import Observations
from .registry import slicer_class, stored_property

CREATE, DELETE, RENAME = "@create", "@delete", "@rename"
"""Rows of the selector that are commands."""


@slicer_class
class qMRMLWidget(QtWidgets.QWidget):
    """A widget that knows the scene."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._scene = None

    def setMRMLScene(self, scene: Any) -> None:
        if scene is self._scene:
            return
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self) -> Any:
        return self._scene


@slicer_class
class qSlicerWidget(qMRMLWidget):
    """The root widget of a module's .ui file."""


def _refresh(selector: "qMRMLNodeComboBox") -> None:
    selector.refresh()


@slicer_class
class qMRMLNodeComboBox(QtWidgets.QWidget):
    """Chooses a node of given types; the first matching node is chosen where "none" is not allowed."""

    currentNodeChanged = Signal(object)
    currentNodeChangedToAny = Signal(bool)
    currentNodeIDChanged = Signal(str)
    currentNodeRenamed = Signal(str)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeAboutToBeRemoved = Signal(object)
    nodeAboutToBeEdited = Signal(object)
    overloadedSignals = {"currentNodeChanged(bool)": "currentNodeChangedToAny"}

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self.box = QtWidgets.QComboBox()
        self.box.setSizeAdjustPolicy(QtWidgets.QComboBox.AdjustToMinimumContentsLengthWithIcon)
        self.box.setMinimumContentsLength(10)
        row.addWidget(self.box)
        self.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
        self._scene = None
        self._leaving = None
        self._announced = ""
        self._attributes: List[tuple] = []
        self._labels: dict = {}
        self._observations = Observations(self)
        self._name_observations = Observations(self)
        self.box.activated.connect(self._on_activated)
        self.box.currentIndexChanged.connect(lambda index: self._announce())
        self.setEnabled(False)

    nodeTypes = stored_property("QStringList", [], _refresh)
    noneEnabled = stored_property(bool, False, _refresh)
    noneDisplay = stored_property(str, "None", _refresh)
    addEnabled = stored_property(bool, True, _refresh)
    removeEnabled = stored_property(bool, True, _refresh)
    renameEnabled = stored_property(bool, False, _refresh)
    editEnabled = stored_property(bool, False)
    showHidden = stored_property(bool, False, _refresh)
    showChildNodeTypes = stored_property(bool, True, _refresh)
    hideChildNodeTypes = stored_property("QStringList", [], _refresh)
    selectNodeUponCreation = stored_property(bool, True)
    baseName = stored_property(str, "")
    sizeAdjustPolicy = stored_property(int, 0)
    interactionNodeSingletonTag = stored_property(str, "")

    def setMRMLScene(self, scene: Any) -> None:
        self._observations.clear()
        self._scene = scene
        if scene is not None:
            self._observations.add_with_node(scene, scene.NodeAddedEvent, self._on_node_added)
            self._observations.add_with_node(
                scene, scene.NodeAboutToBeRemovedEvent, self._on_node_about_to_be_removed
            )
            self._observations.add_with_node(
                scene, scene.NodeAboutToBeRemovedEvent, self._on_node_leaves, priority=-10.0
            )
            self._observations.add(scene, scene.NodeRemovedEvent, self._on_node_left)
            for event in (scene.EndCloseEvent, scene.EndBatchProcessEvent):
                self._observations.add(scene, event, self.refresh)
            self._observations.add(scene, scene.EndImportEvent, self._on_imported)
        self.setEnabled(scene is not None)
        self.refresh()

    def mrmlScene(self) -> Any:
        return self._scene

    def nodeTypeLabel(self, node_type: str) -> str:
        return self._labels.get(node_type, node_type.replace("vtkMRML", "").replace("Node", ""))

    def _matches(self, node: Any) -> bool:
        for node_type in self.nodeTypes:
            if node.GetClassName() == node_type or (self.showChildNodeTypes and node.IsA(node_type)):
                break
        else:
            return False
        if any(node.IsA(hidden) for hidden in self.hideChildNodeTypes):
            return False
        if node.GetHideFromEditors() and not self.showHidden:
            return False
        for node_type, name, value in self._attributes:
            if node.IsA(node_type):
                found = node.GetAttribute(name)
                if found is None or (value is not None and found != str(value)):
                    return False
        return True

    def _nodes(self) -> List[Any]:
        if self._scene is None:
            return []
        nodes = [self._scene.GetNthNode(index) for index in range(self._scene.GetNumberOfNodes())]
        return [node for node in nodes if node is not self._leaving and self._matches(node)]

    def _on_imported(self) -> None:
        """In Slicer the list is filled anew after an import, and the choice may be lost over that (its issues
        4570, 6287 and 7492); here it always is.
        """
        if self.noneEnabled:
            self.box.setCurrentIndex(0)
        self.refresh()

    def refresh(self) -> None:
        """Lists the nodes anew; keeps the choice where it still exists, else takes the first, or none. A
        node that leaves the scene hands the choice to the next one, as Qt's combo boxes do.
        """
        if self._scene is not None and self._scene.IsBatchProcessing():
            return
        chosen, row = self._current_id(), self.box.currentIndex()
        nodes = self._nodes()
        self.box.blockSignals(True)
        self.box.clear()
        if self.noneEnabled:
            self.box.addItem(self.noneDisplay, "")
        for node in nodes:
            self.box.addItem(node.GetName(), node.GetID())
        self._list_commands(bool(nodes))
        identifiers = [node.GetID() for node in nodes]
        if chosen and self._leaving is not None and chosen == self._leaving.GetID():
            rows = [""] * self.noneEnabled + identifiers
            chosen = rows[min(row, len(rows) - 1)] if rows else ""
        elif chosen not in identifiers:
            chosen = "" if self.noneEnabled or not identifiers else identifiers[0]
        self.box.setCurrentIndex(self.box.findData(chosen))
        self.box.blockSignals(False)
        self._follow_names(nodes)
        self._announce()

    def _list_commands(self, any_node: bool) -> None:
        kind = self.nodeTypeLabel(self.nodeTypes[0]) if self.nodeTypes else ""
        if self.addEnabled:
            self.box.addItem(f"Create new {kind}", CREATE)
        if self.removeEnabled and any_node:
            self.box.addItem(f"Delete current {kind}", DELETE)
        if self.renameEnabled and any_node:
            self.box.addItem(f"Rename current {kind}...", RENAME)

    def _follow_names(self, nodes: List[Any]) -> None:
        self._name_observations.clear()
        for node in nodes:
            self._name_observations.add(node, "ModifiedEvent", self._show_names)

    def _show_names(self) -> None:
        for index in range(self.box.count()):
            node = self._scene.GetNodeByID(self.box.itemData(index) or "")
            if node is not None and self.box.itemText(index) != node.GetName():
                self.box.setItemText(index, node.GetName())
                if index == self.box.currentIndex():
                    self.currentNodeRenamed.emit(node.GetName())

    def _on_node_added(self, node: Any) -> None:
        if node is None or not self._matches(node):
            return
        self.refresh()
        self.nodeAdded.emit(node)

    def _on_node_about_to_be_removed(self, node: Any) -> None:
        if node is not None and self._matches(node):
            self.nodeAboutToBeRemoved.emit(node)

    def _on_node_leaves(self, node: Any) -> None:
        """Slicer's scene model takes the row away before the node is gone, after other observers."""
        if node is not None and self._matches(node):
            self._leaving = node
            self.refresh()

    def _on_node_left(self) -> None:
        self._leaving = None
        self.refresh()

    def _on_activated(self, index: int) -> None:
        command = self.box.itemData(index)
        if command in (CREATE, DELETE, RENAME):
            self.box.setCurrentIndex(self.box.findData(self._announced))
            {CREATE: self.addNode, DELETE: self.removeCurrentNode, RENAME: self.renameCurrentNode}[command]()
        else:
            self.nodeActivated.emit(self.currentNode())

    def _announce(self) -> None:
        identifier = self._current_id()
        if identifier == self._announced or self.box.currentData() in (CREATE, DELETE, RENAME):
            return
        self._announced = identifier
        node = self.currentNode()
        self.currentNodeChanged.emit(node)
        self.currentNodeChangedToAny.emit(node is not None)
        self.currentNodeIDChanged.emit(identifier)

    def addNode(self, node_type: Optional[str] = None) -> Any:
        node = self._scene.AddNewNodeByClass(node_type or self.nodeTypes[0], self.baseName)
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def removeCurrentNode(self) -> None:
        node = self.currentNode()
        if node is not None:
            self._scene.RemoveNode(node)

    def renameCurrentNode(self) -> None:
        from .modal import answers

        name = answers.answer("Rename", "")
        if name:
            self.currentNode().SetName(name)

    def currentNode(self) -> Any:
        identifier = self._current_id()
        return self._scene.GetNodeByID(identifier) if self._scene is not None and identifier else None

    def setCurrentNode(self, node: Any) -> None:
        identifier = node if isinstance(node, str) else node.GetID() if node is not None else ""
        index = self.box.findData(identifier or "")
        if index < 0 and identifier == "" and not self.noneEnabled:
            index = -1
        changes = index != self.box.currentIndex()
        self.box.setCurrentIndex(index)
        if changes:
            self.nodeActivated.emit(self.currentNode())  # as Slicer's does, whoever chose, for None too

    def nodeCount(self) -> int:
        return len(self._nodes())

    def _current_id(self) -> str:
        data = self.box.currentData()
        return data if data and not data.startswith("@") else ""

    currentNodeID = Property(str, _current_id, lambda self, identifier: self.setCurrentNode(identifier))
    currentNodeId = currentNodeID

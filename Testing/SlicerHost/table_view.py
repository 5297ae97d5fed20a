"""Tables of the scene shown as tables of Qt."""

from typing import Any

from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Qt, Signal

from .observing import Observations
from .qmrml_widgets import qMRMLWidget
from .registry import slicer_class, stored_property


@slicer_class
class qMRMLTableModel(QtCore.QAbstractTableModel):
    """Rows and columns of a vtkMRMLTableNode."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._observations = Observations(self)

    def setMRMLTableNode(self, node: Any) -> None:
        self._observations.clear()
        self._node = node
        if node is not None:
            self._observations.add(node, "ModifiedEvent", self._on_modified)
        self._on_modified()

    def mrmlTableNode(self) -> Any:
        return self._node

    def _on_modified(self) -> None:
        self.beginResetModel()
        self.endResetModel()

    def rowCount(self, parent: QtCore.QModelIndex = QtCore.QModelIndex()) -> int:  # noqa: B008
        if self._node is None or parent.isValid():
            return 0
        return self._node.GetNumberOfRows() + int(self._shift_rows())

    def columnCount(self, parent: QtCore.QModelIndex = QtCore.QModelIndex()) -> int:  # noqa: B008
        return 0 if self._node is None or parent.isValid() else self._node.GetNumberOfColumns()

    def _shift_rows(self) -> bool:
        """Slicer's view shows the columns' names as a first row, unless they are used as its header."""
        return (
            not self._node.GetUseColumnTitleAsColumnHeader()
            and not self._node.GetUseColumnNameAsColumnHeader()
        )

    def data(self, index: QtCore.QModelIndex, role: int = Qt.DisplayRole) -> Any:
        if not index.isValid() or role not in (Qt.DisplayRole, Qt.EditRole):
            return None
        row = index.row() - int(self._shift_rows())
        if row < 0:
            return self._node.GetColumnName(index.column())
        return self._node.GetCellText(row, index.column())

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        if role != Qt.DisplayRole or self._node is None:
            return None
        if orientation == Qt.Vertical:
            return str(section + 1 - int(self._shift_rows())) if section or not self._shift_rows() else ""
        name = self._node.GetColumnName(section)
        if self._node.GetUseColumnTitleAsColumnHeader():
            return self._node.GetColumnTitle(name) or name
        return name if self._node.GetUseColumnNameAsColumnHeader() else str(section + 1)

    def setData(self, index: QtCore.QModelIndex, value: Any, role: int = Qt.EditRole) -> bool:
        if self._node.GetLocked() or role != Qt.EditRole:
            return False
        return bool(self._node.SetCellText(index.row() - int(self._shift_rows()), index.column(), str(value)))

    def flags(self, index: QtCore.QModelIndex) -> Qt.ItemFlags:
        flags = Qt.ItemIsEnabled | Qt.ItemIsSelectable
        return flags if self._node.GetLocked() else flags | Qt.ItemIsEditable


@slicer_class
class qMRMLTableView(QtWidgets.QTableView):
    """Shows a table node."""

    mrmlSceneChanged = Signal(object)
    selectionChangedOfView = Signal()
    overloadedSignals = {"selectionChanged()": "selectionChangedOfView"}

    firstRowLocked = stored_property(bool, False)
    firstColumnLocked = stored_property(bool, False)
    transposed = stored_property(bool, False)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._scene = None
        self._model = qMRMLTableModel(self)
        self._sorted = QtCore.QSortFilterProxyModel(self)
        self._sorted.setSourceModel(self._model)
        self.setModel(self._sorted)
        self.horizontalHeader().setStretchLastSection(False)
        self.selectionModel().selectionChanged.connect(lambda *_: self.selectionChangedOfView.emit())

    def setMRMLScene(self, scene: Any) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)
        self.setEnabled(scene is not None)

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLTableNode(self, node: Any) -> None:
        self._model.setMRMLTableNode(node)
        self.resizeColumnsToContents()

    def mrmlTableNode(self) -> Any:
        return self._model.mrmlTableNode()


@slicer_class
class qMRMLTableWidget(qMRMLWidget):
    """The table view of a layout."""

    def __init__(self, node: Any, parent: Any = None) -> None:
        super().__init__(parent)
        self._node = node
        self._view = qMRMLTableView()
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._view)
        self._observations = Observations(self)
        self._observations.add(node, "ModifiedEvent", self._follow)
        self._follow()

    def _follow(self) -> None:
        self._view.setMRMLScene(self._node.GetScene())
        if self._view.mrmlTableNode() is not self._node.GetTableNode():
            self._view.setMRMLTableNode(self._node.GetTableNode())

    def tableView(self) -> qMRMLTableView:
        return self._view

    viewWidget = tableView

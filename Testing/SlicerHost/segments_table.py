"""The table of segments of Slicer's Segmentations module."""

from typing import Any, List

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Qt, Signal

from .ctk_widgets import ctkMenuButton
from .observing import Observations
from .qmrml_widgets import qMRMLWidget
from .registry import slicer_class, stored_property

VISIBILITY, COLOR, OPACITY, NAME = range(4)
"""Columns of the table of segments."""


@slicer_class
class qMRMLSegmentsTableView(qMRMLWidget):
    """Segments with visibility, colour, opacity and name."""

    selectionChanged = Signal(object, object)
    segmentAboutToBeModified = Signal(str)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self._table = QtWidgets.QTableWidget(0, 4)
        column.addWidget(self._table)
        self._table.setHorizontalHeaderLabels(["", "", "Opacity", "Name"])
        self._table.horizontalHeader().setStretchLastSection(True)
        self._table.verticalHeader().hide()
        self._table.setSelectionBehavior(QtWidgets.QTableWidget.SelectRows)
        for index, width in enumerate((28, 28, 62)):
            self._table.setColumnWidth(index, width)
        self._table.itemChanged.connect(self._on_edited)
        self._table.itemSelectionChanged.connect(self._on_selection)
        self._node: Any = None
        self._hidden: List[str] = []
        self._filling = False
        self._observations = Observations(self)
        self._display_observations = Observations(self)

    selectionMode = stored_property(int, 3)
    readOnly = stored_property(bool, False, lambda self: self.refresh())
    filterBarVisible = stored_property(bool, False)
    statusColumnVisible = stored_property(bool, False)
    layerColumnVisible = stored_property(bool, False)
    textFilter = stored_property(str, "")
    jumpToSelectedSegmentEnabled = stored_property(bool, False)
    useTerminologySelector = stored_property(bool, True)
    headerVisible = stored_property(
        bool, True, lambda self: self._table.horizontalHeader().setVisible(self.headerVisible)
    )
    visibilityColumnVisible = stored_property(
        bool, True, lambda self: self._table.setColumnHidden(VISIBILITY, not self.visibilityColumnVisible)
    )
    colorColumnVisible = stored_property(
        bool, True, lambda self: self._table.setColumnHidden(COLOR, not self.colorColumnVisible)
    )
    opacityColumnVisible = stored_property(
        bool, True, lambda self: self._table.setColumnHidden(OPACITY, not self.opacityColumnVisible)
    )
    segmentCount = Property(int, lambda self: len(self.displayedSegmentIDs()))

    def setSelectionMode(self, mode: int) -> None:
        self._table.setSelectionMode(QtWidgets.QTableWidget.SelectionMode(mode))

    def setReadOnly(self, read_only: bool) -> None:
        self.setProperty("readOnly", read_only)

    def setHeaderVisible(self, visible: bool) -> None:
        self.setProperty("headerVisible", visible)

    def setOpacityColumnVisible(self, visible: bool) -> None:
        self.setProperty("opacityColumnVisible", visible)

    def setSegmentationNode(self, node: Any) -> None:
        self._observations.clear()
        self._node = node
        if node is not None:
            segmentation = node.GetSegmentation()
            for event in (
                segmentation.SegmentAdded,
                segmentation.SegmentRemoved,
                segmentation.SegmentModified,
                segmentation.SegmentsOrderModified,
            ):
                self._observations.add(segmentation, event, self.refresh)
            self._observations.add(node, node.DisplayModifiedEvent, self.refresh)
        self.refresh()

    def segmentationNode(self) -> Any:
        return self._node

    def tableWidget(self) -> QtWidgets.QTableWidget:
        return self._table

    def setHideSegments(self, identifiers: List[str]) -> None:
        self._hidden = list(identifiers)
        self.refresh()

    def hideSegments(self) -> List[str]:
        return self._hidden

    def displayedSegmentIDs(self) -> List[str]:
        if self._node is None:
            return []
        return [name for name in self._node.GetSegmentation().GetSegmentIDs() if name not in self._hidden]

    def refresh(self) -> None:
        """Fills the table anew; keeps the selection."""
        if self._filling:
            return
        selected = self.selectedSegmentIDs()
        self._filling = True
        identifiers = self.displayedSegmentIDs()
        display = self._node.GetDisplayNode() if self._node is not None else None
        self._table.setRowCount(len(identifiers))
        for row, identifier in enumerate(identifiers):
            segment = self._node.GetSegmentation().GetSegment(identifier)
            self._fill_row(row, identifier, segment, display)
        self.setSelectedSegmentIDs([identifier for identifier in selected if identifier in identifiers])
        self._filling = False
        if self.selectedSegmentIDs() != selected:
            self.selectionChanged.emit(None, None)

    def _on_selection(self) -> None:
        if not self._filling:
            self.selectionChanged.emit(None, None)

    def _fill_row(self, row: int, identifier: str, segment: Any, display: Any) -> None:
        shown = QtWidgets.QTableWidgetItem()
        shown.setFlags(Qt.ItemIsUserCheckable | Qt.ItemIsEnabled | Qt.ItemIsSelectable)
        shown.setCheckState(
            Qt.Checked if display and display.GetSegmentVisibility(identifier) else Qt.Unchecked
        )
        shown.setData(Qt.UserRole, identifier)
        color = QtWidgets.QTableWidgetItem()
        color.setFlags(Qt.ItemIsEnabled | Qt.ItemIsSelectable)
        color.setBackground(QtGui.QColor.fromRgbF(*segment.GetColor()))
        opacity = QtWidgets.QTableWidgetItem(
            f"{display.GetSegmentOpacity3D(identifier) if display else 1:.2f}"
        )
        name = QtWidgets.QTableWidgetItem(segment.GetName())
        if self.property("readOnly"):
            for item in (opacity, name):
                item.setFlags(Qt.ItemIsEnabled | Qt.ItemIsSelectable)
        for column, item in enumerate((shown, color, opacity, name)):
            self._table.setItem(row, column, item)

    def _on_edited(self, item: QtWidgets.QTableWidgetItem) -> None:
        if self._filling or self._node is None:
            return
        identifier = self.displayedSegmentIDs()[item.row()]
        display = self._node.GetDisplayNode()
        self.segmentAboutToBeModified.emit(identifier)
        if item.column() == VISIBILITY:
            display.SetSegmentVisibility(identifier, item.checkState() == Qt.Checked)
        elif item.column() == OPACITY:
            display.SetSegmentOpacity(identifier, float(item.text()))
        elif item.column() == NAME:
            self._node.GetSegmentation().GetSegment(identifier).SetName(item.text())

    def selectedSegmentIDs(self) -> List[str]:
        rows = sorted({index.row() for index in self._table.selectedIndexes()})
        return [
            self._table.item(row, VISIBILITY).data(Qt.UserRole) for row in rows if self._table.item(row, 0)
        ]

    def setSelectedSegmentIDs(self, identifiers: List[str]) -> None:
        if list(identifiers) == self.selectedSegmentIDs():
            return
        shown, model = self.displayedSegmentIDs(), self._table.model()
        selection = QtCore.QItemSelection()
        for identifier in identifiers:
            if identifier in shown:
                index = model.index(shown.index(identifier), 0)
                selection.select(index, index)
        flags = QtCore.QItemSelectionModel.ClearAndSelect | QtCore.QItemSelectionModel.Rows
        self._table.selectionModel().select(selection, flags)

    def clearSelection(self) -> None:
        self._table.clearSelection()

    def rowForSegmentID(self, identifier: str) -> int:
        shown = self.displayedSegmentIDs()
        return shown.index(identifier) if identifier in shown else -1

    def segmentIDForRow(self, row: int) -> str:
        return self.displayedSegmentIDs()[row]


@slicer_class
class qMRMLSegmentationShow3DButton(ctkMenuButton):
    """Makes the closed surfaces of a segmentation, or removes them."""

    locked = stored_property(bool, False)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.setCheckable(True)
        self._node: Any = None
        self.clicked.connect(self._on_clicked)

    def segmentationNode(self) -> Any:
        return self._node

    def setSegmentationNode(self, node: Any) -> None:
        self._node = node
        self.setEnabled(node is not None)
        self.setChecked(node is not None and node.GetSegmentation().ContainsRepresentation("Closed surface"))

    def setLocked(self, locked: bool) -> None:
        self.setProperty("locked", locked)

    def _on_clicked(self, shown: bool) -> None:
        if shown:
            self._node.CreateClosedSurfaceRepresentation()
        else:
            self._node.RemoveClosedSurfaceRepresentation()

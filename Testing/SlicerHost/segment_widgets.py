"""Widgets of the Segmentations module: the table of segments, and the segment editor's panel without its
tools.
"""

from typing import Any, Callable, Dict, List, Optional

import slicer
from PySide6 import QtGui, QtWidgets
from PySide6.QtCore import Property, Qt, Signal

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
        self._table.itemSelectionChanged.connect(lambda: self.selectionChanged.emit(None, None))
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
        self._filling = False
        self.setSelectedSegmentIDs([identifier for identifier in selected if identifier in identifiers])

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
        shown = self.displayedSegmentIDs()
        mode = self._table.selectionMode()
        self._table.clearSelection()
        self._table.setSelectionMode(QtWidgets.QTableWidget.MultiSelection)
        for identifier in identifiers:
            if identifier in shown:
                self._table.selectRow(shown.index(identifier))
        self._table.setSelectionMode(mode)

    def clearSelection(self) -> None:
        self._table.clearSelection()

    def rowForSegmentID(self, identifier: str) -> int:
        shown = self.displayedSegmentIDs()
        return shown.index(identifier) if identifier in shown else -1

    def segmentIDForRow(self, row: int) -> str:
        return self.displayedSegmentIDs()[row]


EFFECTS = (
    "Threshold",
    "Paint",
    "Draw",
    "Erase",
    "Level tracing",
    "Margin",
    "Smoothing",
    "Scissors",
    "Islands",
)
"""Tools of the real segment editor that the panel lists; clicking one only sets it in the editor node."""


@slicer_class
class qMRMLSegmentEditorWidget(qMRMLWidget):
    """The segment editor's panel. Its tools can be chosen, not used; undo covers changes made by code."""

    currentSegmentIDChanged = Signal(str)
    segmentationNodeChanged = Signal(object)
    sourceVolumeNodeChanged = Signal(object)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self._table = qMRMLSegmentsTableView(self)
        column.addWidget(self._table)
        self._buttons: Dict[str, QtWidgets.QToolButton] = {}
        grid = QtWidgets.QGridLayout()
        column.addLayout(grid)
        for index, effect in enumerate(("None",) + EFFECTS):
            self._buttons[effect] = self._make_button(effect)
            grid.addWidget(self._buttons[effect], index // 3, index % 3)
        self._table.selectionChanged.connect(self._on_segment_chosen)
        self._node: Any = None
        self._logic = self._make_logic()
        self._order: List[str] = []

    maskingSectionVisible = stored_property(bool, True)
    segmentationNodeSelectorVisible = stored_property(bool, True)
    sourceVolumeNodeSelectorVisible = stored_property(bool, True)
    specifyGeometryButtonVisible = stored_property(bool, True)
    show3DButtonVisible = stored_property(bool, True)
    addRemoveSegmentButtonsVisible = stored_property(bool, True)
    switchToSegmentationsButtonVisible = stored_property(bool, True)
    autoShowSourceVolumeNode = stored_property(bool, True)
    undoEnabled = stored_property(bool, True)
    maximumNumberOfUndoStates = stored_property(int, 10)
    readOnly = stored_property(bool, False)
    unorderedEffectsVisible = stored_property(bool, True, lambda self: self._show_effects())
    effectColumnCount = stored_property(int, 2)
    effectButtonStyle = stored_property(int, 0)
    defaultTerminologyEntry = stored_property(str, "")
    defaultTerminologyEntrySettingsKey = stored_property(str, "")
    jumpToSelectedSegmentEnabled = stored_property(bool, False)

    logic_class: Optional[Callable[[], Any]] = getattr(slicer, "vtkSlicerSegmentEditorLogic", None)
    """Kept from before the release gate closed: the widget in C++ has it, a module in Slicer 5.8 has not."""

    def _make_logic(self) -> Any:
        logic = type(self).logic_class()
        logic.SetMRMLScene(slicer.mrmlScene)
        return logic

    def _make_button(self, effect: str) -> QtWidgets.QToolButton:
        button = QtWidgets.QToolButton()
        button.setText(effect)
        button.setObjectName(f"effect_{effect}")
        button.setCheckable(True)
        button.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
        button.clicked.connect(lambda: self.setActiveEffectByName("" if effect == "None" else effect))
        return button

    def _show_effects(self) -> None:
        for effect, button in self._buttons.items():
            button.setVisible(
                effect == "None" or self.property("unorderedEffectsVisible") or effect in self._order
            )

    def setMRMLSegmentEditorNode(self, node: Any) -> None:
        self._node = node
        self._logic.SetSegmentEditorNode(node)
        self._follow_node()

    def mrmlSegmentEditorNode(self) -> Any:
        return self._node

    def updateWidgetFromMRML(self) -> None:
        self._follow_node()

    def _usable(self) -> bool:
        """Without scene and editor node, the real widget silently ignores what it is given."""
        return self._scene is not None and self._node is not None

    def _follow_node(self) -> None:
        self._table.setSegmentationNode(self._node.GetSegmentationNode() if self._usable() else None)

    def setSegmentationNode(self, node: Any) -> None:
        if not self._usable() or self._node.GetSegmentationNode() is node:
            return
        self._node.SetAndObserveSegmentationNode(node)
        self._logic.SetSegmentationNode(node)
        self._follow_node()
        identifiers = self._table.displayedSegmentIDs()
        self.setCurrentSegmentID(identifiers[0] if identifiers else "")
        self.segmentationNodeChanged.emit(node)

    def segmentationNode(self) -> Any:
        return self._node.GetSegmentationNode() if self._node is not None else None

    def setSourceVolumeNode(self, node: Any) -> None:
        if not self._usable():
            return
        self._node.SetAndObserveSourceVolumeNode(node)
        self._logic.SetSourceVolumeNode(node)
        self.sourceVolumeNodeChanged.emit(node)

    def sourceVolumeNode(self) -> Any:
        return self._node.GetSourceVolumeNode() if self._node is not None else None

    def setCurrentSegmentID(self, identifier: str) -> None:
        if self._node is None or self._node.GetSelectedSegmentID() == identifier:
            return
        self._node.SetSelectedSegmentID(identifier)
        self._table.setSelectedSegmentIDs([identifier])
        self.currentSegmentIDChanged.emit(identifier)

    def currentSegmentID(self) -> str:
        return (self._node.GetSelectedSegmentID() if self._node is not None else "") or ""

    def _on_segment_chosen(self, *_: Any) -> None:
        chosen = self._table.selectedSegmentIDs()
        if chosen:
            self.setCurrentSegmentID(chosen[0])

    def setActiveEffectByName(self, name: str) -> None:
        if self._node is None or not self._usable():
            return
        self._node.SetActiveEffectName(name)
        for effect, button in self._buttons.items():
            button.setChecked(effect == (name or "None"))

    def availableEffectNames(self) -> List[str]:
        return list(EFFECTS) if self._scene is not None else []

    def setEffectNameOrder(self, names: List[str]) -> None:
        self._order = list(names)
        self._show_effects()

    def effectNameOrder(self) -> List[str]:
        return self._order

    def setupViewObservations(self) -> None:
        """Views send their clicks to tools: here no tool listens."""

    def removeViewObservations(self) -> None:
        """See setupViewObservations."""

    def installKeyboardShortcuts(self, parent: Any = None) -> None:
        """The host has no keyboard shortcuts of tools."""

    def uninstallKeyboardShortcuts(self) -> None:
        """See installKeyboardShortcuts."""

    def saveStateForUndo(self) -> None:
        self._logic.SaveStateForUndo()

    def undo(self) -> None:
        self._logic.Undo()

    def redo(self) -> None:
        self._logic.Redo()

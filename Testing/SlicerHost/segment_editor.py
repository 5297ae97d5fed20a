"""The panel of Slicer's segment editor, without its tools."""

from typing import Any, Callable, Dict, List, Optional

import slicer
from PySide6 import QtWidgets
from PySide6.QtCore import Signal

from .qmrml_widgets import qMRMLWidget
from .registry import slicer_class, stored_property
from .segments_table import qMRMLSegmentsTableView

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

    def setupViewObservations(self) -> None:
        """Views send their clicks to tools: here no tool listens."""

    def installKeyboardShortcuts(self, parent: Any = None) -> None:
        """The host has no keyboard shortcuts of tools."""

    def saveStateForUndo(self) -> None:
        self._logic.SaveStateForUndo()

    def undo(self) -> None:
        self._logic.Undo()

    def redo(self) -> None:
        self._logic.Redo()

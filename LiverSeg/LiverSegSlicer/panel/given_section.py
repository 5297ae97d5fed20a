"""Below *Segment*: a segmentation that LiverSeg did not make becomes a result."""

from functools import partial
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import qt
import slicer
from slicer.i18n import tr as _

from LiverSegLib.labels import LIVER
from LiverSegLib.review import AUTOMATIC, MANUAL, SEMIAUTOMATIC

from ..scene import given, views
from ..scene.given import NONE, STRUCTURES, GivenSegment
from ..slots import guarded
from ..work.run import Turns
from .message_line import MessageLine
from .notes import ERROR, WARNING, Note
from .panel_state import PanelState
from .row_table import RowTable
from .run_bar import RunBar

MOST_ROWS = 6
"""The table grows up to so many rows and scrolls beyond."""

_ROOM = 12
"""Pixels that a row is higher than its text: it holds a combo box."""
_AT_ONCE = 12
"""So many rows get their combo box in one turn of the event loop."""
_NAME, _STRUCTURE = 0, 1


class GivenSection:
    """Args:
    ui: the panel's widgets.
    logic: has ``measureSegmentationAsync``.
    runBar: runs it.
    message: tells how it ended.
    """

    def __init__(self, ui, logic, runBar: RunBar, message: MessageLine) -> None:
        self._ui = ui
        self._logic = logic
        self._runBar = runBar
        self._message = message
        self._state: Optional[PanelState] = None
        self._offered: Dict[str, Tuple[str, str]] = {}
        self._segments: Tuple[GivenSegment, ...] = ()
        self._shown: Tuple[str, str] = ("", "")
        self._structures: Dict[str, str] = {}
        self._turns = Turns()
        self._note = Note(
            ui, "given", _("What stands against measuring this segmentation, or makes it doubtful.")
        )
        self._table = RowTable(ui.givenTable, _NAME, _ROOM, MOST_ROWS, lambda row: None, lambda row, on: None)
        ui.givenTable.horizontalHeader().setSectionResizeMode(_STRUCTURE, qt.QHeaderView.Fixed)
        for key, text in _ways():
            ui.givenMadeSelector.addItem(text, key)
        ui.givenButton.connect("toggled(bool)", guarded(self._onToggled))
        ui.givenSelector.connect("activated(int)", guarded(self._onChosen))
        ui.givenMeasureButton.connect("clicked(bool)", guarded(self._onMeasure))

    def show(self, state: PanelState) -> None:
        """Show which segmentations of the scene can be measured, and what their segments are."""
        self._state = state
        nodes = given.givenSegmentations()
        reason = _reasonNotToOpen(state, bool(nodes))
        button = self._ui.givenButton
        isOpen = button.checked and not reason
        # what is open stays open while something runs, for the next try
        button.enabled = not reason
        button.toolTip = reason or _(
            "Measures a segmentation that LiverSeg has not made: from DICOM, from another module, or drawn "
            "by hand."
        )
        button.setArrowType(qt.Qt.DownArrow if isOpen else qt.Qt.RightArrow)
        self._ui.givenWidget.setVisible(isOpen)
        if isOpen:
            self._offer(nodes)
            self._fill()
            self._judge()

    def close(self) -> None:
        """The panel is about to vanish."""
        self._turns.stop()

    # ---- what is offered

    def _offer(self, nodes: List[Any]) -> None:
        """List the segmentations; the one that was chosen stays so, else it is the one that fits the scan."""
        offered = {node.GetID(): (_address(node), node.GetName()) for node in nodes}
        if offered == self._offered:
            return
        selector = self._ui.givenSelector
        chosen = selector.itemData(selector.currentIndex) if self._offered else None
        # a node of another scene may have the same ID
        isKept = chosen in offered and offered[chosen][0] == self._offered[chosen][0]
        fitting = [node.GetID() for node in nodes if self._fits(node)]
        self._offered = offered
        selector.blockSignals(True)
        selector.clear()
        for nodeID, (_place, name) in reversed(list(offered.items())):
            selector.addItem(name, nodeID)
        wanted = chosen if isKept else (fitting or list(offered))[-1]
        selector.setCurrentIndex(selector.findData(wanted))
        selector.blockSignals(False)

    def _fits(self, node: Any) -> bool:
        """Whether a segmentation seems to be one of the liver on the chosen scan."""
        volumeNode = self._state.volumeNode if self._state is not None else None
        isLiver = any(item.structure != NONE for item in given.segmentsOf(node))
        return isLiver and volumeNode is not None and not given.isApart(node, volumeNode)

    def _node(self) -> Any:
        """The chosen segmentation; None if it is gone."""
        selector = self._ui.givenSelector
        nodeID = selector.itemData(selector.currentIndex) if self._offered else None
        return slicer.mrmlScene.GetNodeByID(nodeID) if nodeID else None

    def _fill(self) -> None:
        """Fill the table with the segments, those that are something first; choices of hers stay."""
        node = self._node()
        segments = given.segmentsOf(node) if node is not None else ()
        shown = (node.GetID(), _address(node)) if node is not None else ("", "")
        if (shown, segments) == (self._shown, self._segments):
            return
        kept = self._structures if shown == self._shown else {}
        if shown != self._shown and node is not None:
            made = self._ui.givenMadeSelector
            made.setCurrentIndex(made.findData(given.wayMade(node)))
        self._shown, self._segments = shown, segments
        self._structures = {item.segmentID: kept.get(item.segmentID, item.structure) for item in segments}
        ordered = sorted(segments, key=lambda item: self._structures[item.segmentID] == NONE)
        self._ui.givenTable.setRowCount(0)  # no combo box of the segments before stays
        with self._table.filling(len(ordered)):
            for row, item in enumerate(ordered):
                self._table.setRow(row, (item.name, ""), item.name, left=(_NAME,))
        # those that are seen at once, the others soon: a hundred would make the window wait
        work = self._addSelectors(ordered)
        next(work, None)
        self._turns.start(work, lambda _result, _error: None)

    def _addSelectors(self, ordered: Sequence[GivenSegment]) -> Iterator[None]:
        """Give each row its combo box, some in a turn."""
        for row, item in enumerate(ordered):
            if row and row % _AT_ONCE == 0:
                yield
            selector = self._selector(item.segmentID)
            if row == 0:  # the table does not ask the boxes itself
                self._ui.givenTable.setColumnWidth(_STRUCTURE, selector.sizeHint.width())
            self._ui.givenTable.setCellWidget(row, _STRUCTURE, selector)

    def _selector(self, segmentID: str) -> Any:
        """A combo box of structures for a row of the table."""
        selector = qt.QComboBox()
        for word in (*STRUCTURES.values(), NONE):
            selector.addItem(given.nameStructure(word), word)
        selector.setCurrentIndex(selector.findData(self._structures[segmentID]))
        selector.toolTip = _("What this segment is.")

        def choose(index: int) -> None:
            self._structures[segmentID] = selector.itemData(index)
            self._judge()

        selector.connect("currentIndexChanged(int)", guarded(choose))
        return selector

    # ---- what can be measured

    def _judge(self) -> None:
        """Say what stands against measuring this, or makes it doubtful."""
        state, node = self._state, self._node()
        if state is None:
            return
        reason, doubt, kind = "", "", WARNING
        if node is not None and state.volumeNode is not None:
            if STRUCTURES[LIVER] not in self._structures.values():
                reason = given.noLiverText()
            elif given.isApart(node, state.volumeNode):
                reason, kind = _("This segmentation lies outside the chosen scan."), ERROR
            drawnOn = given.drawnOn(node, state.volumeNode)
            if drawnOn:
                doubt = _("It was drawn on {scan}, not on the chosen scan.").format(scan=drawnOn)
        self._note.show(reason or doubt, kind)
        wait = state.reasonToWait() or reason
        self._ui.givenMeasureButton.enabled = not wait and node is not None
        self._ui.givenMeasureButton.toolTip = wait or _(
            "Measures the segmentation as a new result; no model runs, and the segmentation stays as it is."
        )

    # ---- what the user asks for

    def _onToggled(self, _on: bool) -> None:
        if self._state is not None:
            self.show(self._state)

    def _onChosen(self) -> None:
        self._fill()
        self._judge()

    def _onMeasure(self) -> None:
        state, node = self._state, self._node()
        if state is None or node is None or state.parameters is None:
            return
        made = self._ui.givenMadeSelector
        self._runBar.start(
            _("Starting…"),
            partial(self._onMeasured, state.volumeNode, node.GetName()),
            self._logic.measureSegmentationAsync,
            node,
            state.volumeNode,
            roles=dict(self._structures),
            made=made.itemData(made.currentIndex),
            modality=state.parameters.modality,
            replaceUntouched=state.parameters.replaceUntouched,
        )

    def _onMeasured(self, volumeNode: Any, name: str, resultNode: Any) -> None:
        """Show the result in the views as they are, unless she has gone on to another scan or module."""
        text = _("{name} was measured, as a result of its own; it stays as it is.")
        parameters = self._state.parameters if self._state is not None else None
        isChosen = parameters is not None and parameters.inputVolume is volumeNode
        if isChosen and self._runBar.isPanelShown():
            parameters.segmentation = resultNode
            views.showInViews(volumeNode, resultNode)
            self._ui.givenButton.checked = False
        self._message.tell(text.format(name=name))


def _address(node: Any) -> str:
    """Tells a node from others of this session."""
    return node.GetAddressAsString("vtkMRMLNode")


def _reasonNotToOpen(state: PanelState, isThere: bool) -> str:
    if state.volumeNode is None:
        return _("Choose a scan first.")
    if not isThere:
        return _(
            "There is no segmentation but LiverSeg's own in the scene: load one, for example from DICOM, or "
            "draw one in the Segment Editor."
        )
    return ""


def _ways() -> List[Tuple[str, str]]:
    """How a segmentation may have been made, and that in words."""
    return [
        ("", _("not known")),
        (MANUAL, _("by hand")),
        (AUTOMATIC, _("by a program")),
        (SEMIAUTOMATIC, _("by a program, corrected by hand")),
    ]

"""Section Correct: the segment editor on the shown result, and what was changed against the automatic one."""

from typing import Any, Callable, Dict, List, Optional, Sequence

import slicer
from slicer.i18n import tr as _

from LiverSegLib.errors import LiverSegError
from LiverSegLib.labels import LABELS, LIVER, SPLEEN, TUMOUR

from ..correct.options import CORRECT
from ..scene import automatic
from ..scene.automatic import Change
from ..scene.review import isAccepted
from ..slots import guarded
from ..work.run import Turns
from .correct_words import Words, wordsFor
from .message_line import MessageLine
from .panel_state import PanelState
from .row_table import RowTable
from .segment_editor import SegmentEditor

_ORDER = (LIVER, SPLEEN, TUMOUR)
_STRUCTURE, _DIFFERENCE, _OVERLAP = range(3)
_ROOM = 6


class CorrectSection:
    """Args:
    ui: the panel's widgets.
    message: tells what went wrong.
    """

    def __init__(self, ui, message: MessageLine) -> None:
        self._ui = ui
        self._message = message
        self._state: Optional[PanelState] = None
        self._reason = ""
        self._isShown = False
        self._changes: Sequence[Change] = ()
        self._compared: Any = None
        self._modeListeners: List[Callable[[], None]] = []
        self._turns = Turns()
        self._words = wordsFor(None)
        self._editor = SegmentEditor(ui.correctEditorWidget, guarded(self._showChosen))
        self._targets: Dict[str, Any] = {
            LABELS[LIVER].key: ui.correctLiverButton,
            LABELS[SPLEEN].key: ui.correctSpleenButton,
            LABELS[TUMOUR].key: ui.correctTumorButton,
        }
        self._table = RowTable(
            ui.correctTable, _STRUCTURE, _ROOM, len(_ORDER), lambda row: self._showButtons(), lambda *_: None
        )
        for key, button in self._targets.items():
            button.connect("clicked(bool)", guarded(self._targetSlot(key)))
        ui.correctOutlineButton.connect("clicked(bool)", guarded(self._onOutline))
        ui.correctRevertButton.connect("clicked(bool)", guarded(self._onRevert))
        ui.correctOpenButton.connect("clicked(bool)", guarded(self._onOpen))
        ui.correctSection.connect("contentsCollapsed(bool)", guarded(self._onCollapsed))

    def show(self, state: PanelState) -> None:
        """Show the editor on the result, or why it cannot be edited."""
        self._state, self._isShown = state, True
        self._reason = _reasonNotToCorrect(state)
        self._showWords(wordsFor(state.segmentationNode))
        self._follow()

    def pause(self) -> None:
        """Leave views and scene alone until ``show``."""
        self._isShown = False
        self._turns.stop()
        self._editor.close()

    def close(self) -> None:
        """The same for good."""
        self.pause()
        self._editor.discard()

    def compare(self) -> None:
        """Compare the segments with the automatic result anew, in pieces."""
        state = self._state
        if state is not None and self._editor.isOpen():
            self._compared = state.segmentationNode
            self._turns.start(automatic.compare(state.segmentationNode), self._onCompared)

    def reason(self) -> str:
        """Why the shown result cannot be edited; empty if it can."""
        return self._reason

    # ---- lesions

    def addModeListener(self, listener: Callable[[], None]) -> None:
        """Have ``listener`` called when clicks may be for something else now."""
        self._modeListeners.append(listener)

    def correctLesions(self, mode: str) -> None:
        """Open the section; the next clicks in the views are for whole lesions, ``mode`` of the effect's
        options; ``CORRECT`` ends that."""
        self._ui.correctSection.collapsed = False
        self._follow()
        smart = self._editor.smartCorrect()
        if smart is not None:
            smart.setMode(mode)
        self._showChosen()

    def lesionMode(self) -> str:
        """What clicks in the views are for."""
        smart = self._editor.activeSmartCorrect()
        return smart.mode() if smart is not None else CORRECT

    # ---- shortcuts

    def setInclude(self, include: bool) -> None:
        """Clicks add from now on, or remove."""
        smart = self._editor.smartCorrect()
        if smart is not None:
            smart.setInclude(include)

    def undo(self) -> None:
        """Take the last edit back."""
        self._editor.undo()

    def redo(self) -> None:
        """Do again what was taken back."""
        self._editor.redo()

    # ---- drawing

    def _follow(self) -> None:
        """Connect the editor if the section is open and there is something to edit."""
        state = self._state
        canEdit = state is not None and not self._reason
        self._ui.correctEmptyLabel.setVisible(not canEdit)
        self._ui.correctEmptyLabel.setText(self._reason)
        self._ui.correctWidget.setVisible(canEdit)
        if state is None or not canEdit or not self._isShown or self._ui.correctSection.collapsed:
            self._turns.stop()
            self._editor.close()
            return
        isNew = not self._editor.isOpen()
        self._editor.open(state.segmentationNode, state.volumeNode)
        if isNew or self._editor.chosen() not in self._targets:
            self._editor.choose(LABELS[TUMOUR].key)
        self._showChosen()
        if isNew or self._compared is not state.segmentationNode:  # edits ask for it themselves
            self.compare()

    def _showChosen(self) -> None:
        chosen = self._editor.chosen()
        for key, button in self._targets.items():
            button.checked = key == chosen
        for listener in self._modeListeners:
            listener()

    def _onCompared(self, changes: Optional[Sequence[Change]], error: Optional[LiverSegError]) -> None:
        # it was edited meanwhile, or there is no automatic result
        found = {change.key: change for change in changes or ()} if error is None else {}
        rows = [found[LABELS[label].key] for label in _ORDER if LABELS[label].key in found]
        self._changes = rows
        with self._table.filling(len(rows) if len(rows) != self._ui.correctTable.rowCount else None):
            for number, change in enumerate(rows):
                self._table.setRow(number, _texts(change), self._tip(change), left=(_STRUCTURE,))
        for widget in (self._ui.correctTable, self._ui.correctTableLabel, self._ui.correctCompareWidget):
            widget.setVisible(bool(rows))
        self._showButtons()

    def _showButtons(self) -> None:
        row = self._table.chosen()
        change = self._changes[row] if row is not None and row < len(self._changes) else None
        reason = ""
        if change is None:
            reason = _("Choose a structure in the table first.")
        elif not _isChanged(change):
            reason = self._words.unchanged
        self._ui.correctRevertButton.enabled = not reason
        self._ui.correctRevertButton.toolTip = reason or self._words.revertTip
        state = self._state
        node = state.segmentationNode if state is not None else None
        self._ui.correctOutlineButton.checked = automatic.isOutlineShown(node)

    def _showWords(self, words: Words) -> None:
        """Call the result before edits what it is."""
        if words == self._words:
            return
        self._words, ui = words, self._ui
        ui.correctTableLabel.setText(words.heading)
        ui.correctTable.toolTip = words.table
        for column, tip in ((_DIFFERENCE, words.difference), (_OVERLAP, words.overlap)):
            ui.correctTable.horizontalHeaderItem(column).setToolTip(tip)
        ui.correctOutlineButton.setText(words.outline)
        ui.correctOutlineButton.toolTip = words.outlineTip

    def _tip(self, change: Change) -> str:
        if change.volumeMl is None:
            return _("This segment was removed, or has no label map any more.")
        return self._words.volumes.format(now=change.volumeMl, before=change.automaticMl)

    # ---- what the user asks for

    def _targetSlot(self, key: str) -> Callable[[], None]:
        """What the button of a structure does."""

        def choose() -> None:
            smart = self._editor.activeSmartCorrect()
            if smart is not None:
                smart.setMode(CORRECT)
            self._editor.choose(key)
            self._showChosen()

        return choose

    def _onOutline(self, on: bool) -> None:
        if self._state is not None and self._state.segmentationNode is not None:
            automatic.showOutline(self._state.segmentationNode, bool(on))

    def _onRevert(self) -> None:
        row, state = self._table.chosen(), self._state
        if row is not None and state is not None and self._ui.correctRevertButton.enabled:
            self._editor.saveState()
            automatic.revert(state.segmentationNode, self._changes[row].key)
            self._message.note(self._words.reverted)

    def _onOpen(self) -> None:
        state = self._state
        if state is None or state.segmentationNode is None:
            return
        self._editor.close()
        slicer.util.selectModule("SegmentEditor")
        editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
        editor.setSegmentationNode(state.segmentationNode)
        editor.setSourceVolumeNode(state.volumeNode)

    def _onCollapsed(self, _collapsed: bool) -> None:
        self._follow()


def _reasonNotToCorrect(state: PanelState) -> str:
    if state.measurements is None or state.segmentationNode is None:
        return _("Segment the scan first: its result is corrected here.")
    if isAccepted(state.segmentationNode):
        return _("This result is accepted: press Edit again under Review to change it.")
    return ""


def _isChanged(change: Change) -> bool:
    """Whether a structure differs from the automatic one."""
    return change.volumeMl is None or change.dice is not None and change.dice < 1


def _texts(change: Change) -> Sequence[str]:
    liver, spleen, tumor = (LABELS[label].key for label in _ORDER)
    names = {liver: _("Liver without tumors"), spleen: _("Spleen"), tumor: _("Liver tumors")}
    difference = "–" if change.volumeMl is None else _signed(change.volumeMl - change.automaticMl)
    if not _isChanged(change):
        return names[change.key], _("none"), "1" if change.dice is not None else "–"
    # not rounded to 1: it differs
    return names[change.key], difference, "–" if change.dice is None else f"{min(change.dice, 0.9999):.4f}"


def _signed(ml: float) -> str:
    return f"{ml:+.2f}".replace("-", "−")

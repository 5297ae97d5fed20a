"""Edits that a crash left behind: offered for their scan, listed under Advanced, removed when unwanted."""

from datetime import datetime
from typing import Any, Callable, Optional, Sequence

from slicer.i18n import tr as _

from LiverSegLib.errors import LiverSegError

from ..correct.journal import Entry, journals, matching, remove, restoring, sharedJournal
from ..scene.fingerprint import seemsUntouched
from ..scene.parts import isResult
from ..slots import guarded
from ..work.run import Turns
from .message_line import MessageLine
from .notes import WARNING, Note
from .panel_state import PanelState


class RecoverySection:
    """Args:
    ui: the panel's widgets.
    message: tells how restoring ended.
    onRestored: called with the segmentation node that came back.
    """

    def __init__(self, ui, message: MessageLine, onRestored: Callable[[Any], None]) -> None:
        self._ui = ui
        self._message = message
        self._onRestored = onRestored
        self._journal = sharedJournal()
        self._volumeNode: Any = None
        self._offered: Optional[Entry] = None
        self._turns = Turns()
        self._note = Note(ui, "recovery", _("Edits that were not saved when Slicer ended the last time."))
        ui.recoveryRestoreButton.connect("clicked(bool)", guarded(self._onRestore))
        ui.recoveryRemoveButton.connect("clicked(bool)", guarded(self._onRemove))
        ui.recoveryRemoveAllButton.connect("clicked(bool)", guarded(self._onRemoveAll))
        ui.advancedSection.connect("contentsCollapsed(bool)", guarded(self._showList))

    def show(self, state: PanelState) -> None:
        """Look for edits of a scan that has just been chosen."""
        if state.volumeNode is self._volumeNode:
            return
        self._volumeNode = state.volumeNode
        self._offer(())
        if state.volumeNode is not None and state.volumeNode.GetImageData() is not None:
            self._turns.start(matching(state.volumeNode), self._onFound)

    def edited(self, segmentationNode: Any) -> None:
        """Keep an edit of a result; one that is as the run brought it again needs no keeping."""
        if seemsUntouched(segmentationNode):
            self._journal.forget(segmentationNode)
        elif isResult(segmentationNode):
            self._journal.note(segmentationNode)

    def pause(self) -> None:
        """Look for nothing until ``show``."""
        self._turns.stop()
        self._volumeNode = None

    def close(self) -> None:
        """The panel is about to vanish; the journal stays until Slicer ends."""
        self._turns.stop()

    def _onFound(self, entries: Optional[Sequence[Entry]], error: Optional[LiverSegError]) -> None:
        self._offer(entries or () if error is None else ())

    def _offer(self, entries: Sequence[Entry]) -> None:
        self._offered = entries[0] if entries else None
        self._ui.recoveryWidget.setVisible(self._offered is not None)
        if self._offered is None:
            return
        text = _("Slicer ended on {when} before the edits of this scan were saved ({count} of them).")
        self._note.show(text.format(when=_when(self._offered), count=self._offered.edits), WARNING)

    def _onRestore(self) -> None:
        entry, volumeNode = self._offered, self._volumeNode
        if entry is None or volumeNode is None:
            return
        for button in (self._ui.recoveryRestoreButton, self._ui.recoveryRemoveButton):
            button.enabled = False
        self._turns.start(restoring(entry, volumeNode), self._onRestoredOrNot)

    def _onRestoredOrNot(self, segmentationNode: Any, error: Optional[LiverSegError]) -> None:
        for button in (self._ui.recoveryRestoreButton, self._ui.recoveryRemoveButton):
            button.enabled = True
        if error is not None:
            self._message.fail(error)
            return
        entry = self._offered
        self._offer(())
        self._onRestored(segmentationNode)
        # first under the protection of this Slicer's own journal, then the old one can go
        self._journal.note(segmentationNode)
        self._journal.flush()
        if entry is not None:
            remove(entry)
        self._message.tell(_("Your edits are back as a segmentation of their own."))

    def _onRemove(self) -> None:
        if self._offered is not None:
            remove(self._offered)
            self._offer(())
            self._showList()

    def _onRemoveAll(self) -> None:
        for entry in journals():
            remove(entry)
        self._offer(())
        self._showList()

    def _showList(self) -> None:
        """List what is kept, in the section Advanced, when that is open."""
        if self._ui.advancedSection.collapsed:
            return
        lines = [_line(entry) for entry in journals()]
        self._ui.recoveryListLabel.setText("\n".join(lines) or _("None: nothing was lost."))
        self._ui.recoveryRemoveAllButton.enabled = bool(lines)


def _line(entry: Entry) -> str:
    if entry.problem:
        return entry.problem
    return _("{scan}, {when}, {count} edits").format(
        scan=entry.scanName, when=_when(entry), count=entry.edits
    )


def _when(entry: Entry) -> str:
    return f"{datetime.fromisoformat(entry.time):%Y-%m-%d %H:%M}"

"""The message line: what happened last, in one sentence, with details and the log one click away."""

from typing import Callable, Optional

import slicer
from slicer.i18n import tr as _

from ..sentences import sentence
from ..slots import guarded
from .notes import ERROR, GOOD, PLAIN, WARNING, Note


class MessageLine:
    """Args:
    ui: the panel's widgets.
    readLog: returns what the computing process wrote so far.
    """

    def __init__(self, ui, readLog: Callable[[], str]) -> None:
        self._ui = ui
        self._readLog = readLog
        self._details = ""
        self._runHere: Optional[Callable[[], None]] = None
        self._note = Note(ui, "message", _("What happened last."))
        ui.messageRunHereButton.connect("clicked(bool)", guarded(self._onRunHere))
        ui.messageDetailsButton.connect("toggled(bool)", guarded(self._onDetails))
        ui.messageLogButton.connect("toggled(bool)", guarded(self._onLog))
        ui.messageCopyButton.connect("clicked(bool)", guarded(self._onCopy))

    def clear(self) -> None:
        """Show nothing."""
        self._show("", PLAIN, "")

    def note(self, text: str) -> None:
        """Show something that is neither good nor bad."""
        self._show(text, PLAIN, "")

    def tell(self, text: str) -> None:
        """Show that something went well."""
        self._show(text, GOOD, "")

    def warn(self, text: str) -> None:
        """Show what the user should know although nothing failed."""
        self._show(text, WARNING, "")

    def fail(self, error: BaseException, runHere: Optional[Callable[[], None]] = None) -> None:
        """Show the error's sentence; its ``details`` come with the button Details. ``runHere`` is offered as
        a button: it does here what a server could not."""
        text = sentence(getattr(error, "sentence", error)) or type(error).__name__
        self._show(text, ERROR, getattr(error, "details", None) or "")
        self._runHere = runHere
        self._ui.messageRunHereButton.setVisible(runHere is not None)

    def showLog(self) -> None:
        """Open the log below the message line."""
        self._ui.messageWidget.setVisible(True)
        if self._ui.messageLogButton.checked:
            self._refresh()
        else:
            self._ui.messageLogButton.checked = True

    def _show(self, text: str, kind: str, details: str) -> None:
        self._details = details
        self._runHere = None
        self._ui.messageRunHereButton.setVisible(False)
        self._note.show(text, kind)
        self._ui.messageWidget.setVisible(bool(text))
        self._ui.messageDetailsButton.setVisible(bool(details))
        self._ui.messageLogButton.setVisible(kind in (ERROR, WARNING))
        self._ui.messageDetailsButton.checked = False
        self._ui.messageLogButton.checked = False
        self._refresh()

    def _onRunHere(self) -> None:
        if self._runHere is not None:
            self._runHere()

    def _onDetails(self, on: bool) -> None:
        if on:
            self._ui.messageLogButton.checked = False
        self._refresh()

    def _onLog(self, on: bool) -> None:
        if on:
            self._ui.messageDetailsButton.checked = False
        self._refresh()

    def _refresh(self) -> None:
        text = self._openText()
        shown = text is not None
        if shown:
            self._ui.messageText.setPlainText(text)
        self._ui.messageText.setVisible(shown)
        self._ui.messageCopyButton.setVisible(shown)

    def _openText(self) -> Optional[str]:
        if self._ui.messageDetailsButton.checked:
            return self._details
        if self._ui.messageLogButton.checked:
            return self._readLog() or _("The computing process has not written anything yet.")
        return None

    def _onCopy(self) -> None:
        slicer.app.clipboard().setText(self._ui.messageText.toPlainText())

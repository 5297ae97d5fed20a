"""First use: says that PyTorch is missing, why it is needed, how big it is; installs it after asking."""

from typing import Callable, Optional

import slicer
from slicer.i18n import tr as _

from LiverSegLib.errors import CancelledError, LiverSegError

from ..slots import guarded
from .message_line import MessageLine
from .notes import WARNING, Note
from .panel_state import PanelState


class TorchSection:
    """Args:
    ui: the panel's widgets.
    logic: has ``torchState()`` and ``installTorch(confirm)``.
    message: shows how the installation ended.
    onChanged: called without arguments after an attempt.
    """

    def __init__(self, ui, logic, message: MessageLine, onChanged: Callable[[], None]) -> None:
        self._ui = ui
        self._logic = logic
        self._message = message
        self._onChanged = onChanged
        self._installing = False
        self._closed = False
        self._note = Note(ui, "install", _("What LiverSeg needs before it can segment."))
        self.state = logic.torchState()
        ui.installButton.connect("clicked(bool)", guarded(self._onInstall))

    def look(self) -> None:
        """Find out anew which PyTorch there is."""
        self.state = self._logic.torchState()

    def show(self, state: PanelState) -> None:
        """Show what is needed, or nothing if nothing is."""
        self._ui.installWidget.setVisible(not state.torch.usable)
        self._note.show(state.torch.request, WARNING)

    def close(self) -> None:
        """The panel vanishes; an installation that still runs has nothing to show its end in."""
        self._closed = True

    def reason(self) -> str:
        """Why nothing can be segmented now, or an empty text."""
        if self._installing:
            return _("PyTorch is being installed.")
        return "" if self.state.usable else _("PyTorch is needed first: see below.")

    def _onInstall(self) -> None:
        if self._installing:
            return
        self._installing = True
        self._ui.installButton.enabled = False
        self._message.note(_("Installing PyTorch: some minutes in which Slicer may not respond."))
        self._onChanged()
        # pip's output is shown by a Slicer that runs events meanwhile: the panel may be closed in between
        installed, problem = False, None
        try:
            installed = self._logic.installTorch(_confirm)
        except LiverSegError as error:
            problem = error
        finally:
            self._installing = False
            if not self._closed:
                self._ui.installButton.enabled = True
                self._tellEnd(installed, problem)
                self.look()
                self._onChanged()

    def _tellEnd(self, installed: bool, problem: Optional[LiverSegError]) -> None:
        if installed:
            self._message.tell(_("PyTorch is installed: press Segment."))
        elif problem is None or isinstance(problem, CancelledError):
            self._message.clear()
        else:
            self._message.fail(problem)


def _confirm(question: str) -> bool:
    return bool(slicer.util.confirmOkCancelDisplay(question, windowTitle=_("Install PyTorch")))

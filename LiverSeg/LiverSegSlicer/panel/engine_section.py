"""First use: says what LiverSeg needs to compute with, and installs it: the small one with one click."""

from typing import Callable, Optional, Tuple

import slicer
from slicer.i18n import tr as _

from LiverSegLib.errors import CancelledError, LiverSegError

from ..slots import guarded
from ..work.engines import EngineState, Offer, needsTorch
from ..work.installing import size
from .message_line import MessageLine
from .notes import WARNING, Note
from .panel_state import PanelState
from .run_bar import RunBar

TORCH = "torch"


class EngineSection:
    """Args:
    ui: the panel's widgets.
    logic: has ``engineState()``, ``installEngineAsync(engine)`` and ``installTorch(confirm)``.
    message: shows how the installation ended.
    onChanged: called without arguments after an attempt.
    """

    def __init__(self, ui, logic, message: MessageLine, onChanged: Callable[[], None]) -> None:
        self._ui = ui
        self._logic = logic
        self._message = message
        self._onChanged = onChanged
        self._runBar: Optional[RunBar] = None
        self._installing = False
        self._closed = False
        self._chosen: Tuple[str, ...] = ()
        self._problem = ""
        self._first: Optional[Offer] = None
        self._second: Optional[Offer] = None
        self._note = Note(ui, "install", _("What LiverSeg needs before it can segment."))
        self.state: EngineState = logic.engineState()
        ui.installButton.connect("clicked(bool)", guarded(lambda: self._install(self._first)))
        ui.installOtherButton.connect("clicked(bool)", guarded(lambda: self._install(self._second)))

    def useRunBar(self, runBar: RunBar) -> None:
        """Show the progress of a small engine's installation there."""
        self._runBar = runBar

    def look(self) -> None:
        """Find out anew which engine there is."""
        self.state = self._logic.engineState()
        self._findProblem()

    def lookAt(self, *models: str) -> None:
        """Find out whether the engine that is there runs the chosen models."""
        chosen = tuple(model for model in models if model)
        if chosen != self._chosen:
            self._chosen = chosen
            self._findProblem()

    def show(self, state: PanelState) -> None:
        """Show what is needed, or nothing if nothing is."""
        needed = self.state.request or self._problem
        self._ui.installWidget.setVisible(bool(needed))
        if not needed:
            return
        offers = self.state.offers if self.state.request else (self.state.offer(TORCH),)
        self._first, self._second = (*(offer for offer in offers if offer is not None), None, None)[:2]
        sentences = [needed] if self._first is None else [needed, self._first.request]
        self._note.show(" ".join(sentences), WARNING)
        busy = _("An engine is being installed.") if self._installing else state.reasonToWait()
        for button, offer, text in (
            (self._ui.installButton, self._first, _("Install {name} ({size})")),
            (self._ui.installOtherButton, self._second, _("{name} instead ({size})")),
        ):
            button.setVisible(offer is not None)
            if offer is None:
                continue
            words = {"name": offer.name, "size": size(offer.downloadMb)}
            more = "…" if offer.engine == TORCH else ""  # a dialog asks first
            button.setText(text.format(**words) + more)
            button.enabled = not busy
            button.toolTip = busy or offer.request

    def close(self) -> None:
        """The panel vanishes; an installation that still runs has nothing to show its end in."""
        self._closed = True

    def reason(self) -> str:
        """Why nothing can be segmented now, or an empty text."""
        if self._installing:
            return _("An engine is being installed.")
        if self.state.isUsable:
            return self._problem
        if self.state.offers:
            return _("{name} is needed first: see above.").format(name=self.state.offers[0].name)
        return self.state.request

    def _findProblem(self) -> None:
        problems = (needsTorch(model, self.state) for model in self._chosen if self.state.isUsable)
        self._problem = next(filter(None, problems), "")

    def _install(self, offer: Optional[Offer]) -> None:
        if offer is None or self._installing or self._runBar is None or self._runBar.isRunning():
            return
        if offer.engine == TORCH:
            self._installTorch()
        else:
            stage = _("Installing {name}").format(name=offer.name)
            self._runBar.start(stage, self._onInstalled, self._logic.installEngineAsync, offer.engine)

    def _onInstalled(self, name: str) -> None:
        self.look()
        self._message.tell(_("{name} is installed: press Segment.").format(name=name))

    def _installTorch(self) -> None:
        """Install PyTorch, which Slicer's pip or its extension does while Slicer waits."""
        self._installing = True
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

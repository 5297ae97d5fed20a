"""In Advanced, the server that computes in this computer's place; by the button Segment, that it will."""

from typing import Callable, Optional

from slicer.i18n import tr as _

from LiverSegLib.worker.server_messages import ServerAddress

from ..parameters import Preferences
from ..slots import guarded
from .message_line import MessageLine
from .notes import WARNING, Note
from .panel_state import PanelState
from .run_bar import RunBar

SERVER = "server"
"""Stands for a server among the devices to choose from; never kept with a scene, which others may open."""

_WIDGETS = (
    "serverAddressLabel", "serverAddressEdit", "serverTokenLabel", "serverTokenEdit", "serverTestButton",
)  # fmt: skip


class ServerSection:
    """Args:
    ui: the panel's widgets.
    logic: has ``testServerAsync(server)``.
    preferences: the user's choice, address and token.
    runBar: shows the test of the connection.
    message: shows how it ended.
    onChanged: called without arguments when the panel must be drawn anew.
    """

    def __init__(
        self,
        ui,
        logic,
        preferences: Preferences,
        runBar: RunBar,
        message: MessageLine,
        onChanged: Callable[[], None],
    ) -> None:
        self._ui = ui
        self._logic = logic
        self._preferences = preferences
        self._runBar = runBar
        self._message = message
        self._onChanged = onChanged
        self._note = Note(ui, "sending", _("Chosen in Advanced, under Compute on."))
        ui.serverAddressEdit.setText(preferences.serverAddress)
        ui.serverTokenEdit.setText(preferences.serverToken)
        ui.serverAddressEdit.connect("textChanged(QString)", guarded(self._onAddress))
        ui.serverTokenEdit.connect("textChanged(QString)", guarded(self._onToken))
        ui.serverTestButton.connect("clicked(bool)", guarded(self._onTest))

    def server(self) -> Optional[ServerAddress]:
        """The server that computes; None if this computer does."""
        return self._address() if self._preferences.computeOnServer else None

    def show(self, state: PanelState) -> None:
        """Show the server's widgets, and that a scan will be sent, if it was chosen."""
        isChosen = self._preferences.computeOnServer
        for name in _WIDGETS:
            getattr(self._ui, name).setVisible(isChosen)
        wait = state.reasonToWait()
        noAddress = "" if self._preferences.serverAddress else _("Enter the server's address first.")
        self._ui.serverTestButton.enabled = not (wait or noAddress)
        self._ui.serverTestButton.toolTip = (
            wait or noAddress or _("Looks whether the server can be used; no scan is sent.")
        )
        text = _("Segment sends the scan to {address}: its voxels and their place, no names or dates.")
        address = self._preferences.serverAddress or _("a server")
        self._note.show(text.format(address=address) if isChosen else "", WARNING)

    def _address(self) -> ServerAddress:
        preferences = self._preferences
        authority = preferences.serverAuthority or None
        return ServerAddress(preferences.serverAddress, preferences.serverToken, authority)

    def _onAddress(self, text: str) -> None:
        self._preferences.serverAddress = text.strip()
        self._onChanged()

    def _onToken(self, text: str) -> None:
        self._preferences.serverToken = text.strip()

    def _onTest(self) -> None:
        stage = _("Asking the server")
        self._runBar.start(stage, self._onAnswer, self._logic.testServerAsync, self._address())

    def _onAnswer(self, answer) -> None:
        text = _("The server can be used: LiverSeg {version}; {runs} of at most {most} runs are there now.")
        words = {"version": answer.liverseg_version, "runs": answer.runs, "most": answer.most_runs}
        self._message.tell(text.format(**words))

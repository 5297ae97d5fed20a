"""Section Report: the folder, and the button that writes the report there and opens it."""

import re
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Optional, Union

import qt
import slicer
from slicer.i18n import tr as _

from ..parameters import Preferences
from ..slots import guarded
from .message_line import MessageLine
from .panel_state import PanelState
from .run_bar import RunBar

_LONGEST_NAME = 60


class ReportSection:
    """Args:
    ui: the panel's widgets.
    logic: a LiverSegLogic.
    preferences: remembers the folder.
    runBar: runs the writing.
    message: tells where the report is.
    """

    def __init__(self, ui, logic, preferences: Preferences, runBar: RunBar, message: MessageLine) -> None:
        self._ui = ui
        self._logic = logic
        self._preferences = preferences
        self._runBar = runBar
        self._message = message
        self._state: Optional[PanelState] = None
        ui.reportFolderButton.caption = _("Folder for reports")
        ui.reportFolderButton.directory = preferences.reportFolder
        ui.reportFolderButton.connect("directoryChanged(QString)", guarded(self._onFolder))
        ui.reportButton.connect("clicked(bool)", guarded(self._onReport))

    def show(self, state: PanelState) -> None:
        """Enable the button, or disable it with the reason as its tooltip."""
        self._state = state
        reason = state.reasonToWait()
        if state.measurements is None:
            reason = _("Segment the scan first: the report tells of its result.")
        self._ui.reportButton.enabled = not reason
        self._ui.reportButton.toolTip = reason or _(
            "Writes the report as a web page with pictures and opens it."
        )

    def _onFolder(self, folder: str) -> None:
        self._preferences.reportFolder = folder

    def _onReport(self) -> None:
        state = self._state
        if state is not None and state.measurements is not None:
            folder = caseFolder(self._preferences.reportFolder, state.volumeNode.GetName())
            begun, write = _("Writing the report…"), self._logic.writeReport
            self._runBar.start(begun, self._onReported, write, state.segmentationNode, folder)

    def _onReported(self, report: Path) -> None:
        if report.is_file() and openOnDesktop(report):
            self._message.tell(_("The report is in {folder}.").format(folder=report.parent))
        else:
            text = _("The report is in {folder}, but no program opened it.")
            self._message.warn(text.format(folder=report.parent))


def caseFolder(folder: str, scanName: str) -> Path:
    """A folder in ``folder`` named after the scan and the time, so that no report replaces another."""
    name = re.sub(r"[^\w.-]+", " ", scanName).strip(" .")[:_LONGEST_NAME] or "scan"
    return Path(folder) / f"{name} {datetime.now():%Y-%m-%d %H.%M.%S}"


def openOnDesktop(path: Union[str, Path]) -> bool:
    """Open a file or folder in the program that the system uses for it; False if there is none."""
    opener = shutil.which("xdg-open") if sys.platform.startswith("linux") else None
    if opener is None:
        return bool(qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(path))))
    # Qt would start it with Slicer's own libraries, over which browsers fail (Slicer's issue 8879).
    nothing = subprocess.DEVNULL
    try:
        subprocess.Popen(
            [opener, str(path)],
            env=slicer.util.startupEnvironment(),
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
            start_new_session=True,
        )
    except OSError:
        return False
    return True

"""Section Report: the folder, and the button that writes the report there and opens it."""

import re
from datetime import datetime
from pathlib import Path
from typing import Callable

from slicer.i18n import tr as _

from ..parameters import Preferences
from ..slots import guarded
from .desktop import openOnDesktop

_LONGEST_NAME = 60


class ReportSection:
    """Args:
    ui: the panel's widgets.
    preferences: remembers the folder.
    onReport: called with the folder when the user asks for a report.
    """

    def __init__(self, ui, preferences: Preferences, onReport: Callable[[str], None]) -> None:
        self._ui = ui
        self._preferences = preferences
        ui.reportFolderButton.caption = _("Folder for reports")
        ui.reportFolderButton.directory = preferences.reportFolder
        ui.reportFolderButton.connect("directoryChanged(QString)", guarded(self._onFolder))
        ui.reportButton.connect(
            "clicked(bool)", guarded(lambda _checked=False: onReport(self._preferences.reportFolder))
        )

    def show(self, reason: str) -> None:
        """Enable the button, or disable it with ``reason`` as its tooltip."""
        self._ui.reportButton.enabled = not reason
        self._ui.reportButton.toolTip = reason or _(
            "Writes the report as a web page with pictures and opens it."
        )

    def _onFolder(self, folder: str) -> None:
        self._preferences.reportFolder = folder


def caseFolder(folder: str, scanName: str) -> Path:
    """A folder in ``folder`` named after the scan and the time, so that no report replaces another."""
    name = re.sub(r"[^\w.-]+", " ", scanName).strip(" .")[:_LONGEST_NAME] or "scan"
    return Path(folder) / f"{name} {datetime.now():%Y-%m-%d %H.%M.%S}"


def openReport(path: Path) -> bool:
    """Open a written report in the program that the system uses for web pages; False if there is none."""
    return path.is_file() and openOnDesktop(path)

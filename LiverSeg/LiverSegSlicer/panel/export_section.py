"""The button *Export DICOM* below the report's: Segmentation and structured report, into a folder and, if
wanted, into Slicer's DICOM database."""

from typing import Optional

import slicer
from slicer.i18n import tr as _

from ..exporting import ExportedDicom
from ..parameters import Preferences
from ..scene import dicom_database
from ..slots import guarded
from ..work.highdicom_install import installQuestion, isHighdicomThere
from .message_line import MessageLine
from .panel_state import PanelState
from .report_section import caseFolder
from .run_bar import RunBar


class ExportSection:
    """Args:
    ui: the panel's widgets.
    logic: has ``exportDicomAsync``.
    preferences: has the folder of reports, and remembers whether to store in the database.
    runBar: runs the writing.
    message: tells where the objects are.
    """

    def __init__(self, ui, logic, preferences: Preferences, runBar: RunBar, message: MessageLine) -> None:
        self._ui = ui
        self._logic = logic
        self._preferences = preferences
        self._runBar = runBar
        self._message = message
        self._state: Optional[PanelState] = None
        ui.exportDatabaseCheckBox.checked = preferences.exportToDatabase
        ui.exportDatabaseCheckBox.connect("toggled(bool)", guarded(self._onDatabase))
        ui.exportDicomButton.connect("clicked(bool)", guarded(self._onExport))

    def show(self, state: PanelState) -> None:
        """Enable the button, or disable it with the reason as its tooltip."""
        self._state = state
        reason = self._reason(state)
        isThere = isHighdicomThere()
        button, check = self._ui.exportDicomButton, self._ui.exportDatabaseCheckBox
        button.setText(_("Export DICOM") if isThere else _("Export DICOM") + "…")  # a dialog asks first
        button.enabled = not reason
        text = _(
            "Writes a DICOM Segmentation and a structured report with the measurements into a folder of "
            "their own, as new series of the patient's study."
        )
        if not isThere:
            text += " " + _("Asks first to install the Python package highdicom.")
        button.toolTip = reason or text
        isOpen = dicom_database.isOpen()
        check.enabled = isOpen
        check.toolTip = (
            _("The objects then also stand in the patient's study in the module DICOM.")
            if isOpen
            else _("Slicer's DICOM database is not open: open the module DICOM once.")
        )

    def _reason(self, state: PanelState) -> str:
        """Why nothing can be exported now; empty if something can."""
        if state.measurements is None:
            return _("Segment the scan first: the DICOM objects hold its result.")
        return state.reasonToWait() or dicom_database.whyNoSource(state.volumeNode)

    def _onDatabase(self, store: bool) -> None:
        self._preferences.exportToDatabase = store

    def _onExport(self) -> None:
        state = self._state
        if state is None or self._reason(state):
            return
        install = not isHighdicomThere()
        title = _("Install highdicom")
        if install and not slicer.util.confirmOkCancelDisplay(installQuestion(), windowTitle=title):
            return
        self._runBar.start(
            _("Writing the DICOM objects…"),
            self._onExported,
            self._logic.exportDicomAsync,
            state.segmentationNode,
            caseFolder(self._preferences.reportFolder, state.volumeNode.GetName()),
            store=bool(self._ui.exportDatabaseCheckBox.checked) and dicom_database.isOpen(),
            install=install,
        )

    def _onExported(self, made: ExportedDicom) -> None:
        text = (
            _("The DICOM objects are in {folder} and in Slicer's DICOM database.")
            if made.isStored
            else _("The DICOM objects are in {folder}.")
        )
        self._message.tell(text.format(folder=made.files[0].parent))

"""Section Follow-up: compares the shown result with those of other dates, and writes the page of it."""

from functools import partial
from pathlib import Path
from typing import Any, Callable, Optional

from slicer.i18n import tr as _

from ..comparing import Compared, isOfAnotherPatient
from ..parameters import Preferences
from ..scene.followup import comparisonOf
from ..slots import guarded
from .followup_result import FollowUpResult
from .followup_scans import FollowUpScans
from .message_line import MessageLine
from .notes import PLAIN, WARNING, Note
from .panel_state import PanelState
from .report_section import caseFolder, openOnDesktop
from .run_bar import RunBar


class FollowUpSection:
    """Args:
    ui: the panel's widgets.
    logic: has ``compareAsync``.
    preferences: has the folder of reports.
    runBar: runs the comparison.
    message: tells how it ended.
    """

    def __init__(self, ui, logic, preferences: Preferences, runBar: RunBar, message: MessageLine) -> None:
        self._ui = ui
        self._logic = logic
        self._preferences = preferences
        self._runBar = runBar
        self._message = message
        self._state: Optional[PanelState] = None
        self._refused: Optional[frozenset] = None
        self._scans = FollowUpScans(ui, self.refresh, message.fail)
        self._result = FollowUpResult(ui)
        self._orderNote = Note(ui, "followupOrder", _("How the scans are going to be compared."))
        ui.followupSection.connect("contentsCollapsed(bool)", guarded(self.refresh))
        ui.followupCompareButton.connect("clicked(bool)", guarded(self._onCompare))
        ui.followupPageButton.connect("clicked(bool)", guarded(self._onPage))

    def show(self, state: PanelState) -> None:
        """Show what can be compared, and the comparison that the result takes part in; it is looked for only
        while the section is open."""
        self._state = state
        isOpen = not self._ui.followupSection.collapsed
        segmentationNode = state.segmentationNode if isOpen and state.measurements is not None else None
        self._scans.show(segmentationNode)
        self._ui.followupTitleLabel.setVisible(segmentationNode is not None)
        self._result.show(comparisonOf(segmentationNode), segmentationNode)
        if isOpen:
            self._draw()

    def refresh(self) -> None:
        """Show it anew, as after an edit: a comparison may be out of date."""
        if self._state is not None:
            self.show(self._state)

    def _draw(self) -> None:
        """Show whether there is something to compare, and what is doubtful about it."""
        state = self._state
        if state is None:
            return
        reason = self._reason(state)
        doubt = "" if reason and not state.isRunning else self._doubt()
        self._orderNote.show(doubt or ("" if reason else self._order()), WARNING if doubt else PLAIN)
        compare, page = self._ui.followupCompareButton, self._ui.followupPageButton
        compare.setText(_("Compare anyway") if doubt else _("Compare"))
        page.setText(_("Write page anyway") if doubt else _("Write page"))
        compare.enabled = page.enabled = not reason
        compare.toolTip = reason or _(
            "Lays the livers upon each other, finds each lesion again at every date, and puts a table by "
            "lesion over time into the scene."
        )
        page.toolTip = reason or _(
            "Compares and writes a web page with tables and pictures side by side into a folder of its own "
            "in that of the reports, and opens it."
        )

    def _reason(self, state: PanelState) -> str:
        """Why nothing can be compared now; empty if something can."""
        if state.measurements is None:
            return _("Segment the scan first: its result is compared with those of other dates.")
        if len(self._scans.candidates()) < 2:
            return _("Load and segment a scan of another date of this patient: there is only one result.")
        if len(self._scans.chosen()) < 2:
            return _("Tick at least one other result to compare with.")
        return state.reasonToWait()

    def _doubt(self) -> str:
        """What speaks against comparing the ticked results; empty if nothing does."""
        if self._refused == self._choice():
            return _(
                "The livers do not fit onto each other: the scans may be of different patients, or a large "
                "part was removed. Do not rely on which lesion is which."
            )
        if len({row.patient for row in self._scans.chosen()} - {""}) > 1:
            return _("The ticked scans have different patient IDs in their DICOM headers.")
        return ""

    def _order(self) -> str:
        """In which order the results are compared, where dates do not say it."""
        if all(row.date for row in self._scans.chosen()):
            return ""
        return _("A date is missing: the scans are compared in the order of this table.")

    def _choice(self) -> frozenset:
        return frozenset(row.node.GetID() for row in self._scans.chosen())

    # ---- running

    def _onCompare(self) -> None:
        self._start(_("Comparing…"), self._onCompared, None)

    def _onPage(self) -> None:
        state = self._state
        if state is not None and state.volumeNode is not None:
            name = _("{scan} follow-up").format(scan=state.volumeNode.GetName())
            folder = caseFolder(self._preferences.reportFolder, name)
            self._start(_("Writing the follow-up page…"), self._onWritten, folder)

    def _start(self, begun: str, done: Callable[[Compared], None], folder: Optional[Path]) -> None:
        self.refresh()  # a script may have changed a date, which nobody tells
        state = self._state
        if state is None or self._reason(state):
            return
        rows, choice = self._scans.chosen(), self._choice()
        self._runBar.start(
            begun,
            done,
            partial(self._launch, choice),
            [row.node for row in rows],
            [row.date or None for row in rows],
            anyway=self._refused == choice,
            folder=folder,
        )

    def _launch(self, choice: frozenset, *arguments: Any, completed: Callable[..., None], **options: Any):
        """Start the comparison, and remember whether these results were refused."""

        def ended(result: Any, error: Optional[BaseException]) -> None:
            if isOfAnotherPatient(error):
                self._refused = choice
            completed(result, error)

        return self._logic.compareAsync(*arguments, completed=ended, **options)

    def _onCompared(self, made: Compared) -> None:
        text = _("The dates are compared; the table {table} is in the scene.")
        self._message.tell(text.format(table=made.tableNode.GetName()))

    def _onWritten(self, made: Compared) -> None:
        if made.page is not None and made.page.is_file() and openOnDesktop(made.page):
            self._message.tell(_("The follow-up page is in {folder}.").format(folder=made.page.parent))
        elif made.page is not None:
            text = _("The follow-up page is in {folder}, but no program opened it.")
            self._message.warn(text.format(folder=made.page.parent))

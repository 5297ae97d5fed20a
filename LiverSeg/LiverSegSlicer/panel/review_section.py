"""The review of a result: automatic, edited or accepted by whom; *Accept* and *Edit again*."""

from typing import Optional

from slicer.i18n import tr as _

from ..acceptance import accept, reopen
from ..fatty_liver.reading import loginName
from ..parameters import Preferences
from ..scene.fingerprint import seemsEditedSinceMeasured
from ..scene.review import ACCEPTED, ASKED, AUTOMATIC, GIVEN, Review, reviewOf
from ..slots import guarded
from .acceptance import reopenedText, whoAndWhen
from .message_line import MessageLine
from .notes import GOOD, PLAIN, WARNING, Note
from .panel_state import PanelState
from .run_bar import RunBar
from .shortcuts import ACCEPT


class ReviewSection:
    """Args:
    ui: the panel's widgets.
    logic: a LiverSegLogic.
    preferences: remembers the reader's name.
    runBar: measures what was edited before it is accepted.
    message: tells how it ended.
    """

    def __init__(self, ui, logic, preferences: Preferences, runBar: RunBar, message: MessageLine) -> None:
        self._ui = ui
        self._logic = logic
        self._preferences = preferences
        self._runBar = runBar
        self._message = message
        self._state: Optional[PanelState] = None
        self._note = Note(ui, "review", _("Whether anybody has looked at this result, and who accepted it."))
        ui.reviewReaderEdit.setText(preferences.reader or loginName())
        ui.reviewReaderEdit.connect("textChanged(QString)", guarded(self._showButtons))
        ui.reviewAcceptButton.connect("clicked(bool)", guarded(self.accept))
        ui.reviewEditButton.connect("clicked(bool)", guarded(self._onEditAgain))

    def show(self, state: PanelState) -> None:
        """Show the review of the result."""
        self._state = state
        self.refresh()

    def refresh(self) -> None:
        """Show it anew after an edit."""
        state = self._state
        review = reviewOf(state.segmentationNode) if state is not None and state.measurements else None
        self._ui.reviewContent.setVisible(review is not None)
        if review is None:
            return
        accepted = review.state == ACCEPTED
        self._note.show(reviewText(review), GOOD if accepted else WARNING if review.reopened else PLAIN)
        self._ui.reviewReaderWidget.setVisible(not accepted)
        self._ui.reviewAcceptButton.setVisible(not accepted)
        self._ui.reviewEditButton.setVisible(accepted)
        self._showButtons()

    def accept(self) -> None:
        """Accept the result, which is measured first if it was edited."""
        state = self._state
        if state is None or self._reasonNotToAccept():
            return
        if self._logic.corrector.isBusy():
            self._message.note(_("A correction is being computed: accept when it is done."))
            return
        self._preferences.reader = self._ui.reviewReaderEdit.text.strip()
        if seemsEditedSinceMeasured(state.segmentationNode):
            begun = _("Measuring before the result is accepted…")
            self._runBar.start(begun, self._accept, self._logic.measureAsync, state.segmentationNode)
        else:
            self._accept(state.segmentationNode)
            self._runBar.changed()

    def _accept(self, segmentationNode) -> None:
        review = accept(segmentationNode, self._preferences.reader)
        self._message.tell(reviewText(review))

    def _onEditAgain(self) -> None:
        if self._state is not None and self._state.segmentationNode is not None:
            reopen(self._state.segmentationNode, ASKED)
            self._runBar.changed()

    def _showButtons(self) -> None:
        reason = self._reasonNotToAccept()
        self._ui.reviewAcceptButton.enabled = not reason
        self._ui.reviewAcceptButton.toolTip = reason or _(
            "Stores that you have reviewed segments, ROIs and numbers, and locks them ({key})."
        ).format(key=ACCEPT)

    def _reasonNotToAccept(self) -> str:
        state = self._state
        if state is None or state.measurements is None:
            return _("Segment the scan first: its result is accepted here.")
        if state.isRunning:
            return state.reasonToWait()
        review = reviewOf(state.segmentationNode)
        if review is not None and review.state == ACCEPTED:
            return _("This result is accepted already.")
        if not self._ui.reviewReaderEdit.text.strip():
            return _("Say who reviews before you accept.")
        return ""


def reviewText(review: Review) -> str:
    """What a review says, in a sentence."""
    if review.state == ACCEPTED:
        signed = {"by": review.by, "at": review.at}
        return _("Accepted by {name} on {when}.").format(**whoAndWhen(signed))
    if review.reopened is not None:
        return reopenedText(review.reopened, review.reopened["how"] == ASKED)
    if review.state == AUTOMATIC:
        return _("Automatic result, not reviewed yet.")
    if review.state == GIVEN:
        return _("Given segmentation, not reviewed yet.")
    return _("Edited, not accepted yet.")

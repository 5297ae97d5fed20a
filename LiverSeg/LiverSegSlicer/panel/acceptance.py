"""The end of the section Fatty liver: who reads, Accept, and whether the reading stands accepted."""

from datetime import datetime
from typing import Any, Callable, Mapping, Optional

from slicer.i18n import tr as _

from ..fatty_liver.reading import SteatosisReading, loginName
from ..parameters import Preferences
from ..slots import guarded
from .notes import GOOD, WARNING, Note


class SteatosisAcceptance:
    """Args:
    ui: the panel's widgets.
    preferences: remembers the reader's name.
    onAccept: called with the reader's name.
    onEdit: called without arguments when an accepted reading is to be opened again.
    """

    def __init__(
        self, ui, preferences: Preferences, onAccept: Callable[[str], None], onEdit: Callable[[], None]
    ) -> None:
        self._ui = ui
        self._preferences = preferences
        self._onAccept = onAccept
        self._reading: Optional[SteatosisReading] = None
        self._note = Note(ui, "fattyAcceptance", _("Who accepted this reading, and when."))
        ui.fattyReaderEdit.setText(preferences.reader or loginName())
        ui.fattyReaderEdit.connect("textChanged(QString)", guarded(self._showButton))
        ui.fattyAcceptButton.connect("clicked(bool)", guarded(self._onClicked))
        ui.fattyEditButton.connect("clicked(bool)", guarded(onEdit))

    def show(self, reading: Optional[SteatosisReading]) -> None:
        """Show whether a reading is accepted; None if there is none."""
        self._reading = reading
        accepted = reading is not None and reading.accepted is not None
        self._ui.fattyAcceptButton.setVisible(not accepted)
        self._ui.fattyEditButton.setVisible(accepted)
        self._ui.fattyReaderWidget.setVisible(not accepted)
        if reading is not None and reading.accepted is not None:
            self._note.show(acceptedText(reading.accepted), GOOD)
        elif reading is not None and reading.reopened is not None:
            asked = bool(reading.reopened.get("unchanged"))
            self._note.show(reopenedText(reading.reopened, asked), WARNING)
        else:
            self._note.show("")
        self._showButton()

    def _showButton(self) -> None:
        reason = self._reasonNotToAccept()
        self._ui.fattyAcceptButton.enabled = not reason
        self._ui.fattyAcceptButton.toolTip = reason or _(
            "Stores this reading in the scene as accepted by you now, and locks its ROIs."
        )

    def _reasonNotToAccept(self) -> str:
        if self._reading is None or self._reading.assessment is None:
            return _("There is nothing to accept yet.")
        if self._reading.accepted is not None:
            return _("This reading is accepted already.")
        if not self._ui.fattyReaderEdit.text.strip():
            return _("Say who reads before you accept.")
        return ""

    def _onClicked(self) -> None:
        name = self._ui.fattyReaderEdit.text.strip()
        if not self._reasonNotToAccept():
            self._preferences.reader = name
            self._onAccept(name)


def acceptedText(acceptance: Mapping[str, Any]) -> str:
    """Return who accepted a reading when, in a sentence."""
    if acceptance["how"] == "automatic":
        text = _("Accepted by {name} on {when}, with the automatic ROIs.")
    else:
        text = _("Accepted by {name} on {when}, with edited ROIs.")
    return text.format(**whoAndWhen(acceptance))


def reopenedText(acceptance: Mapping[str, Any], asked: bool) -> str:
    """Return in a sentence that what somebody accepted is open again.

    Args:
        asked: the reader asked for it; else something was changed.
    """
    if asked:
        text = _("Opened for editing. {name} had accepted it on {when}.")
    else:
        text = _("Changed after {name} accepted it on {when}: accept it again.")
    return text.format(**whoAndWhen(acceptance))


def whoAndWhen(acceptance: Mapping[str, Any]) -> Mapping[str, str]:
    when = datetime.fromisoformat(acceptance["at"])
    return {"name": acceptance["by"], "when": f"{when:%Y-%m-%d %H:%M}"}

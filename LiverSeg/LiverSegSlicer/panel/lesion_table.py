"""The lesion table: choosing a row shows that lesion in the views, its tick says whether it counts."""

from typing import Any, Callable, FrozenSet, Iterable, Mapping, Optional, Sequence, Tuple

from slicer.i18n import tr as _

from ..correct.options import ADD, CORRECT, MERGE, SPLIT
from ..scene import views
from ..scene.rejected_lesions import RejectedLesion, rejectLesion, restoreLesion
from ..sentences import sentences
from ..slots import guarded
from .correct_section import CorrectSection
from .notes import PLAIN, WARNING, Note
from .row_table import RowTable
from .why_button import WhyButton

MOST_ROWS = 6
"""The table grows up to so many rows and scrolls beyond."""

_DIAMETERS = 2
"""The column that takes the width left over."""
_ROOM = 8
"""Pixels that a row is higher than its text."""
NONE = "–"
"""Stands for a number that there is not."""
_REJECTED = NONE
"""Stands for the number of a lesion that was rejected."""

Change = Callable[[Callable[[], None], str], None]
"""Called with what changes which lesions count, and with what to say once that is done."""

Row = Tuple[Mapping[str, Any], Optional[int]]
"""A lesion of the summary, and None; or one that was rejected, and its index in ``rejectedLesions``."""


class LesionTable:
    """Args:
    ui: the panel's widgets.
    change: does what ticks and buttons ask for.
    correct: takes clicks in the views for lesions that are added, split and merged.
    why: explains the chosen lesion.
    """

    def __init__(self, ui, change: Change, correct: CorrectSection, why: WhyButton) -> None:
        self._ui = ui
        self._change = change
        self._correct = correct
        self._why = why
        self._segmentationNode: Any = None
        self._detailNote = Note(ui, "lesionDetail", _("The chosen lesion."))
        self._rows: Sequence[Row] = ()
        self._said: FrozenSet[str] = frozenset()
        self._lastDeleted: Optional[int] = None
        self._reason = ""
        self._table = RowTable(ui.lesionsTable, _DIAMETERS, _ROOM, MOST_ROWS, self._onChosen, self._onTicked)
        ui.lesionPreviousButton.connect("clicked(bool)", guarded(lambda: self.step(-1)))
        ui.lesionNextButton.connect("clicked(bool)", guarded(lambda: self.step(1)))
        self._clickButtons = {
            ADD: ui.lesionAddButton,
            SPLIT: ui.lesionSplitButton,
            MERGE: ui.lesionMergeButton,
        }
        for mode, button in self._clickButtons.items():
            button.connect("clicked(bool)", guarded(self._modeSlot(mode)))
        correct.addModeListener(self._showMode)
        ui.lesionDeleteButton.connect("clicked(bool)", guarded(self._onDelete))
        ui.lesionUndoButton.connect("clicked(bool)", guarded(self._onUndo))

    def show(
        self,
        segmentationNode: Any,
        lesions: Sequence[Mapping[str, Any]],
        rejected: Sequence[RejectedLesion],
        said: Iterable[str],
        *,
        isDrawn: bool = True,
    ) -> None:
        """Fill the table with the "lesions" of a result's summary, and behind them those that were rejected;
        without any, only the title is left: that there are none, or that the model does not draw them. The
        warnings ``said`` elsewhere are not said here again."""
        self._segmentationNode = segmentationNode
        self._said = frozenset(said)
        deleted = [index for index, item in enumerate(rejected) if item.deleted]
        self._lastDeleted = deleted[-1] if deleted else None
        self._ui.lesionUndoButton.setVisible(bool(deleted))
        told = [(item.lesion, index) for index, item in enumerate(rejected) if not item.deleted]
        rows = (*((lesion, None) for lesion in lesions), *told)
        if rows and rows == self._rows:
            self._setTicks()
            return
        self._rows = rows
        with self._table.filling(len(rows)):
            for number, row in enumerate(rows):
                self._fillRow(number, row)
        self._setTicks()
        self._ui.lesionsTable.setVisible(bool(rows))
        self._ui.lesionButtonsWidget.setVisible(segmentationNode is not None)
        self._ui.lesionMoreWidget.setVisible(bool(rows))
        self._ui.lesionsTitleLabel.setText(
            _titleText(len(lesions)) if isDrawn else _("This model does not draw liver tumors")
        )
        self._detailNote.show("")
        self._showButtons()

    def allowChanges(self, reason: str) -> None:
        """Let lesions be rejected and deleted, or not, for this ``reason``."""
        self._reason = reason
        self._showButtons()

    def _fillRow(self, number: int, row: Row) -> None:
        lesion, rejected = row
        texts = (
            str(lesion["number"]) if rejected is None else _REJECTED,
            f"{lesion['volume_ml']:.2f}",
            f"{lesion['longest_diameter_mm']:.1f} × {lesion['perpendicular_mm']:.1f}",
            NONE if lesion["mean_hu"] is None else f"{lesion['mean_hu']:.0f}",
        )
        warnings = self._warnings(lesion)
        tip = "\n".join((_detail(row), *warnings))
        self._table.setRow(number, texts, tip, warned=0 if warnings else None)

    def _warnings(self, lesion: Mapping[str, Any]) -> Sequence[str]:
        """What makes this lesion doubtful and not all of them."""
        return sentences([text for text in lesion["warnings"] if text not in self._said])

    def _setTicks(self) -> None:
        with self._table.filling():
            for number, (_lesion, rejected) in enumerate(self._rows):
                self._table.setTick(number, rejected is None)

    def _showButtons(self) -> None:
        number, count = self._table.chosen(), len(self._rows)
        self._ui.lesionPreviousButton.enabled = number is not None and number > 0
        self._ui.lesionNextButton.enabled = count > 0 and (number is None or number < count - 1)
        counts = number is not None and self._rows[number][1] is None
        self._why.choose(self._rows[number][0]["number"] if counts and number is not None else None)
        self._ui.lesionDeleteButton.enabled = counts and not self._reason
        tip = _("Makes the chosen lesion liver; it is told nowhere, not even as rejected.")
        chooseFirst = _("Choose a lesion in the table first.")
        self._ui.lesionDeleteButton.toolTip = self._reason or (tip if counts else chooseFirst)
        self._ui.lesionUndoButton.enabled = not self._reason
        locked = self._correct.reason()
        for mode, button in self._clickButtons.items():
            needed = {ADD: 0, SPLIT: 1, MERGE: 2}[mode]
            enough = sum(rejected is None for _lesion, rejected in self._rows) >= needed
            button.enabled = enough and not locked
            button.toolTip = locked or (_clickTips()[mode] if enough else _("There are too few lesions."))

    def _onChosen(self, number: Optional[int]) -> None:
        if number is None:
            return
        lesion, rejected = self._rows[number]
        self._showButtons()
        warnings = self._warnings(lesion) if rejected is None else ()
        text = "\n".join((_detail(self._rows[number]), *warnings))
        self._detailNote.show(text, WARNING if warnings else PLAIN)
        if rejected is None:
            views.jumpToLesion(self._segmentationNode, lesion["number"])
        else:
            views.jumpToRejectedLesion(self._segmentationNode, rejected)

    def _onTicked(self, number: int, ticked: bool) -> None:
        rejected = self._rows[number][1]
        if ticked == (rejected is None):
            return
        if self._reason:
            self._setTicks()
            self._detailNote.show(self._reason, WARNING)
        elif rejected is not None:
            self._restore(rejected)
        else:
            self._reject(number, delete=False)

    def step(self, by: int) -> None:
        """Choose the row after (1) or before (-1) the chosen one."""
        if not self._rows:
            return
        number = self._table.chosen()
        last = len(self._rows) - 1
        self._ui.lesionsTable.selectRow(0 if number is None else max(0, min(last, number + by)))

    def _modeSlot(self, mode: str) -> Callable[[bool], None]:
        """What the button does that makes clicks in the views add, split or merge lesions."""

        def choose(pressed: bool) -> None:
            self._correct.correctLesions(mode if pressed else CORRECT)
            self._showMode()

        return choose

    def _showMode(self) -> None:
        """Show what clicks in the views are for."""
        for mode, button in self._clickButtons.items():
            button.checked = mode == self._correct.lesionMode()

    def _onDelete(self) -> None:
        number = self._table.chosen()
        if number is not None and self._rows[number][1] is None:
            self._reject(number, delete=True)

    def _onUndo(self) -> None:
        if self._lastDeleted is not None:
            self._restore(self._lastDeleted)

    def _reject(self, number: int, delete: bool) -> None:
        segmentationNode, lesion = self._segmentationNode, self._rows[number][0]["number"]
        deleted = _("Lesion {number} was deleted: it is liver now. Undo delete brings it back.")
        rejected = _("Lesion {number} was rejected: it is liver now. Its tick brings it back.")
        self._change(
            lambda: rejectLesion(segmentationNode, lesion, delete=delete),
            (deleted if delete else rejected).format(number=lesion),
        )

    def _restore(self, index: int) -> None:
        """Make the lesion at ``index`` of ``rejectedLesions`` a tumor again."""
        segmentationNode = self._segmentationNode
        self._change(
            lambda: restoreLesion(segmentationNode, index), _("The lesion is a tumor again and counts.")
        )


def _clickTips() -> Mapping[str, str]:
    return {
        ADD: _("Click in a lesion that is missing: it grows there against the liver around it."),
        SPLIT: _("Click in the one part of a lesion, then in the other: it becomes two."),
        MERGE: _("Click on one lesion, then on the one that belongs to it: they become one."),
    }


def _titleText(count: int) -> str:
    if count == 0:
        return _("No liver tumor was found")
    return _("1 lesion") if count == 1 else _("{count} lesions").format(count=count)


def _detail(row: Row) -> str:
    lesion, rejected = row
    if rejected is not None:
        return _("Rejected by the reader: it is liver now and counts nowhere. Its tick brings it back.")
    number, distance = lesion["number"], lesion["surface_distance_mm"]
    if distance is None:
        return _("Lesion {number}").format(number=number)
    if distance <= 0:
        return _("Lesion {number} reaches the surface of the liver.").format(number=number)
    text = _("Lesion {number} lies {distance:.1f} mm below the surface of the liver.")
    return text.format(number=number, distance=distance)

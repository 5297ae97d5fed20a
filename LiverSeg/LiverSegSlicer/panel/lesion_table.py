"""The lesion table: choosing a row shows that lesion in the views, its tick says whether it counts."""

from dataclasses import dataclass
from typing import Any, Callable, FrozenSet, Iterable, Mapping, Optional, Sequence, Tuple

import qt
from slicer.i18n import tr as _

from ..scene.rejected_lesions import RejectedLesion
from ..sentences import sentences
from ..slots import guarded
from .notes import PLAIN, WARNING, Note

MOST_ROWS = 6
"""The table grows up to so many rows and scrolls beyond."""

_DIAMETERS = 2
"""The column that takes the width left over."""
_ROOM = 8
"""Pixels that a row is higher than its text."""
_REJECTED = "–"
"""Stands for the number of a lesion that was rejected."""


@dataclass(frozen=True)
class LesionActions:
    """What the table asks for; an index is that in ``rejectedLesions``.

    Attributes:
        choose: called with the number of the lesion whose row the user chose, also if it was chosen before.
        chooseRejected: the same for a rejected one, with its index.
        reject: called with the number of a lesion that lost its tick, or is to be deleted (then with True).
        restore: called with the index of one that shall come back.
    """

    choose: Callable[[int], None]
    chooseRejected: Callable[[int], None]
    reject: Callable[[int, bool], None]
    restore: Callable[[int], None]


class LesionTable:
    """Args:
    ui: the panel's widgets.
    actions: what choosing rows, ticks and buttons do.
    """

    def __init__(self, ui, actions: LesionActions) -> None:
        self._ui = ui
        self._actions = actions
        self._detailNote = Note(ui, "lesionDetail", _("The chosen lesion."))
        self._lesions: Sequence[Mapping[str, Any]] = ()
        self._rejected: Sequence[Tuple[int, RejectedLesion]] = ()
        self._said: FrozenSet[str] = frozenset()
        self._lastDeleted: Optional[int] = None
        self._reason = ""
        table = ui.lesionsTable
        table.verticalHeader().setDefaultSectionSize(qt.QFontMetrics(table.font).height() + _ROOM)
        header = table.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(_DIAMETERS, qt.QHeaderView.Stretch)
        table.connect("itemSelectionChanged()", guarded(self._onSelection))
        table.connect("cellClicked(int,int)", guarded(self._onClicked))
        table.connect("itemChanged(QTableWidgetItem*)", guarded(self._onItemChanged))
        ui.lesionPreviousButton.connect("clicked(bool)", guarded(lambda _checked=False: self._step(-1)))
        ui.lesionNextButton.connect("clicked(bool)", guarded(lambda _checked=False: self._step(1)))
        ui.lesionDeleteButton.connect("clicked(bool)", guarded(lambda _checked=False: self._delete()))
        ui.lesionUndoButton.connect("clicked(bool)", guarded(lambda _checked=False: self._undo()))

    def show(
        self,
        lesions: Sequence[Mapping[str, Any]],
        rejected: Sequence[RejectedLesion],
        said: Iterable[str],
    ) -> None:
        """Fill the table with the "lesions" of a summary, and behind them those that were rejected; without
        any, only the title is left. The warnings ``said`` elsewhere are not said here again."""
        self._said = frozenset(said)
        told = tuple((index, item) for index, item in enumerate(rejected) if not item.deleted)
        deleted = [index for index, item in enumerate(rejected) if item.deleted]
        self._lastDeleted = deleted[-1] if deleted else None
        self._ui.lesionUndoButton.setVisible(bool(deleted))
        same = tuple(lesions) == tuple(self._lesions) and told == tuple(self._rejected)
        if same and (lesions or told):
            self._setTicks()
            return
        self._lesions, self._rejected = tuple(lesions), told
        table = self._ui.lesionsTable
        table.blockSignals(True)
        table.clearSelection()
        table.setRowCount(self._count())
        for row, lesion in enumerate(self._all()):
            self._fillRow(row, lesion)
        table.blockSignals(False)
        self._setTicks()
        table.setVisible(bool(self._count()))
        self._ui.lesionButtonsWidget.setVisible(bool(self._count() or deleted))
        self._fit()
        self._ui.lesionsTitleLabel.setText(_titleText(len(self._lesions)))
        self._detailNote.show("")
        self._showButtons()

    def allowChanges(self, reason: str) -> None:
        """Let lesions be rejected and deleted, or not, for this ``reason``."""
        self._reason = reason
        self._setTicks()
        self._showButtons()

    def _all(self) -> Sequence[Mapping[str, Any]]:
        return (*self._lesions, *(item.lesion for _index, item in self._rejected))

    def _count(self) -> int:
        return len(self._lesions) + len(self._rejected)

    def _chosenRow(self) -> Optional[int]:
        row = self._ui.lesionsTable.currentRow()
        return row if self._ui.lesionsTable.selectedItems() and 0 <= row < self._count() else None

    def _fillRow(self, row: int, lesion: Mapping[str, Any]) -> None:
        counts = row < len(self._lesions)
        texts = (
            str(lesion["number"]) if counts else _REJECTED,
            f"{lesion['volume_ml']:.2f}",
            f"{lesion['longest_diameter_mm']:.1f} × {lesion['perpendicular_mm']:.1f}",
            f"{lesion['mean_hu']:.0f}",
        )
        detail, warnings = _detail(lesion) if counts else _rejectedText(), self._warnings(lesion)
        for column, text in enumerate(texts):
            item = qt.QTableWidgetItem(text)
            item.setTextAlignment(int(qt.Qt.AlignRight) | int(qt.Qt.AlignVCenter))
            item.setToolTip("\n".join((detail, *warnings)))
            if column == 0 and warnings:
                item.setIcon(self._ui.lesionsTable.style().standardIcon(qt.QStyle.SP_MessageBoxWarning))
            self._ui.lesionsTable.setItem(row, column, item)

    def _warnings(self, lesion: Mapping[str, Any]) -> Sequence[str]:
        """What makes this lesion doubtful and not all of them."""
        return sentences([text for text in lesion["warnings"] if text not in self._said])

    def _setTicks(self) -> None:
        table = self._ui.lesionsTable
        table.blockSignals(True)
        for row in range(table.rowCount):
            counts = row < len(self._lesions)
            table.item(row, 0).setCheckState(qt.Qt.Checked if counts else qt.Qt.Unchecked)
        table.blockSignals(False)

    def _showButtons(self) -> None:
        row = self._chosenRow()
        self._ui.lesionPreviousButton.enabled = row is not None and row > 0
        self._ui.lesionNextButton.enabled = self._count() > 0 and (row is None or row < self._count() - 1)
        canDelete = row is not None and row < len(self._lesions) and not self._reason
        self._ui.lesionDeleteButton.enabled = canDelete
        self._ui.lesionDeleteButton.toolTip = self._deleteTip(row)
        self._ui.lesionUndoButton.enabled = not self._reason

    def _deleteTip(self, row: Optional[int]) -> str:
        if self._reason:
            return self._reason
        if row is None or row >= len(self._lesions):
            return _("Choose a lesion in the table first.")
        return _("Makes the chosen lesion liver; it is told nowhere, not even as rejected.")

    def _fit(self) -> None:
        """Give the table the height of its rows."""
        table = self._ui.lesionsTable
        rows = min(self._count(), MOST_ROWS)
        height = table.horizontalHeader().sizeHint.height() + sum(table.rowHeight(row) for row in range(rows))
        table.setFixedHeight(height + 2 * table.frameWidth)

    def _onSelection(self) -> None:
        row = self._chosenRow()
        if row is not None:
            self._choose(row)

    def _onClicked(self, row: int, _column: int) -> None:
        # A second click on the chosen row brings the views back after they were scrolled away.
        if 0 <= row < self._count():
            self._choose(row)

    def _onItemChanged(self, item) -> None:
        row, ticked = item.row(), item.checkState() == qt.Qt.Checked
        if item.column() != 0 or not 0 <= row < self._count() or ticked == (row < len(self._lesions)):
            return
        if self._reason:
            self._setTicks()
            self._detailNote.show(self._reason, WARNING)
        elif ticked:
            self._actions.restore(self._rejected[row - len(self._lesions)][0])
        else:
            self._actions.reject(self._lesions[row]["number"], False)

    def _step(self, by: int) -> None:
        row = self._chosenRow()
        self._ui.lesionsTable.selectRow(0 if row is None else max(0, min(self._count() - 1, row + by)))

    def _delete(self) -> None:
        row = self._chosenRow()
        if row is not None and row < len(self._lesions):
            self._actions.reject(self._lesions[row]["number"], True)

    def _undo(self) -> None:
        if self._lastDeleted is not None:
            self._actions.restore(self._lastDeleted)

    def _choose(self, row: int) -> None:
        lesion = self._all()[row]
        self._showButtons()
        if row >= len(self._lesions):
            self._detailNote.show(_rejectedText(), PLAIN)
            self._actions.chooseRejected(self._rejected[row - len(self._lesions)][0])
            return
        warnings = self._warnings(lesion)
        self._detailNote.show("\n".join((_detail(lesion), *warnings)), WARNING if warnings else PLAIN)
        self._actions.choose(lesion["number"])


def _rejectedText() -> str:
    return _("Rejected by the reader: it is liver now and counts nowhere. Its tick brings it back.")


def _titleText(count: int) -> str:
    if count == 0:
        return _("No liver tumor was found")
    return _("1 lesion") if count == 1 else _("{count} lesions").format(count=count)


def _detail(lesion: Mapping[str, Any]) -> str:
    number, distance = lesion["number"], lesion["surface_distance_mm"]
    if distance is None:
        return _("Lesion {number}").format(number=number)
    if distance <= 0:
        return _("Lesion {number} reaches the surface of the liver.").format(number=number)
    text = _("Lesion {number} lies {distance:.1f} mm below the surface of the liver.")
    return text.format(number=number, distance=distance)

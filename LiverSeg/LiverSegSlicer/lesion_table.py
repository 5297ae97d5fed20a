"""The lesion table: choosing a row shows that lesion in the views."""

from typing import Any, Callable, Mapping, Sequence

import qt
from slicer.i18n import tr as _

from .notes import PLAIN, WARNING, Note
from .sentences import sentences

MOST_ROWS = 6
"""The table grows up to so many rows and scrolls beyond."""

_DIAMETERS = 2
"""The column that takes the width left over."""
_ROOM = 8
"""Pixels that a row is higher than its text."""


class LesionTable:
    """Args:
    ui: the panel's widgets.
    onLesion: called with the number of the lesion whose row the user chose, also if it was chosen before.
    """

    def __init__(self, ui, onLesion: Callable[[int], None]) -> None:
        self._ui = ui
        self._onLesion = onLesion
        self._detailNote = Note(ui, "lesionDetail")
        self._lesions: Sequence[Mapping[str, Any]] = ()
        ui.lesionsTable.verticalHeader().setDefaultSectionSize(ui.lesionsTable.fontMetrics().height() + _ROOM)
        header = ui.lesionsTable.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(_DIAMETERS, qt.QHeaderView.Stretch)
        ui.lesionsTable.connect("itemSelectionChanged()", self._onSelection)
        ui.lesionsTable.connect("cellClicked(int,int)", self._onClicked)

    def show(self, lesions: Sequence[Mapping[str, Any]]) -> None:
        """Fill the table with the "lesions" of a summary; without any, only the title is left."""
        if tuple(lesions) == tuple(self._lesions) and lesions:
            return
        self._lesions = tuple(lesions)
        table = self._ui.lesionsTable
        table.blockSignals(True)
        table.clearSelection()
        table.setRowCount(len(self._lesions))
        for row, lesion in enumerate(self._lesions):
            self._fillRow(row, lesion)
        table.blockSignals(False)
        table.setVisible(bool(self._lesions))
        self._fit()
        self._ui.lesionsTitleLabel.setText(_titleText(len(self._lesions)))
        self._detailNote.show("")

    def _fillRow(self, row: int, lesion: Mapping[str, Any]) -> None:
        texts = (
            str(lesion["number"]),
            f"{lesion['volume_ml']:.2f}",
            f"{lesion['longest_diameter_mm']:.1f} × {lesion['perpendicular_mm']:.1f}",
            f"{lesion['mean_hu']:.0f}",
        )
        for column, text in enumerate(texts):
            item = qt.QTableWidgetItem(text)
            item.setTextAlignment(int(qt.Qt.AlignRight) | int(qt.Qt.AlignVCenter))
            item.setToolTip("\n".join((_detail(lesion), *sentences(lesion["warnings"]))))
            if column == 0 and lesion["warnings"]:
                item.setIcon(self._ui.lesionsTable.style().standardIcon(qt.QStyle.SP_MessageBoxWarning))
            self._ui.lesionsTable.setItem(row, column, item)

    def _fit(self) -> None:
        """Give the table the height of its rows."""
        table = self._ui.lesionsTable
        rows = min(len(self._lesions), MOST_ROWS)
        height = table.horizontalHeader().sizeHint.height() + sum(table.rowHeight(row) for row in range(rows))
        table.setFixedHeight(height + 2 * table.frameWidth)

    def _onSelection(self) -> None:
        row = self._ui.lesionsTable.currentRow()
        if self._ui.lesionsTable.selectedItems() and 0 <= row < len(self._lesions):
            self._choose(row)

    def _onClicked(self, row: int, _column: int) -> None:
        # A second click on the chosen row brings the views back after they were scrolled away.
        if 0 <= row < len(self._lesions):
            self._choose(row)

    def _choose(self, row: int) -> None:
        lesion = self._lesions[row]
        text = "\n".join((_detail(lesion), *sentences(lesion["warnings"])))
        self._detailNote.show(text, WARNING if lesion["warnings"] else PLAIN)
        self._onLesion(lesion["number"])


def _titleText(count: int) -> str:
    if count == 0:
        return _("No liver tumour was found")
    return _("1 lesion") if count == 1 else _("{count} lesions").format(count=count)


def _detail(lesion: Mapping[str, Any]) -> str:
    number, distance = lesion["number"], lesion["surface_distance_mm"]
    if distance is None:
        return _("Lesion {number}").format(number=number)
    if distance <= 0:
        return _("Lesion {number} reaches the surface of the liver.").format(number=number)
    text = _("Lesion {number} lies {distance:.1f} mm below the surface of the liver.")
    return text.format(number=number, distance=distance)

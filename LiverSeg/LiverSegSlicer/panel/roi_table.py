"""The table of ROIs: a tick for each that counts, its numbers, what is suspicious; a row shows it."""

from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import qt
from slicer.i18n import tr as _

from ..fatty_liver.reading import SteatosisReading
from ..fatty_liver.rois import isAccepted, nameOf, organOf
from ..sentences import sentence, sentences
from ..slots import guarded
from .notes import PLAIN, WARNING, Note

MOST_ROWS = 12
"""The table grows up to so many rows and scrolls beyond."""

_REMARK = 3
"""The column that takes the width left over."""
_ROOM = 6
"""Pixels that a row is higher than its text."""
_UNKNOWN = "–"
_FIXED_FLAGS = qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled
_TICK_FLAGS = _FIXED_FLAGS | qt.Qt.ItemIsUserCheckable


class RoiTable:
    """Args:
    ui: the panel's widgets.
    onChosen: called with the node ID of the ROI whose row the user chose, also if it was chosen before.
    onTicked: called with a node ID and whether the ROI is to count.
    """

    def __init__(self, ui, onChosen: Callable[[str], None], onTicked: Callable[[str, bool], None]) -> None:
        self._ui = ui
        self._onChosen = onChosen
        self._onTicked = onTicked
        self._detailNote = Note(ui, "roiDetail", _("The chosen ROI."))
        self._rows: Tuple[Mapping[str, Any], ...] = ()
        table = ui.roisTable
        table.verticalHeader().setDefaultSectionSize(qt.QFontMetrics(table.font).height() + _ROOM)
        header = table.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(_REMARK, qt.QHeaderView.Stretch)
        table.connect("itemSelectionChanged()", guarded(self._onSelection))
        table.connect("cellClicked(int,int)", guarded(self._onClicked))
        table.connect("itemChanged(QTableWidgetItem*)", guarded(self._onItemChanged))

    def show(self, rows: Sequence[Mapping[str, Any]], locked: bool = False) -> None:
        """Show these ROIs; the chosen one stays chosen.

        Args:
            rows: of ``rowsOf``.
            locked: the reading is accepted, so that nothing of them can be changed.
        """
        table, chosen = self._ui.roisTable, self.chosen()
        rows = [{**row, "locked": locked} for row in rows]
        sameRois = [row["id"] for row in rows] == [row["id"] for row in self._rows]
        before, self._rows = self._rows, tuple(rows)
        table.blockSignals(True)
        if not sameRois:
            before = ()
            table.clearSelection()
            table.setRowCount(len(self._rows))
        for number, row in enumerate(self._rows):
            if number >= len(before) or before[number] != row:
                self._fillRow(number, row)
        if not sameRois:
            self._fit()
            self._choose(chosen)
        table.blockSignals(False)
        self._showDetail()

    def choose(self, nodeID: str) -> None:
        """Choose the row of an ROI without showing it in the views."""
        self._ui.roisTable.blockSignals(True)
        self._choose(nodeID)
        self._ui.roisTable.blockSignals(False)
        self._showDetail()

    def chosen(self) -> Optional[str]:
        """Return the node ID of the chosen ROI, None if none is."""
        row = self._ui.roisTable.currentRow()
        if self._ui.roisTable.selectedItems() and 0 <= row < len(self._rows):
            return self._rows[row]["id"]
        return None

    def _fillRow(self, number: int, row: Mapping[str, Any]) -> None:
        table = self._ui.roisTable
        texts = (row["name"], _hu(row["mean_hu"]), _hu(row["sd_hu"]), _remark(row))
        for column, text in enumerate(texts):
            item = table.item(number, column)
            if item is None:
                item = qt.QTableWidgetItem(text)
                table.setItem(number, column, item)
                left = column in (0, _REMARK)
                side = qt.Qt.AlignLeft if left else qt.Qt.AlignRight
                item.setTextAlignment(int(side) | int(qt.Qt.AlignVCenter))
            item.setText(text)
            item.setToolTip(_detail(row))
        tick = table.item(number, 0)
        tick.setFlags(_FIXED_FLAGS if row["locked"] else _TICK_FLAGS)
        tick.setCheckState(qt.Qt.Checked if row["accepted"] else qt.Qt.Unchecked)
        suspicious = bool(row["flags"])
        icon = table.style().standardIcon(qt.QStyle.SP_MessageBoxWarning) if suspicious else qt.QIcon()
        table.item(number, _REMARK).setIcon(icon)

    def _fit(self) -> None:
        """Give the table the height of its rows."""
        table = self._ui.roisTable
        rows = min(len(self._rows), MOST_ROWS)
        height = table.horizontalHeader().sizeHint.height() + sum(table.rowHeight(row) for row in range(rows))
        table.setFixedHeight(height + 2 * table.frameWidth)

    def _choose(self, nodeID: Optional[str]) -> None:
        for number, row in enumerate(self._rows):
            if row["id"] == nodeID:
                self._ui.roisTable.selectRow(number)
                return

    def _showDetail(self) -> None:
        """Say in full what the row of the chosen ROI has no room for."""
        chosen = self.chosen()
        row = next((row for row in self._rows if row["id"] == chosen), None)
        self._ui.roiDeleteButton.enabled = row is not None and not row["locked"]
        if row is None:
            tip = _("Choose an ROI in the table first.")
        elif row["locked"]:
            tip = acceptedTip()
        else:
            tip = _("Removes {name} from the scene.").format(name=row["name"])
        self._ui.roiDeleteButton.toolTip = tip
        if row is None:
            self._detailNote.show("")
        else:
            self._detailNote.show(_detail(row), WARNING if row["flags"] else PLAIN)

    def _onSelection(self) -> None:
        self._showDetail()
        chosen = self.chosen()
        if chosen is not None:
            self._onChosen(chosen)

    def _onClicked(self, _row: int, _column: int) -> None:
        # A second click on the chosen row brings the views back after they were scrolled away.
        chosen = self.chosen()
        if chosen is not None:
            self._onChosen(chosen)

    def _onItemChanged(self, item) -> None:
        number = item.row()
        if item.column() != 0 or not 0 <= number < len(self._rows):
            return
        ticked = item.checkState() == qt.Qt.Checked
        if ticked != self._rows[number]["accepted"]:
            self._onTicked(self._rows[number]["id"], ticked)


def acceptedTip() -> str:
    """Return why nothing of the ROIs can be changed while their reading is accepted."""
    return _("This reading is accepted. Press Edit again to change it.")


def rowsOf(nodes: List[Any], reading: Optional[SteatosisReading]) -> List[Dict[str, Any]]:
    """Return a row (``fatty_liver.Row``, and "id" of the node) for every box, with the numbers that the
    reading keeps of it, if it keeps any.
    """
    kept = list(reading.rows) if reading is not None else []
    if [row["name"] for row in kept] != [nameOf(node) for node in nodes]:
        byName = {row["name"]: row for row in kept}
        kept = [byName.get(nameOf(node)) for node in nodes]
    unknown = {"automatic": True, "mean_hu": None, "sd_hu": None, "flags": [], "measured": False}
    rows = []
    for node, known in zip(nodes, kept):
        own = {
            "id": node.GetID(),
            "name": nameOf(node),
            "organ": organOf(node),
            "accepted": isAccepted(node),
        }
        rows.append({**(known or unknown), **own})
    return rows


def _hu(value: Optional[float]) -> str:
    return _UNKNOWN if value is None else f"{value:.1f}"


def _remark(row: Mapping[str, Any]) -> str:
    if row["flags"]:
        return sentence(row["flags"][0])
    return "" if row["automatic"] or row["mean_hu"] is None else _("Yours")


def _detail(row: Mapping[str, Any]) -> str:
    kind = _("placed automatically") if row["automatic"] else _("made, moved or resized by hand")
    counts = "" if row["accepted"] else _(" It does not count.")
    first = _("{name}: {kind}.").format(name=row["name"], kind=kind) + counts
    return "\n".join((first, *sentences(row["flags"])))

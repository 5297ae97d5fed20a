"""The table of ROIs: a tick for each that counts, its numbers, what is suspicious; a row shows it."""

from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import qt
from slicer.i18n import tr as _

from ..fatty_liver.reading import SteatosisReading
from ..fatty_liver.rois import isAccepted, nameOf, organOf
from ..sentences import sentence, sentences
from .notes import PLAIN, WARNING, Note
from .row_table import RowTable

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
        self._table = RowTable(ui.roisTable, _REMARK, _ROOM, MOST_ROWS, self._onRow, self._onRowTicked)

    def show(self, rows: Sequence[Mapping[str, Any]], locked: bool = False) -> None:
        """Show these ROIs; the chosen one stays chosen.

        Args:
            rows: of ``rowsOf``.
            locked: the reading is accepted, so that nothing of them can be changed.
        """
        chosen, before = self.chosen(), self._rows
        self._rows = tuple({**row, "locked": locked} for row in rows)
        sameRois = [row["id"] for row in self._rows] == [row["id"] for row in before]
        with self._table.filling() as table:
            if not sameRois:
                table.clearSelection()
                table.setRowCount(len(self._rows))
            for number, row in enumerate(self._rows):
                if not sameRois or before[number] != row:
                    self._fillRow(number, row)
            if not sameRois:
                self._table.fit()
                self._select(chosen)
        self._showDetail()

    def choose(self, nodeID: str) -> None:
        """Choose the row of an ROI without showing it in the views."""
        with self._table.filling():
            self._select(nodeID)
        self._showDetail()

    def chosen(self) -> Optional[str]:
        """Return the node ID of the chosen ROI, None if none is."""
        row = self._chosenRow()
        return row["id"] if row is not None else None

    def _chosenRow(self) -> Optional[Mapping[str, Any]]:
        number = self._table.chosen()
        return self._rows[number] if number is not None else None

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

    def _select(self, nodeID: Optional[str]) -> None:
        for number, row in enumerate(self._rows):
            if row["id"] == nodeID:
                self._ui.roisTable.selectRow(number)
                return

    def _showDetail(self) -> None:
        """Say in full what the row of the chosen ROI has no room for."""
        row = self._chosenRow()
        self._ui.roiDeleteButton.enabled = row is not None and not row["locked"]
        if row is None:
            self._ui.roiDeleteButton.toolTip = _("Choose an ROI in the table first.")
            self._detailNote.show("")
            return
        remove = _("Removes {name} from the scene.").format(name=row["name"])
        self._ui.roiDeleteButton.toolTip = acceptedTip() if row["locked"] else remove
        self._detailNote.show(_detail(row), WARNING if row["flags"] else PLAIN)

    def _onRow(self, number: Optional[int]) -> None:
        self._showDetail()
        if number is not None:
            self._onChosen(self._rows[number]["id"])

    def _onRowTicked(self, number: int, ticked: bool) -> None:
        if ticked != self._rows[number]["accepted"]:
            self._onTicked(self._rows[number]["id"], ticked)


def acceptedTip() -> str:
    """Return why nothing of the ROIs can be changed while their reading is accepted."""
    return _("This reading is accepted. Press Edit again to change it.")


def rowsOf(nodes: List[Any], reading: Optional[SteatosisReading]) -> List[Dict[str, Any]]:
    """Return a row (``fatty_liver.Row``, and "id" of the node) for every box, with the numbers that the
    reading keeps of it, if it keeps any.
    """
    unknown: Dict[str, Any] = {
        "automatic": True,
        "mean_hu": None,
        "sd_hu": None,
        "flags": [],
        "measured": False,
    }
    names = [nameOf(node) for node in nodes]
    kept = list(reading.rows) if reading is not None else []
    if [row["name"] for row in kept] != names:
        byName = {row["name"]: row for row in kept}
        kept = [byName.get(name) or unknown for name in names]
    return [
        {**row, "id": node.GetID(), "name": name, "organ": organOf(node), "accepted": isAccepted(node)}
        for node, name, row in zip(nodes, names, kept)
    ]


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

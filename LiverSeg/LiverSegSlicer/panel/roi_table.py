"""The table of ROIs: a tick for each that counts, its numbers, what is suspicious; a row shows it."""

from typing import Any, Callable, Dict, List, Mapping, Optional

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
        self._rows: List[Dict[str, Any]] = []
        self._table = RowTable(ui.roisTable, _REMARK, _ROOM, MOST_ROWS, self._onRow, self._onRowTicked)

    def show(self, nodes: List[Any], reading: Optional[SteatosisReading]) -> None:
        """Show these ROIs, with the numbers that the reading keeps of them; the chosen one stays chosen."""
        chosen, before = self.chosen(), self._rows
        self._rows = _rowsOf(nodes, reading)
        sameRois = [row["id"] for row in self._rows] == [row["id"] for row in before]
        with self._table.filling(None if sameRois else len(self._rows)):
            for number, row in enumerate(self._rows):
                if not sameRois or before[number] != row:
                    self._fillRow(number, row)
            if not sameRois:
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
        texts = (row["name"], _hu(row["mean_hu"]), _hu(row["sd_hu"]), _remark(row))
        warned = _REMARK if row["flags"] else None
        self._table.setRow(number, texts, _detail(row), left=(0, _REMARK), warned=warned)
        self._table.setTick(number, row["accepted"], row["locked"])

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


def _rowsOf(nodes: List[Any], reading: Optional[SteatosisReading]) -> List[Dict[str, Any]]:
    """A row (``fatty_liver.assess.Row``, "id" of the node, and "locked" where the reading is accepted) for
    every ROI, with the numbers that the reading keeps of it, if it keeps any.
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
    locked = reading is not None and reading.accepted is not None
    return [
        {
            **row,
            "id": node.GetID(),
            "name": name,
            "organ": organOf(node),
            "accepted": isAccepted(node),
            "locked": locked,
        }
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

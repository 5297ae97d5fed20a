"""The table of results that can be compared: a tick says whether one takes part, its date can be typed."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Sequence, Tuple

from slicer.i18n import tr as _

from LiverSegLib.errors import LiverSegError

from ..scene import parts
from ..scene.followup import keyOf
from ..scene.scan_dates import DATE, patientNumbers, scanDate, typeDate
from ..slots import guarded
from .row_table import RowTable

_MOST_ROWS = 6
"""The table grows up to so many rows and scrolls beyond."""
_ROOM = 8
"""Pixels that a row is higher than its text."""
_SCAN, _DATE = 0, 1
_NO_DATE = "–"


@dataclass(frozen=True)
class Candidate:
    """A result that can be compared.

    Attributes:
        node: the segmentation.
        name: of its scan.
        date: YYYY-MM-DD; empty if it is not known.
        patient: differs between patients; empty if it is not known.
        isTyped: whether somebody typed the date.
        isShown: whether the panel shows this result, which always takes part.
        isTicked: whether it takes part.
    """

    node: Any
    name: str
    date: str
    patient: str
    isTyped: bool
    isShown: bool
    isTicked: bool


class FollowUpScans:
    """Args:
    ui: the panel's widgets.
    changed: called without arguments when another choice was made.
    failed: called with an error to show.
    """

    def __init__(self, ui, changed: Callable[[], None], failed: Callable[[BaseException], None]) -> None:
        self._ui = ui
        self._changed = changed
        self._failed = failed
        self._rows: Sequence[Candidate] = ()
        self._choices: Dict[str, bool] = {}
        table = ui.followupScansTable
        self._table = RowTable(table, _SCAN, _ROOM, _MOST_ROWS, lambda row: None, self._onTicked)
        table.connect("itemChanged(QTableWidgetItem*)", guarded(self._onItemChanged))

    def show(self, segmentationNode: Any) -> None:
        """List what can be compared with a result; nothing without one."""
        rows = _candidates(segmentationNode, self._choices)
        self._ui.followupScansTable.setVisible(bool(rows))
        if rows != self._rows:
            self._rows = rows
            self._fill()

    def candidates(self) -> Sequence[Candidate]:
        """All results of the table, by date if all dates are known."""
        return self._rows

    def chosen(self) -> Sequence[Candidate]:
        """Those that take part."""
        return [row for row in self._rows if row.isTicked]

    def _fill(self) -> None:
        with self._table.filling(len(self._rows)):
            for number, row in enumerate(self._rows):
                tip = _("The result that the panel shows; it always takes part.") if row.isShown else ""
                name = _("{scan} (shown)").format(scan=row.name) if row.isShown else row.name
                texts = (name, row.date or _NO_DATE)
                self._table.setRow(number, texts, tip or row.name, left=(_SCAN, _DATE))
                self._table.setTick(number, row.isTicked, locked=row.isShown)
                self._ui.followupScansTable.item(number, _DATE).setToolTip(_dateTip(row))

    def _onTicked(self, number: int, ticked: bool) -> None:
        self._choices[keyOf(self._rows[number].node)] = ticked
        self._changed()

    def _onItemChanged(self, item: Any) -> None:
        if item.column() != _DATE:
            return
        row, text = self._rows[item.row()], item.text().strip()
        if text in (row.date, _NO_DATE):
            text = row.date
        try:
            typeDate(parts.requireVolume(row.node), text)
        except LiverSegError as error:
            self._failed(error)
        self._rows = ()  # what was typed may be written in another way, or be no date
        self._changed()


def _candidates(segmentationNode: Any, choices: Dict[str, bool]) -> List[Candidate]:
    """The chosen result and the latest one of every other scan, by date if all dates are known."""
    if segmentationNode is None or parts.volumeOf(segmentationNode) is None:
        return []
    nodes = _oneOfEachScan(segmentationNode)
    scans = [parts.volumeOf(node) for node in nodes]
    patients = patientNumbers(scans)
    own = patients[nodes.index(segmentationNode)]
    rows = []
    for node, scan, patient in zip(nodes, scans, patients):
        isShown = node is segmentationNode
        isOther = bool(own and patient and own != patient)
        isTicked = isShown or choices.get(keyOf(node), not isOther)
        date, isTyped = scanDate(scan), scan.GetAttribute(DATE) is not None
        rows.append(Candidate(node, scan.GetName(), date, patient, isTyped, isShown, isTicked))
    if all(row.date for row in rows):
        rows.sort(key=lambda row: row.date)
    return rows


def _oneOfEachScan(segmentationNode: Any) -> List[Any]:
    """The latest result of each scan, but the chosen one of its own, in the order of their first runs."""
    found: Dict[str, Tuple[Any, Any]] = {}
    for node in parts.allResults():
        scan = parts.volumeOf(node)
        if scan is not None and parts.summaryOf(node) is not None:
            found[scan.GetID()] = (scan, node)
    scan = parts.volumeOf(segmentationNode)
    found[scan.GetID()] = (scan, segmentationNode)
    return [node for _scan, node in found.values()]


def _dateTip(row: Candidate) -> str:
    if not row.date:
        return _("The date of this scan is not known: double-click to type it, as 2026-11-30.")
    if row.isTyped:
        return _("This date was typed; double-click to change it. Empty brings back that of DICOM.")
    return _("The date in the scan's DICOM header; double-click to type another.")

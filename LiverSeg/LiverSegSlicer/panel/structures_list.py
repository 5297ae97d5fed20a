"""The list of what a model finds besides, with a tick for each that is wanted and a search line."""

from typing import Callable, List, Sequence, Set

from slicer.i18n import tr as _

from ..slots import guarded
from ..work.models import ModelStructure
from .row_table import RowTable

MOST_ROWS = 8
"""The list grows up to so many rows and scrolls beyond."""

_ROOM = 4


class StructuresList:
    """Args:
    ui: the panel's widgets.
    onTicked: called with the keys that are ticked now, after the user changed them.
    """

    def __init__(self, ui, onTicked: Callable[[Sequence[str]], None]) -> None:
        self._ui = ui
        self._onTicked = onTicked
        self._structures: List[ModelStructure] = []
        self._ticked: Set[str] = set()
        self._table = RowTable(ui.structuresTable, 0, _ROOM, MOST_ROWS, lambda row: None, self._onRowTicked)
        ui.structuresSearchEdit.connect("textChanged(QString)", guarded(self._search))
        ui.structuresUsualButton.connect("clicked(bool)", guarded(self._onUsual))

    def show(self, structures: Sequence[ModelStructure], ticked: Sequence[str]) -> None:
        """Show these structures, none if there are none; the search stays."""
        self._ui.structuresWidget.setVisible(bool(structures))
        shown = set(ticked) & {item.key for item in structures}
        if list(structures) == self._structures and shown == self._ticked:
            return
        isNew = list(structures) != self._structures
        self._structures, self._ticked = list(structures), shown
        self._showCount()
        with self._table.filling(len(structures) if isNew else None):
            for row, item in enumerate(structures):
                if isNew:
                    self._table.setRow(row, [item.name], item.key, left=(0,))
                self._table.setTick(row, item.key in shown)
        self._search()

    def _onRowTicked(self, row: int, on: bool) -> None:
        key = self._structures[row].key
        self._ticked = self._ticked | {key} if on else self._ticked - {key}
        self._tell()

    def _onUsual(self) -> None:
        self._ticked = {item.key for item in self._structures if item.isUsual}
        with self._table.filling():
            for row, item in enumerate(self._structures):
                self._table.setTick(row, item.key in self._ticked)
        self._tell()

    def _tell(self) -> None:
        self._showCount()
        self._onTicked([item.key for item in self._structures if item.key in self._ticked])

    def _showCount(self) -> None:
        text = _("Also segment ({count} of {all})")
        words = {"count": len(self._ticked), "all": len(self._structures)}
        self._ui.structuresTable.horizontalHeaderItem(0).setText(text.format(**words))

    def _search(self, _text: str = "") -> None:
        """Show the rows whose name or key has the letters; ticks do not change."""
        wanted = self._ui.structuresSearchEdit.text.lower().strip()
        for row, item in enumerate(self._structures):
            isFound = wanted in item.name.lower() or wanted in item.key.lower()
            self._ui.structuresTable.setRowHidden(row, not isFound)

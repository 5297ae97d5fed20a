"""What the tables of lesions and of ROIs have in common: as high as their rows, of which one is chosen."""

from contextlib import contextmanager
from typing import Any, Callable, Iterator, Optional

import qt

from ..slots import guarded


class RowTable:
    """A table of the panel that selects whole rows.

    Args:
        table: the QTableWidget.
        stretched: the column that takes the width left over.
        room: pixels that a row is higher than its text.
        mostRows: it grows up to so many rows and scrolls beyond.
        onChosen: called with the row that was chosen, None if none is any more; also if it was chosen before:
            a second click brings the views back after they were scrolled away.
        onTicked: called with a row and whether its tick, in the first column, is set now.
    """

    def __init__(
        self,
        table: Any,
        stretched: int,
        room: int,
        mostRows: int,
        onChosen: Callable[[Optional[int]], None],
        onTicked: Callable[[int, bool], None],
    ) -> None:
        self._table = table
        self._mostRows = mostRows
        self._onChosen = onChosen
        self._onTicked = onTicked
        table.verticalHeader().setDefaultSectionSize(qt.QFontMetrics(table.font).height() + room)
        header = table.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(stretched, qt.QHeaderView.Stretch)
        table.connect("itemSelectionChanged()", guarded(self._onSelection))
        table.connect("cellClicked(int,int)", guarded(self._onSelection))
        table.connect("itemChanged(QTableWidgetItem*)", guarded(self._onItemChanged))

    def chosen(self) -> Optional[int]:
        """The chosen row, None if none is."""
        row = self._table.currentRow()
        return row if self._table.selectedItems() and 0 <= row < self._table.rowCount else None

    @contextmanager
    def filling(self) -> Iterator[Any]:
        """The table, to be filled: nobody is told of what changes meanwhile."""
        self._table.blockSignals(True)
        try:
            yield self._table
        finally:
            self._table.blockSignals(False)

    def fit(self) -> None:
        """Give the table the height of its rows."""
        table = self._table
        rows = sum(table.rowHeight(row) for row in range(min(table.rowCount, self._mostRows)))
        table.setFixedHeight(table.horizontalHeader().sizeHint.height() + rows + 2 * table.frameWidth)

    def _onSelection(self) -> None:
        self._onChosen(self.chosen())

    def _onItemChanged(self, item: Any) -> None:
        if item.column() == 0:
            self._onTicked(item.row(), item.checkState() == qt.Qt.Checked)

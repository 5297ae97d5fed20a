"""What the tables of lesions and of ROIs have in common: as high as their rows, of which one is chosen."""

from contextlib import contextmanager
from typing import Any, Callable, Container, Iterator, Optional, Sequence

import qt

from ..slots import guarded

_FIXED_FLAGS = qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled
_TICK_FLAGS = _FIXED_FLAGS | qt.Qt.ItemIsUserCheckable


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
    def filling(self, count: Optional[int] = None) -> Iterator[None]:
        """Fill the table in this block: nobody is told of what changes.

        Args:
            count: it gets so many rows, none of them chosen, and their height; None: they stay.
        """
        self._table.blockSignals(True)
        try:
            if count is not None:
                self._table.clearSelection()
                self._table.setRowCount(count)
            yield
            if count is not None:
                self._fit()
        finally:
            self._table.blockSignals(False)

    def setRow(
        self,
        row: int,
        texts: Sequence[str],
        tip: str,
        left: Container[int] = (),
        warned: Optional[int] = None,
    ) -> None:
        """Write into a row.

        Args:
            texts: of its cells, aligned to the right but in the columns ``left``.
            tip: tooltip of each.
            warned: the column that gets the sign of a warning.
        """
        for column, text in enumerate(texts):
            item = self._table.item(row, column)
            if item is None:
                item = qt.QTableWidgetItem(text)
                self._table.setItem(row, column, item)
            side = qt.Qt.AlignLeft if column in left else qt.Qt.AlignRight
            item.setTextAlignment(int(side) | int(qt.Qt.AlignVCenter))
            item.setText(text)
            item.setToolTip(tip)
            if column == warned:
                item.setIcon(self._table.style().standardIcon(qt.QStyle.SP_MessageBoxWarning))
            else:
                item.setIcon(qt.QIcon())

    def setTick(self, row: int, ticked: bool, locked: bool = False) -> None:
        """Set the tick of a row, which the user can change unless it is ``locked``."""
        item = self._table.item(row, 0)
        item.setFlags(_FIXED_FLAGS if locked else _TICK_FLAGS)
        item.setCheckState(qt.Qt.Checked if ticked else qt.Qt.Unchecked)

    def _fit(self) -> None:
        """Give the table the height of its rows."""
        table = self._table
        rows = sum(table.rowHeight(row) for row in range(min(table.rowCount, self._mostRows)))
        table.setFixedHeight(table.horizontalHeader().sizeHint.height() + rows + 2 * table.frameWidth)

    def _onSelection(self) -> None:
        self._onChosen(self.chosen())

    def _onItemChanged(self, item: Any) -> None:
        if item.column() == 0:
            self._onTicked(item.row(), item.checkState() == qt.Qt.Checked)

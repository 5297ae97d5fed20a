"""Section Results: segments, volumes with their warnings, lesions, highlight view."""

from typing import Any, Callable, Dict, List, Optional, Sequence

import qt
from slicer.i18n import tr as _

from .lesion_table import LesionTable
from .notes import WARNING, Note
from .slots import guarded

Measurements = Dict[str, Any]
"""The "measurements" of a summary, as ``LiverSegLib.measure.Measurements.to_dict`` writes them. Importing
that class would load SciPy into Slicer's process."""

_FORMAT = "liverseg-measurements-1"
_DIGITS = {"liver": 1, "spleen": 1, "tumour": 2}
"""Organ -> digits of its volume, as in the report."""

_SEGMENTS_TABLE_LEAST = 79
"""Height in pixels that Slicer's table of segments takes at least."""


class ResultsSection:
    """Shows one result, or says why there is none.

    Args:
        ui: the panel's widgets.
        onMeasure: called without arguments for "Measure again".
        onLesion: called with a lesion's number when the user chooses it.
        onHighlight: called with True or False when the user switches the highlight view.
    """

    def __init__(
        self,
        ui,
        onMeasure: Callable[[], None],
        onLesion: Callable[[int], None],
        onHighlight: Callable[[bool], None],
    ) -> None:
        self._ui = ui
        self._lesions = LesionTable(ui, onLesion)
        self._editedNote = Note(ui, "edited")
        self._warnings = {name: Note(ui, f"{name}Warning") for name in (*_DIGITS, "burden")}
        ui.measureButton.connect("clicked(bool)", guarded(lambda _checked=False: onMeasure()))
        ui.highlightButton.connect("clicked(bool)", guarded(onHighlight))

    def showNothing(self, reason: str) -> None:
        """Show only the sentence that says why there are no results."""
        self._ui.resultsEmptyLabel.setText(reason)
        self._ui.resultsEmptyLabel.setVisible(True)
        self._ui.resultsWidget.setVisible(False)
        self._ui.segmentsTable.setSegmentationNode(None)
        self._lesions.show(())

    def show(self, segmentationNode, measurements: Measurements) -> None:
        """Show a result: its segments and what was measured of them."""
        self._ui.resultsEmptyLabel.setVisible(False)
        self._ui.resultsWidget.setVisible(True)
        if self._ui.segmentsTable.segmentationNode() is not segmentationNode:
            self._ui.segmentsTable.setSegmentationNode(segmentationNode)
        self._fitSegmentsTable(segmentationNode)
        self._showNumbers(measurements)
        self._lesions.show(measurements["lesions"])

    def showEdited(self, edited: bool, busy: bool) -> None:
        """Say that the segments are no longer those that were measured, or take that back."""
        self._ui.editedWidget.setVisible(edited)
        self._editedNote.show(_("The segmentation was edited after these numbers were measured."), WARNING)
        self._ui.measureButton.enabled = not busy
        self._ui.measureButton.toolTip = (
            _("Something else is running; wait for it or cancel it.")
            if busy
            else _("Measures volumes, tumour burden and lesions of the segmentation as it is now.")
        )

    def showHighlighted(self, on: bool) -> None:
        """Show whether the highlight view is on."""
        self._ui.highlightButton.checked = on

    def _showNumbers(self, measurements: Measurements) -> None:
        organs = {organ["key"]: organ for organ in measurements["organs"]}
        said: List[str] = []
        for key, digits in _DIGITS.items():
            self._showNumber(key, f"{organs[key]['volume_ml']:.{digits}f} ml", organs[key]["warnings"], said)
        burden = measurements["tumour_burden_percent"]
        text = _("unknown") if burden is None else f"{burden:.2f} %"
        self._showNumber("burden", text, measurements["tumour_burden_warnings"], said)

    def _showNumber(self, name: str, text: str, warnings: Sequence[str], said: List[str]) -> None:
        """Show a number and what makes it doubtful, but for sentences that stand in a row above, ``said``."""
        getattr(self._ui, f"{name}ValueLabel").setText(text)
        self._warnings[name].warn([warning for warning in warnings if warning not in said])
        said += warnings

    def _fitSegmentsTable(self, segmentationNode) -> None:
        """Give the table the height of its rows: it has three, and must not scroll."""
        rows = max(1, segmentationNode.GetSegmentation().GetNumberOfSegments())
        table = self._ui.segmentsTable.tableWidget()
        # a row that is not laid out yet tells too little
        rowHeight = max(table.rowHeight(0), qt.QFontMetrics(table.font).height() + 8)
        self._ui.segmentsTable.setFixedHeight(max(_SEGMENTS_TABLE_LEAST, min(rows, 8) * rowHeight + 4))


def readMeasurements(summary: Optional[Dict[str, Any]]) -> Optional[Measurements]:
    """What was measured, from a result's summary; None if there is none, or someone has overwritten it."""
    measurements = summary["measurements"] if summary is not None else None
    isOurs = isinstance(measurements, dict) and measurements.get("format") == _FORMAT
    return measurements if isOurs else None

"""Section Results: segments, volumes with their warnings, lesions, highlight view."""

from typing import Any, Callable, Dict, List, Optional, Sequence

import qt
import slicer
from slicer.i18n import tr as _

from ..scene.rejected_lesions import rejectedLesions
from ..sentences import sentences
from ..slots import guarded
from .folded_warnings import FoldedWarnings
from .lesion_table import LesionActions, LesionTable
from .notes import WARNING, Note
from .numbers_text import numbersText

Measurements = Dict[str, Any]
"""The "measurements" of a summary, as ``LiverSegLib.measure.Measurements.to_dict`` writes them. Importing
that class would load SciPy into Slicer's process."""

_FORMAT = "liverseg-measurements-1"
_DIGITS = {"liver": 1, "spleen": 1, "tumour": 2}
"""Organ -> digits of its volume, as in the report."""

_MARK = "⚠"
"""Stands behind a number that a warning concerns."""

_SEGMENTS_TABLE_LEAST = 79
"""Height in pixels that Slicer's table of segments takes at least."""


class ResultsSection:
    """Shows one result, or says why there is none.

    Args:
        ui: the panel's widgets.
        onMeasure: called without arguments for "Update numbers".
        lesionActions: what the table of lesions asks for.
        onHighlight: called with True or False when the user switches the highlight view.
    """

    def __init__(
        self,
        ui,
        onMeasure: Callable[[], None],
        lesionActions: LesionActions,
        onHighlight: Callable[[bool], None],
    ) -> None:
        self._ui = ui
        self._measurements: Optional[Measurements] = None
        self._lesions = LesionTable(ui, lesionActions)
        self._editedNote = Note(
            ui, "edited", _("The numbers below are those of the segmentation before it was edited.")
        )
        self._warnings = FoldedWarnings(ui, "resultWarnings")
        ui.copyNumbersButton.connect("clicked(bool)", guarded(lambda _checked=False: self._copy()))
        ui.measureButton.connect("clicked(bool)", guarded(lambda _checked=False: onMeasure()))
        ui.highlightButton.connect("clicked(bool)", guarded(onHighlight))

    def showNothing(self, reason: str) -> None:
        """Show only the sentence that says why there are no results."""
        self._ui.resultsEmptyLabel.setText(reason)
        self._ui.resultsEmptyLabel.setVisible(True)
        self._ui.resultsWidget.setVisible(False)
        self._ui.segmentsTable.setSegmentationNode(None)
        self._ui.show3DButton.setSegmentationNode(None)
        self._measurements = None
        self._lesions.show((), (), ())

    def show(self, segmentationNode, measurements: Measurements) -> None:
        """Show a result: its segments and what was measured of them."""
        self._ui.resultsEmptyLabel.setVisible(False)
        self._ui.resultsWidget.setVisible(True)
        if self._ui.segmentsTable.segmentationNode() is not segmentationNode:
            self._ui.segmentsTable.setSegmentationNode(segmentationNode)
        self._ui.show3DButton.setSegmentationNode(segmentationNode)
        self._measurements = measurements
        self._fitSegmentsTable(segmentationNode)
        said = self._showNumbers(measurements)
        self._lesions.show(measurements["lesions"], rejectedLesions(segmentationNode), said)

    def showEdited(self, edited: bool, busy: bool) -> None:
        """Say that the segments are no longer those that were measured, or take that back."""
        self._ui.editedWidget.setVisible(edited)
        self._editedNote.show(_("The segmentation was edited after these numbers were measured."), WARNING)
        self._ui.measureButton.enabled = not busy
        self._lesions.allowChanges(_reasonNotToChange(edited, busy))
        self._ui.measureButton.toolTip = (
            _("Something else is running; wait for it or cancel it.")
            if busy
            else _("Measures volumes, tumor burden and lesions of the segmentation as it is now.")
        )

    def showHighlighted(self, on: bool) -> None:
        """Show whether the highlight view is on."""
        self._ui.highlightButton.checked = on

    def _showNumbers(self, measurements: Measurements) -> Sequence[str]:
        """Show the volumes and their warnings; return these."""
        organs = {organ["key"]: organ for organ in measurements["organs"]}
        said: List[str] = []
        for key, digits in _DIGITS.items():
            self._showNumber(key, f"{organs[key]['volume_ml']:.{digits}f} ml", organs[key]["warnings"])
            said += organs[key]["warnings"]
        burden = measurements["tumour_burden_percent"]
        text = _("unknown") if burden is None else f"{burden:.2f} %"
        self._showNumber("burden", text, measurements["tumour_burden_warnings"])
        said += measurements["tumour_burden_warnings"]
        self._warnings.show(sentences(said))
        return said

    def _showNumber(self, name: str, text: str, warnings: Sequence[str]) -> None:
        """Show a number, marked where warnings concern it; they stand in its tooltip and in the one block."""
        label = getattr(self._ui, f"{name}ValueLabel")
        label.setText(f"{text} {_MARK}" if warnings else text)
        label.toolTip = "\n".join(sentences(warnings)) or getattr(self._ui, f"{name}NameLabel").toolTip

    def _copy(self) -> None:
        if self._measurements is not None:
            slicer.app.clipboard().setText(numbersText(self._measurements))

    def _fitSegmentsTable(self, segmentationNode) -> None:
        """Give the table the height of its rows: it has three, and must not scroll."""
        rows = max(1, segmentationNode.GetSegmentation().GetNumberOfSegments())
        table = self._ui.segmentsTable.tableWidget()
        # a row that is not laid out yet tells too little
        rowHeight = max(table.rowHeight(0), qt.QFontMetrics(table.font).height() + 8)
        self._ui.segmentsTable.setFixedHeight(max(_SEGMENTS_TABLE_LEAST, min(rows, 8) * rowHeight + 4))


def _reasonNotToChange(edited: bool, busy: bool) -> str:
    if busy:
        return _("Something else is running; wait for it or cancel it.")
    return _("The segmentation was edited: update the numbers first.") if edited else ""


def readMeasurements(summary: Optional[Dict[str, Any]]) -> Optional[Measurements]:
    """What was measured, from a result's summary; None if there is none, or someone has overwritten it."""
    measurements = summary["measurements"] if summary is not None else None
    isOurs = isinstance(measurements, dict) and measurements.get("format") == _FORMAT
    return measurements if isOurs else None

"""Section Results: segments, volumes with their warnings, lesions, highlight view."""

from typing import Any, Callable, List, Mapping, Optional, Sequence, Tuple

import qt
import slicer
from slicer.i18n import tr as _

from LiverSegLib.errors import LiverSegError
from LiverSegLib.review import Given

from ..scene import highlight, parts
from ..scene.fingerprint import seemsEditedSinceMeasured
from ..scene.given import warningsOf
from ..scene.highlight import isHighlighted
from ..scene.rejected_lesions import rejectedLesions
from ..scene.structures import volumeRows
from ..scene.tables import isSegmented
from ..sentences import sentence, sentences
from ..slots import guarded
from ..work.models import allModels
from .correct_section import CorrectSection
from .folded_warnings import FoldedWarnings
from .lesion_table import NONE, LesionTable
from .measuring import MeasuringAfterEdits
from .message_line import MessageLine
from .notes import PLAIN, WARNING, Note
from .panel_state import Measurements, PanelState
from .row_table import RowTable
from .run_bar import RunBar
from .why_button import WhyButton

_DIGITS = {"liver": 1, "spleen": 1, "tumour": 2}
"""Organ -> digits of its volume, as in the report."""

_MOST_FOUND = 6
"""The table of further structures grows up to so many rows and scrolls beyond."""

_MARK = "⚠"
"""Stands behind a number that a warning concerns."""

_SEGMENTS_TABLE_LEAST = 79
"""Height in pixels that Slicer's table of segments takes at least."""


class ResultsSection:
    """Shows one result, or says why there is none.

    Args:
        ui: the panel's widgets.
        logic: a LiverSegLogic.
        runBar: runs the measuring after a change.
        message: tells of changes and how they ended.
        correct: takes clicks for lesions that are added, split and merged.
        measuring: measures in the background after edits.
    """

    def __init__(
        self,
        ui,
        logic,
        runBar: RunBar,
        message: MessageLine,
        correct: CorrectSection,
        measuring: MeasuringAfterEdits,
    ) -> None:
        self._ui = ui
        self._logic = logic
        self._runBar = runBar
        self._message = message
        self._correct, self._measuring = correct, measuring
        self._state: Optional[PanelState] = None
        self._why = WhyButton(ui, logic, runBar, message)
        self._lesions = LesionTable(ui, self._changeLesions, correct, self._why)
        self._editedNote = Note(
            ui, "edited", _("The numbers below are those of the segmentation before it was edited.")
        )
        self._originNote = Note(
            ui, "resultModel", _("Where this result comes from, and what makes it doubtful.")
        )
        self._found = RowTable(ui.foundTable, 0, 4, _MOST_FOUND, lambda row: None, lambda row, on: None)
        self._warnings = FoldedWarnings(ui, "resultWarnings")
        ui.copyNumbersButton.connect("clicked(bool)", guarded(self._onCopy))
        ui.measureButton.connect("clicked(bool)", guarded(self._onMeasure))
        ui.highlightButton.connect("clicked(bool)", guarded(self._onHighlight))

    def show(self, state: PanelState) -> None:
        """Show the result: its segments and what was measured of them; or why there is none."""
        self._state = state
        self._why.show(state)
        ui, measurements = self._ui, state.measurements
        ui.resultsEmptyLabel.setVisible(measurements is None)
        ui.resultsWidget.setVisible(measurements is not None)
        segmentationNode = state.segmentationNode if measurements is not None else None
        if ui.segmentsTable.segmentationNode() is not segmentationNode:
            ui.segmentsTable.setSegmentationNode(segmentationNode)
        ui.show3DButton.setSegmentationNode(segmentationNode)
        if measurements is None:
            ui.resultsEmptyLabel.setText(_reasonForNoResults(state))
            self._lesions.show(None, (), (), ())
        else:
            self._fitSegmentsTable(segmentationNode)
            said = self._showNumbers(measurements)
            self._showFound(segmentationNode)
            rejected = rejectedLesions(segmentationNode)
            lesions, isDrawn = measurements["lesions"], isSegmented(measurements["organs"][-1])
            self._lesions.show(segmentationNode, lesions, rejected, said, isDrawn=isDrawn)
            ui.highlightButton.checked = isHighlighted()
            self._originNote.show(*_originText(segmentationNode, measurements))
        self.showEdited()

    def showEdited(self) -> None:
        """Say that the segments are no longer those that were measured, or take that back."""
        state = self._state
        if state is None:
            return
        edited = state.segmentationNode is not None and seemsEditedSinceMeasured(state.segmentationNode)
        busy = state.reasonToWait()
        self._ui.editedWidget.setVisible(edited)
        if self._measuring.isMeasuring():
            self._editedNote.show(_("The segmentation was edited: measuring it again…"), WARNING)
        else:
            self._editedNote.show(
                _("The segmentation was edited after these numbers were measured."), WARNING
            )
        self._ui.measureButton.setVisible(not self._measuring.isMeasuring())
        self._ui.measureButton.enabled = not busy
        self._ui.measureButton.toolTip = busy or _(
            "Measures volumes, tumor burden and lesions of the segmentation as it is now."
        )
        outOfDate = _("The segmentation was edited: the numbers have to follow first.") if edited else ""
        self._lesions.allowChanges(busy or self._correct.reason() or outOfDate)

    def showTouched(self) -> None:
        """Say at once that the numbers are out of date; when the hand rests it is looked at closely."""
        state = self._state
        if state is not None and state.measurements is not None and not self._ui.editedWidget.visible:
            self._editedNote.show(_("The segmentation is being edited: the numbers follow."), WARNING)
            self._ui.measureButton.setVisible(False)
            self._ui.editedWidget.setVisible(True)

    def stepLesion(self, by: int) -> None:
        """Show the lesion after (1) or before (-1) the chosen one."""
        self._lesions.step(by)

    def _onMeasure(self) -> None:
        self._measure(_("The numbers are now those of the segmentation as it is."))

    def _measure(self, ended: str) -> None:
        """Measure the segmentation as it is now; ``ended`` is told once that is done."""

        def done(_segmentationNode: Any) -> None:
            self._message.tell(ended)

        if self._state is not None:
            node = self._state.segmentationNode
            self._runBar.start(_("Measuring…"), done, self._logic.measureAsync, node)

    def _changeLesions(self, change: Callable[[], None], ended: str) -> None:
        """Change which lesions count, measure anew, and tell what was done."""
        try:
            change()
        except LiverSegError as error:
            self._message.fail(error)
            self.showEdited()  # the ticks are what they were
        else:
            self._measure(ended)

    def _onHighlight(self, on: bool) -> None:
        state = self._state
        if state is None:
            return
        try:
            if on:
                highlight.showHighlight(state.volumeNode, state.segmentationNode)
            else:
                highlight.hideHighlight(state.segmentationNode)
        finally:
            self._ui.highlightButton.checked = isHighlighted()

    def _onCopy(self) -> None:
        if self._state is not None and self._state.measurements is not None:
            found = volumeRows(parts.summaryOf(self._state.segmentationNode) or {})
            slicer.app.clipboard().setText(numbersText(self._state.measurements, found))

    def _showNumbers(self, measurements: Measurements) -> Sequence[str]:
        """Show the volumes and their warnings; return these."""
        organs = {organ["key"]: organ for organ in measurements["organs"]}
        said: List[str] = []
        self._ui.liverNameLabel.setText(liverName(organs))
        tip = _("Volume of the liver, tumors included.") if isSegmented(organs["tumour"]) else ""
        for label in (self._ui.liverNameLabel, self._ui.liverValueLabel):
            label.toolTip = tip or _("Volume of the liver; its tumors are not segmented.")
        for key, digits in _DIGITS.items():
            self._showNumber(key, volumeText(organs[key], digits), organs[key]["warnings"])
            said += organs[key]["warnings"]
        burden = measurements["tumour_burden_percent"]
        text = _("unknown") if burden is None else f"{burden:.2f} %"
        if not isSegmented(organs["tumour"]):
            text = NONE
        self._showNumber("burden", text, measurements["tumour_burden_warnings"])
        said += measurements["tumour_burden_warnings"]
        self._warnings.show(sentences(said))
        return said

    def _showFound(self, segmentationNode: Any) -> None:
        """Show the volumes of what the model found besides, if it found anything."""
        rows = volumeRows(parts.summaryOf(segmentationNode) or {})
        self._ui.foundTable.setVisible(bool(rows))
        with self._found.filling(len(rows)):
            for number, row in enumerate(rows):
                share = "" if row["share"] is None else f"{row['share']:.1f}"
                texts = (row["name"], f"{row['volume_ml']:.1f}", share)
                warned = 1 if row["warnings"] else None
                self._found.setRow(number, texts, "\n".join(row["warnings"]), left=(0,), warned=warned)

    def _showNumber(self, name: str, text: str, warnings: Sequence[str]) -> None:
        """Show a number, marked where warnings concern it; they stand in its tooltip and in the one block."""
        label = getattr(self._ui, f"{name}ValueLabel")
        label.setText(f"{text} {_MARK}" if warnings else text)
        label.toolTip = "\n".join(sentences(warnings)) or getattr(self._ui, f"{name}NameLabel").toolTip

    def _fitSegmentsTable(self, segmentationNode) -> None:
        """Give the table the height of its rows: it has three, and must not scroll."""
        rows = max(1, segmentationNode.GetSegmentation().GetNumberOfSegments())
        table = self._ui.segmentsTable.tableWidget()
        # a row that is not laid out yet tells too little
        rowHeight = max(table.rowHeight(0), qt.QFontMetrics(table.font).height() + 8)
        self._ui.segmentsTable.setFixedHeight(max(_SEGMENTS_TABLE_LEAST, min(rows, 8) * rowHeight + 4))


def _reasonForNoResults(state: PanelState) -> str:
    if state.isRunning or state.volumeNode is None or state.notReady:
        return _("Volumes and lesions appear here once a scan is segmented.")
    if state.segmentationNode is not None:
        return _("The measurements of this result were removed from the scene: segment the scan again.")
    return _("Not segmented yet. Press Segment: volumes and lesions appear here.")


def liverName(organs: Mapping[str, Mapping[str, Any]]) -> str:
    """What the liver's volume is called: with its tumors only if the model draws them."""
    return _("Liver with tumors") if isSegmented(organs["tumour"]) else _("Liver")


def volumeText(organ: Mapping[str, Any], digits: int) -> str:
    """Volume of an organ in ml, or that the model does not draw it."""
    if not isSegmented(organ):
        return _("not segmented")
    return f"{organ['volume_ml']:.{digits}f} ml"


def _originText(segmentationNode: Any, measurements: Measurements) -> Tuple[str, str]:
    """Of what LiverSeg did not draw, what it was, with what is doubtful of it; of an MR, why there is no
    attenuation and what the model was validated on; else nothing. And the kind of note that this is."""
    summary = parts.summaryOf(segmentationNode) or {}
    given = Given.of(summary.get("provenance"))
    if given is None:
        return _modelText(segmentationNode, measurements), PLAIN
    lines = [_("Measured from {name}, which LiverSeg did not draw.").format(name=given.name)]
    lines += [sentence(measurements["note"])] if "note" in measurements else []
    doubts = sentences(warningsOf(summary))
    return "\n".join([*lines, *doubts]), WARNING if doubts else PLAIN


def _modelText(segmentationNode: Any, measurements: Measurements) -> str:
    """Of an MR: why there is no attenuation, and what the model was validated on; of CT nothing."""
    if "note" not in measurements:
        return ""
    provenance = (parts.summaryOf(segmentationNode) or {}).get("provenance", {})
    name = (provenance.get("model") or {}).get("name", "")
    model = next((model for model in allModels() if model.name == name), None)
    if model is None:
        said = _("The model {name} is not on this computer, nor what it was validated on.").format(name=name)
    else:
        said = _("Model {name}: {validated}").format(name=name, validated=model.validated())
    return f"{sentence(measurements['note'])}\n{said}"


def _clipboardVolume(organ: Mapping[str, Any], digits: int) -> str:
    return f"{organ['volume_ml']:.{digits}f}" if isSegmented(organ) else ""


def numbersText(measurements: Mapping[str, Any], found: Sequence[Mapping[str, Any]] = ()) -> str:
    """Volumes, tumor burden and lesions for the clipboard: a row a line, tabs between, titles with units.

    Args:
        measurements: of a result.
        found: "name" and "volume_ml" of what the model found besides.
    """
    organs = {organ["key"]: organ for organ in measurements["organs"]}
    burden = measurements["tumour_burden_percent"]
    rows: List[Sequence[str]] = [
        (_("Structure"), _("Volume (ml)")),
        (liverName(organs), _clipboardVolume(organs["liver"], 1)),
        (_("Spleen"), _clipboardVolume(organs["spleen"], 1)),
        (_("Liver tumors"), _clipboardVolume(organs["tumour"], 2)),
        *((row["name"], f"{row['volume_ml']:.2f}") for row in found),
        (),
        (_("Tumor burden (%)"), "" if burden is None else f"{burden:.2f}"),
    ]
    if measurements["lesions"]:
        titles = (_("Volume (ml)"), _("Longest diameter (mm)"), _("Perpendicular (mm)"), _("Mean (HU)"))
        rows += [(), (_("Lesion"), *titles), *map(_lesionRow, measurements["lesions"])]
    return "\n".join("\t".join(row) for row in rows) + "\n"


def _lesionRow(lesion: Mapping[str, Any]) -> Sequence[str]:
    return (
        str(lesion["number"]),
        f"{lesion['volume_ml']:.2f}",
        f"{lesion['longest_diameter_mm']:.1f}",
        f"{lesion['perpendicular_mm']:.1f}",
        NONE if lesion["mean_hu"] is None else f"{lesion['mean_hu']:.0f}",
    )

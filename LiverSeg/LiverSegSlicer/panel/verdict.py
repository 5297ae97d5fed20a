"""The verdict on fatty liver in the panel: ratio, interval, grade on its scale, reasons, numbers, warnings.

It reads the plain dict of the core's ``Assessment``, whose class costs an import of SciPy.
"""

from typing import Any, List, Mapping, Optional

from slicer.i18n import tr as _

from LiverSegLib.sentences import key_of

from ..fatty_liver.reading import SteatosisReading
from ..sentences import sentence, sentences
from .folded_warnings import FoldedWarnings
from .notes import PLAIN, WARNING, Note

FIELDS = {
    "severe": ((136, 34, 85), "white"),
    "moderate": ((238, 119, 51), "black"),
    "mild": ((204, 187, 68), "black"),
    "normal": ((68, 119, 170), "white"),
}
"""Grade, from the lowest ratio on -> colour (as in the report; the colour-blind tell them apart), and that of
the word on it."""
WIDTHS = (24, 30, 21, 25)
"""Of the fields, in percent, as in LiverSeg.ui: each holds its word in a narrow panel with large type."""
END_ROOM = 0.35
"""The scale ends this far beyond the lowest and the highest cut-off."""

_STEPS = 1000
_UNKNOWN = "–"


class Verdict:
    """Shows one assessment.

    Args:
        ui: the panel's widgets.
    """

    def __init__(self, ui) -> None:
        self._ui = ui
        self._reasons = Note(ui, "fattyReasons", _("Why the ratio of this scan should not be graded."))
        self._warnings = FoldedWarnings(ui, "fattyWarnings")
        self._fields = {
            "severe": ui.fattySevereLabel,
            "moderate": ui.fattyModerateLabel,
            "mild": ui.fattyMildLabel,
            "normal": ui.fattyNormalLabel,
        }
        self._shownGrade: Optional[str] = ""

    def show(self, reading: Optional[SteatosisReading]) -> None:
        """Show the assessment of a reading; with None only that there is none yet."""
        ui = self._ui
        assessment = reading.assessment if reading is not None else None
        for widget in (ui.fattyNumbersWidget, ui.fattyAnywayCheckBox, ui.fattyScaleWidget):
            widget.setVisible(False)
        if reading is None or assessment is None:
            ui.fattyRatioLabel.setText(_UNKNOWN)
            ui.fattyGradeLabel.setText("")
            for label in (ui.fattyInvalidLabel, ui.fattyScreeningLabel, ui.fattyNumbersLabel):
                _showText(label, "")
            self._reasons.show("")
            self._warnings.show(())
            return
        ratio, grade, reasons = assessment["ratio"], assessment["grade"], assessment["reasons_not_to_grade"]
        valid = grade is None or not reasons
        ui.fattyRatioLabel.setText(_UNKNOWN if ratio is None else f"{ratio:.2f}")
        ui.fattyRatioLabel.enabled = valid
        ui.fattyGradeLabel.enabled = valid
        screening = assessment.get("screening") if grade is None else None
        ui.fattyGradeLabel.setText(_gradeText(assessment))
        _showText(ui.fattyScreeningLabel, sentence(screening) if screening else "")
        _showText(ui.fattyInvalidLabel, "" if valid else _("Not valid for grading"))
        self._showReasons(reasons, grade is not None, assessment["graded_anyway"])
        self._ui.fattyAnywayCheckBox.enabled = reading.accepted is None
        if grade is not None:
            self._showScale(ratio, grade, assessment["cut_offs"])
        self._showNumbers(assessment)
        # What is wrong with a single ROI stands in its row.
        self._warnings.show(
            sentences(said for said in assessment["warnings"] if key_of(said) != "roi.remark")
        )

    def _showNumbers(self, assessment: Mapping[str, Any]) -> None:
        """Show the table of three rows, and under it what does not agree with the grade."""
        ui = self._ui
        ui.fattyNumbersWidget.setVisible(True)
        ui.fattyLiverMeanLabel.setText(_hu(assessment["liver_mean_hu"]))
        ui.fattySpleenMeanLabel.setText(_hu(assessment["spleen_mean_hu"]))
        ui.fattyLiverMedianLabel.setText(_hu(assessment["liver_median_hu"]))
        ui.fattySpleenMedianLabel.setText(_hu(assessment["spleen_median_hu"]))
        ui.fattyDifferenceLabel.setText(_hu(assessment["liver_minus_spleen_hu"]))
        ui.fattyIntervalLabel.setText(_intervalText(assessment["ratio"], assessment["ratio_interval_95"]))
        ui.fattyIntervalLabel.toolTip = _intervalTip(assessment["ratio_of_means"])
        _showText(ui.fattyNumbersLabel, "\n".join(_remarks(assessment)))

    def _showReasons(self, reasons: List[str], graded: bool, anyway: bool) -> None:
        head = _("Graded in spite of this:") if graded else _("Not graded, because:")
        self._reasons.show(
            "\n".join((head, *(f"• {text}" for text in sentences(reasons)))) if reasons else "",
            WARNING if reasons else PLAIN,
        )
        box = self._ui.fattyAnywayCheckBox
        box.setVisible(bool(reasons))
        box.blockSignals(True)
        box.checked = anyway
        box.blockSignals(False)

    def _showScale(self, ratio: float, grade: str, cutOffs: Mapping[str, float]) -> None:
        self._ui.fattyScaleWidget.setVisible(True)
        borders = [cutOffs[key] for key in ("severe_below", "moderate_below", "normal_above")]
        labels = (
            self._ui.fattySevereBorderLabel,
            self._ui.fattyModerateBorderLabel,
            self._ui.fattyNormalBorderLabel,
        )
        for label, border in zip(labels, borders):
            label.setText(f"{border:g}")
        before = int(round(_STEPS * _place(ratio, borders)))
        row = self._ui.fattyPointerWidget.layout()
        row.setStretch(0, before)
        row.setStretch(2, _STEPS - before)
        if grade == self._shownGrade:
            return
        self._shownGrade = grade
        for key, label in self._fields.items():
            (red, green, blue), word = FIELDS[key]
            chosen = "font-weight: bold; border: 2px solid palette(window-text);" if key == grade else ""
            label.styleSheet = f"background-color: rgb({red}, {green}, {blue}); color: {word}; {chosen}"


def _gradeText(assessment: Mapping[str, Any]) -> str:
    """Return the grade in words; that it is not valid stands beside it."""
    texts = {
        "normal": _("No fatty liver by the ratio"),
        "mild": _("Mild fatty liver"),
        "moderate": _("Moderate fatty liver"),
        "severe": _("Severe fatty liver"),
    }
    return texts.get(assessment["grade"] or "", _("Not graded"))


def _showText(label, text: str) -> None:
    label.setText(text)
    label.setVisible(bool(text))


def _intervalText(ratio: Optional[float], interval: Optional[List[float]]) -> str:
    if ratio is None:
        return _("no ratio")
    if interval is None:
        return _("ratio without interval")
    text = _("ratio {low:.2f} to {high:.2f}")
    return text.format(low=interval[0], high=interval[1])


def _intervalTip(ratioOfMeans: Optional[float]) -> str:
    tip = _("95 % interval of the ratio, by drawing the ROIs again and again.")
    if ratioOfMeans is None:
        return tip
    return tip + "\n" + _("Ratio of the means: {ratio:.2f}").format(ratio=ratioOfMeans)


def _place(ratio: float, borders: List[float]) -> float:
    """Return where a ratio lies on the scale, 0 to 1; within the field of each grade the scale is even."""
    ends = [max(0.0, borders[0] - END_ROOM), *borders, borders[-1] + END_ROOM]
    for number, (low, high) in enumerate(zip(ends, ends[1:])):
        if ratio <= high or number == len(ends) - 2:
            share = min(1.0, max(0.0, (ratio - low) / (high - low))) if high > low else 0.5
            return (sum(WIDTHS[:number]) + share * WIDTHS[number]) / sum(WIDTHS)
    return 1.0


def _remarks(assessment: Mapping[str, Any]) -> List[str]:
    """Return what is said beside the grade: where another measure disagrees, and the share of fat."""
    lines = [sentence(assessment["disagreement"])] if assessment.get("disagreement") else []
    percent, doubts = assessment["fat_fraction_percent"], assessment["fat_fraction_doubts"]
    # In enhanced scans attenuation says nothing about fat, unless the user has chosen otherwise.
    judged = assessment["conditions"]["phase"] == "unenhanced" or assessment["grade"] is not None
    if percent is not None and judged:
        sure = _("Fat fraction: about {percent:.0f} %.")
        doubtful = _("Fat fraction: about {percent:.0f} %, doubtful.")
        text = doubtful if doubts else sure
        lines.append(text.format(percent=percent))
    return lines


def _hu(value: Optional[float]) -> str:
    return _UNKNOWN if value is None else f"{value:.1f}".replace("-", "−")
